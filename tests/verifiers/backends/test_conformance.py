"""Every registered backend, third parties' too, meets `verifiers/race/conformance.py`; and what its checks
catch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_claims import GOLDEN, golden
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.evidence import Settled
from relucid.verifiers.race import conformance
from relucid.verifiers.race.backend import Backend, Budget
from relucid.verifiers.race.choose import choose
from relucid.verifiers.race.conformance import (
    CHECKS,
    checked,
    disagreeing,
    edge_cases,
    option_leaves_answers_right,
    random_claim,
    solve,
    variants,
)
from relucid.verifiers.race.registry import all_backends

installed = [b for b in all_backends().values() if b.available()]
backends = pytest.mark.parametrize("backend", installed, ids=lambda b: b.name)


@backends
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_conformance(backend: Backend, check: Callable[[Backend], None]) -> None:
    assert all_backends()[backend.name] is backend
    check(backend)


SLOW = ("cadical:", "exact:")  # seconds per option; the other backends are enough for every day


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(v, marks=pytest.mark.slow) if v.startswith(SLOW) else v
        for b in installed
        for v in variants(b)
    ],
)
def test_every_option_leaves_the_answers_right(name: str) -> None:
    option_leaves_answers_right(choose(name)[0])


def test_the_claims_are_of_both_kinds() -> None:
    for claims in (
        [random_claim(s) for s in range(30)],
        [random_claim(s) for s in range(40, 50)],
        [*edge_cases().values()],
    ):
        assert {bool(disagreeing(claim)) for claim in claims} == {True, False}


class Bent:
    """`enumerate`, with something wrong: what it says goes through `bend`, or `budget` is changed on the way
    in; or it `lies`.
    """

    def __init__(
        self, bend: Callable[[Attempt], object] = lambda a: a, lies: bool = False, **changes: object
    ) -> None:
        self.lies = lies
        self.good, self.bend, self.changes = all_backends()["enumerate"], bend, changes
        self.name, self.capabilities = self.good.name, self.good.capabilities

    def __reduce__(self) -> tuple[object, ...]:
        return Bent, ()

    def available(self) -> str | None:
        return self.good.available()

    def unfit(self, claim: object) -> str | None:
        return None

    def solve(self, claim: WordClaim, budget: Budget, progress: object) -> object:
        if self.lies:
            return Attempt(
                self.name,
                "proved",
                str(self.available()),
                "exact",
                evidence=(Settled(None, None, claim.domain_size, "a lie"),),
            )
        return self.bend(self.good.solve(claim, replace(budget, **self.changes), progress))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bent", "said"),
    [
        (Bent(lies=True), "proved instead of refuted"),
        (
            Bent(lambda a: replace(a, outcome="proved", words=(), trust="exact")),
            "says proved, but its evidence",
        ),
        (Bent(lambda a: replace(a, evidence=a.evidence * 2)), "says proved, but its evidence"),
        (Bent(lambda a: replace(a, words=tuple(tuple(0 for _ in w) for w in a.words))), "words of"),
        (
            Bent(lambda a: replace(a, words=tuple(tuple(np.array(w)) for w in a.words))),
            "words are tuples of int",
        ),
        (
            Bent(lambda a: replace(a, trust="checked" if a.outcome == "proved" else None)),
            "trust checked instead of exact",
        ),
        (Bent(lambda a: replace(a, version="9")), "another name or version"),
        (Bent(lambda a: replace(a, outcome="sat")), "no such outcome"),
        (Bent(lambda a: replace(a, detail="")), "a timeout with a reason"),
        (Bent(lambda a: 1 / 0), "ZeroDivisionError"),
        (Bent(counterexamples=1), "1 words of 2"),
        (Bent(seconds=20.0), "no time left is a timeout"),
    ],
)
def test_the_checks_find_what_is_wrong(bent: Bent, said: str) -> None:
    found = [why for _, why in checked(bent) if why is not None]  # type: ignore[arg-type]
    assert any(said in why for why in found), found


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["backends", "--check", "enumerate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == len(CHECKS) + 1
        and all(line.startswith("ok") for line in lines[:-1])
        and lines[-1] == "enumerate conforms"
    )
    monkeypatch.setattr(conformance, "disagreeing", lambda claim: set())
    assert main(["backends", "--check", "enumerate", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["conforms"] is False and told["checks"][0] == {"check": "says what it is", "breach": None}
    assert "refuted instead of proved" in told["checks"][1]["breach"]
    assert main(["backends", "--check", "nosuch"]) == 2


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/golden is not here")
@backends
def test_right_on_the_golden_claims(backend: Backend) -> None:
    for known in golden():
        expected = known.expected
        if expected["exit"] != 2:
            claim = load_word_claim(Path(known.claim_file))
            attempt = solve(backend, claim, counterexamples=2)
            assert (attempt.outcome, len(attempt.words)) == (
                expected["verdict"],
                min(2, int(expected["disagreeing"])),
            ), known.folder.name
            for word in attempt.words:
                network, own = (
                    claim.network_labels(np.array([word])),
                    claim.program_label(claim.domain.unpadded(word)),
                )
                assert json.dumps(claim.decision.labels[int(network[0])]) != json.dumps(own)
