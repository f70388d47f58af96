"""From a verdict to a certificate: makes a proof or a witness, has the checker accept it, and says so in the
verdict.

After the race and the searches.  Whoever decided the claim, nothing counts as `checked` that a checker of
ours has not read from the very file that the user gets.  The file gets its name only then.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...common.clock import now
from ...common.deadline import LIMITS
from ...common.errors import InputError, TooLarge, Unsupported
from ...common.scratch import lasting, scratch
from ..verdict import Contradiction, Proved, Refuted, Unknown, Verdict
from .certificate import Certificate, Progress, Subject, check_file
from .export.solver_proofs import check_installed
from .export.third_party import FORMS
from .format import LimitReached, ProofTooLarge, Rejected
from .words.producer import Unproved
from .writing import Line, write_lines

OURS = "relucid"  # the name of our own format
NO_WITNESS = (Unsupported, TooLarge, TimeoutError, LimitReached)


class Unreached(Exception):
    """No checked proof came about; one line that says why, and whether more time might help."""

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class TooLong(Unreached):
    """There is a proof, but it is longer, or leaves more to be run, than the checker goes along with."""


def chosen_form(name: str, proof: Path | None) -> str | None:
    """Return the name of a format for claims about words, None for ours.

    Raises InputError before any work: there is no such format, no file, or no solver that writes it.
    """
    if name == OURS:
        return None
    if name not in FORMS:
        raise InputError(
            "form", f"there is no proof format {name!r}", f"known are {', '.join([OURS, *FORMS])}"
        )
    if proof is None:
        raise InputError(
            "form", "it says how a proof is written, and none is asked for", "name a file for the proof"
        )
    check_installed(FORMS[name])
    return name


def check_place(path: Path) -> None:
    """Raise InputError, before any work, where no proof could be written."""
    if path.is_dir() or not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            str(path), "the proof could not be written there", "name a file in a folder that you can write to"
        )


def certified(
    subject: Subject,
    verdict: Verdict,
    path: Path | None,
    deadline: float,
    progress: Progress = lambda text: None,
    form: str | None = None,
) -> Verdict:
    """Return the verdict with its certificate in `path` (None: it is thrown away), or Unknown where none
    comes about in time.

    deadline: of time.monotonic().  form: another format than our own. Raises InputError where the file cannot
    be written, and Contradiction where the claim turns out to be false or the checker rejects.
    """
    if isinstance(verdict, Unknown):
        return verdict
    started, kept = now(), None if path is None else str(path)
    with scratch() as folder:
        place = path or folder / "proof"
        try:
            if isinstance(verdict, Refuted):
                write_lines(place, [subject.witness(verdict)], lambda part: _refuting(subject, part))
                return replace(verdict, proof=kept)
            certificate = _proof(subject, verdict, place, deadline, progress, form=form)
        except LIMITS:
            raise
        except (Unreached, *NO_WITNESS) as why:
            return _unreached(verdict, why, now() - started)
        except OSError as error:
            raise InputError(
                str(place),
                f"cannot write the proof: {error.strerror or error}",
                "free some space, or name another file",
            ) from None
    return replace(
        subject.told(verdict, certificate, form), proof=kept, seconds=verdict.seconds + now() - started
    )


def checked_where_affordable(
    subject: Subject, verdict: Proved, deadline: float, progress: Progress = lambda text: None
) -> Proved:
    """Return the verdict at trust "checked" if a proof is made and accepted before the deadline, else as it
    is, with the reason.

    The proof is thrown away.  Raises Contradiction as `certified` does.
    """
    started = now()
    try:
        with scratch() as folder:
            certificate = _thrown_away(subject, verdict, folder / "proof", deadline, progress)
        verdict = subject.told(verdict, certificate, None)
    except Unreached as error:
        said = f" (after {deadline - started:.3g} s; --trust checked gives it all the time that is left)"
        verdict = replace(verdict, certificate=f"not checked: {error}{said if error.late else ''}")
    except OSError:
        verdict = replace(verdict, certificate="not checked: no space for a proof")
    except MemoryError:
        verdict = replace(verdict, certificate="not checked: out of memory")
    return replace(verdict, seconds=verdict.seconds + now() - started)


def _thrown_away(
    subject: Subject, verdict: Proved, place: Path, deadline: float, progress: Progress
) -> Certificate:
    """A proof that nobody keeps: if there is one that takes nothing to make, only the checker works."""
    if (lines := subject.quick_lines()) is not None:
        with suppress(TooLong):
            return _proof(subject, verdict, place, deadline, progress, lines)
    return _proof(
        subject, verdict, place, deadline, progress, subject.lines(verdict, deadline, progress, kept=False)
    )


def _proof(
    subject: Subject,
    verdict: Proved,
    place: Path,
    deadline: float,
    progress: Progress,
    lines: Iterator[Line] | None = None,
    *,
    form: str | None = None,
) -> Certificate:
    """Make a proof in `place` and have it accepted, all before the deadline; otherwise there is no file.

    lines: those of the proof (None: of one to keep).  form: another format. Raises Unreached where there is
    none, TooLong where it is larger than what a checker reads, Contradiction where there cannot be one.
    """
    started, found = now(), []

    def confirm(part: Path) -> None:
        written = now()
        progress("checking the proof")
        # others' proofs take longer to check than to find: as long again
        left = (deadline - written) if form is None else (deadline - started)
        found.append(
            replace(_accepted(subject, part, left, progress, verdict, form), written=written - started)
        )

    try:
        if form is not None:
            subject.write_form(form, place, deadline, progress, confirm)
        else:
            write_lines(place, lines or subject.lines(verdict, deadline, progress, kept=True), confirm)
    except TimeoutError as error:
        raise Unreached(str(error), late=True) from None
    except (Unsupported, TooLarge) as error:
        raise Unreached(str(error)) from None
    except Unproved as error:
        raise Contradiction(f"{verdict.backend} says proved, but {error}") from None
    return found[0]


def _accepted(
    subject: Subject, part: Path, seconds: float, progress: Progress, verdict: Proved, form: str | None
) -> Certificate:
    """What the checker says about a proof that was just written."""
    try:
        return check_file(subject, part, seconds, progress)
    except (ProofTooLarge, LimitReached) as error:
        kind = TooLong if isinstance(error, ProofTooLarge) else Unreached
        raise kind(
            f"the proof that was written could not be checked within the limits ({error})", late=True
        ) from None
    except Rejected as error:
        if form is not None:  # a solver's log, perhaps by a rule that our checker does not know
            raise Unreached(f"the checker rejected the proof that was written ({error})") from None
        folder = lasting("relucid-contradiction-")
        shutil.copy(part, folder / "rejected.proof")
        subject.save(folder)
        raise Contradiction(
            f"{verdict.backend} says proved, but the checker rejects its proof: {error}", str(folder)
        ) from None


def _refuting(subject: Subject, part: Path) -> None:
    """Raise Contradiction unless the witness that was just written refutes the claim."""
    if check_file(subject, part).shows != "refuted":
        raise Contradiction("the witness that was written does not refute the claim")


def _unreached(verdict: Proved | Refuted, why: Exception, seconds: float) -> Unknown:
    late = why.late if isinstance(why, Unreached) else isinstance(why, TimeoutError | LimitReached)
    convinced = ", ".join(a.backend for a in verdict.attempts if a.outcome == "proved") or verdict.backend
    said = f"says proved at trust {verdict.trust}" if isinstance(verdict, Proved) else "has a counterexample"
    mend = "; raise it with --timeout" if late else ""
    boxes = verdict.boxes
    if boxes is not None and isinstance(verdict, Refuted):
        boxes = replace(boxes, point=verdict.counterexample)
    return Unknown(
        None if boxes is None else verdict.backend,
        verdict.seconds + seconds,
        verdict.domain_size,
        verdict.attempts,
        verdict.warnings,
        f"trust: {convinced} {said}, but there is no checked proof: {why}{mend}",
        boxes=boxes,
    )
