"""From a verdict to a certificate: a proof that the checker has accepted, or the witness of a refutation.

After the race.  Whoever decided the claim, the proof comes from `bab` or from enumeration, or from the solver that writes the format
that was asked for (`verifiers/proof/export/solver_proofs.py`), and nothing counts as `checked` that a checker of ours has not read from the very file
that the user gets.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...common.deadline import LIMITS, ends
from ...common.errors import InputError, Unsupported
from ...common.scratch import lasting, scratch
from ...models.claims.word_claim import WordClaim
from ...models.network.runtime import RuntimeMismatch, RuntimeUnavailable
from ..race.replay import WordReplayer
from ..verdict import Contradiction, Proved, Refuted, Unknown, Verdict
from .export.sections import opened
from .export.solver_proofs import check_installed, section_pieces
from .export.third_party import FORMS, Convinced, Form, check_sections, form_of
from .format import WITNESS, WORDS, LimitReached, Rejected, TooMuch, read_lines
from .tree import Accepted
from .words.checker import check_proof, digests_of
from .words.producer import Unproved, proof_lines, run_lines
from .words.witness import check_witness
from .writing import witness_line, write_lines, write_pieces

Progress = Callable[[str], None]
EARLIER = ("relucid proof 2", "relucid box proof 1", "relucid witness 1", "relucid box witness 1")


@dataclass(frozen=True)
class Certificate:
    """A file that was accepted: what it shows, its bytes, seconds of checking, and what was checked (`convinced`: in another format)."""

    shows: Literal["proved", "refuted"]
    size: int
    seconds: float
    accepted: Accepted | None = None
    convinced: Convinced | None = None
    tokens: tuple[str, ...] = ()


OURS = "relucid"  # the name of our own format


def chosen_form(name: str, proof: Path | None) -> Form | None:
    """The format of this name, None for ours.  Raises InputError before any work: no such format, no file, or no solver that writes it."""
    if name == OURS:
        return None
    if name not in FORMS:
        raise InputError(
            "--format", f"there is no proof format {name!r}", f"known are {', '.join([OURS, *FORMS])}"
        )
    if proof is None:
        raise InputError(
            "--format", "it says how a proof is written, and none is asked for", "add --proof FILE"
        )
    check_installed(FORMS[name])
    return FORMS[name]


def check_place(path: Path) -> None:
    """Before any work: raises InputError where no proof could be written."""
    if path.is_dir() or not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            str(path), "the proof could not be written there", "name a file in a folder that you can write to"
        )


def check_file(
    claim: WordClaim, path: Path, seconds: float = float("inf"), progress: Progress = lambda text: None
) -> Certificate:
    """Check a proof or a witness.  Raises Rejected, LimitReached after `seconds`, InputError where the file cannot be read."""
    started = time.monotonic()
    deadline = min(started + seconds, ends())
    try:
        size = path.stat().st_size
        lines = _in_time(read_lines(path), deadline)
        first = next(lines, None)
        if first is None:
            raise Rejected("line 1: the file is empty")
        refuse_earlier(first)
        if form := form_of(first):
            with opened(path) as sections:
                convinced = check_sections(claim, form, sections, progress, deadline=deadline)
            return Certificate("proved", size, time.monotonic() - started, convinced=convinced)
        if first.get("format") == WITNESS:
            if next(lines, None) is not None:
                raise Rejected("line 2: a witness is one line")
            tokens = check_witness(claim, digests_of(claim), first)
            return Certificate("refuted", size, time.monotonic() - started, tokens=tokens)
        accepted = check_proof(claim, itertools.chain([first], lines), progress, deadline=deadline)
    except LIMITS:
        raise
    except OSError as error:
        raise InputError(
            str(path), f"cannot read the proof: {error.strerror or error}", "check the path"
        ) from None
    return Certificate("proved", size, time.monotonic() - started, accepted)


def refuse_earlier(first: dict[str, Any]) -> None:
    """Raise Rejected where the first line is of a format that is no longer read."""
    if first.get("format") in EARLIER:
        raise Rejected(
            f"line 1: {first['format']!r} is an earlier format, which is no longer read; write it anew"
        )


def _in_time(lines: Iterator[dict[str, Any]], deadline: float) -> Iterator[dict[str, Any]]:
    for line in lines:
        if time.monotonic() > deadline:
            raise LimitReached("out of time while reading")
        yield line


class Unreached(Exception):
    """No checked proof came about; one line that says why, and whether more time might help."""

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class TooLong(Unreached):
    """There is a proof, but it is longer, or leaves more to be run, than the checker goes along with."""


def certified(
    claim: WordClaim,
    verdict: Verdict,
    path: Path | None,
    seconds: float,
    progress: Progress,
    form: Form | None = None,
) -> Verdict:
    """The verdict with its certificate in `path` (None: it is checked and thrown away); Unknown where no proof comes about in time.

    `form`: another format than our own.  Raises Contradiction where the claim turns out to be false, or the checker rejects.
    """
    if isinstance(verdict, Unknown):
        return verdict
    started = time.monotonic()
    with scratch() as folder:
        place = path or folder / "proof"
        try:
            if isinstance(verdict, Refuted):
                found, runtime = verdict.counterexample, _in_onnxruntime(claim, verdict)
                gave = None if runtime is None else [repr(v) for v in runtime]
                labels = (found.network_label, found.program_label)
                about = digests_of(claim)
                write_lines(
                    place,
                    [witness_line(WORDS, about, found.tokens, found.outputs, labels, (found.tokens, gave))],
                )
                certificate = check_file(claim, place)
                assert certificate.shows == "refuted"
                return replace(verdict, proof=None if path is None else str(path))
            try:
                said = _proof(
                    claim, verdict, place, seconds, progress, form or proof_lines(claim, seconds, progress)
                )
            except Unreached as why:
                mend = "; raise it with --timeout" if why.late else ""
                return _unreached(verdict, time.monotonic() - started + verdict.seconds, f"{why}{mend}")
        except LIMITS:
            raise
        except OSError as error:
            raise InputError(
                str(place),
                f"cannot write the proof: {error.strerror or error}",
                "free some space, or name another file",
            ) from None
    whole = verdict.seconds + time.monotonic() - started
    return replace(
        verdict, trust="checked", proof=None if path is None else str(path), certificate=said, seconds=whole
    )


def checked_where_affordable(claim: WordClaim, verdict: Proved, seconds: float, progress: Progress) -> Proved:
    """The verdict at trust "checked" if a proof is made and accepted within so many seconds, else as it is and with the reason.

    The proof is thrown away.  Raises Contradiction as `certified` does.
    """
    started = time.monotonic()
    try:
        with scratch() as folder:
            said = _thrown_away(claim, verdict, folder / "proof", seconds, progress)
    except (Unreached, OSError, MemoryError) as error:
        why = (
            str(error)
            if isinstance(error, Unreached)
            else "no space for a proof"
            if isinstance(error, OSError)
            else "out of memory"
        )
        if isinstance(error, Unreached) and error.late:
            why += f" (after {seconds:.3g} s; --trust checked gives it all the time that is left)"
        return replace(
            verdict, certificate=f"not checked: {why}", seconds=verdict.seconds + time.monotonic() - started
        )
    return replace(
        verdict, trust="checked", certificate=said, seconds=verdict.seconds + time.monotonic() - started
    )


def _thrown_away(claim: WordClaim, verdict: Proved, place: Path, seconds: float, progress: Progress) -> str:
    """A proof that nobody keeps: where running every word is promising, the checker alone does it; else as `_proof`."""
    started = time.monotonic()
    if (lines := run_lines(claim)) is not None:
        with suppress(TooLong):
            return _proof(claim, verdict, place, seconds, progress, lines)
    left = seconds - (time.monotonic() - started)
    return _proof(claim, verdict, place, left, progress, proof_lines(claim, left, progress, kept=False))


def _proof(
    claim: WordClaim,
    verdict: Proved,
    place: Path,
    seconds: float,
    progress: Progress,
    lines: Iterable[dict[str, Any]] | Form,
) -> str:
    """Make a proof in `place` and have it accepted, all in so many seconds; what there is to say about it.

    `lines`: those of the proof, made as they are written, or another format.  Raises Unreached where there is none (TooLong where it is larger than what a checker reads), Contradiction where there cannot be one;
    then there is no file.
    """
    started = time.monotonic()
    form = lines if isinstance(lines, Form) else None
    try:
        if isinstance(lines, Form):
            write_pieces(place, section_pieces(claim, lines, seconds, progress))
        else:
            write_lines(place, lines)
        produced = time.monotonic() - started
        progress("checking the proof")
        # others' proofs take longer to check than to find: as long again
        certificate = check_file(claim, place, seconds - (produced if form is None else 0), progress)
    except TimeoutError as error:
        raise Unreached(str(error), late=True) from None
    except Unsupported as error:
        raise Unreached(str(error)) from None
    except Unproved as error:
        raise Contradiction(f"{verdict.backend} says proved, but {error}") from None
    except (TooMuch, LimitReached) as error:
        place.unlink(missing_ok=True)
        kind = TooLong if isinstance(error, TooMuch) else Unreached
        raise kind(
            f"the proof that was written could not be checked within the limits ({error})", late=True
        ) from None
    except Rejected as error:
        if form is not None:  # a solver's log, perhaps by a rule that our checker does not know
            place.unlink(missing_ok=True)
            raise Unreached(f"the checker rejected the proof that was written ({error})") from None
        raise Contradiction(
            f"{verdict.backend} says proved, but the checker rejects its proof: {error}", _kept(place)
        ) from None
    return f"proof: {certificate.size:,} bytes, {_counted(certificate)}; written in {produced:.2f} s, checked in {certificate.seconds:.2f} s"


def _kept(place: Path) -> str:
    """Move a rejected proof away from where it was to stand, to a folder that is kept; returns it."""
    folder = str(lasting("relucid-contradiction-"))
    shutil.move(place, Path(folder) / "rejected.proof")
    return folder


def _counted(certificate: Certificate) -> str:
    if certificate.convinced:
        return str(certificate.convinced)
    accepted = certificate.accepted
    assert accepted is not None
    parts = [f"{accepted.parts:,} parts, {accepted.leaves:,} leaves"] if accepted.parts else []
    return (
        ", ".join([*parts, *([f"{accepted.run:,} prefixes run"] if accepted.run else [])]) or "bounds alone"
    )


def _unreached(verdict: Proved, seconds: float, why: str) -> Unknown:
    convinced = ", ".join(a.backend for a in verdict.attempts if a.outcome == "proved")
    reason = f"trust: {convinced} says proved at trust {verdict.trust}, but there is no checked proof: {why}"
    return Unknown(None, seconds, verdict.domain_size, verdict.attempts, verdict.warnings, reason)


def _in_onnxruntime(claim: WordClaim, verdict: Refuted) -> tuple[float, ...] | None:
    replayer = WordReplayer(claim)
    if replayer.runtime is None:
        return None
    word = np.array([claim.domain.padded(verdict.counterexample.tokens)], dtype=np.int64)
    try:
        return tuple(
            float(v) for runtime in replayer.runtime for v in runtime.run_words(claim.domain, word)[0]
        )
    except (RuntimeMismatch, RuntimeUnavailable):
        return None
