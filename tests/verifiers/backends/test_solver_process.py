"""Solvers in processes of their own: answers, time, failures; and that the package itself stays clear of
them.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from random_claims import formulas, random_claim
from relucid.encoders.pseudo_boolean import pseudo_boolean
from relucid.verifiers.backends.shared import solver_process
from relucid.verifiers.backends.shared.queries import SolverAnswer
from relucid.verifiers.backends.shared.solver_process import PROGRAMS, ask_program, run_program

ROOT = Path(__file__).resolve().parents[3]
PIGEONS = 11  # into one hole less: out of reach for clause learning


def pigeons(holes: int) -> str:
    at = lambda p, h: p * holes + h + 1  # noqa: E731
    clauses = [[at(p, h) for h in range(holes)] for p in range(holes + 1)]
    clauses += [[-at(p, h), -at(q, h)] for h in range(holes) for q in range(holes + 1) for p in range(q)]
    return (
        "\n".join(
            [f"p cnf {at(holes, holes - 1)} {len(clauses)}", *(f"{' '.join(map(str, c))} 0" for c in clauses)]
        )
        + "\n"
    )


def test_cadical_answers() -> None:
    answer, true = run_program("cadical_dimacs", "c a comment\np cnf 2 2\n1 -2 0\n2 0\n", 20.0)
    assert (answer, true) == ("SATISFIABLE", frozenset({1, 2}))
    assert run_program("cadical_dimacs", pigeons(4), 20.0) == ("UNSATISFIABLE", frozenset())


def test_exact_answers() -> None:
    head = "* #variable= 3 #constraint= 2\n"
    answer, true = run_program("exact_opb", f"{head}+2 x1 +3 x2 -1 x3 >= 5 ;\n+1 x3 = 0 ;\n", 20.0, 1)
    assert (answer, true) == ("SATISFIABLE", frozenset({1, 2}))
    assert run_program("exact_opb", f"{head}+2 x1 +3 x2 >= 5 ;\n+1 x1 +1 x2 = 1 ;\n", 20.0, 1) == (
        "UNSATISFIABLE",
        frozenset(),
    )
    big = 2**90 + 1
    answer, true = run_program("exact_opb", f"{head}+{big} x1 -1 x2 = {big - 1} ;\n+1 x3 >= 0 ;\n", 20.0, 1)
    assert answer == "SATISFIABLE" and {1, 2} <= true


def test_time_is_kept_and_nobody_is_left() -> None:
    started = time.monotonic()
    assert run_program("cadical_dimacs", pigeons(PIGEONS), 1.0) == ("TIMEOUT", frozenset())
    assert time.monotonic() - started >= 1.0
    assert (
        subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "-f", "cadical_dimacs"], capture_output=True, check=False
        ).stdout
        == b""
    )


def test_no_time_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver_process, "supervised", lambda *a, **k: pytest.fail("started"))
    assert run_program("cadical_dimacs", "", 0.0) == ("TIMEOUT", frozenset())


def test_an_abandoned_program_ends_by_itself() -> None:
    command = [sys.executable, "-P", str(PROGRAMS / "cadical_dimacs.py"), "1"]
    done = subprocess.run(
        command, input=pigeons(PIGEONS), text=True, capture_output=True, timeout=3600, check=False
    )  # nobody finds an answer in an hour
    assert done.returncode < 0 and done.stdout == ""


def test_a_failing_program_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver_process, "PROGRAMS", tmp_path)
    (tmp_path / "raises.py").write_text("raise ValueError('bad formula')")
    with pytest.raises(RuntimeError, match="raises ended with status 1: ValueError: bad formula"):
        run_program("raises", "", 20.0)
    (tmp_path / "silent.py").write_text("")
    with pytest.raises(RuntimeError, match="said nothing"):
        run_program("silent", "", 20.0)
    (tmp_path / "late.py").write_text("print('s UNSATISFIABLE')\nraise SystemExit(3)")
    with pytest.raises(RuntimeError, match="status 3"):
        run_program("late", "", 20.0)
    (tmp_path / "unsure.py").write_text("print('s UNKNOWN')")
    _, formula = next(formulas(random_claim(0)))
    assert ask_program("unsure", pseudo_boolean, formula, 20.0) == SolverAnswer(
        "unknown", detail="unsure says unknown"
    )


def test_the_package_never_imports_exact() -> None:
    """Its licence is the AGPL: only a program that runs on its own does."""
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] not in (".venv", "tests", "build") and path.name != "exact_opb.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                assert not {"exact", "Exact"} & {n.split(".")[0] for n in names}, path
