"""Proof files of `relucid verify`: written where the checker has accepted them, and checked.

After `decide.py`.  Proofs come from `certificate.py`, or in APTP from `aptp.py`; a refutation has a witness file in every format.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...models.errors import InputError, TooLarge, Unsupported
from ...models.network import Network
from ...models.property import Property
from ...models.vnnlib import load_text, read_vnnlib
from ..proof.box_checker import BoxAccepted, check_box_proof
from ..proof.box_witness import BOX_WITNESS, box_witness_line, check_box_witness
from ..proof.format import LimitReached, Rejected, read_lines
from ..proof.writing import write_lines
from . import aptp
from .answer import Answer, Step
from .certificate import proof_lines
from .clock import now

Progress = Callable[[str], None]
OURS = "relucid"


@dataclass(frozen=True)
class Checked:
    """A file that was accepted: `counterexample`, or so many leaves (in so many parts: our own format)."""

    leaves: int
    seconds: float
    parts: int | None = None
    counterexample: bool = False


def digests(network: Network, spec: str) -> dict[str, str]:
    """SHA-256 of the ONNX file and of the property's text, both unpacked."""
    return {"network": hashlib.sha256(network.source).hexdigest(), "property": hashlib.sha256(spec.encode()).hexdigest()}


def certified(
    answer: Answer,
    place: Path,
    form: str,
    network: Network,
    stated: Property,
    spec: str,
    deadline: float,
    threads: int,
    progress: Progress = lambda text: None,
) -> Answer:
    """The answer with its certificate in `place`, or unknown: whoever asks for a proof is not content with less.

    `spec`: the property's text.  Raises InputError where the file cannot be written.
    """
    try:
        if answer.verdict == "refuted":
            _write_witness(answer, place, network, stated, spec)
            return replace(answer, proof=str(place))
        if answer.verdict == "proved" and form == OURS:
            step = _write(place, network, stated, spec, deadline, threads, progress, answer.backend)
            return replace(answer, steps=(*answer.steps, step), proof=str(place), checked=True)
        if answer.verdict == "proved":
            step = aptp.write(place, network.source, network, stated, deadline, threads, progress)
            return replace(answer, steps=(*answer.steps, step), proof=str(place))
    except (Unsupported, TooLarge, TimeoutError, LimitReached) as error:
        late = "" if isinstance(error, Unsupported | TooLarge) else "; raise --timeout"
        return replace(answer, verdict="unknown", reason=f"trust: it is proved, but there is no checked proof: {error}{late}")
    except OSError as error:
        raise InputError(
            str(place), f"cannot write the proof: {error.strerror or error}", "free some space, or name another file"
        ) from None
    return answer


def _write(
    place: Path, network: Network, stated: Property, spec: str, deadline: float, threads: int, progress: Progress, by: str | None
) -> Step:
    began = now()
    names = digests(network, spec)
    times: list[float] = []
    accepted: list[BoxAccepted] = []

    def confirm(part: Path) -> None:
        times.append(now())
        progress("checking the proof")
        accepted.append(check_box_proof(network, stated, names, read_lines(part), progress, deadline=deadline))

    try:
        size = write_lines(place, proof_lines(network, stated, names, deadline, threads, progress, by), confirm)
    except Rejected as error:  # never seen; an honest answer all the same
        raise Unsupported(f"the checker rejects the proof that was written ({error})") from None
    ended = now()
    found = f"{accepted[0].parts} parts, {accepted[0].leaves} leaves, {size} bytes, checked in {ended - times[0]:.2f} s"
    return Step("proof", "proved", round(ended - began, 3), found)


def _write_witness(answer: Answer, place: Path, network: Network, stated: Property, spec: str) -> None:
    assert answer.witness is not None
    w, names = answer.witness, digests(network, spec)
    line = box_witness_line(names, w.input, w.output, (w.runtime_input, w.runtime_output))
    check_box_witness(network, stated, names, line)
    write_lines(place, [line])


def check_files(network: Path, spec: Path, proof: Path, timeout: float, progress: Progress = lambda text: None) -> Checked:
    """A proof, a witness or an APTP file about an ONNX file and a VNN-LIB file.  Raises InputError, Rejected, LimitReached."""
    from ...models.onnx_reader import load_onnx
    from .decide import check_fit

    started = now()
    text = load_text(spec)
    stated = read_vnnlib(text, origin=str(spec))
    read = load_onnx(network, real_size=stated.inputs)
    check_fit(read, stated, str(spec))
    try:
        if not _is_ours(proof):
            found = aptp.check_path(read, stated, proof, started + timeout, progress)
            return Checked(found.leaves, now() - started)
        lines = read_lines(proof)
        first = next(lines, None)
        if first is None:
            raise Rejected("line 1: the file is empty")
        names = digests(read, text)
        if first.get("format") == BOX_WITNESS:
            if next(lines, None) is not None:
                raise Rejected("line 2: a witness is one line")
            check_box_witness(read, stated, names, first)
            return Checked(0, now() - started, counterexample=True)
        accepted = check_box_proof(read, stated, names, itertools.chain([first], lines), progress, deadline=started + timeout)
    except TooLarge as error:
        raise LimitReached(str(error)) from None
    except OSError as error:
        raise InputError(str(proof), f"cannot read the proof: {error.strerror or error}", "check the path") from None
    return Checked(accepted.leaves, now() - started, accepted.parts)


def _is_ours(proof: Path) -> bool:
    """Whether the file, unpacked, begins as one of our lines does."""
    with open(proof, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start != b"\x1f\x8b":
            return start[:1] in (b"{", b"[", b"")
        try:
            return gzip.GzipFile(fileobj=raw).read(1) in (b"{", b"[", b"")
        except (OSError, EOFError, zlib.error):
            return True
