"""Whole commands on inputs that went wrong: an empty box, many boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.engines.boxes import first_bounds as first_bounds_module

CASES = Path(__file__).parents[4] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
WARNING = "the input region is empty, so that nothing is asked: X_0 >= 1 (line {}) and X_0 <= -1 (line {})"
EMPTY = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 1))\n(assert (<= X_0 -1))\n(assert (>= Y_0 0))\n"


@pytest.fixture
def net(tmp_path: Path) -> str:
    """The distance from 0, which is at most 1 on [-1, 1]."""
    layers = [(np.array([[1.0], [-1.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.zeros(1))]
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward(layers, encoding="real")))
    return str(tmp_path / "net.onnx")


def test_an_empty_box_is_unsat_with_a_warning(
    net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.vnnlib").write_text(EMPTY)
    files = [net, str(tmp_path / "spec.vnnlib")]
    for more in ([], ["--quiet"], ["--against", net, "--epsilon", "1"], ["--proof", str(tmp_path / "p")]):
        assert main(["verify", *files, *more]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("unsat") and err == f"warning: {WARNING.format(3, 4)}\n"
    assert main(["verify", *files, "--check", str(tmp_path / "p")]) == 0
    assert main(["verify", *files, "--json"]) in (0, 1)
    told = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert told["warnings"] == [WARNING.format(3, 4)] and told["evidence"] == {
        "cases": 0,
        "polyhedra": 0,
        "parts": {},
    }


@needs_cases
def test_the_empty_box_of_the_cases(capsys: pytest.CaptureFixture[str]) -> None:
    folder = CASES / "empty_box_no_warning"
    assert main(["verify", str(folder / "net.onnx"), str(folder / "spec.vnnlib")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("unsat\n") and err == f"warning: {WARNING.format(5, 6)}\n"


@needs_cases
def test_the_many_cases_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    folder = CASES / "many_cases"
    assert main(["verify", str(folder / "net.onnx"), str(folder / "spec.vnnlib")]) == 0
    word, summary = capsys.readouterr().out.splitlines()
    assert word == "unsat" and len(summary) < 200 and "bounds: proved, 400 of 400 cases" in summary


def text_of(boxes: int, outputs: int = 1) -> str:
    """Small boxes side by side from -1 to 1, each with its own limits, of which one is an output
    disjunction's.
    """
    head = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
    regions = []
    for k in range(boxes):
        low, high = -1 + 2 * k / boxes, -1 + 2 * (k + 1) / boxes
        limit = max(abs(low), abs(high)) + 0.001
        rows = " ".join(f"(>= Y_0 {limit + j:.6f})" for j in range(outputs))
        regions.append(
            f"(and (>= X_0 {low:.6f}) (<= X_0 {high:.6f}) (or {rows}))"
            if outputs > 1
            else f"(and (>= X_0 {low:.6f}) (<= X_0 {high:.6f}) {rows})"
        )
    return head + "(assert (or\n" + "\n".join(regions) + "))\n"


@pytest.mark.parametrize(("boxes", "outputs"), [(40, 1), (40, 3), (1000, 1)])
def test_the_work_grows_with_the_number_of_cases(
    net: str, monkeypatch: pytest.MonkeyPatch, boxes: int, outputs: int
) -> None:
    """Counted in functions that are bounded, and in batches: linear, with no case looked at alone."""
    from relucid.models.onnx.reader import load_onnx

    bounded: list[int] = []
    honest = first_bounds_module.upper_bounds
    monkeypatch.setattr(
        first_bounds_module,
        "upper_bounds",
        lambda net, start, *more: bounded.append(len(start.subdomain)) or honest(net, start, *more),
    )
    stated = read_vnnlib(text_of(boxes, outputs))
    found = decide(load_onnx(net), stated, BoxOptions(deadline=1e9, threads=1))
    assert found.outcome == "proved" and [s.backend for s in found.attempts] == ["bounds"]
    assert found.evidence is not None and found.evidence.polyhedra == sum(bounded) == boxes * outputs
    assert len(bounded) == -(-len(stated.cases) // first_bounds_module.BATCH)
