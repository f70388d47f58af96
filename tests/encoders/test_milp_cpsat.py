"""The MILP rows and the CP-SAT model against the exact formula."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from random_claims import errs, formulas, random_claim, words_of
from relucid.common.errors import Unsupported
from relucid.encoders.cpsat import cpsat
from relucid.encoders.formula import Formula
from relucid.encoders.milp import Milp, _decimal, milp
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program


def satisfied(program: Milp, values: list[Fraction]) -> bool:
    """Rows and bounds, in exact fractions."""
    sums = [(row, sum((c * values[v] for v, c in row.terms), Fraction(0))) for row in program.rows]
    return all(v.lower <= x <= v.upper for v, x in zip(program.variables, values, strict=True)) and all(
        s >= row.lower and (row.upper is None or s <= row.upper) for row, s in sums
    )


def solution(program: Milp, formula: Formula, word: tuple[int, ...]) -> list[Fraction]:
    values = formula.assignment(word)
    own = [Fraction(v, variable.unit) for v, variable in zip(values, program.variables, strict=False)]
    phases = [Fraction(int(r.argument.value(values) > 0)) for r in formula.relus]
    return own + phases


@pytest.mark.parametrize("seed", range(11))
def test_rows_hold_exactly_on_the_words_that_err(seed: int) -> None:
    claim = random_claim(seed)
    for rival, formula in formulas(claim):
        program = milp(formula)
        assert not program.inexact
        for word in (w for w, y in words_of(claim).items() if y == rival.label):
            values = solution(program, formula, word)
            assert satisfied(program, values) == errs(claim, rival, word)
            assert program.decode(dict(enumerate(map(float, values)))) == formula.first_alike(word)
            if errs(claim, rival, word):
                for relu in formula.relus:  # nothing but max(0, x) is allowed
                    for change in (Fraction(1, 7), Fraction(-1, 7)):
                        moved = list(values)
                        moved[relu.output] += change
                        assert not satisfied(program, moved)


@pytest.mark.parametrize(
    "value",
    [Fraction(0), Fraction(5), Fraction(-5), Fraction(1, 2), Fraction(-3, 1024), Fraction(2**70 + 1, 2**9)],
)
def test_decimals_are_exact(value: Fraction) -> None:
    assert Fraction(_decimal(value)) == value


def test_mps_text_is_read_by_another_solver() -> None:
    from ortools.linear_solver.python import model_builder

    answers = set()
    for seed in range(12):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            model = model_builder.Model()
            assert model.import_from_mps_string(milp(formula).mps_text())
            solver = model_builder.Solver("scip")
            feasible = solver.solve(model) in (
                model_builder.SolveStatus.OPTIMAL,
                model_builder.SolveStatus.FEASIBLE,
            )
            assert feasible == any(
                errs(claim, rival, w) for w, y in words_of(claim).items() if y == rival.label
            )
            answers.add(feasible)
    assert answers == {True, False}


def test_cpsat_agrees_with_the_words() -> None:
    from ortools.sat.python import cp_model

    for seed in range(25):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            wrong = {w for w, y in words_of(claim).items() if y == rival.label and errs(claim, rival, w)}
            for query, want in ((formula, wrong), (formula.blocking(sorted(wrong)), set())):
                encoded = cpsat(query)
                solver = cp_model.CpSolver()
                solver.parameters.num_workers = 1
                status = solver.solve(encoded.model)
                assert status == (cp_model.OPTIMAL if want else cp_model.INFEASIBLE), (seed, rival)
                assert not want or encoded.decode([solver.value(v) for v in encoded.variables]) in want


def wide_claim(weight: float) -> WordClaim:
    """One ReLU that ranges over [1 - weight, weight + 1], and an output around zero."""
    first = (np.array([[weight, -weight, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]), np.array([0.0, 0.0]))
    second = (np.array([[1.0, -3.0]]), np.array([0.5]))
    program = Program("def f(tokens):\n    return tokens[0] == 'a'\n", "f")
    return WordClaim(
        feed_forward([first, second]), program, Domain(("a", "b"), 2, 2), Decision("sign", (False, True))
    )


def test_numbers_beyond_64_bits_are_refused_not_wrapped() -> None:
    claim = wide_claim(2.0**70)
    raised = 0
    for _, formula in formulas(claim):
        if any(abs(c) > 2**60 for _, c in formula.violation.terms) or abs(formula.violation.constant) > 2**60:
            with pytest.raises(Unsupported):
                cpsat(formula)
            assert milp(formula).inexact
            raised += 1
    assert raised
