"""False claims that differ on one word of many: a neuron that fires on nothing else, behind sums that always cancel and spoil every bound."""

from __future__ import annotations

import json

import numpy as np
import pytest
from known_claims import SHARED
from relucid.cli import main
from relucid.models.claim import Claim, Decision
from relucid.models.domain import Domain
from relucid.models.network import Affine, Network, Relu, integer_array
from relucid.models.onnx_writer import with_source
from relucid.models.program import Program
from relucid.verifiers.backend import Budget
from relucid.verifiers.race import prove_claim
from relucid.verifiers.verdict import Refuted, Unknown

NEEDLE = "baaaabbbaaaabaaabbaaaabbaabbabbbbaabbbba"
CASES = SHARED / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


def hidden(rng: np.random.Generator, length: int, triples: int, needle: np.ndarray) -> Claim:
    """Says "yes" on the needle alone; `triples` of random sums L0, L1, L2 add +-(max(L0, min(L1, L2)) - ...), a long way to write 0."""
    size = 2 * length
    sums = rng.integers(-3, 4, (3 * triples, size))
    matches = np.zeros(size, dtype=np.int64)
    matches[2 * np.arange(length) + needle] = 1
    first, inner = [], []
    for k in range(triples):
        a, b, c = sums[3 * k : 3 * k + 3]
        first += [a - b, b - c]
        # relu(min(a, b) - c) and relu(a - min(b, c)), by what the first layer has
        inner += [(a - c, 2 * k, -1), (a - b, 2 * k + 1, 1)]
    first.append(matches)
    bias = integer_array([0] * (2 * triples) + [1 - length])
    through = np.zeros((2 * triples, len(first)), dtype=np.int64)
    for row, (_, j, w) in enumerate(inner):
        through[row, j] = w
    last_inner, last_first = np.zeros((2, 2 * triples), dtype=np.int64), np.zeros((2, len(first)), dtype=np.int64)
    for k, sign in enumerate(rng.choice([-1, 1], triples)):
        last_inner[1, 2 * k], last_inner[1, 2 * k + 1], last_first[1, 2 * k] = -2 * sign, 2 * sign, -2 * sign
    last_first[1, -1] = 2
    nodes = (
        Affine((0,), (integer_array(first),), bias, 1),
        Relu(1),
        Affine((0, 2), (integer_array([row for row, _, _ in inner]), integer_array(through)), integer_array([0] * (2 * triples)), 1),
        Relu(3),
        Affine((4, 2), (integer_array(last_inner), integer_array(last_first)), integer_array([1, 0]), 1),
    )
    domain = Domain(("a", "b"), length, length)
    return Claim(
        with_source(Network(size, nodes, "one_hot")),
        Program("def f(tokens):\n    return 'no'\n", "f"),
        domain,
        Decision("argmax", ("no", "yes")),
    )


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
    verdict = prove_claim(hidden(rng, length, 12, needle), backends=["bab"], budget=Budget(300.0))
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.tokens == tuple("ab"[n] for n in needle)


def test_without_the_attack_it_may_be_unknown_but_never_proved() -> None:
    rng = np.random.default_rng(3)
    claim = hidden(rng, 40, 12, rng.integers(0, 2, 40))
    verdict = prove_claim(claim, backends=["bab:no-attack", "reach"], budget=Budget(1.0))
    assert isinstance(verdict, Unknown | Refuted)


@needs_cases
def test_the_claim_that_was_once_proved(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--backends", "bab"]):
        assert main(["prove", str(CASES / "false_claim_2e40" / "claim.toml"), "--json", "--timeout", "300", *options]) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["verdict"] == "refuted" and "".join(told["counterexample"]["tokens"]) == NEEDLE
        assert told["counterexample"]["network_label"] == "yes"


@needs_cases
@pytest.mark.parametrize("backend", ["bab", "reach", "enumerate"])
def test_the_small_claim_that_was_once_proved(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(CASES / "false_claim_81_words" / "claim.toml"), "--json", "--backends", backend]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "refuted"
