"""Search and surrogates work from the callable alone: nothing in them can see the suite's
reference programs.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(p for folder in ("search", "models") for p in (ROOT / folder).rglob("*.py"))

ALONE = """
import sys

class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("relucid.benchmarks"):
            raise AssertionError("the suite was imported: " + name)

sys.meta_path.insert(0, Closed())

import builtins, io, os
opened = io.open

def watched(file, *rest, **more):
    assert "distill.toml" not in str(file), "the suite was read"
    return opened(file, *rest, **more)

builtins.open = io.open = watched

import numpy as np
import relucid
from relucid.models.circuits.circuit import CircuitSummary

class Teacher:
    name, vocabulary = "callable", ("a", "b", "even", "odd")

    def logits(self, ids):
        odd = (ids == 0).sum(axis=1) % 2
        return np.stack([0 * odd, 0 * odd, 1 - odd, odd], axis=1).astype(np.float32)

    def summary(self):
        return CircuitSummary("callable", 1, 1, 1, 1, 1, 1, 1, "a test", "a function")

result = relucid.distill(Teacher(), {"tokens": ["a", "b"], "length": 7}, labels=["even", "odd"], request=relucid.ProofRequest(backends=["enumerate"]))
assert isinstance(result.verdict, relucid.Proved)
assert not [name for name in sys.modules if name.startswith("relucid.benchmarks")]
print(result.claim.program.source)
"""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_search_and_models_know_no_suite(path: Path) -> None:
    """No import of benchmarks, no name of its file, no import by a computed name out of one's own package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any("benchmarks" in alias.name for alias in node.names), path
        elif isinstance(node, ast.ImportFrom):
            assert "benchmarks" not in (node.module or "") and not any(
                alias.name == "benchmarks" for alias in node.names
            ), path
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert "distill.toml" not in node.value and "distill_behaviours" not in node.value, path
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "__import__",
        ):
            assert ast.unparse(node).startswith("importlib.import_module(f'{__name__}."), path


def test_a_distillation_from_the_callable_alone() -> None:
    """In a fresh interpreter where the suite can be neither imported nor opened."""
    result = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r'return "(odd|even)" if tokens.count\("[ab]"\) % 2 == 1 else', result.stdout), (
        result.stdout
    )
