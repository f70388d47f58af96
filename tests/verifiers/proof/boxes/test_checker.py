"""Proofs about boxes: true properties have one that both checkers accept, false ones have none; limits, files
and the command line.
"""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import second_checker
from box_proof_cases import DIGESTS, Lines, accepted, both_say, parts, proof_of, proved, text_of
from box_truth import above, floats, random_network, random_property, unsafe_point
from clocks import later
from relucid.cli.main import main
from relucid.common.errors import Unsupported
from relucid.models.claims.property import Property, Row
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network
from relucid.models.onnx.writer import with_source
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.engines.boxes import searches
from relucid.verifiers.evidence import How, Tiling
from relucid.verifiers.proof import certify, tree, writing
from relucid.verifiers.proof.boxes import subject
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.boxes.producer import HowProved, proof_lines
from relucid.verifiers.proof.boxes.witness import check_box_witness
from relucid.verifiers.proof.format import LimitReached, Rejected
from relucid.verifiers.proof.writing import header, node, witness_line
from relucid.verifiers.verdict import Contradiction


def test_true_properties_have_proofs() -> None:
    kinds = {"cut": 0, "phases": 0, "bounds": 0}
    for network, stated, lines in proved():
        assert accepted(network, stated, lines, DIGESTS)
        kinds["cut"] += any(isinstance(line.get("split"), list) for line in lines)
        kinds["phases"] += any(leaf[1] for line in lines for leaf in line.get("leaves", []))
        kinds["bounds"] += any(line.get("bounds") for line in lines)
    assert min(kinds["cut"], kinds["phases"]) >= 20 and kinds["bounds"] >= 8, kinds


def test_the_second_checker_accepts_them_too(tmp_path: Path) -> None:
    for network, stated, lines in proved():
        assert both_say(network, read_vnnlib(text_of(stated)), lines, tmp_path) == (True, True)


def test_false_properties_have_none() -> None:
    rng, tried = np.random.default_rng(8), 0
    while tried < 12:
        network = random_network(rng, 1 + tried % 2)
        stated = random_property(rng, network)
        if unsafe_point(network, stated.cases[0]) is not None:
            tried += 1
            with pytest.raises((Unsupported, TimeoutError)):
                proof_of(network, stated, 0.5)


def test_several_boxes_one_after_the_other() -> None:
    network = floats(([[1.0]], [0.0]))
    first, second = above(2).cases[0], above(5, low=2, high=3).cases[0]
    stated = Property(1, 1, (first, replace(first, unsafe=()), second))
    lines = proof_of(network, stated)
    assert [line["tree"] for line in lines if "tree" in line] == [0, 2] and accepted(network, stated, lines)
    assert not accepted(network, replace(stated, cases=(first, second, second)), lines)


def by_hand(*parts: dict[str, Any]) -> Lines:
    return [header("boxes", DIGESTS, None), {"tree": 0}, *parts, {"end": True}]


def part(*leaves: list[Any], tighten: bool = False, split: Any = None) -> dict[str, Any]:
    return node(tighten=tighten, leaves=list(leaves), split=split)


SHOWN = [[0, 1], [], [], []]


def test_phases_that_bounds_exclude() -> None:
    network = floats(([[1.0]], [1.0]), ([[1.0]], [0.0]))  # max(0, x + 1) on 0 .. 1: always active
    stated = above(Fraction(5, 2))
    assert accepted(network, stated, by_hand(part([0, [-1], None], [0, [1], SHOWN], tighten=True)))
    assert not accepted(network, stated, by_hand(part([0, [1], None], [0, [-1], SHOWN], tighten=True)))
    dead = floats(([[-1.0]], [-1.0]), ([[1.0]], [0.0]))
    assert accepted(dead, above(1), by_hand(part([0, [1], None], [0, [-1], SHOWN], tighten=True)))
    assert not accepted(dead, above(1), by_hand(part([0, [-1], None], [0, [1], SHOWN], tighten=True)))


@pytest.mark.parametrize("bits", [30, 52, 53, 61, 62, 63, 64, 127])
def test_a_large_coefficient_has_no_proof_of_its_opposite(bits: int) -> None:
    """size * x reaches size on 0 .. 1, so at least a half of it."""
    size = 2**bits - 1
    network, case = floats(([[1.0]], [0.0])), above(0, low=0, high=1).cases[0]
    for least, holds in ((size // 2, False), (2 * size, True)):
        row = Row((), ((0, Fraction(size)),), Fraction(-least))
        stated = Property(1, 1, (replace(case, unsafe=((row,),)),))
        assert (
            accepted(network, stated, by_hand(part([0, [], SHOWN])))
            == holds
            == (not stated.witnesses([Fraction(1)], [Fraction(1)]))
        )


def test_outputs_that_no_input_reaches() -> None:
    constant = Network(1, (Affine((), (), integer_array([3]), 2),), "real")
    assert accepted(constant, above(2), by_hand(part([0, [], SHOWN])))
    assert not accepted(constant, above(Fraction(3, 2)), by_hand(part([0, [], SHOWN])))


def test_long_proofs_say_how_far_they_are() -> None:
    said: list[str] = []
    lines = by_hand(*(part(split="again") for _ in range(250)), part([0, [], SHOWN]))
    check_box_proof(floats(([[1.0]], [0.0])), above(2), {}, lines, said.append)
    assert said == ["0 subdomains, 0 leaves checked"] * 2  # the same part, going on over many lines


def test_a_witness_is_a_line() -> None:
    network, stated = floats(([[1.0]], [0.25])), above(1)
    line = witness_line("boxes", DIGESTS, ("3/4",), (Fraction(1),), None, (("0.75",), None))
    assert check_box_witness(network, stated, DIGESTS, json.loads(json.dumps(line))) == (Fraction(3, 4),)
    assert line["onnxruntime"] == {"input": ["0.75"], "output": None}


# -- limits
# ------------------------------------------------------------


def test_too_many_parts_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    network, stated, lines = next(p for p in proved() if p[0].input_size == 1)
    endless = itertools.chain(lines[:2], itertools.repeat(node(split="again")))
    monkeypatch.setattr(tree, "LINES", 50)
    with pytest.raises(Rejected, match="line 51: the tree is too large"):
        check_box_proof(network, stated, {}, endless)
    with pytest.raises(LimitReached, match="out of time"):
        check_box_proof(network, stated, {}, lines, deadline=time.monotonic() - 1)


def test_few_inputs_that_cutting_does_not_show(tmp_path: Path) -> None:
    """Where linear programs decided it, their leaves are the proof; the same with all cut inputs would take
    tens of thousands of parts.
    """
    rng = np.random.default_rng(1)
    sizes = (12, 16, 12, 1)
    network = with_source(
        floats(
            *(
                (np.rint(rng.normal(0, 24, (b, a))) / 64, np.rint(rng.normal(0, 8, b)) / 64)
                for a, b in pairwise(sizes)
            )
        )
    )
    stated = above(Fraction(3, 2), inputs=12, low=-1)
    decided = decide(network, stated, BoxOptions(deadline=later(), backend="lp"))
    lines = list(proof_lines(network, stated, DIGESTS, later(), how=HowProved(decided.backend)))
    lines = json.loads(json.dumps(lines))
    assert decided.outcome == "proved" and accepted(network, stated, lines)
    assert all(p["split"] in (None, "again") for p in parts(lines))
    assert sum(len(p["leaves"]) for p in parts(lines)) > 20
    assert both_say(network, stated, lines, tmp_path) == (True, True)


def test_lines_are_of_bounded_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MANY", 1)
    monkeypatch.setattr(searches, "FEW_INPUTS", -1)
    split = 0
    for network, stated, _ in proved()[:20]:
        lines = proof_of(network, stated)
        assert all(len(line["bounds"]) + len(line["leaves"]) <= 1 for line in parts(lines)) and accepted(
            network, stated, lines
        )
        split += any(line["split"] == "again" for line in parts(lines))
    assert split >= 3


# -- the command
# ------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    network = with_source(floats(([[1.0, 1.0], [1.0, -1.0]], [0.0, -0.5]), ([[1.0, -1.0]], [0.25])))
    (tmp_path / "net.onnx").write_bytes(network.source)
    (tmp_path / "spec.vnnlib").write_text(text_of(above(Fraction(5, 2), inputs=2)))
    (tmp_path / "false.vnnlib").write_text(text_of(above(2, inputs=2)))
    return str(tmp_path / "net.onnx"), str(tmp_path / "spec.vnnlib")


def test_a_proof_is_written_and_checked(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("proof", "proof.gz"):
        proof = tmp_path / name
        assert main(["verify", *files, "--proof", str(proof), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["verdict"], found["trust"], found["proof"]) == ("proved", "checked", str(proof))
        assert found["attempts"][-1]["backend"] == "proof" and "1 leaves" in found["attempts"][-1]["detail"]
        assert (proof.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
        assert main(["verify", *files, "--check", str(proof)]) == main(["check", *files, str(proof)]) == 0
        assert capsys.readouterr().out.startswith("accepted: 1 parts, 1 leaves (")
        second_checker.check_box(*map(Path, (*files, proof)))
    assert main(["verify", files[0], str(tmp_path / "false.vnnlib"), "--check", str(proof)]) == 1
    assert main(["check", files[0], str(tmp_path / "false.vnnlib"), str(proof)]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another property\n" * 2
    assert not list(tmp_path.glob(".*"))


def test_a_witness_is_written_and_checked(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    false, witness = str(tmp_path / "false.vnnlib"), tmp_path / "witness"
    assert main(["verify", files[0], false, "--proof", str(witness), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    line = json.loads(witness.read_text())
    assert found["proof"] == str(witness) and line["input"] == found["counterexample"]["input"]
    assert main(["verify", files[0], false, "--check", str(witness)]) == 0
    assert capsys.readouterr().out.startswith("accepted: a counterexample (")
    assert main(["verify", *files, "--check", str(witness)]) == 1
    assert capsys.readouterr().out == "rejected: it is a witness about another property\n"
    network, stated = certified_pair(files[0], false)
    for change in (
        {"input": ["0", "0"]}, {"input": ["3", "3"]}, {"input": line["input"][:1]}, {"input": [1, 1]}, {"input": ["1/0", "1"]},
        {"output": ["17"]}, {"note": 1}, {"input": ["1e5", "0"]},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            check_box_witness(network, stated, {}, {**line, **change})
    outside = exact_outputs(network, [Fraction(3), Fraction(3)])
    with pytest.raises(Rejected, match="outside of the boxes"):
        check_box_witness(
            network, stated, {}, {**line, "input": ["3", "3"], "output": [str(v) for v in outside]}
        )


def certified_pair(network: str, spec: str) -> tuple[Network, Property]:
    from relucid.models.claims.vnnlib import load_vnnlib
    from relucid.models.onnx.reader import load_onnx

    stated = load_vnnlib(spec)
    return load_onnx(network, real_size=stated.inputs), stated


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "deeply nested": b"[" * 200_000 + b"\n",
    "a gigantic number": b'{"format": ' + b"9" * 100_000 + b"}\n",
    "a float": b'{"format": 1.5}\n',
    "no end of line": b'{"format": "relucid proof 3"}',
    "another format": b'{"format": "relucid proof 3", "kind": "words", "digests": {}, "exact_in_float32": true}\n',
    "a zip bomb": gzip.compress(b'{"a": "' + b"0" * (1 << 28), 9),
    "half a zip": b"\x1f\x8b",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_rejected_at_once(
    kind: str, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "proof"
    path.write_bytes(HOSTILE[kind])
    assert main(["verify", *files, "--check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("rejected: ") and out.count("\n") == 1 and err == ""


def test_what_cannot_be_written(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *files, "--proof", str(tmp_path / "no" / "proof")]) == 2
    assert main(["verify", *files, "--format", "relucid"]) == 2
    assert main(["verify", *files, "--check", str(tmp_path / "nothing")]) == 2
    err = capsys.readouterr().err
    assert (
        err.count("\n") == 3
        and "--format: it says how a proof is written, and none is asked for; add --proof FILE" in err
    )


def test_a_rejected_proof_is_a_contradiction(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the producer writes: what the checker does not accept is no answer; there is no file where one
    was wanted, and all that is needed elsewhere.
    """
    network, stated = certified_pair(*files)
    answer = verdicts.proved("split", Tiling.at_roots(1, 1, How.BOUNDS))
    monkeypatch.setattr(subject, "proof_lines", lambda *args: iter(proof_of(network, stated)[:-1]))
    place = tmp_path / "proof"
    asked = subject.BoxSubject(network, stated, Path(files[1]).read_text())
    end = time.monotonic() + 99
    for run in (
        lambda: certify.certified(asked, answer, place, end),
        lambda: certify.certified(asked, answer, None, end),
        lambda: certify.checked_where_affordable(asked, answer, end),
    ):
        with pytest.raises(Contradiction, match="the checker rejects its proof") as raised:
            run()
        assert not place.exists() and not list(tmp_path.glob(".*"))
        kept = Path(raised.value.artefacts)
        assert sorted(p.name for p in kept.iterdir()) == ["network.onnx", "property.vnnlib", "rejected.proof"]
        assert (
            main(
                [
                    "verify",
                    *(str(kept / name) for name in ("network.onnx", "property.vnnlib")),
                    "--check",
                    str(kept / "rejected.proof"),
                ]
            )
            == 1
        )
        shutil.rmtree(kept)


def test_a_proof_that_takes_too_long_leaves_the_answer_as_it_is(
    files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script of the clock: time is over at each of its readings in turn, until a proof goes through."""
    network, stated = certified_pair(*files)
    answer = verdicts.proved("split", Tiling.at_roots(1, 1, How.BOUNDS))
    asked = subject.BoxSubject(network, stated, Path(files[1]).read_text())
    for k in itertools.count(1):
        calls = itertools.count(1)
        monkeypatch.setattr(time, "monotonic", lambda calls=calls, k=k: 0.0 if next(calls) < k else 1e9)
        found = certify.checked_where_affordable(asked, answer, 1e6)
        assert found.outcome == "proved"
        if found.trust == "checked":
            break
        assert (
            found.trust == "exact"
            and found.certificate.startswith("not checked: ")
            and "out of time" in found.certificate
            and found.evidence == answer.evidence
        )
        wanted = certify.certified(asked, answer, None, 1e6)
        assert wanted.outcome == "unknown" and "raise it with --timeout" in (wanted.reason or "")
    assert k > 2 and found.certificate.startswith("proof: ")
