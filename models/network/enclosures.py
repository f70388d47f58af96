"""Logarithms and exponentials of rationals, enclosed between two rationals, to as many bits as are asked for.

Under `claims/head_rows.py`, which decides with them.  A series is summed in fixed point in Python's integers,
its lower end rounded down and its upper end rounded up, so the enclosure is rigorous.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

GUARD = 64  # extra bits of the computation
HALVINGS = 16  # an exponent is divided by 2**HALVINGS before its series
SMALLEST = 10**6  # for exponents below -SMALLEST, the enclosure is [0, 2^-SMALLEST]

Enclosure = tuple[Fraction, Fraction]


@lru_cache(maxsize=4096)
def log(x: Fraction, bits: int) -> Enclosure:
    """Return an enclosure of ln(x), about 2^-bits wide relative to 1 + |ln x|; exactly 0 for x = 1.

    Raises ValueError unless x > 0.
    """
    if x <= 0:
        raise ValueError(f"no logarithm of {x}")
    if x == 1:
        return Fraction(0), Fraction(0)
    shift = x.numerator.bit_length() - x.denominator.bit_length()
    mantissa = x / Fraction(2) ** shift
    if mantissa < Fraction(3, 4):
        mantissa, shift = mantissa * 2, shift - 1
    elif mantissa > Fraction(3, 2):
        mantissa, shift = mantissa / 2, shift + 1
    work = bits + GUARD + abs(shift).bit_length()
    low, high = _twice_atanh((mantissa - 1) / (mantissa + 1), work)
    two_low, two_high = _twice_atanh(Fraction(1, 3), work)  # ln 2
    ends = (shift * two_low, shift * two_high)
    return Fraction(low + min(ends), 1 << work), Fraction(high + max(ends), 1 << work)


def _twice_atanh(s: Fraction, work: int) -> tuple[int, int]:
    """Return an enclosure of 2 atanh(s) * 2^work, by 2 (s + s^3/3 + s^5/5 + ...).

    Raises ValueError unless |s| <= 1/3.
    """
    if abs(s) > Fraction(1, 3):
        raise ValueError(f"the series is for up to 1/3, not for {float(s)}")
    if s < 0:
        low, high = _twice_atanh(-s, work)
        return -high, -low
    least, most = (s.numerator << work) // s.denominator, -((-s.numerator << work) // s.denominator)
    least_square, most_square = (least * least) >> work, _up(most * most, work)
    low = high = 0
    k = 1
    while most:
        low, high = low + least // k, high - (-most // k)
        if most <= 1:  # the remaining terms are below most * s^2 / (1 - s^2) <= most / 8
            high += 1
            break
        least, most = (least * least_square) >> work, _up(most * most_square, work)
        k += 2
    return 2 * low, 2 * high


def _up(value: int, work: int) -> int:
    """Return value / 2^work, rounded up."""
    return -(-value >> work)


def exp(x: Fraction, bits: int) -> Enclosure:
    """Return an enclosure of e^x, about 2^-bits wide relative to it; exactly 1 for x = 0.

    Raises ValueError above SMALLEST.
    """
    if x == 0:
        return Fraction(1), Fraction(1)
    if x > SMALLEST:
        raise ValueError("the exponent is too large")
    if x < -SMALLEST:
        return Fraction(0), Fraction(1, 2**SMALLEST)
    two_low, two_high = log(Fraction(2), bits + 64)
    n = x // (
        two_high if x > 0 else two_low
    )  # rounded down, so that nothing below 0 is left of x, whatever ln 2 is
    work = bits + GUARD + HALVINGS
    least, most = sorted((x - n * two_low, x - n * two_high))
    low, high = _exp_of_small(least, work)[0], _exp_of_small(most, work)[1]
    scale = Fraction(2) ** n
    return Fraction(low, 1 << work) * scale, Fraction(high, 1 << work) * scale


def _exp_of_small(x: Fraction, work: int) -> tuple[int, int]:
    """Return an enclosure of e^x * 2^work.  Raises ValueError unless 0 <= x < 1."""
    if not 0 <= x < 1:
        raise ValueError(f"the series is for exponents from 0 to 1, not for {float(x)}")
    y = x / (1 << HALVINGS)
    least, most = (y.numerator << work) // y.denominator, -((-y.numerator << work) // y.denominator)
    low = high = down = up = 1 << work
    k = 1
    while up > 1:
        down, up = ((down * least) >> work) // k, -(-_up(up * most, work) // k)
        low, high = low + down, high + up
        k += 1
    high += 1  # the rest of the series is smaller than its last term
    for _ in range(HALVINGS):
        low, high = (low * low) >> work, _up(high * high, work)
    return low, high
