"""Proofs about every position: the checker rebuilds the claims at all positions and misses none of them."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import second_checker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from position_cases import PositionCase, position_cases
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_reduced
from relucid.models.claims.position_claims import PositionClaims
from relucid.verifiers.proof.format import ProofTooLarge, Rejected, read_lines
from relucid.verifiers.proof.words.positions import check_position_witness, check_positions
from relucid.verifiers.proof.words.positions_subject import PositionsSubject
from relucid.verifiers.proof.words.producer import proof_lines

Lines = list[dict[str, Any]]


def claim_of(case: PositionCase) -> PositionClaims:
    with tempfile.TemporaryDirectory() as folder:
        found = load_reduced(case.write(Path(folder)))
    assert isinstance(found, PositionClaims)
    return found


def proof_of(claim: PositionClaims, run: bool = False) -> Lines:
    parts = ((i, iter(list(proof_lines(part, 60, run=run)))) for i, part in claim.parts.items())
    return json.loads(json.dumps(list(PositionsSubject(claim)._joined(parts))))


def accepts(claim: PositionClaims, lines: Lines, digests: bool = False) -> bool:
    try:
        check_positions(claim, iter(lines), digests=digests)
    except Rejected:
        return False
    return True


def second_accepts(case: PositionCase, lines: Lines) -> bool:
    """What the checker says that shares no code with relucid."""
    with tempfile.TemporaryDirectory() as folder:
        case.write(Path(folder))
        proof = Path(folder) / "proof"
        proof.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")
        try:
            second_checker.check(Path(folder), proof)
        except second_checker.Rejected:
            return False
    return True


def split(lines: Lines) -> list[Lines]:
    """The lines of each position, without the first and the last line."""
    found: list[Lines] = []
    for line in lines[1:-1]:
        if "position" in line:
            found.append([])
        found[-1].append(line)
    return found


def joined(lines: Lines, parts: list[Lines]) -> Lines:
    return [lines[0], *itertools.chain.from_iterable(parts), lines[-1]]


def mutants(lines: Lines) -> Iterator[tuple[str, Lines]]:
    parts = split(lines)
    for k in range(len(parts)):
        yield f"without position {k}", joined(lines, parts[:k] + parts[k + 1 :])
        yield f"position {k} twice", joined(lines, parts[: k + 1] + parts[k:])
        shifted = [[{"position": p[0]["position"] + (j >= k)}, *p[1:]] for j, p in enumerate(parts)]
        yield f"off by one from {k}", joined(lines, shifted)
        empty = [[*p[:2], p[-1]] if j == k else p for j, p in enumerate(parts)]
        if empty != parts:
            yield f"nothing at {k}", joined(lines, empty)
        unended = [p[:-1] if j == k else p for j, p in enumerate(parts)]
        yield f"no end of {k}", joined(lines, unended)
    if len(parts) > 1:
        yield "swapped", joined(lines, [parts[1], parts[0], *parts[2:]])
    for n in {0, 1, 2, 3, len(lines) // 2, len(lines) - 1}:
        yield f"cut off after {n}", lines[:n]
    yield "more after it", [*lines, lines[-1]]
    yield "no header", lines[1:]
    yield "another kind", [{**lines[0], "kind": "words"}, *lines[1:]]
    yield "another format", [{**lines[0], "format": "relucid proof 2"}, *lines[1:]]
    yield "a key more", [{**lines[0], "exact_in_float32": True}, *lines[1:]]
    yield "a part alone", parts[0][1:]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(position_cases(), st.booleans())
def test_what_leaves_out_a_position_is_rejected(case: PositionCase, run: bool) -> None:
    """With digests off, so that the structure has to be enough."""
    claim = claim_of(case)
    if case.wrong():
        return
    lines = proof_of(claim, run)
    assert accepts(claim, lines) and accepts(claim, lines, digests=True) and second_accepts(case, lines)
    for name, mutant in mutants(lines):
        assert not accepts(claim, mutant) and not second_accepts(case, mutant), name
    bodies = [p[1:] for p in split(lines)]
    swapped = [[{"position": i}, *body] for i, body in zip(claim.parts, reversed(bodies), strict=True)]
    if len(bodies) > 1:
        assert not accepts(claim, joined(lines, swapped), digests=True)
    assert not accepts(claim, [{**lines[0], "digests": {"claim": "0"}}, *lines[1:]], digests=True)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(position_cases())
def test_no_proof_of_a_false_claim_is_accepted(case: PositionCase) -> None:
    """Running every word is a proof that needs nothing: the checker has to find what differs."""
    claim = claim_of(case)
    quick = PositionsSubject(claim).quick_lines()
    assert quick is not None
    lines = json.loads(json.dumps(list(quick)))
    assert accepts(claim, lines) == second_accepts(case, lines) == (not case.wrong())


def counting(folder: Path, per_prefix: bool = True) -> Path:
    """Two positions, each with a block of one output: is there a b so far?"""
    import numpy as np

    rows = np.array([[0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0]])
    program = 'def answer(tokens):\n    return "y" if "b" in tokens else "x"\n'
    if not per_prefix:
        program = 'def answer(tokens):\n    return tuple("y" if "b" in tokens[: i + 1] else "x" for i in range(2))\n'
    return PositionCase(((rows, np.zeros(2)),), (2, 2), 0, True, per_prefix, program, None).write(folder)


@pytest.mark.parametrize("per_prefix", [True, False])
@pytest.mark.parametrize("name", ["claim.proof", "claim.proof.gz"])
def test_files_are_written_and_checked(
    per_prefix: bool, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim, proof = counting(tmp_path, per_prefix), tmp_path / name
    assert main(["prove", str(claim), "--proof", str(proof), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trust"] == "checked"
    assert main(["check", str(claim), str(proof)]) == 0
    assert capsys.readouterr().out.startswith("accepted: network = program at every position of all 4 inputs")
    lines = [line for line in read_lines(proof) if line != {"position": 1}]
    proof.unlink()
    (tmp_path / "mutant").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert main(["check", str(claim), str(tmp_path / "mutant")]) == 1
    assert "a position has not just position" in capsys.readouterr().out
    assert main(["check", str(claim), str(tmp_path / "mutant"), "--export", str(tmp_path / "e")]) == 2
    assert "--export: is for claims about one label" in capsys.readouterr().err


def test_witnesses_name_the_position(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim, place = counting(tmp_path), tmp_path / "witness"
    program = (tmp_path / "p.py").read_text(encoding="utf-8")
    (tmp_path / "p.py").write_text(program.replace('"b" in tokens', 'tokens[-1] == "b"'), encoding="utf-8")
    assert main(["prove", str(claim), "--proof", str(place)]) == 1
    assert main(["check", str(claim), str(place)]) == 0
    assert "accepted: network and program differ on b a" in capsys.readouterr().out
    (line,) = read_lines(place)
    assert line["position"] == 1 and line["input"] == ["b", "a"]
    stated = load_reduced(claim)
    assert isinstance(stated, PositionClaims)
    without = {k: v for k, v in line.items() if k != "position"}
    for bad in (without, line | {"position": 0}, line | {"position": 2}, line | {"position": True}):
        with pytest.raises(Rejected):
            check_position_witness(stated, bad)
    with pytest.raises(Rejected):
        check_position_witness(stated, line | {"more": 1})


def test_the_line_of_the_file_and_of_the_position_are_told(tmp_path: Path) -> None:
    claim = load_reduced(counting(tmp_path))
    assert isinstance(claim, PositionClaims)
    lines = proof_of(claim, run=True)
    last = max(i for i, line in enumerate(lines) if "run" in line)
    lines[last] = {"run": 7}
    with pytest.raises(Rejected, match=rf"line {last + 1}: at position 1, line \d: root 1 should follow"):
        check_positions(claim, iter(lines))
    assert not issubclass(Rejected, ProofTooLarge)


def test_a_claim_is_saved_beside_a_rejected_proof(tmp_path: Path) -> None:
    stated = load_reduced(counting(tmp_path))
    assert isinstance(stated, PositionClaims)
    (tmp_path / "saved").mkdir()
    PositionsSubject(stated).save(tmp_path / "saved")
    for name in ("net.onnx", "p.py"):
        kept = {"net.onnx": "network.onnx", "p.py": "program.py"}[name]
        assert (tmp_path / name).read_bytes() == (tmp_path / "saved" / kept).read_bytes()
