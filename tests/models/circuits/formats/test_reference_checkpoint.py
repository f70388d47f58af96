"""A checkpoint that the release's own code made and ran (../shared/data/circuit_sparsity): same logits, right
on every input.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.teacher import label_domain
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "data" / "circuit_sparsity"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"{FOLDER} is absent: no reference checkpoint from outside"
)

QUOTES = """
def one_quote(tokens):
    return tokens.count("'") + tokens.count('"') == 1
"""
BRACKETS = """
def valid(tokens):
    depth = 0
    for token in tokens:
        if token == "[":
            depth += 1
        if token == "]":
            depth -= 1
        if depth < 0 or depth > 2:
            return False
    return depth > 0
"""


@pytest.fixture(scope="module")
def circuit():
    import torch

    torch.set_num_threads(1)
    return load_circuit(FOLDER)


def test_logits_are_the_release_s_to_1e_4(circuit):
    reference = np.load(FOLDER / "reference_logits.npz", allow_pickle=False)
    tokens, logits = reference["tokens"], reference["logits"]
    assert len(tokens) == 512
    assert np.abs(circuit.all_logits(tokens) - logits).max() < 1e-4
    assert np.abs(circuit.logits(tokens) - logits[:, -1]).max() < 1e-4


def test_right_on_every_quote_input(circuit):
    domain = Domain(
        ("'", '"', "a", "=", ","), 8, 8, where=Program.from_source(QUOTES), prefix=("<bos>",), suffix=("<q>",)
    )
    teaching = label_domain(circuit, domain, ("'", '"'))
    words = teaching.labelled.words
    assert len(words) == len({tuple(w) for w in words.tolist()}) == 34_992
    assert (teaching.labelled.labels == np.where((words == 0).any(axis=1), 0, 1)).all()
    assert teaching.smallest_margin > 0.01


def test_right_on_every_bracket_input(circuit):
    domain = Domain(
        ("[", "]", ","), 8, 8, where=Program.from_source(BRACKETS), prefix=("<bos>",), suffix=("<d>",)
    )
    teaching = label_domain(circuit, domain, ("]", "]]"))
    expected = {}
    for body in product(range(3), repeat=8):
        depths = np.cumsum([{0: 1, 1: -1, 2: 0}[t] for t in body])
        if depths.min() >= 0 and depths.max() <= 2 and depths[-1] > 0:
            expected[body] = int(depths[-1] - 1)
    got = {
        tuple(w): int(y)
        for w, y in zip(teaching.labelled.words.tolist(), teaching.labelled.labels, strict=True)
    }
    assert len(expected) == 696 and got == expected


def test_batches_do_not_change_labels(circuit):
    rng = np.random.default_rng(0)
    body = rng.choice([1, 2, 5, 6, 8], size=(5000, 8))
    ids = np.concatenate([np.zeros((5000, 1), int), body, np.full((5000, 1), 9)], axis=1)
    whole = circuit.logits(ids)
    order = rng.permutation(5000)
    shuffled = np.empty_like(whole)
    shuffled[order] = np.concatenate([circuit.logits(ids[part]) for part in np.array_split(order, 13)])
    gap = np.abs(whole[:, 1] - whole[:, 2])
    assert np.abs(whole - shuffled).max() < 1e-3
    assert (whole[:, 1:3].argmax(1) == shuffled[:, 1:3].argmax(1))[gap > 1e-3].all()
