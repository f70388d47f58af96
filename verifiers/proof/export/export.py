"""Splits a proof in another format into the files that its own tools read.

Each query gets a formula and a proof.  The formulas are made from the claim, as when the proof is checked.  A
check of the files by another program thus rests on one assumption: that the formulas express the claim
(docs/reference/proof-format.md, section 9).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ....models.apart import check_apart
from ....models.claims.word_claim import WordClaim
from ..format import LimitReached
from ..writing import write_pieces
from .sections import opened
from .third_party import FORMS, each_section, form_of


@dataclass(frozen=True)
class Exported:
    """The two files of a query."""

    formula: Path
    proof: Path


def export(
    claim: WordClaim,
    path: Path,
    folder: Path,
    seconds: float = math.inf,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Exported]:
    """Write the files of a proof into a folder, and overwrite those with the same names.

    claim: the claim.
    path: the proof.
    folder: where the files go; made if it is missing.
    seconds: the time limit.
    progress: receives one line of text now and then.

    Returns the files.  Each appears only when it is complete.  Raises Rejected, LimitReached and InputError.
    """
    deadline = time.monotonic() + seconds
    try:
        with opened(path) as sections:
            form = form_of(sections.header() or {})
        if form is None:
            known = " or ".join(f"--format {name}" for name in FORMS)
            raise InputError(
                str(path), "it is in no format that other tools read", f"write it with prove {known}"
            )
    except OSError as error:
        raise InputError(
            str(path), f"cannot read the proof: {error.strerror or error}", "check the path"
        ) from None
    found = []
    try:
        folder.mkdir(exist_ok=True)
        with opened(path) as sections:
            for query, lines in each_section(claim, form, sections, deadline):
                progress(f"exporting {query.name}")
                files = Exported(
                    folder / f"{query.name}{form.formula_suffix}", folder / f"{query.name}{form.proof_suffix}"
                )
                check_apart([("--export", files.formula), ("--export", files.proof)], (path,))
                write_pieces(files.formula, [query.problem.text().encode("ascii")])
                write_pieces(files.proof, _in_time(lines, deadline))
                found.append(files)
    except LIMITS:
        raise
    except OSError as error:
        raise InputError(
            str(folder),
            f"cannot write there: {error.strerror or error}",
            "name a folder that you can write to",
        ) from None
    return found


def _in_time(lines: Iterator[str], deadline: float) -> Iterator[bytes]:
    """Yield the lines as bytes; raise LimitReached after the deadline."""
    for line in lines:
        if time.monotonic() > deadline:
            raise LimitReached("out of time")
        yield line.encode("ascii")
