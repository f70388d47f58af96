"""HiGHS beside branch and bound: its points are replayed, and its "infeasible" is taken at trust
float only.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from box_truth import above, floats, random_network, random_property, unsafe_point
from clocks import later
from in_process import relucid
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.decide import NO_PROOF, decide
from relucid.verifiers.boxes.options import BoxOptions


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_polygon_cutting(monkeypatch, seed):
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    rng = np.random.default_rng(seed)
    seen = Counter()
    for _ in range(6):
        network = random_network(rng, 2)
        stated = random_property(rng, network)
        truth = unsafe_point(network, stated.cases[0])
        found = decide(network, stated, BoxOptions(deadline=later(), backend="milp", trust="float"))
        seen[found.outcome] += 1
        if found.outcome == "refuted":
            assert truth is not None
        elif found.outcome == "proved":
            assert truth is None and found.trust == ("exact" if found.backend == "bounds" else "float")
    assert seen["unknown"] <= 1


def test_its_word_is_no_proof_unless_asked_for(tmp_path):
    network = floats(([[1.0], [1.0]], [1.0, 0.0]), ([[1.0, -2.0]], [0.0]))  # a tent of height 1
    for trust, verdict, reason in (("exact", "unknown", NO_PROOF), ("float", "proved", None)):
        found = decide(
            network,
            above(1.5, low=-1),
            BoxOptions(deadline=later(), backend="milp", trust=trust),
        )
        assert (found.outcome, getattr(found, "reason", None)) == (verdict, reason)
    (tmp_path / "net.onnx").write_bytes(write_onnx(network))
    text = "(declare-const X_0 Real)(assert (>= X_0 -1))(assert (<= X_0 1))(declare-const Y_0 Real)(assert (>= Y_0 {}))"
    (tmp_path / "no.vnnlib").write_text(text.format("1.5"))
    (tmp_path / "yes.vnnlib").write_text(text.format("0.75"))
    for words, status, word, trusted in (
        (["no.vnnlib", "--backends", "milp"], 3, "unknown", None),
        (["no.vnnlib", "--backend", "milp", "--trust", "float"], 0, "unsat", "float"),
        (["yes.vnnlib", "--backend", "milp"], 1, "sat", None),
    ):
        result = relucid("verify", "net.onnx", *words, "--json", cwd=tmp_path)
        told = json.loads(result.stdout)
        assert (result.returncode, told["word"], told["trust"]) == (status, word, trusted)
    wrong = relucid(
        "verify", "net.onnx", "no.vnnlib", "--backend", "milp", "--against", "net.onnx", cwd=tmp_path
    )
    assert (
        wrong.returncode == 2 and "--backends: milp writes no proofs and compares no networks" in wrong.stderr
    )
