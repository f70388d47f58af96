"""A solver as a process of its own, within a time limit: text in, a solver competition's answer out.

For the backends exact and cadical, and for their proofs.  The programs are in `programs/`; what they print is
read as lines and nothing else.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ....common.processes.limits import Ended, Limits
from ....common.processes.supervised import supervised
from ....encoders.formula import Formula, Word
from .queries import SolverAnswer

PROGRAMS = Path(__file__).with_name("programs")


class Encoded(Protocol):
    """A formula in a solver's language; `decode` turns the numbers of true variables into a word."""

    def text(self) -> str: ...

    def decode(self, true: frozenset[int]) -> Word: ...


def ask_program(
    name: str, encode: Callable[[Formula], Encoded], formula: Formula, seconds: float, *arguments: object
) -> SolverAnswer:
    """Put a formula to a program.  Encoding counts in its time."""
    deadline = time.monotonic() + seconds
    encoded = encode(formula)
    answer, true = run_program(name, encoded.text(), deadline - time.monotonic(), *arguments)
    if answer == "SATISFIABLE":
        return SolverAnswer("word", encoded.decode(true))
    if answer == "UNSATISFIABLE":
        return SolverAnswer("none")
    return (
        SolverAnswer("timeout")
        if answer == "TIMEOUT"
        else SolverAnswer("unknown", detail=f"{name} says {answer.lower()}")
    )


def run_program(name: str, text: str, seconds: float, *arguments: object) -> tuple[str, frozenset[int]]:
    """Run a program on a text.

    Returns the answer ("SATISFIABLE", "UNSATISFIABLE", "UNKNOWN" or "TIMEOUT") and the numbers of the true
    variables.  Raises RuntimeError with its last line where the program fails.
    """
    if seconds <= 0:
        return "TIMEOUT", frozenset()
    limit = math.ceil(seconds) + 1  # its own, for the case that this process dies
    command = [sys.executable, "-P", str(PROGRAMS / f"{name}.py"), str(limit), *map(str, arguments)]
    path = os.pathsep.join(p for p in sys.path if p)
    with supervised(command, text.encode(), {"PYTHONPATH": path}) as child:
        lines = list(child.messages(Limits(time.monotonic() + seconds), measured=False))
    assert child.ended is not None
    if child.ended.how == "timeout":
        return "TIMEOUT", frozenset()
    answer, true = "", set[int]()
    for line in map(bytes.decode, lines):
        if line.startswith("s "):
            answer = line[2:].strip()
        elif line.startswith("v "):
            literals = (word for word in line.split()[1:] if not word.startswith("-"))
            true |= {int(word.removeprefix("x")) for word in literals} - {0}
    if child.ended != Ended("exited") or not answer:
        said = child.last_line.strip() or (lines[-1].decode().strip() if lines else "it said nothing")
        raise RuntimeError(f"{name} {child.ended}: {said}")
    return answer, frozenset(true)
