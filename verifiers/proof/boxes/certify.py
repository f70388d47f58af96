"""Proof files of `relucid verify`: written where the checker has accepted them, and checked.

After `decide.py`.  Proofs come from `producer.py`, or in APTP from `aptp.py`; a refutation has a witness file in every format.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import math
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ....common.clock import now
from ....common.deadline import LIMITS
from ....common.errors import InputError, TooLarge, Unsupported
from ....common.files import open_file, write
from ....common.scratch import lasting, scratch
from ....common.text import rational
from ....models.claims.box_files import BoxFiles, read_box_files
from ....models.claims.head_property import HeadProperty
from ....models.claims.property import Property
from ....models.network.exact_point import exact_outputs
from ....models.network.network import Network
from ...bounds.blas import one_blas_thread
from ...evidence import Tiling
from ...verdict import Attempt, Contradiction, PointCounterexample, Proved, Refuted, Unknown, Verdict
from ..certify import refuse_earlier
from ..export import aptp
from ..format import BOXES, WITNESS, LimitReached, Rejected, read_lines
from ..tree import Accepted
from ..writing import witness_line, write_lines
from .checker import check_box_proof
from .producer import proof_lines
from .witness import check_box_witness

Progress = Callable[[str], None]
OURS = "relucid"
UNCHECKED = "not checked"
NO_PROOF = (Unsupported, TooLarge, TimeoutError, LimitReached)


@dataclass(frozen=True)
class Checked:
    """A file that was accepted: `counterexample`, or so many leaves (in so many parts: our own format)."""

    leaves: int
    seconds: float
    parts: int | None = None
    counterexample: bool = False

    @property
    def shows(self) -> Literal["proved", "refuted"]:
        """What the file shows of the claim."""
        return "refuted" if self.counterexample else "proved"


def digests(network: Network, spec: str) -> dict[str, str]:
    """SHA-256 of the ONNX file and of the property's text, both unpacked."""
    return {
        "network": hashlib.sha256(network.source).hexdigest(),
        "property": hashlib.sha256(spec.encode()).hexdigest(),
    }


@dataclass(frozen=True)
class Asked:
    """What an answer is about; `spec`: the property's text."""

    network: Network
    stated: Property | HeadProperty
    spec: str
    threads: int = 1
    progress: Progress = lambda text: None

    @property
    def digests(self) -> dict[str, str]:
        return digests(self.network, self.spec)


def certified(verdict: Verdict, asked: Asked, place: Path | None, form: str, deadline: float) -> Verdict:
    """Return the verdict with its certificate in `place` (None: it is checked and thrown away), or Unknown if there is none.

    Raises InputError if the file cannot be written, and Contradiction if the checker rejects it.
    """
    if isinstance(verdict, Unknown):
        return verdict
    try:
        with scratch() as folder:
            where = place or folder / "proof"
            kept = None if place is None else str(place)
            if isinstance(verdict, Refuted):
                _write_witness(verdict.counterexample, asked, where)
                return replace(verdict, proof=kept)
            if form == OURS:
                return replace(_checked(verdict, asked, where, deadline), proof=kept)
            a = asked
            attempt = aptp.write(
                where,
                a.network.source,
                a.network,
                _without_head(a.stated, form),
                deadline,
                a.threads,
                a.progress,
            )
            return replace(verdict, attempts=(*verdict.attempts, attempt), proof=kept)
    except NO_PROOF as error:
        late = "" if isinstance(error, Unsupported | TooLarge) else "; raise --timeout"
        reason = f"trust: it is proved, but there is no checked proof: {error}{late}"
        boxes = verdict.boxes
        if boxes is not None and isinstance(verdict, Refuted):
            boxes = replace(boxes, point=verdict.counterexample)
        return Unknown(
            verdict.backend, verdict.seconds, None, verdict.attempts, verdict.warnings, reason, boxes=boxes
        )
    except OSError as error:
        raise InputError(
            str(place),
            f"cannot write the proof: {error.strerror or error}",
            "free some space, or name another file",
        ) from None


def checked_where_affordable(verdict: Proved, asked: Asked, deadline: float) -> Proved:
    """Return the verdict at trust "checked" if a proof is made and accepted before the deadline, else as it is, with the reason.

    The proof is thrown away.

    Raises Contradiction as `certified` does.
    """
    began = now()
    try:
        with scratch() as folder:
            return _checked(verdict, asked, folder / "proof", deadline)
    except NO_PROOF as error:
        why = (
            f"{error} (after {now() - began:.2g} s)"
            if isinstance(error, TimeoutError | LimitReached)
            else str(error)
        )
    except OSError:
        why = "no space for a proof"
    except MemoryError:
        why = "out of memory"
    return replace(verdict, certificate=f"{UNCHECKED}: {why}")


def _checked(verdict: Proved, asked: Asked, place: Path, deadline: float) -> Proved:
    began = now()
    stated = _without_head(asked.stated, OURS)
    times: list[float] = []
    accepted: list[Accepted] = []

    def confirm(part: Path) -> None:
        times.append(now())
        asked.progress("checking the proof")
        try:
            found = check_box_proof(
                asked.network, stated, asked.digests, read_lines(part), asked.progress, deadline=deadline
            )
        except Rejected as error:
            raise Contradiction(
                f"{verdict.backend} says unsat, but the checker rejects its proof: {error}",
                _kept(part, asked),
            ) from None
        accepted.append(found)

    ties = isinstance(verdict.evidence, Tiling) and verdict.evidence.by_ties
    with one_blas_thread():
        lines = proof_lines(
            asked.network,
            stated,
            asked.digests,
            deadline,
            asked.threads,
            asked.progress,
            verdict.backend,
            ties,
        )
        size = write_lines(place, lines, confirm)
    ended = now()
    found = f"{accepted[0].parts} parts, {accepted[0].leaves} leaves, {size} bytes, checked in {ended - times[0]:.2f} s"
    attempts = (*verdict.attempts, Attempt.own("proof", "proved", ended - began, found))
    return replace(verdict, attempts=attempts, trust="checked", certificate=f"proof: {found}")


def _kept(proof: Path, asked: Asked) -> str:
    """A new folder with what was rejected and what it is about."""
    folder = lasting("relucid-contradiction-")
    shutil.copy(proof, folder / "rejected.proof")
    write(folder / "network.onnx", asked.network.source)
    write(folder / "property.vnnlib", asked.spec)
    return str(folder)


def _without_head(stated: Property | HeadProperty, form: str) -> Property:
    """What a proof has to show.  Raises Unsupported."""
    if isinstance(stated, Property):
        return stated
    if form != OURS:
        raise Unsupported(
            "APTP speaks of the outputs of a file, which are not those of its last ReLU network here"
        )
    if stated.cuts:
        raise Unsupported("a threshold on a softmax of several values took cuts, which a proof cannot say")
    return stated.outer()


def _write_witness(found: PointCounterexample, asked: Asked, place: Path) -> None:
    """Write the point with the outputs of the network (of one with a head, the logits), and check it."""
    inputs = tuple(map(rational, found.input))
    outputs, runtime = exact_outputs(asked.network, found.input), (found.runtime_input, found.runtime_output)
    line = witness_line(BOXES, asked.digests, inputs, outputs, None, runtime)
    check_box_witness(asked.network, asked.stated, asked.digests, line)
    write_lines(place, [line])


def check_files(
    network: Path, spec: Path, proof: Path, timeout: float, progress: Progress = lambda text: None
) -> Checked:
    """Check a proof, a witness or an APTP file about an ONNX file and a VNN-LIB file, within `timeout` seconds.

    Raises Rejected where the file does not show it, LimitReached, and InputError for what cannot be read.
    """
    started = now()
    read = read_box_files(BoxFiles(network, spec), started + timeout)
    found = check_claim_file(read.networks[0], read.stated, proof, started + timeout, progress)
    return replace(found, seconds=now() - started)


def check_claim_file(
    read: Network,
    stated: Property,
    proof: Path,
    deadline: float = math.inf,
    progress: Progress = lambda text: None,
) -> Checked:
    """Check a proof, a witness or an APTP file about a network and a property.

    deadline: by the clock of `common/clock.py`.  Raises Rejected, LimitReached, and InputError for a file that cannot be read.
    """
    started = now()
    about = stated if read.head is None else HeadProperty(stated, read.head, read.output_size)
    try:
        if not _is_ours(proof):
            found = aptp.check_path(read, _without_head(about, "aptp"), proof, deadline, progress)
            return Checked(found.leaves, now() - started)
        lines = read_lines(proof)
        first = next(lines, None)
        if first is None:
            raise Rejected("line 1: the file is empty")
        refuse_earlier(first)
        names = digests(read, stated.source)
        if first.get("format") == WITNESS:
            if next(lines, None) is not None:
                raise Rejected("line 2: a witness is one line")
            check_box_witness(read, about, names, first)
            return Checked(0, now() - started, counterexample=True)
        accepted = check_box_proof(
            read,
            _without_head(about, OURS),
            names,
            itertools.chain([first], lines),
            progress,
            deadline=deadline,
        )
    except (TooLarge, Unsupported) as error:
        raise LimitReached(str(error)) from None
    except LIMITS:
        raise
    except OSError as error:
        raise InputError(
            str(proof), f"cannot read the proof: {error.strerror or error}", "check the path"
        ) from None
    return Checked(accepted.leaves, now() - started, accepted.parts)


def _is_ours(proof: Path) -> bool:
    """Whether the file, unpacked, begins as one of our lines does."""
    with open_file(proof) as raw:
        start = raw.read(2)
        raw.seek(0)
        if start != b"\x1f\x8b":
            return start[:1] in (b"{", b"[", b"")
        try:
            return gzip.GzipFile(fileobj=raw).read(1) in (b"{", b"[", b"")
        except (OSError, EOFError, zlib.error):
            return True
