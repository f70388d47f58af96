"""One time limit for everything below: it ends what looks at the clock, and a limit within a limit makes it
no longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import relucid
from known_claims import CORPUS
from relucid.common import deadline
from relucid.common.deadline import LATE, OutOfTime, check, ends, left, unlimited, until
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program
from relucid.search.problem import SearchProblem
from relucid.search.synthesise import synthesise
from relucid.verifiers.verdict import Unknown


class Clock:
    """Stands still, but for what the test adds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_limit_ends_late_seconds_after_its_end() -> None:
    clock = Clock()
    check()
    with until(1.0, clock):
        clock.now = 1.0 + LATE
        check()
        clock.now += 0.001
        with pytest.raises(OutOfTime):
            check()
        with unlimited():
            check()
    check()
    assert ends() == left() == math.inf


def test_a_limit_within_a_limit() -> None:
    clock = Clock()
    with until(5.0, clock):
        with until(9.0, clock):
            assert ends() == 5.0
        with until(2.0, clock):
            assert ends() == 2.0
        assert ends() == 5.0 and left() == 5.0 + LATE


@pytest.fixture
def fires(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The time is over at the look with this number; [0]: never.  [1]: looks so far."""
    state = [0, 0]

    def left_of(*_: object) -> float:
        state[1] += 1
        return -1.0 if state[1] == state[0] else math.inf

    monkeypatch.setattr(deadline, "left", left_of)
    yield state


DEPTH = Program.from_source(
    "def f(tokens):\n    d = 0\n    for t in tokens:\n        if t == 'a':\n            d = d + 1\n        elif d > 0:\n            d = d - 1\n    return d > 1\n"
)
MIRROR = Program.from_source("def f(tokens):\n    return tokens == tokens[::-1]\n")


@pytest.mark.parametrize("program", [DEPTH, MIRROR], ids=["passes", "one by one"])
def test_an_automaton_is_whole_or_out_of_time(program: Program, fires: list[int]) -> None:
    """At every single look at the clock."""
    domain = Domain(("a", "b"), 3, 4, "-")
    whole = build_language(domain, program, (False, True))
    looks = fires[1]
    assert looks > 10
    for at in range(1, looks + 1):
        fires[:] = [at, 0]
        with pytest.raises(OutOfTime):
            build_language(domain, program, (False, True))
    fires[:] = [0, 0]
    again = build_language(domain, program, (False, True))
    assert (again.layer_sizes, again.edges, again.labels) == (whole.layer_sizes, whole.edges, whole.labels)


def test_prove_says_unknown_where_the_time_is_over_while_the_claim_is_prepared(fires: list[int]) -> None:
    """From Python there is nobody outside: the work stops by itself."""
    folder = CORPUS / "count_sign_l3"
    claim = load_word_claim(folder / "claim.toml")
    arguments = (str(folder / "net.onnx"), claim.program, claim.domain)
    request = relucid.ProofRequest("exact", backends=["enumerate"])
    options = {"labels": claim.decision.labels, "request": request}
    fires[:] = [0, 0]
    relucid.prove(*arguments, **options)
    for at in range(1, fires[1] + 1, 3):
        fires[:] = [at, 0]
        verdict = relucid.prove(*arguments, **options)
        assert isinstance(verdict, Unknown) and "time" in verdict.reason, at


def test_reading_looks_at_the_clock_between_nodes(fires: list[int]) -> None:
    from relucid.models.onnx.reader import load_onnx

    fires[:] = [1, 0]
    with pytest.raises(OutOfTime):
        load_onnx(CORPUS / "count_sign_l3" / "net.onnx")


def test_a_search_for_programs_looks_at_the_clock(fires: list[int]) -> None:
    words = np.array([[a, b] for a in (0, 1) for b in (0, 1)], dtype=np.int16)
    labelled = relucid.models.automata.labelled.Labelled(words, np.array([0, 1, 1, 0]))
    domain = Domain(("a", "b"), 2, 2)
    fires[:] = [3, 0]
    with pytest.raises(OutOfTime):
        synthesise(SearchProblem.of(labelled, domain, (False, True)))
