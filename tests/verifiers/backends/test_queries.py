"""The loop around a solver: lies, tolerances, and time, with scripted answers instead of a solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from random_claims import errs, formulas, random_claim, words_of
from relucid.common.errors import Unsupported
from relucid.encoders.formula import Formula
from relucid.encoders.milp import milp
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.attempts import Attempt, Trust
from relucid.verifiers.backends.shared import queries
from relucid.verifiers.backends.shared.mathopt import solve_milp
from relucid.verifiers.backends.shared.queries import QueryBackend, SolverAnswer, too_big
from relucid.verifiers.race.backend import Budget, Capabilities


def wrong_words(claim: WordClaim) -> list[tuple[int, ...]]:
    return [w for w, y in words_of(claim).items() if any(errs(claim, r, w) for r in claim.decision.rivals(y))]


CLAIM = next(c for c in map(random_claim, range(100)) if 2 <= len(wrong_words(c)) < c.domain_size)


def run(
    ask: Callable[[Formula, float], SolverAnswer],
    trust: Trust = "exact",
    claim: WordClaim = CLAIM,
    **budget: object,
) -> Attempt:
    backend = QueryBackend(
        "fake", Capabilities(trust), "numpy", lambda formula, seconds, _: ask(formula, seconds)
    )
    return backend.solve(claim, Budget(**budget), lambda message: None)  # type: ignore[arg-type]


def honest(formula: Formula, seconds: float) -> SolverAnswer:
    for word in (w for w in words_of(CLAIM) if CLAIM.language.label_of(w) in formula.language.labels):
        if formula.language.label_of(word) is not None and formula.holds(formula.assignment(word)):
            return SolverAnswer("word", word)
    return SolverAnswer("none")


GOOD_WORD = next(w for w in words_of(CLAIM) if w not in wrong_words(CLAIM))


def test_an_honest_solver_is_believed_and_finds_all() -> None:
    assert set(run(honest, counterexamples=1000).words) == set(wrong_words(CLAIM))
    assert len(run(honest, counterexamples=2).words) == 2
    assert run(lambda f, s: SolverAnswer("none")).outcome == "proved"


def test_a_lying_exact_solver_has_crashed() -> None:
    attempt = run(lambda f, s: SolverAnswer("word", GOOD_WORD))
    assert attempt.outcome == "crashed" and attempt.words == () and "not a counterexample" in attempt.detail


def test_wrong_words_of_a_solver_with_tolerances_are_blocked() -> None:
    def ask(formula: Formula, seconds: float) -> SolverAnswer:
        return honest(formula, seconds) if GOOD_WORD in formula.blocked else SolverAnswer("word", GOOD_WORD)

    assert run(ask, "float").outcome == "refuted"
    attempt = run(lambda f, s: SolverAnswer("word", GOOD_WORD), "float")
    assert attempt.outcome == "unknown" and "tolerances" in attempt.detail


def test_what_was_found_before_time_ran_out_is_kept() -> None:
    def ask(formula: Formula, seconds: float) -> SolverAnswer:
        return SolverAnswer("timeout") if formula.blocked else honest(formula, seconds)

    assert len(run(ask, counterexamples=5).words) >= 1
    assert run(lambda f, s: SolverAnswer("timeout")).outcome == "timeout"
    assert run(honest, seconds=0.0).outcome == "timeout"


def test_an_open_query_does_not_hide_the_next_and_is_never_a_proof() -> None:
    claim = next(
        c for c in map(random_claim, range(200)) if len({label_in(c, w) for w in wrong_words(c)}) > 1
    )
    asked: list[str] = []

    def ask(formula: Formula, seconds: float) -> SolverAnswer:
        asked.append(formula.name)
        return SolverAnswer("unknown", detail="no idea") if len(asked) == 1 else SolverAnswer("none")

    attempt = run(ask, claim=claim)
    assert attempt.outcome == "unknown" and "no idea" in attempt.detail and len(set(asked)) > 1


def label_in(claim: WordClaim, word: tuple[int, ...]) -> int:
    return words_of(claim)[word]


def test_a_refusal_is_unsupported() -> None:
    def ask(formula: Formula, seconds: float) -> SolverAnswer:
        raise Unsupported("too wide")

    assert (run(ask).outcome, run(ask).detail) == ("unsupported", "too wide")


def test_size_limits_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert too_big(CLAIM) is None
    monkeypatch.setattr(queries, "MAX_EDGES", 1)
    assert "edges" in (too_big(CLAIM) or "")
    monkeypatch.setattr(queries, "MAX_EDGES", 10**6)
    monkeypatch.setattr(queries, "MAX_RELUS", 0)
    assert "ReLUs" in (too_big(CLAIM) or "")


@pytest.mark.parametrize("solver", ["HIGHS", "GSCIP"])
def test_infeasible_means_nothing_where_float64_cannot_hold_the_rows(solver: str) -> None:
    _, formula = next(iter(formulas(CLAIM)))
    impossible = milp(
        formula.blocking([w for w, y in words_of(CLAIM).items() if y in formula.language.labels])
    )
    assert solve_milp(impossible, solver, 5.0, 0).kind == "none"
    answer = solve_milp(replace(impossible, inexact="it is only nearly so"), solver, 5.0, 0)
    assert answer.kind == "unknown" and "nearly" in answer.detail
