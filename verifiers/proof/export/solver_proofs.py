"""Writes a claim's proof in another format: a solver logs its work on each query; one file holds the logs.

Nothing here is trusted: `third_party.py` makes the formulas again from the claim and checks every step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....common.errors import InputError, Unsupported
from ....common.scratch import scratch
from ....models.claims.word_claim import WordClaim
from ...backends.shared.queries import differs, too_big
from ...backends.shared.solver_process import run_program
from ...race.backend import installed_version
from ..format import Rejected
from ..words.producer import Unproved
from .cutting_planes import parsed
from .third_party import DRAT, END, VERIPB, Form, PbProblem, Query, first_header, queries

PIECE = 1 << 20  # bytes that are copied at a time


@dataclass(frozen=True)
class Logger:
    """The solver that writes a format.

    program: its program in `programs/`.
    package, extra: the package that it needs, and the extra of relucid that installs it.
    arguments: more arguments for the program.
    """

    program: str
    package: str
    extra: str
    arguments: tuple[object, ...] = ()


LOGGERS = {
    VERIPB.name: Logger("exact_opb", "exact", "exact", (1,)),
    DRAT.name: Logger("cadical_dimacs", "python-sat", "sat"),
}


def check_installed(form: Form) -> None:
    """Check, before any work, that the format's solver is installed; raise InputError if it is not."""
    logger = LOGGERS[form.name]
    if installed_version(logger.package) is None:
        what = f"{form.name} proofs are written by the package {logger.package}, which is not installed"
        raise InputError("form", what, f"pip install 'relucid[{logger.extra}]', or leave it out")


def section_pieces(
    claim: WordClaim, form: Form, seconds: float, progress: Callable[[str], None] = lambda text: None
) -> Iterator[bytes]:
    """Yield the file, piece by piece.

    seconds: the time limit.
    progress: receives one line of text now and then.

    Raises TimeoutError, Unproved if the claim is false, and Unsupported if the solver fails or cannot be
    used.
    """
    deadline = time.monotonic() + seconds
    if why := too_big(claim):
        raise Unsupported(why)
    yield _line(first_header(claim, form))
    for query in queries(claim, form, deadline):
        progress(f"proof, {query.name}: {query.problem.constraints:,} constraints")
        yield _line(query.header)
        with scratch() as folder:
            yield from _copied(_solved(claim, form, query, folder / "log", deadline))
    yield _line(END)


def _line(header: dict[str, Any]) -> bytes:
    """Write one line of ours."""
    return json.dumps(header).encode("ascii") + b"\n"


def _solved(claim: WordClaim, form: Form, query: Query, log: Path, deadline: float) -> Path:
    """Run the solver on a query; return the file that it wrote."""
    logger, encoded = LOGGERS[form.name], query.problem.encoded
    try:
        answer, true = run_program(
            logger.program, encoded.text(), deadline - time.monotonic(), *logger.arguments, log
        )
    except RuntimeError as error:
        raise Unsupported(str(error)) from None
    if answer == "TIMEOUT":
        raise TimeoutError("out of time while proving")
    if answer == "SATISFIABLE":
        word = encoded.decode(true)
        if claim.language.label_of(word) != query.label or not differs(claim, word, query.label):
            raise Unsupported(f"{logger.program} gave a solution that is no counterexample")
        raise Unproved(f"network and program differ on {list(claim.domain.unpadded(word))}")
    if answer != "UNSATISFIABLE":
        raise Unsupported(f"{logger.program} says {answer.lower()}")
    if isinstance(query.problem, PbProblem) and not _same(query.problem, log.with_suffix(".formula")):
        raise Unsupported(f"{logger.program} logged a proof about other constraints than it was given")
    return log.with_suffix(".proof")


def _same(problem: PbProblem, path: Path) -> bool:
    """Say whether the solver's numbered constraints are exactly ours."""
    with open(path, encoding="ascii") as file:
        texts = (line for line in file if not line.startswith(("*", "min:")) and line.strip())
        try:
            return [parsed(text, problem.encoded.count) for text in texts] == problem.axioms
        except Rejected:
            return False


def _copied(path: Path) -> Iterator[bytes]:
    """Yield the whole file; end its last line."""
    piece = b"\n"
    with open(path, "rb") as file:
        while more := file.read(PIECE):
            yield (piece := more)
    if not piece.endswith(b"\n"):
        yield b"\n"
