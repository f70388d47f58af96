"""Pseudo-Boolean constraints and clauses against the words, by solvers of another make than the backends'."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from random_claims import errs, formulas, random_claim, words_of
from relucid.encoders import cnf as cnf_module
from relucid.encoders.cnf import Cnf, cnf
from relucid.encoders.pseudo_boolean import PseudoBoolean, pseudo_boolean


def parsed(text: str) -> list[tuple[list[tuple[int, int]], str, int]]:
    """Rows of an OPB text, read anew: coefficients and variables, relation, bound."""
    rows = []
    for line in (line for line in text.splitlines() if not line.startswith("*")):
        *terms, relation, bound, end = line.split()
        assert end == ";" and all(t[0] in "+-" for t in terms[::2]) and all(t[0] == "x" for t in terms[1::2])
        rows.append(
            (
                [(int(c), int(x[1:])) for c, x in zip(terms[::2], terms[1::2], strict=True)],
                relation,
                int(bound),
            )
        )
    return rows


def satisfied(rows: list[tuple[list[tuple[int, int]], str, int]], true: set[int]) -> bool:
    sums = ((sum(c for c, v in terms if v in true), relation, bound) for terms, relation, bound in rows)
    return all(s == bound if relation == "=" else s >= bound for s, relation, bound in sums)


def model(encoded: PseudoBoolean, word: tuple[int, ...]) -> set[int]:
    """The true variables of a word's own assignment."""
    formula = encoded.formula
    values = formula.assignment(word)
    true = {
        bit
        for value, bits in zip(values, encoded.bits, strict=True)
        for k, bit in enumerate(bits)
        if value >> k & 1
    }
    return true | {
        z for z, relu in zip(encoded.phases, formula.relus, strict=True) if relu.argument.value(values) > 0
    }


@pytest.mark.parametrize("seed", range(8))
def test_pseudo_boolean_rows_hold_exactly_on_the_words_that_err(seed: int) -> None:
    claim = random_claim(seed)
    for rival, formula in formulas(claim):
        encoded = pseudo_boolean(formula)
        rows = parsed(encoded.text())
        assert f"#variable= {encoded.count} #constraint= {len(rows)}" in encoded.text()
        for word in (w for w, y in words_of(claim).items() if y == rival.label):
            true = model(encoded, word)
            assert satisfied(rows, true) == errs(claim, rival, word)
            assert encoded.decode(true) == formula.first_alike(word)
            if errs(claim, rival, word):
                for relu in formula.relus:  # no other value of an output is allowed, whatever its phase
                    for bit in encoded.bits[relu.output]:
                        phase = encoded.phases[formula.relus.index(relu)]
                        assert not satisfied(rows, true ^ {bit}) and not satisfied(rows, true ^ {bit, phase})


def cp_sat_models(encoded: PseudoBoolean, most: int) -> Iterable[set[int]]:
    """Models by CP-SAT, each with another word."""
    from ortools.sat.python import cp_model

    program = cp_model.CpModel()
    x = {v: program.new_bool_var(f"x{v}") for v in range(1, encoded.count + 1)}
    for terms, relation, bound in parsed(encoded.text()):
        value = sum(c * x[v] for c, v in terms)
        program.add(value == bound if relation == "=" else value >= bound) if terms else program.add_bool_or(
            [bound <= 0]
        )
    shown = [x[encoded.bits[i][0]] for here in encoded.formula.indicators for i in here.values()]
    for _ in range(most):
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        if solver.solve(program) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return
        yield {v for v in x if solver.value(x[v])}
        program.add_bool_or([~b if solver.value(b) else b for b in shown])


def test_pseudo_boolean_models_are_the_words_that_err() -> None:
    answers = set()
    for seed in range(12):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            wrong = {
                formula.first_alike(w)
                for w, y in words_of(claim).items()
                if y == rival.label and errs(claim, rival, w)
            }
            if len(wrong) <= 20:
                encoded = pseudo_boolean(formula)
                assert {encoded.decode(true) for true in cp_sat_models(encoded, 21)} == wrong
                answers.add(bool(wrong))
    assert answers == {True, False}


def cnf_words(encoded: Cnf) -> set[tuple[int, ...]]:
    """The words of all models, by minisat on the DIMACS text."""
    from pysat.formula import CNF
    from pysat.solvers import Solver

    text = CNF(from_string=encoded.text())
    assert text.nv <= encoded.count and len(text.clauses) == len(encoded.clauses)
    found = set()
    with Solver(name="minisat22", bootstrap_with=text.clauses) as solver:
        while solver.solve():
            true = {v for v in solver.get_model() if v > 0}
            word = encoded.decode(true)
            assert word not in found
            found.add(word)
            solver.add_clause(
                [
                    -encoded.indicators[here[s]]
                    for s, here in zip(word, encoded.formula.indicators, strict=True)
                ]
            )
    return found


def wrong_and_said() -> Iterable[tuple[set[tuple[int, ...]], set[tuple[int, ...]]]]:
    for seed in range(14):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            wrong = {
                formula.first_alike(w)
                for w, y in words_of(claim).items()
                if y == rival.label and errs(claim, rival, w)
            }
            yield wrong, cnf_words(cnf(formula))
            yield set(), cnf_words(cnf(formula.blocking(sorted(wrong))))


def test_the_models_of_the_clauses_are_the_words_that_err() -> None:
    for wrong, said in wrong_and_said():
        assert said == wrong


def test_one_bit_less_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    width = cnf_module.signed_width
    monkeypatch.setattr(cnf_module, "signed_width", lambda low, high: max(1, width(low, high) - 1))
    assert any(said != wrong for wrong, said in wrong_and_said())


@pytest.mark.parametrize("value", [*range(-40, 41), 2**70 - 1, -(2**65) + 3])
def test_signed_digits(value: int) -> None:
    digits = cnf_module._digits(value)
    assert sum(sign << k for k, sign in digits) == value
    assert all(b[0] - a[0] > 1 for a, b in pairwise(digits))
