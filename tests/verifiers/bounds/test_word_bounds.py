"""Bounds against all words, in fractions; derivatives against differences; numbers that float64 rounds."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from random_claims import random_claim, words_of
from relucid.encoders.dense import Dense, dense
from relucid.encoders.presolve import reduced
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.verifiers.bounds.minimise import minimise
from relucid.verifiers.bounds.multipliers import STEP, Multipliers
from relucid.verifiers.bounds.word_bounds import RowObjectives, WordSupport, bounds, derivative
from relucid.verifiers.bounds.word_queries import FloatQueries

SEEDS = range(40)


def queries(claim: WordClaim) -> list[tuple[list[Dense], list[tuple[int, ...]]]]:
    """Per label: its queries and its words."""
    out, words = [], words_of(claim)
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if not language.empty and (rivals := claim.decision.rivals(label)):
            small = reduced(claim.network, claim.domain, language)
            out.append(
                ([dense(small, rival) for rival in rivals], [w for w, y in words.items() if y == label])
            )
    return out


def huge(seed: int) -> WordClaim:
    """A random claim whose weights have 50 bits after the point."""
    claim, rng = random_claim(seed), np.random.default_rng(seed)
    sizes = [claim.domain.input_size, 3, 3, claim.decision.outputs]
    layers = [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(sizes)]
    return WordClaim(feed_forward(layers), claim.program, claim.domain, claim.decision)


def some_batch(
    problem: FloatQueries, rng: np.random.Generator, count: int = 6
) -> tuple[RowObjectives, Multipliers]:
    """Random rows, phases and multipliers."""
    k = problem.count
    target = rng.integers(0, len(problem.reach), size=count)
    sign = np.where(target >= k, 1, rng.choice([-1.0, 1.0], size=count))
    phase = rng.choice([-1, 0, 0, 1], size=(count, k))
    phase[np.arange(k)[None] >= target[:, None]] = 0
    batch = RowObjectives(
        target,
        sign,
        np.tile(problem.lower, (count, 1)),
        np.tile(problem.upper, (count, 1)),
        phase,
        WordSupport(problem),
    )
    below, above = rng.integers(0, 257, size=(2, count, k)) * STEP
    return batch, Multipliers(below, above, rng.integers(0, 2000, size=(count, k)) * STEP)


@pytest.mark.parametrize("make", [random_claim, huge])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_word_with_these_phases_is_above_the_bound(seed: int, make) -> None:
    rng = np.random.default_rng(seed)
    for asked, words in queries(make(seed)):
        problem = FloatQueries.of(asked)
        rows = np.array(
            [
                [*q.values(np.array([w]))[0, :-1], *(r.values(np.array([w]))[0, -1] for r in asked)]
                for q in asked[:1]
                for w in words
            ],
            dtype=object,
        )
        for _ in range(5):
            batch, multipliers = some_batch(problem, rng)
            found = bounds(problem, batch, multipliers).upper
            for f in range(len(batch)):
                fits = [
                    all(p == 0 or int(p) * x >= 0 for p, x in zip(batch.phase[f], row, strict=False))
                    for row in rows
                ]
                for row, ok in zip(rows, fits, strict=True):
                    if ok:
                        assert Fraction(found[f]) >= Fraction(int(batch.sign[f]) * int(row[batch.target[f]]))


@pytest.mark.parametrize("seed", SEEDS)
def test_where_all_fits_53_bits_the_bound_is_the_exact_one(seed: int) -> None:
    """Recomputed backwards in fractions, maximised over all words one by one."""
    rng = np.random.default_rng(seed)
    for asked, words in queries(random_claim(seed)):
        problem = FloatQueries.of(asked)
        batch, multipliers = some_batch(problem, rng)
        found = bounds(problem, batch, multipliers).upper
        for f in range(len(batch)):
            assert Fraction(found[f]) == max(by_hand(problem, batch, multipliers, f, word) for word in words)


def by_hand(
    problem: FloatQueries, batch: RowObjectives, multipliers: Multipliers, f: int, word: tuple[int, ...]
) -> Fraction:
    """The relaxation's linear function on one word."""
    k, target, sign = problem.count, int(batch.target[f]), Fraction(batch.sign[f])

    def own(row: int) -> Fraction:
        return Fraction(problem.constant[row]) + sum(
            (Fraction(problem.symbols[row, t, s]) for t, s in enumerate(word)), Fraction(0)
        )

    total = sign * own(target)
    coefficient = [sign * Fraction(problem.relus[target, j]) for j in range(k)]
    for j in reversed(range(k)):
        below, above, beta = (
            Fraction(m[f, j]) for m in (multipliers.below, multipliers.above, multipliers.beta)
        )
        lower, upper, c, phase = (
            Fraction(batch.lower[f, j]),
            Fraction(batch.upper[f, j]),
            coefficient[j],
            batch.phase[f, j],
        )
        if phase == 0:
            passed = c * above if c > 0 else c * below
            total += c * max(-above * lower, (1 - above) * upper) if c > 0 else 0
        else:
            passed = c + beta if phase > 0 else -beta
        total += passed * own(j)
        for i in range(j):
            coefficient[i] += passed * Fraction(problem.relus[j, i])
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_derivatives_agree_with_differences(seed: int) -> None:
    """Where one small step does not change the maximal word, the bound is a polynomial in each multiplier:
    linear but for `above`'s kink.
    """
    rng, checked = np.random.default_rng(seed), 0
    for asked, _ in queries(random_claim(seed)):
        problem = FloatQueries.of(asked)
        batch, multipliers = some_batch(problem, rng)
        found = bounds(problem, batch, multipliers)
        slope = derivative(problem, batch, multipliers, found, problem.values(found.words))
        for name in ("below", "above", "beta"):
            for j in range(problem.count):
                step = np.zeros_like(multipliers.below)
                step[:, j] = 2.0**-20
                moved = {
                    n: getattr(multipliers, n) + (step if n == name else 0)
                    for n in ("below", "above", "beta")
                }
                other = bounds(problem, batch, Multipliers(**moved))
                same = (other.words == found.words).all(axis=1)
                difference = (other.upper - found.upper) / 2.0**-20
                limit = 1e-3 * np.maximum(1, np.abs(getattr(slope, name)[:, j]))
                kink = (
                    np.abs(
                        -multipliers.above[:, j] * batch.lower[:, j]
                        - (1 - multipliers.above[:, j]) * batch.upper[:, j]
                    )
                    < 1
                )
                fits = same & ~(kink & (name == "above"))
                assert (np.abs(difference - getattr(slope, name)[:, j]) <= limit)[fits].all()
                checked += int(fits.sum())
    assert checked or not problem.count


def test_minimising_never_loosens_and_often_tightens() -> None:
    tighter = 0
    for seed in range(200):
        for asked, _ in queries(random_claim(seed)):
            problem = FloatQueries.of(asked)
            k = problem.count
            batch = RowObjectives(
                np.array([k]),
                np.ones(1),
                problem.lower[None],
                problem.upper[None],
                np.zeros((1, k), dtype=np.int8),
                WordSupport(problem),
            )
            start = Multipliers.first(batch.lower, batch.upper)
            before = bounds(problem, batch, start).upper[0]
            done = minimise(problem, batch, start, 30)
            assert done.bounds.upper[0] <= before
            assert (
                done.violations or bounds(problem, batch, done.multipliers).upper[0] == done.bounds.upper[0]
            )
            tighter += done.bounds.upper[0] < before
    assert tighter > 5
