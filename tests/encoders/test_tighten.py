"""Linear programs over the language: what they prove holds on every word, whatever multipliers they are
given.
"""

from __future__ import annotations

import random
import time

import pytest
from clocks import later
from random_claims import errs, formulas, random_claim, words_of
from relucid.encoders.formula import Formula
from relucid.encoders.lp import GRID, Lp
from relucid.encoders.relaxation import SplitRelaxation, readers
from relucid.encoders.tighten import tightened

SEEDS = range(25)


def soon() -> float:
    return later()


def words(seed: int, formula: Formula, label: int) -> list[tuple[int, ...]]:
    return [w for w, y in words_of(random_claim(seed)).items() if y == label]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tightened_formula_is_the_same_query_within_its_bounds(seed: int) -> None:
    claim = random_claim(seed)
    for rival, formula in formulas(claim):
        tight = tightened(formula, soon())
        assert tight.violation_bounds[1] <= formula.violation_bounds[1] and len(tight.relus) <= len(
            formula.relus
        )
        for word in words(seed, formula, rival.label):
            values = tight.assignment(word)
            value = formula.violation.value(formula.assignment(word))
            assert tight.violation.value(values) == value <= tight.violation_bounds[1]
            if not tight.settled:
                assert tight.holds(values) == errs(claim, rival, word)
            for relu in tight.relus:
                assert relu.lower <= relu.argument.value(values) <= relu.upper
            for known in tight.allowances:
                relu = tight.relus[known.relu]
                on = relu.argument.value(values) > 0
                assert known.factor * values[relu.output] <= known.share.value(values) + known.rest * on
                assert (
                    known.rest >= 0 and all(c > 0 for _, c in known.share.terms) and known.share.constant == 0
                )


def test_it_is_worth_it() -> None:
    """Over many claims, some queries are settled, ReLUs folded and allowances found that nothing
    else gives.
    """
    settled = folded = found = 0
    for seed in range(100):
        for _, formula in formulas(random_claim(seed)):
            if not formula.settled:
                tight = tightened(formula, soon())
                settled += tight.settled
                folded += not tight.settled and len(tight.relus) < len(formula.relus)
                found += len(tight.allowances)
    assert settled >= 3 and folded >= 1 and found >= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_wrong_multipliers_make_a_bound_weak_never_wrong(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver of the linear programs is not trusted: random multipliers, of any sign, in its place."""
    rng = random.Random(seed)
    found = Lp._found

    def lying(self: Lp, objective: dict[int, int], seconds: float) -> list[int]:
        return [
            m + rng.choice([0, 0, rng.randint(-GRID, GRID), rng.randint(-(9**14), 9**14)])
            for m in found(self, objective, seconds)
        ]

    monkeypatch.setattr(Lp, "_found", lying)
    test_a_tightened_formula_is_the_same_query_within_its_bounds(seed)


def test_a_bound_that_trusted_the_solver_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the multipliers leave over, the test above must fail."""

    def trusting(self: Lp, objective: object, multipliers: list[int]) -> int:
        return sum(m * bound for m, (_, _, bound) in zip(multipliers, self.rows, strict=True)) // GRID

    monkeypatch.setattr(Lp, "bound", trusting)
    with pytest.raises(AssertionError):
        for seed in SEEDS:
            with pytest.MonkeyPatch.context() as patch:
                test_wrong_multipliers_make_a_bound_weak_never_wrong(seed, patch)


def test_the_program_of_a_word_is_feasible() -> None:
    """Every word is a point of the relaxation, split or not: its violation is within every bound."""
    for seed in SEEDS:
        for rival, formula in formulas(random_claim(seed)):
            everyone = frozenset(range(len(formula.relus)))
            bounds = [
                SplitRelaxation(formula, len(everyone), split).maximum(formula.violation, soon())
                for split in (frozenset(), readers(formula), everyone)
            ]
            best = max(
                formula.violation.value(formula.assignment(w)) for w in words(seed, formula, rival.label)
            )
            assert best <= bounds[2] <= bounds[1] <= bounds[0]


def test_no_time_means_no_better_bound_and_no_harm() -> None:
    for seed in SEEDS:
        for rival, formula in formulas(random_claim(seed)):
            tight = tightened(formula, time.monotonic() - 1)
            assert tight.violation_bounds[0] == formula.violation_bounds[0] and not tight.allowances
            assert all(
                formula.violation.value(formula.assignment(w)) <= tight.violation_bounds[1]
                for w in words(seed, formula, rival.label)
            )


def test_duality_by_hand() -> None:
    """x + y at most 3, x at most 2, y at most 2: 2x + 3y is at most 8, and 12 says the multiplier 1 + 1/2 of
    the row.
    """
    lp = Lp()
    x, y = lp.variable(2), lp.variable(2)
    lp.add([(x, 1), (y, 1)], False, 3)
    assert lp.maximum({x: 2, y: 3}, 10.0) == 8
    assert lp.bound({x: 2, y: 3}, [3 * GRID // 2]) == (9 + 2 + 6) // 2  # 3 * 3/2 + 2 * 1/2 + 2 * 3/2
    assert lp.bound({x: 2, y: 3}, [0]) == 10
    assert (
        lp.bound({x: 2, y: 3}, [-GRID]) == 10
    )  # a negative multiplier of an inequality proves nothing, and is not used
