"""Logarithms and exponentials between rationals, against Arb."""

import random
from fractions import Fraction

import flint
import pytest
from relucid.models.enclosures import SMALLEST, exp, log


def ball(q):
    return flint.arb(flint.fmpq(q.numerator, q.denominator))


def numbers(rng):
    for size in (1, 3, 12, 40):
        for _ in range(60):
            yield Fraction(rng.randint(1, 10**size), rng.randint(1, 10**size))
    yield from (Fraction(1, 3), Fraction(3, 2), Fraction(3, 4), Fraction(2) ** 5000, 1 - Fraction(1, 2**200), 1 + Fraction(1, 2**200))


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
