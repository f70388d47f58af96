"""The neutral formula: its assignments are exactly the words on which the rival wins."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from random_claims import errs, formulas, random_claim, words_of
from relucid.encoders.formula import Formula, ReluConstraint


@pytest.mark.parametrize("seed", range(20))
def test_holds_exactly_on_the_words_that_err_and_decodes_back(seed: int) -> None:
    claim = random_claim(seed)
    words = words_of(claim)
    for rival, formula in formulas(claim):
        mine = [w for w, y in words.items() if y == rival.label]
        wrong = [w for w in mine if errs(claim, rival, w)]
        for word in mine:
            values = formula.assignment(word)
            assert formula.holds(values) == (word in wrong)
            assert formula.decode(values) == formula.first_alike(word) and word in formula.alike(word)
            assert set(formula.alike(word)) <= set(wrong if word in wrong else mine)
            assert (
                formula.violation_bounds[0] <= formula.violation.value(values) <= formula.violation_bounds[1]
            )
            for relu in formula.relus:
                assert relu.lower <= relu.argument.value(values) <= relu.upper
        assert not (formula.settled and wrong)
        if wrong:
            blocked = formula.blocking(wrong[:1])
            assert [w for w in mine if blocked.holds(blocked.assignment(w))] == [
                w for w in wrong if w not in formula.alike(wrong[0])
            ]


def test_some_words_are_alike() -> None:
    found = 0
    for seed in range(40):
        for rival, formula in formulas(random_claim(seed)):
            words = [w for w, y in words_of(random_claim(seed)).items() if y == rival.label]
            found += sum(len(list(formula.alike(w))) > 1 for w in words)
    assert found > 0


def flows(formula: Formula) -> list[tuple[int, ...]]:
    """Every 0/1 assignment of edges and indicators that satisfies the flow constraints."""
    free = len(formula.variables) - len(formula.relus)
    return [v for v in product((0, 1), repeat=free) if all(c.holds(v) for c in formula.flow)]


@pytest.mark.parametrize("seed", range(40))
def test_the_flow_is_the_language_and_no_constraint_is_idle(seed: int) -> None:
    claim = random_claim(seed)
    for rival, formula in formulas(claim):
        if len(formula.variables) - len(formula.relus) > 12:
            continue
        mine = sorted(w for w, y in words_of(claim).items() if y == rival.label)
        solutions = flows(formula)
        assert sorted(formula.decode(v) for v in solutions) == sorted({formula.first_alike(w) for w in mine})
        for i in range(len(formula.flow)):
            assert len(flows(replace(formula, flow=formula.flow[:i] + formula.flow[i + 1 :]))) > len(
                solutions
            )


def test_a_word_outside_the_language_has_no_assignment_and_blocks_nothing() -> None:
    _, formula = next(iter(formulas(random_claim(5))))
    strange = tuple([99] * formula.language.length)
    with pytest.raises(ValueError, match="not a word"):
        formula.assignment(strange)
    assert formula.blocking([strange]).exclusions == ()


def test_a_wrong_relu_output_does_not_hold() -> None:
    for seed in range(20):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            for word in (w for w, y in words_of(claim).items() if y == rival.label and errs(claim, rival, w)):
                values = formula.assignment(word)
                for relu in formula.relus:
                    assert isinstance(relu, ReluConstraint)
                    changed = list(values)
                    changed[relu.output] += 1
                    assert not formula.holds(changed)
