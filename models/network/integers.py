"""Exact integer arrays: products and sums in the fastest arithmetic that is proved exact.

The lowest module of this folder; used by networks, bounds, engines and the proof checker.  Numbers are int64
or float64 if none can leave the exact range, and Python integers otherwise.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

FLOAT64_EXACT = 2**53  # integers up to here are exact in float64, in any order of summation
INT64_LIMIT = 2**63 - 1
INT64_SAFE = 2**62  # sums and products below this cannot leave int64


def integer_array(values: object) -> np.ndarray:
    """Return a read-only integer array: int64 if everything fits, else Python integers.

    Raises ValueError on fractions.
    """
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    if array.dtype.kind == "i" or (array.dtype.kind in "ub" and array.dtype.itemsize < 8):
        out = array.astype(np.int64)
    else:
        out = np.frompyfunc(_exact_int, 1, 1)(array.astype(object))
        out = np.asarray(out, dtype=object).reshape(array.shape)
    if out.dtype != object or all(-INT64_LIMIT <= v <= INT64_LIMIT for v in out.flat):
        out = out.astype(np.int64)
        if out.size and out.min() < -INT64_LIMIT:  # the absolute value of -2**63 does not fit int64
            out = out.astype(object)
    out.setflags(write=False)
    return out


def _exact_int(value: object) -> int:
    whole: int = int(value)  # type: ignore[call-overload]
    if whole != value:
        raise ValueError(f"{value!r} is not an integer")
    return whole


def magnitude(array: np.ndarray) -> int:
    """Return the largest absolute value, 0 for an empty array."""
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


def exact_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the integer product a @ b."""
    bound = magnitude(a) * magnitude(b) * max(a.shape[1], 1)
    if not bound:  # one factor is zero, and the other may exceed float64
        return np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    if bound < FLOAT64_EXACT:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    if bound < INT64_SAFE:
        return a.astype(np.int64) @ b.astype(np.int64)
    return integer_array(a.astype(object) @ b.astype(object))


def exact_sum(*arrays: np.ndarray) -> np.ndarray:
    """Return the elementwise sum."""
    if sum(magnitude(a) for a in arrays) < INT64_SAFE:
        return sum(arrays[1:], start=arrays[0])
    return integer_array(sum((a.astype(object) for a in arrays[1:]), start=arrays[0].astype(object)))


def exact_product(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """Return the elementwise product, after broadcasting."""
    b = integer_array(b)
    if magnitude(a) * magnitude(b) < INT64_SAFE:
        result: np.ndarray = a * b
        return result
    return integer_array(a.astype(object) * b.astype(object))


def exact_quotient(array: np.ndarray, divisor: int) -> np.ndarray:
    """Return array // divisor, which must divide exactly.

    The divisor may exceed 64 bits; 64-bit entries are then all zero.
    """
    return (
        array // divisor
        if array.dtype == object or divisor < INT64_SAFE
        else integer_array(array.astype(object) // divisor)
    )


def dyadic(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return finite floats (or Fractions) as exact integers over their smallest common denominator.

    For floats that is a power of two.  Raises ValueError on NaN and infinities.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return integer_array(array), 1
    if array.dtype.kind != "O" and array.dtype.itemsize <= 8:
        floats = array.astype(np.float64)
        if not np.isfinite(floats).all():
            raise ValueError("parameters must be finite")
        short = _dyadic_in_int64(floats)
        if short is not None:
            return short
    pairs = []
    for v in array.flat:  # as_integer_ratio is exact, also for long doubles
        if not isinstance(v, (int, Fraction)) and not np.isfinite(v):
            raise ValueError("parameters must be finite")
        pairs.append((v if hasattr(v, "as_integer_ratio") else float(v)).as_integer_ratio())
    denominator = math.lcm(1, *(int(d) for _, d in pairs))
    numerators = np.empty(array.size, dtype=object)
    numerators[:] = [int(n) * (denominator // int(d)) for n, d in pairs]
    return integer_array(numerators.reshape(array.shape)), denominator


def _dyadic_in_int64(floats: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Do what `dyadic` does for finite floats, vectorised.  Returns None if a numerator may not fit int64."""
    mantissa, exponent = np.frexp(floats)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    low = (
        np.frexp((whole & -whole).astype(np.float64))[1].astype(np.int64) - 54 + exponent
    )  # exponent of the lowest set bit
    shift = -min(0, int(low[whole != 0].min(initial=0)))
    if int(exponent[whole != 0].max(initial=0)) + shift > 62 or shift > 1000:
        return None
    return integer_array(np.ldexp(floats, shift).astype(np.int64)), 1 << shift
