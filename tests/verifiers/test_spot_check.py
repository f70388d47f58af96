"""A look at random inputs: whatever a backend says, a plainly false claim is not proved."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from known_claims import corpus
from relucid.models.claim_file import load_claim
from relucid.verifiers.backend import Budget
from relucid.verifiers.race import prove_claim
from relucid.verifiers.spot_check import _random_words, spot_check
from relucid.verifiers.verdict import Contradiction, Proved, Refuted

sys.path.insert(0, str(Path(__file__).parent))
from race_fakes import Fake, many_claim


def test_a_lying_proof_does_not_win(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Contradiction, match="liar says proved, but spot check has a counterexample") as caught:
        prove_claim(many_claim(more_than=2.5), registry=[Fake("liar", "prove")], budget=Budget(20.0, 1000, 1))
    assert (Path(caught.value.artefacts) / "attempts.json").exists()


def test_a_wrong_proof_within_tolerances_is_refuted():
    fakes = [Fake("liar", "prove", trust="float")]
    verdict = prove_claim(many_claim(more_than=2.5), registry=fakes, budget=Budget(20.0, 1000, 1), trust="float")
    assert isinstance(verdict, Refuted) and verdict.backend == "spot check"
    assert [(a.backend, a.outcome) for a in verdict.attempts] == [("liar", "rejected"), ("spot check", "refuted")]


def test_a_true_proof_stands():
    verdict = prove_claim(many_claim(), registry=[Fake("honest", "prove")], budget=Budget(20.0, 1000, 1))
    assert isinstance(verdict, Proved) and [a.backend for a in verdict.attempts] == ["honest"]


def test_never_refutes_what_is_true():
    for known in corpus():
        claim = load_claim(known.claim_file)
        found = spot_check(claim, 0)
        if known.expected["verdict"] == "proved":
            assert found is None, known.folder


def test_every_input_is_equally_likely():
    """Lengths of which there are few inputs, and inputs behind rare states, come as often as they should."""
    claim = next(c for c in (load_claim(k.claim_file) for k in corpus()) if c.domain.pad and 20 <= c.domain_size <= 130)
    n = 200 * claim.domain_size
    words, labels = _random_words(claim, n, Random(1))
    seen = Counter(map(tuple, words.tolist()))
    assert len(seen) == claim.domain_size and all(100 < count < 300 for count in seen.values())
    assert all(claim.language.label_of(word) == label for word, label in zip(words[:50].tolist(), labels[:50], strict=True))
