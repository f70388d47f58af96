"""A look at random inputs: whatever a backend says, a plainly false claim is not proved."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from known_claims import corpus
from onnx import TensorProto
from relucid.models.claims.build import equals_network
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.reduce import word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.onnx.reader import REGISTRY, read_onnx
from relucid.models.onnx.writer import with_source, write_onnx
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.replay import WordReplayer
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.race.spot_check import _random_words, spot_check, spot_check_in_onnxruntime
from relucid.verifiers.verdict import Contradiction, Proved, Refuted

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, many_claim, program


def test_a_lying_proof_does_not_win(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(
        Contradiction, match="liar says proved, but spot check has a counterexample"
    ) as caught:
        prove_claim(many_claim(more_than=2.5), registry=[Fake("liar", "prove")], budget=Budget(20.0, 1000, 1))
    assert (Path(caught.value.artefacts) / "attempts.json").exists()


def test_a_wrong_proof_within_tolerances_is_refuted():
    fakes = [Fake("liar", "prove", trust="float")]
    verdict = prove_claim(
        many_claim(more_than=2.5), registry=fakes, budget=Budget(20.0, 1000, 1), request=ProofRequest("float")
    )
    assert isinstance(verdict, Refuted) and verdict.backend == "spot check"
    assert [(a.backend, a.outcome) for a in verdict.attempts] == [
        ("liar", "rejected"),
        ("spot check", "refuted"),
    ]


def test_a_true_proof_stands():
    verdict = prove_claim(many_claim(), registry=[Fake("honest", "prove")], budget=Budget(20.0, 1000, 1))
    assert isinstance(verdict, Proved) and [a.backend for a in verdict.attempts] == ["honest"]


def test_never_refutes_what_is_true():
    for known in corpus():
        claim = load_word_claim(known.claim_file)
        found = spot_check(claim, 0)
        if known.expected["verdict"] == "proved":
            assert found is None, known.folder


def test_every_input_is_equally_likely():
    """Lengths of which there are few inputs, and inputs behind rare states, come as often as they should."""
    claim = next(
        c
        for c in (load_word_claim(k.claim_file) for k in corpus())
        if c.domain.pad and 20 <= c.domain_size <= 130
    )
    n = 200 * claim.domain_size
    words, labels = _random_words(claim, n, Random(1))
    seen = Counter(map(tuple, words.tolist()))
    assert len(seen) == claim.domain_size and all(100 < count < 300 for count in seen.values())
    assert all(
        claim.language.label_of(word) == label
        for word, label in zip(words[:50].tolist(), labels[:50], strict=True)
    )


# In onnxruntime: what was proved is run, and what did not run is not said to have run

ALWAYS, NEVER = "def f(tokens):\n    return True\n", "def f(tokens):\n    return False\n"
AB = Domain(("a", "b"), 2, 2)
SIGN = Decision("sign", (False, True))


def honest(claim):
    """Whoever is asked says that it is proved."""
    return prove_claim(claim, registry=[Fake("honest", "prove")], budget=Budget(20.0, 1000, 1))


def layers(*parts):
    return with_source(
        feed_forward([(np.float32(w).astype(float), np.float32(b).astype(float)) for w, b in parts])
    )


THIRDS = layers(([[2.0**-20 + 1, 0.7, 0.3, 0.1]], [1.0]))


def test_what_is_proved_is_run_and_nothing_is_said_where_it_agrees():
    ran = []

    class Seen(type(WordReplayer(many_claim()))):
        def labels_in_onnxruntime(self, words):
            ran.append(len(words))
            return super().labels_in_onnxruntime(words)

    claim = WordClaim(THIRDS, program(ALWAYS), AB, SIGN)
    assert spot_check_in_onnxruntime(claim, Seen(claim), 0) == () and ran == [100]
    assert honest(claim).warnings == (
        "vacuous: the program gives the label True on every input of the domain",
        *honest(claim).warnings[1:],
    )
    assert not any("onnxruntime" in w for w in honest(claim).warnings)


def test_the_file_of_another_network_is_a_contradiction(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = layers(([[0, 0, 0, 0]], [-1.0]))
    with pytest.raises(
        Contradiction,
        match=r"onnxruntime gives another label than was proved on .*: the file of network is that of another",
    ):
        honest(WordClaim(replace(THIRDS, source=other.source), program(ALWAYS), AB, SIGN))


@pytest.mark.parametrize(
    ("weight", "why"),
    [(0.7, r"node 0 \(Gemm\): onnxruntime gives"), (0.5, r"node 0 \(Gemm\): onnxruntime gives")],
)
def test_a_wrong_reading_is_a_contradiction(weight, why, tmp_path, monkeypatch):
    """The reader forgets the bias; nobody has compared."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = layers(([[weight] * 4], [-8.0])).source
    model = onnx.load_from_string(source)
    model.graph.node[0].name = ""
    right = REGISTRY.plain["Gemm"]
    monkeypatch.setitem(REGISTRY.plain, "Gemm", lambda call: right(replace(call, inputs=call.inputs[:2])))
    network = read_onnx(model.SerializeToString(), origin="net.onnx", positions=2, alphabet=2)
    with pytest.raises(Contradiction, match=why):
        honest(WordClaim(network, program(ALWAYS), AB, SIGN))


def test_another_label_of_a_network_that_is_exact_in_float32_is_a_contradiction(tmp_path, monkeypatch):
    """onnxruntime itself at fault: within the bound on rounding, where nothing rounds."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    network = layers(([[1.0, 1.0, -1.0, -1.0]], [0.0]))
    off = type(WordReplayer(many_claim())).labels_in_onnxruntime
    monkeypatch.setattr(
        "relucid.verifiers.race.replay.WordReplayer.labels_in_onnxruntime",
        lambda self, words: 1 - off(self, words),
    )
    with pytest.raises(Contradiction, match="although float32 computes the network exactly"):
        honest(WordClaim(network, program(NEVER), AB, SIGN))


def test_a_label_that_is_rounded_away_is_a_warning():
    """2^24 + 1 - 2^24 is 1 exactly and 0 in float32."""
    big = 2.0**24
    network = layers(([[big, 0, 1, 0], [1, 0, 0, 0]], [0, 0]), ([[1.0, -big]], [0]))
    verdict = honest(WordClaim(network, program("def f(tokens):\n    return tokens[1] == 'a'\n"), AB, SIGN))
    assert isinstance(verdict, Proved)
    (warning,) = [w for w in verdict.warnings if "onnxruntime" in w]
    assert warning.startswith("onnxruntime gives another label than was proved on ['a', 'a'], and on ")
    assert warning.endswith("random inputs in all: it rounds, and what was proved is about exact arithmetic")


def test_overflow_and_files_that_cannot_be_run_are_warnings():
    network = layers(([[2.0**127, 0, 2.0**127, 0]], [1.0]))
    (warning,) = [
        w for w in honest(WordClaim(network, program(ALWAYS), AB, SIGN)).warnings if "onnxruntime" in w
    ]
    assert warning.startswith("what was proved is about exact arithmetic: onnxruntime gives NaN or infinity")
    model = onnx.load_from_string(network.source)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    (warning,) = [
        w
        for w in honest(
            WordClaim(replace(network, source=model.SerializeToString()), program(ALWAYS), AB, SIGN)
        ).warnings
        if "onnxruntime" in w
    ]
    assert warning.startswith("onnxruntime cannot load network (") and warning.endswith(
        ": what was proved was not run there"
    )


def test_two_networks_are_both_run(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = layers(([[1, 0, 0, 0]], [-0.5])), layers(([[2, 0, 0, 0]], [-1.0]))
    claim = word_claim(equals_network(first, second, AB, SIGN))
    assert not any("onnxruntime" in w for w in honest(claim).warnings)
    lie = replace(second, source=write_onnx(layers(([[-2, 0, 0, 0]], [1.0]))))
    with pytest.raises(Contradiction, match="the file of network is that of another network"):
        honest(word_claim(equals_network(first, lie, AB, SIGN)))
