"""Certificates: what a file shows that the checker has accepted, and how files are checked.

Before `certify.py`, which writes the files.  A file is about a subject: a claim about words
(`words/subject.py`) or about boxes (`boxes/subject.py`), which knows how its own proofs and witnesses are
made and checked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from ...common.clock import now
from ...common.deadline import LIMITS, ends
from ...common.displayed import Displayed
from ...common.errors import InputError, TooLarge, Unsupported
from ..verdict import Proved, Refuted
from .export.third_party import Convinced
from .format import WITNESS, LimitReached, Rejected, read_lines
from .tree import Accepted
from .writing import Line

Progress = Callable[[str], None]
EARLIER = ("relucid proof 2", "relucid box proof 1", "relucid witness 1", "relucid box witness 1")


@dataclass(frozen=True)
class Certificate(Displayed):
    """A file that was accepted.

    shows: what; size: in bytes; seconds: of checking; written: seconds of making it, if it was made here.
    accepted: what was checked of a proof in our own format, or of a tree of phases (APTP).
    convinced: what was checked of a proof in another format.
    tokens: the input of a witness, as text.
    """

    shows: Literal["proved", "refuted"]
    size: int = 0
    seconds: float = 0.0
    accepted: Accepted | None = None
    convinced: Convinced | None = None
    tokens: tuple[str, ...] = ()
    written: float | None = None

    @property
    def counted(self) -> str:
        """What was checked, in numbers."""
        found = self.accepted
        if found is None:
            return str(self.convinced) if self.convinced else "a counterexample"
        counts = [f"{found.parts:,} parts"] if found.parts else []
        counts += [f"{found.leaves:,} leaves"] if found.parts or found.leaves else []
        counts += [f"{found.run:,} prefixes run"] if found.run else []
        return ", ".join(counts) or "bounds alone"

    def __str__(self) -> str:
        made = "" if self.written is None else f"written in {self.written:.2f} s, "
        return f"proof: {self.size:,} bytes, {self.counted}; {made}checked in {self.seconds:.2f} s"


class Subject(Protocol):
    """What a certificate is about."""

    def lines(self, verdict: Proved, deadline: float, progress: Progress, *, kept: bool) -> Iterator[Line]:
        """The lines of a proof, made as they are asked for; not `kept`: nobody will look at its size.

        Raises TimeoutError, Unsupported, TooLarge, and Unproved where the claim is false.
        """
        ...

    def quick_lines(self) -> Iterator[Line] | None:
        """The lines of a proof that takes nothing to make, None where there is none worth trying."""
        ...

    def write_form(
        self, form: str, place: Path, deadline: float, progress: Progress, confirm: Callable[[Path], None]
    ) -> None:
        """Write a proof in another format; `confirm` gets the file before it has its name.  Raises as `lines`
        does.
        """
        ...

    def witness(self, verdict: Refuted) -> Line: ...

    def check(self, lines: Iterable[Line], deadline: float, progress: Progress) -> Accepted:
        """Raise Rejected or LimitReached unless the lines are a proof."""
        ...

    def check_witness(self, line: Line) -> tuple[str, ...]:
        """Return the input, as text; raise Rejected unless it refutes the claim."""
        ...

    def check_form(self, path: Path, deadline: float, progress: Progress) -> Certificate | None:
        """Check a proof in another format; None where the file is in our own."""
        ...

    def told(self, verdict: Proved, certificate: Certificate, form: str | None) -> Proved:
        """The verdict with what its certificate adds to it."""
        ...

    def save(self, folder: Path) -> None:
        """Save what a rejected proof is about beside it."""
        ...


def check_file(
    subject: Subject, path: Path, seconds: float = float("inf"), progress: Progress = lambda text: None
) -> Certificate:
    """Check a proof or a witness.

    Raises Rejected, LimitReached after `seconds`, and InputError where the file cannot be read.
    """
    started = now()
    deadline = min(started + seconds, ends())
    try:
        found = subject.check_form(path, deadline, progress) or _check_ours(subject, path, deadline, progress)
        size = path.stat().st_size
    except (TooLarge, Unsupported) as error:
        raise LimitReached(str(error)) from None
    except LIMITS:
        raise
    except OSError as error:
        raise InputError(
            str(path), f"cannot read the proof: {error.strerror or error}", "check the path"
        ) from None
    return replace(found, size=size, seconds=now() - started)


def _check_ours(subject: Subject, path: Path, deadline: float, progress: Progress) -> Certificate:
    lines = _in_time(read_lines(path), deadline)
    first = next(lines, None)
    if first is None:
        raise Rejected("line 1: the file is empty")
    if first.get("format") in EARLIER:
        raise Rejected(
            f"line 1: {first['format']!r} is an earlier format, which is no longer read; write it anew"
        )
    if first.get("format") != WITNESS:
        return Certificate(
            "proved", accepted=subject.check(itertools.chain([first], lines), deadline, progress)
        )
    if next(lines, None) is not None:
        raise Rejected("line 2: a witness is one line")
    return Certificate("refuted", tokens=subject.check_witness(first))


def _in_time(lines: Iterator[Line], deadline: float) -> Iterator[Line]:
    for line in lines:
        if now() > deadline:
            raise LimitReached("out of time while reading")
        yield line
