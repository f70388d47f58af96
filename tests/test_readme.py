"""The Python of the README and of the guide runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

DOCS = Path(__file__).resolve().parents[1] / "docs"


def python_of(page: Path) -> str:
    """All Python blocks of a page, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))


def run(code: str, folder: Path) -> str:
    (folder / "example.py").write_text(code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "example.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    printed = run(python_of(DOCS.parent / "README.md"), tmp_path)
    program = re.search(r"return .*", python_of(DOCS.parent / "README.md"))
    assert program is not None and program[0] in printed
    assert "Proved" in printed and "16,389 inputs" in printed


def test_the_python_of_the_guide_runs(tmp_path: Path) -> None:
    rows = np.tile([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 8)  # how many ' and how many "
    (tmp_path / "surrogate.onnx").write_bytes(
        write_onnx(feed_forward([(rows, np.zeros(2)), (np.eye(2), np.zeros(2))]))
    )
    networks = (DOCS / "guide/networks.md").read_text(encoding="utf-8")
    stated = re.search(r"```\n(\(declare-const.*?)```", networks, re.DOTALL)
    assert stated is not None
    (tmp_path / "property.vnnlib").write_text(stated[1], encoding="utf-8")
    printed = run(python_of(DOCS / "guide/python.md"), tmp_path)
    assert "equal on all 16 inputs; trust: checked" in printed
    assert "def quote_closing(tokens):" in printed
