"""Square roots of rationals, by integer square roots: the nearest float64 of what need not be rational.

Used where a file computes with constants under a root (BatchNormalization, ReduceL2, Sqrt).  The result is
fixed when the file is read.
"""

from __future__ import annotations

import math
from fractions import Fraction

BITS = 160  # of the root; float64 has 53


def nearest_root(square: Fraction) -> Fraction:
    """Return the root itself if it is rational, else the float64 nearest to it.

    `square` must not be negative.
    """
    exact = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    if exact * exact == square:
        return exact
    return nearest_float_root(square)


def nearest_float_root(square: Fraction) -> Fraction:
    """Return the float64 nearest to the root of a number that is not negative.

    Raises OverflowError if it is too large.
    """
    if not square:
        return Fraction(0)
    shift = max(0, BITS - (square.numerator.bit_length() - square.denominator.bit_length()) // 2)
    root = Fraction(math.isqrt((square.numerator << (2 * shift)) // square.denominator), 1 << shift)
    return Fraction(root.numerator / root.denominator)
