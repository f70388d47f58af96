"""The checker of clausal proofs, on formulas small enough for brute force: every clause is implied, and what
follows is accepted.
"""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.verifiers.proof.export import clausal
from relucid.verifiers.proof.export.clausal import Clausal, Clause
from relucid.verifiers.proof.format import LimitReached, Rejected

UNENDED = "the proof ends without the empty clause"
NOT_RUP = (
    "a clause does not follow by unit propagation (steps that only preserve satisfiability are not supported)"
)
ALL_FOUR = [(1, 2), (1, -2), (-1, 2), (-1, -2)]


def why(clauses: list[Clause], count: int, *steps: str) -> str:
    with pytest.raises(Rejected) as caught:
        Clausal(count, clauses).check(steps)
    return str(caught.value)


def satisfied(clause: Clause, values: tuple[int, ...]) -> bool:
    return any(values[abs(literal) - 1] == (literal > 0) for literal in clause)


def solutions(clauses: list[Clause], count: int) -> list[tuple[int, ...]]:
    return [values for values in product((0, 1), repeat=count) if all(satisfied(c, values) for c in clauses)]


def test_small_proofs() -> None:
    assert Clausal(2, ALL_FOUR).check(["1 0", "0"]) == 2
    assert Clausal(2, ALL_FOUR).check(["c a comment", "", "1 0", "d 1 2 0", "0"]) == 3
    assert (
        Clausal(2, ALL_FOUR).check(["2 -1 2 0", "1 0", "0"]) == 3
    )  # literals may come in any order, and twice
    assert Clausal(1, [(1,), (-1,)]).check(["0"]) == 1
    assert Clausal(1, [()]).check(["0"]) == 1


def test_pigeons_by_hand() -> None:
    """Three pigeons, two holes."""
    at = lambda p, h: 2 * p + h + 1  # noqa: E731
    clauses: list[Clause] = [(at(p, 0), at(p, 1)) for p in range(3)]
    clauses += [(-at(p, h), -at(q, h)) for h in (0, 1) for q in range(3) for p in range(q)]
    assert Clausal(6, clauses).check(["1 0", "0"]) == 2
    for gone in range(len(clauses)):
        assert why([c for i, c in enumerate(clauses) if i != gone], 6, "1 0", "0") == NOT_RUP


STEPS = {
    "1 2": "a clause is malformed",
    "x 0": "a clause is malformed",
    "+1 0": "a clause is malformed",
    "1.0 0": "a clause is malformed",
    "1 0 2 0": "a clause is malformed",
    "\u0661 0": "a clause is malformed",
    "1_0 0": "a clause is malformed",
    "9999999999 0": "a clause is malformed",
    "d": "a clause is malformed",
    "d 1": "a clause is malformed",
    "3 0": "a clause has a variable that the formula does not have",  # no extended resolution
    "-3 0": "a clause has a variable that the formula does not have",
    "d 3 0": "a clause has a variable that the formula does not have",
    "d 1 0": "a deleted clause is not present",
    "d 0": "a deleted clause is not present",
    "0": NOT_RUP,
    "{}": "a clause is malformed",
    "1 2 0": UNENDED,
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_that_are_none(step: str) -> None:
    assert why(ALL_FOUR, 2, step) == STEPS[step]


def test_order_and_end() -> None:
    assert why(ALL_FOUR, 2, "1 0", "0", "0") == "a step follows the empty clause"
    assert why(ALL_FOUR, 2, "1 0", "0", "d 1 0") == "a step follows the empty clause"
    assert why(ALL_FOUR, 2, "1 0") == UNENDED
    assert why(ALL_FOUR, 2) == UNENDED
    assert why(ALL_FOUR, 2, "d 1 -2 0", "1 0", "0") == NOT_RUP
    assert why(ALL_FOUR, 2, "d 1 2 0", "d 2 1 0") == "a deleted clause is not present"
    assert why([(1, 2)], 2, "-1 0", "0") == NOT_RUP  # keeps satisfiability (RAT), but does not follow


def some_clause(rng: random.Random, count: int) -> Clause:
    return tuple(dict.fromkeys(rng.choice([1, -1]) * rng.randint(1, count) for _ in range(rng.randint(1, 3))))


def propagated(clauses: list[Clause]) -> bool:
    """Whether unit propagation ends in a contradiction; as plainly as it can be written."""
    true: set[int] = set()
    while True:
        before = len(true)
        for clause in clauses:
            open_ = [literal for literal in clause if -literal not in true]
            if not open_:
                return True
            if len(open_) == 1:
                true.add(open_[0])
        if len(true) == before:
            return False


def text(clause: Clause) -> str:
    return " ".join(map(str, (*clause, 0)))


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**9))
def test_everything_that_is_added_is_implied_and_all_that_follows_is_taken(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 6)
    clauses = [some_clause(rng, count) for _ in range(rng.randint(1, 18))]
    checker, possible = Clausal(count, clauses), solutions(clauses, count)
    present, ever = list(clauses), list(clauses)
    for _ in range(15):
        if rng.random() < 0.25 and present:
            gone = present.pop(rng.randrange(len(present)))
            assert step(checker, f"d {text(gone)}") == UNENDED
            continue
        clause = () if rng.random() < 0.2 else some_clause(rng, count)
        negated: list[Clause] = [(-literal,) for literal in clause]
        said = step(checker, text(clause))
        if said == NOT_RUP:
            assert not propagated([*present, *negated])  # complete, as far as propagation goes
            continue
        assert said == ("" if not clause else UNENDED)
        assert propagated([*ever, *negated]) and all(satisfied(clause, values) for values in possible)
        if not clause:
            assert not possible
            return
        present.append(clause)
        ever.append(clause)


def step(checker: Clausal, line: str) -> str:
    """What the checker says about one step; nothing where it ends the proof."""
    try:
        checker.check([line])
    except Rejected as error:
        return str(error)
    return ""


def test_what_grows_without_end_reaches_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clausal, "LITERALS", 1000)
    with pytest.raises(LimitReached, match="literals"):
        Clausal(2, ALL_FOUR).check(["1 2 0"] * 1000)

    def late() -> None:
        raise LimitReached("out of time")

    with pytest.raises(LimitReached, match="out of time"):
        Clausal(2, ALL_FOUR, late).check(["1 0"])
