"""False claims that differ on one word of many: a neuron that fires on nothing else, behind sums that always
cancel and spoil every bound.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from known_claims import SHARED
from needles import hidden
from relucid.cli.main import main
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Refuted, Unknown

NEEDLE = "baaaabbbaaaabaaabbaaaabbaabbabbbbaabbbba"
CASES = SHARED / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


@pytest.mark.parametrize("seed", range(6))
def test_small_ones_have_one_wrong_word(seed: int) -> None:
    rng = np.random.default_rng(seed)
    needle = rng.integers(0, 2, 7)
    claim = hidden(rng, 7, 4, needle)
    words = ((np.arange(128)[:, None] >> np.arange(7)) & 1).astype(np.int16)
    assert [tuple(w) for w in words[claim.network_labels(words) != 0].tolist()] == [tuple(needle.tolist())]


@pytest.mark.parametrize("length", [24, 40, 70])
def test_bab_finds_the_word(length: int) -> None:
    rng = np.random.default_rng(length)
    needle = rng.integers(0, 2, length)
    verdict = prove_claim(
        hidden(rng, length, 12, needle), request=ProofRequest(backends=["bab"]), budget=Budget(300.0)
    )
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.tokens == tuple("ab"[n] for n in needle)


def test_without_the_attack_it_may_be_unknown_but_never_proved() -> None:
    rng = np.random.default_rng(3)
    claim = hidden(rng, 40, 12, rng.integers(0, 2, 40))
    verdict = prove_claim(
        claim, request=ProofRequest(backends=["bab:no-attack", "reach"]), budget=Budget(1.0)
    )
    assert isinstance(verdict, Unknown | Refuted)


@needs_cases
def test_the_claim_that_was_once_proved(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--backends", "bab"]):
        assert (
            main(
                [
                    "prove",
                    str(CASES / "false_claim_2e40" / "claim.toml"),
                    "--json",
                    "--timeout",
                    "300",
                    *options,
                ]
            )
            == 1
        )
        told = json.loads(capsys.readouterr().out)
        assert told["verdict"] == "refuted" and "".join(told["counterexample"]["tokens"]) == NEEDLE
        assert told["counterexample"]["network_label"] == "yes"


@needs_cases
@pytest.mark.parametrize("backend", ["bab", "reach", "enumerate"])
def test_the_small_claim_that_was_once_proved(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["prove", str(CASES / "false_claim_81_words" / "claim.toml"), "--json", "--backends", backend])
        == 1
    )
    assert json.loads(capsys.readouterr().out)["verdict"] == "refuted"
