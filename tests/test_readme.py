"""The README's Python runs as it stands, and its session is what the commands print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]  # type: ignore[index]
    rows = np.tile([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 8)  # how many ' and how many "
    (tmp_path / "surrogate.onnx").write_bytes(
        write_onnx(feed_forward([(rows, np.zeros(2)), (np.eye(2), np.zeros(2))]))
    )
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "equal on all 16 inputs; trust: checked" in result.stdout
    assert "def quote_closing(tokens):" in result.stdout


def plain(text: str) -> list[str]:
    """Without times, which differ from run to run, and without the trained weights, which may differ from processor to processor."""
    text = re.sub(r"  layers .*|  \d+ nonzero weights .*|(?<='\]')  .*", "", text)
    return [
        re.sub(r"\d+\.\d+( s|\b)", "#", re.sub(r"\s+", " ", line)).strip()
        for line in text.strip().splitlines()
    ]


def test_the_session_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["distill", "bracket_depth", "--out", "out/bracket_depth"]) == 0
    shown = re.search(r"```\n(== bracket_depth.*?)```", README, re.DOTALL)[1]  # type: ignore[index]
    assert plain(shown) == plain(capsys.readouterr().out)
