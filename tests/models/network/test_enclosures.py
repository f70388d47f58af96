"""Logarithms and exponentials between rationals, against Arb."""

import random
from fractions import Fraction

import flint
import pytest
from relucid.models.network.enclosures import SMALLEST, exp, log


def ball(q):
    return flint.arb(flint.fmpq(q.numerator, q.denominator))


def numbers(rng):
    for size in (1, 3, 12, 40):
        for _ in range(60):
            yield Fraction(rng.randint(1, 10**size), rng.randint(1, 10**size))
    yield from (
        Fraction(1, 3),
        Fraction(3, 2),
        Fraction(3, 4),
        Fraction(2) ** 5000,
        1 - Fraction(1, 2**200),
        1 + Fraction(1, 2**200),
    )


@pytest.mark.parametrize("bits", [8, 64, 300])
def test_logarithms_lie_between_and_the_ends_are_close(bits):
    with flint.ctx.extraprec(bits + 8000):
        for x in numbers(random.Random(bits)):
            low, high = log(x, bits)
            assert ball(low) <= ball(x).log() <= ball(high) if x != 1 else (low, high) == (0, 0)
            assert high - low <= (1 + abs(high)) / 2**bits
    with pytest.raises(ValueError):
        log(Fraction(0), bits)


@pytest.mark.parametrize("bits", [8, 64, 300])
def test_exponentials_lie_between_and_the_ends_are_close(bits):
    rng = random.Random(bits)
    with flint.ctx.extraprec(bits + 400):
        for _ in range(200):
            x = Fraction(rng.randint(-(10**6), 10**6), rng.randint(1, 10 ** rng.randint(3, 9)))
            low, high = exp(x, bits)
            assert ball(low) <= ball(x).exp() <= ball(high)
            assert low > 0 and high - low <= high / 2**bits
    assert exp(Fraction(0), bits) == (1, 1) and exp(Fraction(-SMALLEST - 1), bits)[0] == 0


@pytest.mark.parametrize("bits", [8, 64, 300])
@pytest.mark.parametrize("sign", [-1, 1])
def test_exponentials_lie_between_where_the_power_of_two_is_in_doubt(bits, sign):
    """Around multiples of ln 2, within what is known of it: what is left of the exponent there is nothing, or
    nearly so, on either side.
    """
    ends = log(Fraction(2), bits + 64)
    between = (3 * ends[0] + ends[1]) / 4, (ends[0] + ends[1]) / 2, (ends[0] + 3 * ends[1]) / 4
    width = ends[1] - ends[0]
    beside = ends[0] - width, ends[1] + width, ends[0] - width**2, ends[1] + width**2
    with flint.ctx.extraprec(4 * bits + 600):
        for k in (1, 2, 3, 7, 100, SMALLEST, 1_442_694):
            for end in (*ends, *between, *beside):
                x = sign * k * end
                if abs(x) > SMALLEST:
                    continue
                low, high = exp(x, bits)
                assert ball(low) <= ball(x).exp() <= ball(high), (k, end)
                closer = exp(x, 2 * bits + 200)
                assert low <= closer[0] <= closer[1] <= high and high - low <= high / 2**bits, (k, end)


@pytest.mark.parametrize("bits", [8, 64, 300])
def test_logarithms_lie_between_where_the_power_of_two_is_in_doubt(bits):
    """At and beside the ends of what is left of a number, and powers of two, large and small."""
    with flint.ctx.extraprec(2 * bits + 1000):
        for k in (-3000, -64, -1, 0, 1, 2, 65, 3000):
            for mantissa in (Fraction(1), Fraction(3, 4), Fraction(3, 2), Fraction(1, 2), Fraction(2)):
                for tiny in (Fraction(0), Fraction(1, 2 ** (bits + 70)), Fraction(1, 2**40)):
                    for x in (
                        mantissa * Fraction(2) ** k * (1 + tiny),
                        mantissa * Fraction(2) ** k * (1 - tiny),
                    ):
                        low, high = log(x, bits)
                        closer = log(x, 2 * bits + 200)
                        assert low <= closer[0] <= closer[1] <= high
                        assert x == 1 or ball(low) <= ball(x).log() <= ball(high)
