"""The tree reader: what both kinds of proofs have in common, line by line."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from box_truth import above, floats
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.format import Rejected
from relucid.verifiers.proof.tree import Accepted
from relucid.verifiers.proof.words.checker import check_proof, digests_of
from relucid.verifiers.proof.words.producer import proof_lines
from relucid.verifiers.proof.words.witness import check_witness
from relucid.verifiers.proof.writing import END, header, node, witness_line

DIGESTS = {"network": "n", "property": "p"}
DEFAULT = [[], [], [], []]  # evidence that names no multipliers


@pytest.fixture(scope="module")
def claim() -> WordClaim:
    """Labels False and True, four positions over '0' and '1'."""
    return load_word_claim(CORPUS / "parity_4" / "claim.toml")


def checked(claim: WordClaim, *lines: dict[str, Any]) -> Accepted:
    return check_proof(claim, [next(proof_lines(claim, 60)), *lines, END])


NOTHING = ["symbol", 0, [0, 1]]  # the second half has no words


def test_subdomains_without_words_are_settled(claim: WordClaim) -> None:
    """Bounds of nothing are what they were, a leaf holds whatever it says, and nothing is run."""
    empty = node(tighten=True, bounds=[[0, 1, [], []]], leaves=[[0, [1], DEFAULT], [0, [-1], None]])
    found = checked(claim, {"run": 0}, {"tree": 1}, node(split=NOTHING), node(split="run"), empty)
    assert (found.parts, found.leaves) == (3, 2) and found.run > 0
    again = node(split="again")
    run = node(split="run")
    assert checked(claim, {"run": 0}, {"tree": 1}, again, node(split=NOTHING), run, run).parts == 3


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (({"run": 1},), "line 2: root 0 should follow"),
        (({"tree": True},), "line 2: root 0 should follow"),
        (({"run": 0, "tree": 0},), "line 2: a root has not just tree or run"),
        (({"tree": 0}, node()), "line 3: a subdomain is left open"),
        (({"tree": 0}, node(split=["input", 0, [1, 1]])), "line 3: a split is neither by states nor by symbols"),
        (({"tree": 0}, node(tighten=1, split="run")), "line 3: tighten is neither true nor false"),  # type: ignore[arg-type]
        (({"tree": 0}, node(leaves=[[0, [], [[], [], []]]])), "line 3: a list is not what it should be"),
        (({"tree": 0}, node(leaves=[[0, [1], None]])), "a leaf is said to have no inputs"),
        (({"tree": 0}, node(leaves=[[0, [], [[0, 0], [], [], []]]])), "line 3: a leaf's bound is not negative"),
        (({"tree": 0}, node(leaves=[[0, [], [[0], [], [], []]]])), "line 3: a multiplier is missing"),
        (({"tree": 0}, node(leaves=[[0, [0], None]])), "line 3: a leaf names no ReLU"),
        (({"tree": 0}, node(bounds=[[0, 0, [], []]])), "line 3: a bound is neither above nor below"),
        (({"run": 0}, {"run": 1}, END), "line 4: it does not end where it should"),
    ],
)  # fmt: skip
def test_what_is_no_tree(claim: WordClaim, lines: tuple[dict[str, Any], ...], why: str) -> None:
    with pytest.raises(Rejected, match=why):
        checked(claim, *lines)


def test_a_proof_that_is_cut_short(claim: WordClaim) -> None:
    for n, what in ((0, "the first line"), (1, "a root"), (3, "the last line")):
        lines = [next(proof_lines(claim, 60)), {"run": 0}, {"run": 1}][:n]
        with pytest.raises(Rejected, match=f"line {n + 1}: {what} is missing"):
            check_proof(claim, lines)


def test_a_factor_scales_a_rival(claim: WordClaim) -> None:
    """Twice a lead that is shown to be negative is negative; what is shown of no row shows nothing."""
    lines = [line for line in proof_lines(claim, 60, run=False)]
    leaf = next(leaf for line in lines for leaf in line.get("leaves", ()) if leaf[2] and not leaf[2][3])
    for factor, holds in ((1, True), (2, True), (2**100, True), (0, False)):
        leaf[2][0] = [0, factor]
        if holds:
            check_proof(claim, lines)
        else:
            with pytest.raises(Rejected, match="a leaf's bound is not negative"):
                check_proof(claim, lines)


def test_headers_of_other_proofs(claim: WordClaim) -> None:
    network, stated = floats(([[1.0]], [0.0])), above(2)
    box = [header("boxes", DIGESTS, None), {"tree": 0}, node(leaves=[[0, [], DEFAULT]]), END]
    assert check_box_proof(network, stated, DIGESTS, box) == Accepted(1, 1)
    for changed, why in (
        ({"kind": "words"}, "it is not a proof about boxes"),
        ({"format": "relucid proof 4"}, "the format is not 'relucid proof 3'"),
        ({"digests": []}, "it is a proof about another network"),
        ({"exact_in_float32": True}, "exact_in_float32 is None, not what the proof says"),
    ):
        with pytest.raises(Rejected, match=f"line 1: {why}"):
            check_box_proof(network, stated, DIGESTS, [box[0] | changed, *box[1:]])
    with pytest.raises(Rejected, match="line 1: it is not a proof about words"):
        check_proof(claim, box)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"run": 0}, "line 2: the inputs of a box cannot be run"),
        (node(split="run"), "line 3: the inputs of a box cannot be run"),
        (node(split=["symbol", 0, [0]]), "line 3: a split is not by an input"),
        (node(split=["input", 0, [9, 0]]), "line 3: a split is outside of its subdomain"),
    ],
)
def test_boxes_are_split_by_inputs_only(line: dict[str, Any], why: str) -> None:
    lines = [header("boxes", DIGESTS, None), *([] if "run" in line else [{"tree": 0}]), line, END]
    with pytest.raises(Rejected, match=why):
        check_box_proof(floats(([[1.0]], [0.0])), above(2), DIGESTS, lines)


# -- witnesses of claims about words -------------------------------------------------------------------------


def said(claim: WordClaim, tokens: tuple[str, ...]) -> dict[str, Any]:
    """The line of a witness with what network and program say about these tokens."""
    numerators = claim.network.evaluate(claim.domain.one_hot(np.array([claim.domain.padded(tokens)])))
    says = claim.decision.labels[int(claim.decision.decide(numerators)[0])]
    outputs = [Fraction(int(v), claim.network.scale) for v in numerators[0]]
    return witness_line(
        "words", digests_of(claim), tokens, outputs, [says, claim.program_label(tokens)], None
    )


def test_a_witness_of_words() -> None:
    claim = load_word_claim(CORPUS / "adjacent_ab_near_miss" / "claim.toml")
    words = [claim.domain.unpadded(tuple(map(int, w))) for block, _ in claim.language.words() for w in block]
    lines = [said(claim, tokens) for tokens in words]
    line = next(line for line in lines if line["labels"][0] != line["labels"][1])
    right = next(line for line in lines if line["labels"][0] == line["labels"][1])
    assert list(check_witness(claim, digests_of(claim), line)) == line["input"]
    with pytest.raises(Rejected, match="network and program agree on the input"):
        check_witness(claim, digests_of(claim), right)
    for change in (
        {"format": "relucid witness 1"}, {"kind": "boxes"}, {"digests": {}}, {"digests": None}, {"note": 1}, {"labels": None},
        {"labels": line["labels"][::-1]}, {"labels": line["labels"][:1]}, {"output": ["99"]}, {"input": ["?"]}, {"input": "ab"},
        {"input": []},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            check_witness(claim, digests_of(claim), {**line, **change})


def test_a_witness_outside_of_the_domain() -> None:
    claim = load_word_claim(CORPUS / "which_quote" / "claim.toml")
    tokens = (claim.domain.tokens[0],) * claim.domain.max_length
    line = witness_line("words", {}, tokens, [Fraction(0)], [0, 1], None)
    with pytest.raises(Rejected, match="`where` says no"):
        check_witness(claim, {}, line)


def test_earlier_formats_are_refused_in_one_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "old"
    for name in ("relucid proof 2", "relucid witness 1"):
        file.write_text(f'{{"format": "{name}", "claim": "h"}}\n')
        assert main(["check", str(CORPUS / "parity_4" / "claim.toml"), str(file)]) == 1
        out = capsys.readouterr().out
        assert out.startswith(f"rejected: line 1: '{name}' is an earlier format") and out.count("\n") == 1
