"""No clock makes a false claim proved: it fires at each of its calls in turn, for every engine, every backend
and the race.

The claims are false and small.  Whatever fires (a turn that is over, a limit that is passed, an exception),
what comes out may be a refutation or no answer.  It is never "proved", and never the crash of an engine that
has lost count of what is open.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from clocks import EVERY, FOR_EVER, SLICE, Fired, at_every_call
from known_claims import SHARED, corpus, golden
from needles import hidden
from random_claims import random_claim
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.engines.bab import search as bab
from relucid.verifiers.engines.bab.search import LabelSearch, SearchOutcome
from relucid.verifiers.race.backend import Backend, Budget
from relucid.verifiers.race.choose import choose
from relucid.verifiers.race.judge import Judge
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.registry import all_backends
from relucid.verifiers.race.replay import WordReplayer
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.race.turns import Race
from relucid.verifiers.verdict import Contradiction

CASES = SHARED / "cases"
SECONDS = 60.0
ENGINES = ("enumerate", "reach", "bab", "bab:no-attack")


def quiet(text: str) -> None:
    pass


@cache
def false_claims() -> dict[str, WordClaim]:
    """Small ones on which network and program differ: known ones, the case that was once proved,
    random ones.
    """
    known = [
        k
        for k in (*corpus(), *golden())
        if k.expected["verdict"] == "refuted" and int(k.expected["domain_size"]) <= 10**5
    ]
    claims = {f"{k.folder.parent.name}/{k.folder.name}": load_word_claim(k.claim_file) for k in known}
    if (case := CASES / "false_claim_81_words" / "claim.toml").exists():
        claims["cases/false_claim_81_words"] = load_word_claim(case)
    for seed in range(8):
        claim = random_claim(seed)
        if any((claim.network_labels(words) != labels).any() for words, labels in claim.language.words()):
            claims[f"random {seed}"] = claim
    return claims


def backends() -> list[str]:
    return [name for name, backend in all_backends().items() if backend.available() is not None]


def named(name: str) -> Backend:
    """A backend, with its options."""
    (backend,) = choose([name])
    return backend


def outcomes(backend: Backend, claim: WordClaim, jump: float | None, most: int = EVERY) -> list[str]:
    """What the backend alone says, clock by clock."""

    def run() -> str:
        return backend.solve(claim, Budget(SECONDS), quiet).outcome

    return ["raised" if isinstance(found, Fired) else str(found) for found in at_every_call(run, jump, most)]


def never_proved(name: str, claims: Mapping[str, WordClaim], jump: float | None, most: int) -> None:
    fired = 0
    for which, claim in claims.items():
        found = outcomes(named(name), claim, jump, most)
        assert set(found) <= {"refuted", "timeout", "raised"}, f"{name} on {which}: {found}"
        assert found[-1] == "refuted", f"{name} on {which} does not end by itself: {found[-1]}"
        fired += len(found) - 1
    assert fired >= 3 * len(claims)  # the clock was asked, and fired


def smallest(count: int) -> dict[str, WordClaim]:
    return dict(
        sorted(
            false_claims().items(), key=lambda item: item[1].domain_size * (1 + item[1].network.relu_count)
        )[:count]
    )


JUMPS = pytest.mark.parametrize("jump", [SLICE, FOR_EVER, None], ids=["turn over", "limit passed", "raises"])


@JUMPS
@pytest.mark.parametrize("name", ENGINES)
def test_engines_at_each_call(name: str, jump: float | None) -> None:
    never_proved(name, smallest(6), jump, EVERY)


@JUMPS
@pytest.mark.parametrize("name", ["enumerate", "reach", "bab"])
def test_engines_on_all_claims(name: str, jump: float | None) -> None:
    never_proved(name, false_claims(), jump, 6)


@pytest.mark.slow
@JUMPS
@pytest.mark.parametrize("name", ENGINES)
def test_engines_on_all_claims_at_each_call(name: str, jump: float | None) -> None:
    never_proved(name, false_claims(), jump, EVERY)


@pytest.mark.parametrize("jump", [FOR_EVER, None], ids=["limit passed", "raises"])
@pytest.mark.parametrize("name", [name for name in backends() if name not in ENGINES])
def test_backends(name: str, jump: float | None) -> None:
    for which, claim in smallest(2).items():
        if all_backends()[name].unfit(claim) is None:
            found = outcomes(all_backends()[name], claim, jump)
            assert "proved" not in found and "crashed" not in found, f"{name} on {which}: {found}"


def race(
    claim: WordClaim, backends: list[str], jump: float | None, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What the race says, clock by clock: the part of it in this process, where our engines run."""
    monkeypatch.setattr(Race, "run", lambda self: None)  # the part with processes, whose clocks are their own

    def run() -> str:
        return type(
            prove_claim(
                claim, budget=Budget(SECONDS, workers=1), request=ProofRequest("exact", backends=backends)
            )
        ).__name__

    try:
        return ["raised" if isinstance(found, Fired) else str(found) for found in at_every_call(run, jump)]
    except Contradiction as error:
        return [f"contradiction: {error}"]


@JUMPS
def test_race(jump: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for which, claim in smallest(8).items():
        found = race(claim, ["enumerate", "reach"], jump, monkeypatch)
        assert set(found) <= {"Refuted", "Unknown", "raised"} and found[-1] == "Refuted", f"{which}: {found}"


@JUMPS
def test_race_where_bab_has_the_first_word(jump: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of claims too large to be run, `bab` decides in the race's own process."""
    for length in (31, 40):
        rng = np.random.default_rng(length)
        found = race(hidden(rng, length, 2, rng.integers(0, 2, length)), ["bab"], jump, monkeypatch)
        assert set(found) <= {"Refuted", "Unknown", "raised"} and found[-1] == "Refuted", found
        assert len(found) > 10


def old_run(search: LabelSearch, deadline: float, report: object = None) -> SearchOutcome:
    """`LabelSearch.run` as it was when it called a false claim proved: nothing in the heap counted as nothing
    open.
    """
    search.bounding.deadline = deadline
    search.words = ()
    try:
        if not search.started:
            search._start()
        while search.waiting and not search.words and time.monotonic() < deadline:
            left, _ = search._step(search.waiting.take())
            search.waiting.put(left or [])
    except TimeoutError:
        pass
    return SearchOutcome(search.words, not search.waiting and not search.words)


def test_the_old_search_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the old `LabelSearch.run` in its place, the test above fails; and nobody believes it, because its
    leaves do not add up.
    """
    monkeypatch.setattr(bab.LabelSearch, "run", old_run)
    lies = 0
    for claim in smallest(12).values():
        for found in at_every_call(
            lambda claim=claim: all_backends()["bab"].solve(claim, Budget(SECONDS), quiet), SLICE
        ):
            if isinstance(found, Attempt) and found.outcome == "proved":
                lies += 1
                judge = Judge(claim, "exact", WordReplayer(claim))
                judge.consider([(all_backends()["bab"], found)])
                assert judge.proof is None and judge.attempts[0].outcome == "crashed"
                assert "accounts for" in judge.attempts[0].detail
    assert lies
