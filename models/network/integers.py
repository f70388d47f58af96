"""Exact integer arrays: products and sums in the fastest arithmetic that magnitudes prove exact.

Used by bounds, engines and the proof checker: 64-bit integers or float64 where no number can leave them, Python integers where it could.
"""

from __future__ import annotations

import numpy as np

from .network import FLOAT64_EXACT, integer_array

INT64_SAFE = 2**62


def magnitude(array: np.ndarray) -> int:
    """The largest absolute value (0 of nothing)."""
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


def exact_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The integer product a @ b, by the fastest arithmetic that is proven exact for it."""
    bound = magnitude(a) * magnitude(b) * max(a.shape[1], 1)
    if not bound:  # the other factor may be beyond float64
        return np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    if bound < FLOAT64_EXACT:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    if bound < INT64_SAFE:
        return a.astype(np.int64) @ b.astype(np.int64)
    return integer_array(a.astype(object) @ b.astype(object))


def exact_sum(*arrays: np.ndarray) -> np.ndarray:
    """The elementwise sum, in Python integers where 64 bits might not do."""
    if sum(magnitude(a) for a in arrays) < INT64_SAFE:
        return sum(arrays[1:], start=arrays[0])
    return integer_array(sum((a.astype(object) for a in arrays[1:]), start=arrays[0].astype(object)))


def exact_product(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """The elementwise (broadcast) product, likewise."""
    b = integer_array(b)
    if magnitude(a) * magnitude(b) < INT64_SAFE:
        return a * b
    return integer_array(a.astype(object) * b.astype(object))


def exact_quotient(array: np.ndarray, divisor: int) -> np.ndarray:
    """array // divisor, where it divides; the divisor may be beyond 64 bits (then 64-bit entries are all zero)."""
    return (
        array // divisor
        if array.dtype == object or divisor < INT64_SAFE
        else integer_array(array.astype(object) // divisor)
    )
