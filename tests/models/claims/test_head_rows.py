"""Rows over shares of softmaxes as rows over logits: implied wherever they hold, exact where they can be,
decided exactly at points.
"""

import random
from fractions import Fraction

import flint
import pytest
from relucid.common.errors import Unsupported
from relucid.models.claims.head_property import HeadProperty
from relucid.models.claims.head_rows import (
    MOST_BITS,
    Exponentials,
    cut_at,
    logit,
    outwards,
    translated,
)
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.enclosures import SMALLEST, exp, log
from relucid.models.network.head import ZERO, Choice, Head, LogSoftmaxShare, Plain, SoftmaxShare
from relucid.models.network.head_result import result

SOFTMAX = tuple(SoftmaxShare((0, 1, 2), k) for k in range(3))
SIGMOIDS = SoftmaxShare((0, ZERO), 0), SoftmaxShare((1, ZERO), 0)
TANH = (
    SoftmaxShare((0, ZERO), 0, Fraction(2), Fraction(-1)),
    SoftmaxShare((1, ZERO), 0, Fraction(2), Fraction(-1)),
)
LOGS = tuple(LogSoftmaxShare((0, 1, 2), k) for k in range(3))
F = Fraction


def row(y, constant=0, strict=False, x=()):
    return Row(tuple((i, F(c)) for i, c in x), tuple((j, F(c)) for j, c in y), F(constant), strict)


def alone(found):
    """Of a row that became one row."""
    ((only,),) = outwards(found) if isinstance(found, Exponentials) else (((found),),)
    return only


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("elements", [SOFTMAX, SIGMOIDS, TANH, LOGS])
def test_an_order_is_the_order_of_the_logits(elements, strict):
    assert alone(translated(row([(0, 1), (1, -1)], strict=strict), elements)) == row(
        [(0, 1), (1, -1)], strict=strict
    )


@pytest.mark.parametrize("strict", [False, True])
def test_one_half_is_a_logit_of_zero(strict):
    assert alone(translated(row([(0, 1)], F(-1, 2), strict), SIGMOIDS)) == row([(0, 1)], 0, strict)
    assert alone(translated(row([(0, -1)], 0, strict), TANH)) == row([(0, -1)], 0, strict)


@pytest.mark.parametrize("t", [F(575235367, 10**9), F(1, 1000), F(1, 10**30), 1 - F(1, 10**30)])
def test_a_threshold_is_one_before_the_sigmoid_between_close_rationals(t):
    above = alone(translated(row([(0, 1)], -t), SIGMOIDS))
    below = alone(translated(row([(0, -1)], t), SIGMOIDS))
    assert (above.y, below.y) == (((0, 1),), ((0, -1),))
    with flint.ctx.extraprec(1000):
        logit = (
            flint.arb(flint.fmpq(t.numerator, t.denominator))
            / flint.arb(flint.fmpq((1 - t).numerator, (1 - t).denominator))
        ).log()
        low, high = (
            flint.arb(flint.fmpq(v.numerator, v.denominator)) for v in (-above.constant, below.constant)
        )
        assert low < logit < high and high - low < flint.arb(2) ** -100


def test_thresholds_that_nothing_or_everything_passes():
    for t, holds in ((0, True), (-1, True), (1, False), (2, False)):
        assert outwards(translated(row([(0, 1)], -t), SOFTMAX)) == ([[]] if holds else [])
    assert outwards(translated(row([(0, 1)], -1), (SoftmaxShare((0,), 0),))) == [[]], (
        "a softmax of one value is 1"
    )
    assert outwards(translated(row([(0, 1)], -1, True), (SoftmaxShare((0,), 0),))) == []
    assert outwards(translated(row([(0, 1), (1, 1), (2, 1)], -1), SOFTMAX)) == [[]], "they sum up to 1"
    assert outwards(translated(row([(0, -1)], 0), LOGS)) == [[]] and outwards(
        translated(row([(0, 1)], 0, True), LOGS)
    ) != [[]]


def random_row(rng, count):
    y = [(j, F(rng.randint(-4, 4), rng.randint(1, 3))) for j in range(count) if rng.random() < 0.7]
    return row([(j, c) for j, c in y if c], F(rng.randint(-8, 8), rng.choice([1, 3, 8])), rng.random() < 0.5)


def random_elements(rng):
    kind = rng.choice(["softmax", "two softmaxes", "sigmoids", "tanh", "one log"])
    if kind == "softmax":
        return tuple(SoftmaxShare((0, 1, 2, 3), k) for k in range(4))
    if kind == "two softmaxes":
        return (*(SoftmaxShare((0, 1), k) for k in range(2)), *(SoftmaxShare((2, 3), k) for k in range(2)))
    if kind == "one log":
        return (LogSoftmaxShare((0, 1, 2, 3), 1),)
    return SIGMOIDS if kind == "sigmoids" else TANH


def arb_value(stated, elements, logits):
    """constant + sum of what is stated of the results, as a ball."""

    def ball(q):
        return flint.arb(flint.fmpq(q.numerator, q.denominator))

    total = ball(stated.constant)
    for j, c in stated.y:
        e = elements[j]
        powers = [(ball(F(0) if i == ZERO else logits[i])).exp() for i in e.group]
        share = powers[e.member] / sum(powers, flint.arb(0))
        total += ball(c) * (
            share.log() if isinstance(e, LogSoftmaxShare) else ball(e.factor) * share + ball(e.offset)
        )
    return total


def test_what_holds_is_implied_and_points_are_decided_exactly():
    rng = random.Random(5)
    counts = {True: 0, False: 0, "exact": 0}
    with flint.ctx.extraprec(300):
        for _ in range(1500):
            elements = random_elements(rng)
            stated = random_row(rng, len(elements))
            try:
                found = translated(stated, elements)
            except Unsupported:
                continue
            logits = [F(rng.randint(-12, 12), rng.choice([1, 2, 4])) for _ in range(4)]
            value = arb_value(stated, elements, logits)
            holds = found.holds((), logits)
            assert not (value > 0 and not holds) and not (value < 0 and holds)
            if isinstance(found, Row):
                continue
            alternatives = outwards(found)
            met = any(all(r.holds((), logits) for r in rows) for rows in alternatives)
            assert met or not holds
            counts[holds] += 1
            if met and not holds and all(found.sides):
                tighter = outwards(found, [cut_at(found, (), logits)])
                assert value > -1e-9 or not any(all(r.holds((), logits) for r in rows) for rows in tighter), (
                    "the cut is tight at its point"
                )
            if len(found.terms) == 2 and all(found.sides):
                counts["exact"] += 1
                assert met == holds
    assert min(counts.values()) > 30, counts


@pytest.mark.parametrize("signs", [(-1, 1, 1), (-1, -1, 1, 1), (-2, 1, 1, 1), (1, -1, -1)])
def test_many_cuts_imply_what_holds_and_cut_off_their_points(signs):
    """sum of sign * e^logit >= 0, at the points of the cuts and between them."""
    rng = random.Random(str(signs))
    count = len(signs)
    found = Exponentials(tuple((F(s), logit(k)) for k, s in enumerate(signs)), False)
    points = [[F(rng.randint(-16, 16), 8) for _ in range(count)] for _ in range(400)]
    off = [p for p in points if not found.holds((), p)]
    cuts = [cut_at(found, (), p) for p in off[:8]]
    alternatives = outwards(found, cuts)
    for p in points:
        met = any(all(r.holds((), p) for r in rows) for rows in alternatives)
        assert met or not found.holds((), p)
        assert not met or p not in off[:8]
    assert sum(map(len, alternatives)) < 1000 and len(off) > 50


def test_ties_are_decided_although_no_precision_would_end():
    tied = translated(row([(0, 1), (1, -2), (2, 1)]), SOFTMAX)
    assert isinstance(tied, Exponentials)
    assert tied.holds((), [F(1, 3)] * 3)
    assert not translated(row([(0, 1), (1, -2), (2, 1)], 0, True), SOFTMAX).holds((), [F(1, 3)] * 3)
    close = F(1, 10**60)
    assert not translated(row([(0, 1), (1, -1)]), SOFTMAX).holds((), [F(0), close, F(0)])


def test_rows_that_are_no_question_about_logits():
    for stated, elements in (
        (row([(0, 1)], x=[(0, 1)]), SOFTMAX),
        (row([(0, 1), (3, 1)]), (*SOFTMAX, Plain(0))),
        (row([(0, 1), (1, 1)]), (LogSoftmaxShare((0, 1), 0), LogSoftmaxShare((2, 3), 0))),
    ):
        with pytest.raises(Unsupported, match="which is no comparison of logits"):
            translated(stated, elements)


def test_choices_are_orders_with_ties_to_the_first():
    head = Head((Choice((0, 1, 2), (F(5), F(7), F(5))),))
    stated = Property(1, 1, (Case((F(0),), (F(1),), ((row([(0, 1)], -5), row([(0, -1)], 5)),)),))
    about = HeadProperty(stated, head, 3)
    for logits, label in (([3, 2, 1], 5), ([1, 2, 1], 7), ([2, 2, 1], 5), ([1, 2, 2], 7), ([0, 1, 2], 5)):
        values = list(map(F, logits))
        assert about.results(values) == (label,)
        assert about.witnesses([F(0)], values) == (label == 5)
        (case,) = about.outer().cases
        assert any(all(r.holds((), values) for r in rows) for rows in case.unsafe) == (label == 5)


def test_results_are_rounded_to_twenty_decimals():
    assert result(SIGMOIDS[0], [F(0)]) == F(1, 2) and result(TANH[1], [F(0), F(0)]) == 0
    assert abs(float(result(SOFTMAX[0], [F(1), F(2), F(3)])) - 0.09003057317038046) < 1e-16
    assert abs(float(result(LOGS[2], [F(1), F(2), F(3)])) + 0.40760596444438) < 1e-14


@pytest.mark.parametrize("bits", [64, 128, 256, 512])
def test_what_is_next_to_a_power_of_two_is_decided(bits):
    """2 e^-c + e^-(4 bits) >= 1, with c so close to ln 2 on either side that only more than so many bits tell
    them apart.
    """
    found = Exponentials(((F(2), logit(0)), (F(1), logit(1)), (F(-1), logit(ZERO))), False)
    with flint.ctx.extraprec(20 * bits):
        for c in log(F(2), bits + 64):
            value = (
                2 * flint.arb(flint.fmpq(-c.numerator, c.denominator)).exp() + flint.arb(-4 * bits).exp() - 1
            )
            assert value > 0 or value < 0
            assert found.holds((), [-c, F(-4 * bits)]) == (value > 0)


def test_a_tie_beyond_all_bits_is_left_open():
    """Of e^z and a number that has its first bits, and of numbers that are both too small to tell apart from
    0.
    """
    low, high = exp(F(1), 2 * MOST_BITS)
    almost = Exponentials(((F(1), logit(0)), (-(low + high) / 2, logit(ZERO))), False)
    tiny = Exponentials(((F(1, 2 ** (SMALLEST + 10)), logit(ZERO)), (F(-1), logit(0))), False)
    for found, at in ((almost, F(1)), (tiny, F(-SMALLEST - 1))):
        with pytest.raises(Unsupported, match=f"as far as {MOST_BITS} bits tell"):
            found.holds((), [at])
    assert almost.holds((), [F(1) + F(1, 2 ** (MOST_BITS // 2))])
