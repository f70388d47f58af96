"""No clock makes a false claim proved: it fires at each of its calls in turn, for every engine, every backend and the race.

The claims are false and small.  Whatever fires (a turn that is over, a limit that is passed, an exception), what comes out may be a
refutation or no answer.  It is never "proved", and never the crash of an engine that has lost count of what is open.
"""

from __future__ import annotations

import time
from functools import cache

import pytest
from known_claims import SHARED, corpus, golden
from random_claims import random_claim
from relucid.models.claim import Claim
from relucid.models.claim_file import load_claim
from relucid.verifiers.backend import Backend, Budget
from relucid.verifiers.choose import choose
from relucid.verifiers.engines import bab
from relucid.verifiers.engines.bab import Outcome, Search
from relucid.verifiers.judge import Judge
from relucid.verifiers.race import prove_claim
from relucid.verifiers.registry import all_backends
from relucid.verifiers.replay import Replayer
from relucid.verifiers.verdict import Attempt, Contradiction, Proved
from scripted_clock import FOR_EVER, SLICE, Fired, at_every_call

CASES = SHARED / "cases"
SECONDS = 60.0
ENGINES = ("enumerate", "reach", "bab", "bab:no-attack")


def quiet(text: str) -> None:
    pass


@cache
def false_claims() -> dict[str, Claim]:
    """Small ones on which network and program differ: known ones, the case that was once proved, random ones."""
    known = [k for k in (*corpus(), *golden()) if k.expected["verdict"] == "refuted" and int(k.expected["domain_size"]) <= 10**5]
    claims = {f"{k.folder.parent.name}/{k.folder.name}": load_claim(k.claim_file) for k in known}
    if (case := CASES / "false_claim_81_words" / "claim.toml").exists():
        claims["cases/false_claim_81_words"] = load_claim(case)
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


def outcomes(backend: Backend, claim: Claim, jump: float | None) -> list[str]:
    """What the backend alone says, clock by clock."""

    def run() -> str:
        return backend.solve(claim, Budget(SECONDS), quiet).outcome

    return ["raised" if isinstance(found, Fired) else str(found) for found in at_every_call(run, jump)]


@pytest.mark.parametrize("jump", [SLICE, FOR_EVER, None], ids=["turn over", "limit passed", "raises"])
@pytest.mark.parametrize("name", ENGINES)
def test_engines(name: str, jump: float | None) -> None:
    fired = 0
    claims = list(false_claims().items())[:: 1 if ":" not in name else 4]  # without its attack a search takes many more steps
    for which, claim in claims:
        found = outcomes(named(name), claim, jump)
        assert set(found) <= {"refuted", "timeout", "raised"}, f"{name} on {which}: {found}"
        assert found[-1] == "refuted", f"{name} on {which} does not end by itself: {found[-1]}"
        fired += len(found) - 1
    assert fired >= 3 * len(claims)  # the clock was asked, and fired at each call


@pytest.mark.parametrize("jump", [FOR_EVER, None], ids=["limit passed", "raises"])
@pytest.mark.parametrize("name", [name for name in backends() if name not in ENGINES])
def test_backends(name: str, jump: float | None) -> None:
    smallest = sorted(false_claims().items(), key=lambda item: item[1].domain_size * item[1].network.relu_count)[:3]
    for which, claim in smallest:
        if all_backends()[name].unfit(claim) is None:
            found = outcomes(all_backends()[name], claim, jump)
            assert "proved" not in found and "crashed" not in found, f"{name} on {which}: {found}"


@pytest.mark.parametrize("jump", [SLICE, FOR_EVER, None], ids=["turn over", "limit passed", "raises"])
def test_race(jump: float | None) -> None:
    """The race in one process, with our engines only."""
    for which, claim in list(false_claims().items())[:8]:

        def run(claim: Claim = claim) -> object:
            return prove_claim(claim, backends=["enumerate", "reach"], budget=Budget(SECONDS, workers=1), trust="exact")

        try:
            for found in at_every_call(run, jump):
                assert not isinstance(found, Proved), which
        except Contradiction as error:
            pytest.fail(f"{which}: {error}")


def old_run(search: Search, deadline: float, report: object = None) -> Outcome:
    """`Search.run` as it was when it called a false claim proved: nothing in the heap counted as nothing open."""
    search.deadline = deadline
    words: tuple = ()
    try:
        words = search._start() if not search.started else ()
        while search.heap and not words and time.monotonic() < deadline:
            words = search._step()
    except TimeoutError:
        pass
    return Outcome(words, not search.heap and not words)


def test_the_old_search_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the old `Search.run` in its place, the test above fails; and nobody believes it, because its leaves do not add up."""
    monkeypatch.setattr(bab.Search, "run", old_run)
    lies = 0
    for claim in list(false_claims().values())[::2]:
        for found in at_every_call(lambda claim=claim: all_backends()["bab"].solve(claim, Budget(SECONDS), quiet), SLICE):
            if isinstance(found, Attempt) and found.outcome == "proved":
                lies += 1
                judge = Judge(claim, "exact", Replayer(claim))
                judge.consider([(all_backends()["bab"], found)])
                assert judge.proof is None and judge.attempts[0].outcome == "crashed"
                assert "accounts for" in judge.attempts[0].detail
    assert lies
