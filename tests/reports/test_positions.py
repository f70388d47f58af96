"""`show` of claims about every position, and their counterexamples in notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from position_cases import PositionCase
from relucid.cli.main import main
from relucid.reports.notebook import verdict_html
from relucid.verifiers.counterexamples import WordCounterexample
from relucid.verifiers.verdict import Refuted


def written(folder: Path, per_prefix: bool, program: str) -> Path:
    """Is there a b so far?  Two positions, an output at each."""
    rows = np.array([[0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0]])
    return PositionCase(((rows, np.zeros(2)),), (1, 2), 0, True, per_prefix, program, None).write(folder)


PREFIX = 'def answer(tokens):\n    return "y" if tokens[-1] == "b" else "x"\n'
TUPLE = 'def answer(tokens):\n    return tuple("y" if t == "b" else "x" for t in tokens)\n'


@pytest.mark.parametrize(
    ("per_prefix", "program", "says"),
    [
        (True, PREFIX, "gives the label that answer gives on the tokens up to there"),
        (False, TUPLE, "gives the label that stands there in the tuple that answer returns"),
    ],
)
def test_show(
    per_prefix: bool, program: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = str(written(tmp_path, per_prefix, program))
    assert main(["show", claim, "--quiet"]) == 0
    short = capsys.readouterr().out
    assert f"at every position, the network net.onnx {says}, on every input" in short
    assert "its outputs are 2 blocks of 1" in short and "def answer" not in short
    assert main(["show", claim]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(short) and "def answer(tokens):" in shown
    assert "b a           'y' 'y'       'y' 'x'       differs at position 1" in shown
    assert main(["show", claim, "--samples", "0"]) == 0
    assert "sample input" not in capsys.readouterr().out
    assert main(["show", claim, "--json", "--samples", "10"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["decision"] == {
        "kind": "sign",
        "labels": ["x", "y"],
        "position": "every",
        "per_prefix": per_prefix,
    }
    assert told["domain_size"] == "6" and told["label_sizes"] is None and told["warnings"] == []
    assert told["positions"] == [
        {"position": 0, "inputs": "6", "label_sizes": ["3", "3"]},
        {"position": 1, "inputs": "4", "label_sizes": ["2", "2"]},
    ]
    samples = {tuple(s["tokens"]): (s["network_labels"], s["program_labels"]) for s in told["samples"]}
    assert len(samples) == 6 and samples["b", "a"] == (["y", "y"], ["y", "x"])
    assert samples["b",] == (["y"], ["y"])


def test_notebooks_show_the_position() -> None:
    found = WordCounterexample(("b", "a"), "y", "x", (), position=1)
    html = verdict_html(Refuted("enumerate", 0.1, 6, (), (), (found,)))
    assert "position" in html and ">1<" in html
