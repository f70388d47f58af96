"""The shape of proofs: by hand, and counted anew from the lines of real ones that the checker has
accepted.
"""

from __future__ import annotations

import json

import pytest
from known_claims import CORPUS
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.reports import proof_shape
from relucid.reports.proof_shape import Node, Shape, shape_of
from relucid.verifiers.proof.words.checker import check_proof
from relucid.verifiers.proof.words.producer import proof_lines
from relucid.verifiers.proof.writing import node


@pytest.fixture(scope="module")
def claim() -> WordClaim:
    """Labels False and True, four positions over '0' and '1'."""
    return load_word_claim(CORPUS / "parity_4" / "claim.toml")


HEAD, END = {"format": "relucid proof 3"}, {"end": True}
BOUND = [[], [], [], []]


def test_by_hand(claim: WordClaim) -> None:
    """One label is run; the other is cut twice, with a split of ReLU 2 in one half that the other half
    repeats.
    """
    lines = [
        HEAD,
        {"run": 0},
        {"tree": 1},
        node(split=["symbol", 2, [1]]),
        node(leaves=[[0, [3], BOUND], [0, [-3, 1], BOUND]], split="again"),
        node(leaves=[[0, [-3, -1], None]]),
        node(leaves=[[0, [3], BOUND]], split=["state", 1, [0, 1]]),
        node(split="run"),
        node(),
        END,
    ]
    no, yes = map(repr, claim.decision.labels)
    tokens = claim.domain.tokens
    shape = shape_of(claim, lines)
    assert shape.nodes == (
        Node(0, None, "claim", "network = program"),
        Node(1, 0, "label", f"label {no}"),
        Node(2, 1, "run", "every word is run"),
        Node(3, 0, "label", f"label {yes}"),
        Node(4, 3, "cut", f"tokens[2] in {tokens[1]!r}"),
        Node(5, 4, "split", "ReLU 2 active"),
        Node(6, 5, "leaf", f"{no} loses"),
        Node(7, 4, "split", "ReLU 2 inactive"),
        Node(8, 7, "split", "ReLU 0 active"),
        Node(9, 8, "leaf", f"{no} loses"),
        Node(10, 7, "split", "ReLU 0 inactive"),
        Node(11, 10, "leaf", "no words"),
        Node(12, 3, "cut", f"not tokens[2] in {tokens[1]!r}"),
        Node(13, 12, "split", "ReLU 2 active"),
        Node(14, 13, "leaf", f"{no} loses"),
        Node(15, 12, "cut", "in 2 states after 1 tokens"),
        Node(16, 15, "run", "its words are run"),
        Node(17, 12, "cut", "not in 2 states after 1 tokens"),
        Node(18, 17, "settled", "settled above, or no words"),
    )
    run, parts = shape.labels
    assert (run.run, run.leaves, run.parts) == (1, 0, 0)
    assert (
        parts.parts,
        parts.leaves,
        parts.depth,
        parts.symbol_cuts,
        parts.state_cuts,
        parts.relu_splits,
        parts.run,
    ) == (
        5,
        4,
        3,
        1,
        1,
        2,
        1,
    )
    assert (shape.leaves, shape.depth, shape.size, shape.total("run")) == (4, 3, 19, 2)


def test_a_tree_that_is_too_large_is_cut_short_and_says_so(
    claim: WordClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(proof_lines(claim, 60, run=False))
    monkeypatch.setattr(proof_shape, "DRAWN", 10**6)
    whole = shape_of(claim, lines)
    assert whole.size == len(whole.nodes) > 50
    monkeypatch.setattr(proof_shape, "DRAWN", 50)
    part = shape_of(claim, lines)
    assert part.nodes == whole.nodes[:50] and part.size == whole.size and part.labels == whole.labels


def recounted(lines: list[dict]) -> dict[str, int]:
    """From the text of the lines alone, in another way."""
    found = dict.fromkeys(("leaves", "symbol_cuts", "state_cuts", "run"), 0)
    for line in lines:
        found["leaves"] += len(line.get("leaves", ()))
        found["run"] += "run" in line or line.get("split") == "run"
        kind = line["split"][0] if isinstance(line.get("split"), list) else ""
        found["symbol_cuts"] += kind == "symbol"
        found["state_cuts"] += kind == "state"
    return found


@pytest.mark.parametrize(
    "name",
    [
        "adjacent_ab",
        "first_mark_four_tokens",
        "last_mark_ids",
        "six_tokens_count",
        "one_label_only",
        "palindrome",
    ],
)
@pytest.mark.parametrize("run", [False, True], ids=["by bounds", "run"])
def test_of_real_proofs(name: str, run: bool) -> None:
    claim = load_word_claim(CORPUS / name / "claim.toml")
    lines = json.loads(json.dumps(list(proof_lines(claim, 60, run=run))))
    accepted = check_proof(claim, iter(lines))
    shape = shape_of(claim, lines)
    assert {what: shape.total(what) for what in ("leaves", "symbol_cuts", "state_cuts", "run")} == recounted(
        lines
    )
    assert (shape.leaves, shape.total("parts")) == (accepted.leaves, accepted.parts)
    check_tree(shape)


def check_tree(shape: Shape) -> None:
    """Every node but the first hangs on one before it, and leaves carry nothing; the depth is that of the
    deepest leaf's splits.
    """
    kinds = {n.id: n.kind for n in shape.nodes}
    depth: dict[int, int] = {}
    for n in shape.nodes:
        if n.parent is None:
            assert n.id == 0
        else:
            assert n.parent < n.id and kinds[n.parent] not in ("leaf", "run", "settled")
        depth[n.id] = (depth[n.parent] if n.parent is not None else 0) + (n.kind in ("cut", "split"))
    assert [n.id for n in shape.nodes] == list(range(len(shape.nodes)))
    if len(shape.nodes) == shape.size:
        assert (
            shape.depth == max(depth.values()) and sum(n.kind == "leaf" for n in shape.nodes) == shape.leaves
        )
