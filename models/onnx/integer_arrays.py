"""Arrays of integers over a common denominator: lowest terms, and products that cannot overflow.

Under `tensors.py`, `builder.py` and `simplify.py`.
"""

from __future__ import annotations

import math

import numpy as np

from ..network.integers import INT64_LIMIT, integer_array


def lowest_terms(array: np.ndarray, denominator: int) -> tuple[np.ndarray, int]:
    """Return the same rationals over the smallest common denominator."""
    common = common_factor(denominator, array)
    return (array, denominator) if common == 1 else (over(array, common), denominator // common)


def over(array: np.ndarray, divisor: int) -> np.ndarray:
    """Return array / divisor, which must divide exactly."""
    small = array.dtype != object and divisor <= INT64_LIMIT
    return array // divisor if small else integer_array(array.astype(object) // divisor)


def common_factor(start: int, *arrays: np.ndarray) -> int:
    """Return the greatest common divisor of `start` and all numbers of the arrays."""
    for array in arrays:
        if start == 1:
            break
        if array.dtype == object:
            for v in array.flat:
                start = math.gcd(start, v)
                if start == 1:
                    break
        elif array.size:
            start = math.gcd(start, int(np.gcd.reduce(array, axis=None)))
    return start


def times(array: np.ndarray, factor: int) -> np.ndarray:
    """Return array * factor: int64 if everything fits, else Python integers."""
    if factor == 1 or not array.size:
        return array
    largest = max(abs(int(array.max())), abs(int(array.min()))) * abs(factor)
    if largest == 0:
        return np.zeros_like(array)
    return array * factor if largest <= INT64_LIMIT else integer_array(array.astype(object) * factor)
