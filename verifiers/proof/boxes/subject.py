"""Properties over boxes as the subject of certificates: how their proofs and witnesses are made and checked.

Stands between `certify.py` and the producer and checker of boxes.  Proofs come from `producer.py`, or in APTP
from `export/aptp.py`.  A refutation has the same witness in every format.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ....common.clock import now
from ....common.errors import Unsupported
from ....common.files import open_file, write
from ....common.text import rational
from ....models.claims.box_files import read_box_files
from ....models.claims.box_paths import BoxFiles
from ....models.claims.head_property import HeadProperty
from ....models.claims.property import Property
from ....models.network.exact_point import exact_outputs
from ....models.network.network import Network
from ...attempts import Attempt
from ...bounds.blas import one_blas_thread
from ...evidence import Tiling
from ...verdict import Proved, Refuted
from ..certificate import Certificate, Progress, check_file
from ..export import aptp_checker, aptp_producer
from ..format import BOXES
from ..tree import Accepted
from ..writing import Line, witness_line
from .checker import check_box_proof
from .producer import HowProved, proof_lines
from .witness import check_box_witness


@dataclass(frozen=True)
class BoxSubject:
    """A network and its property; its methods are those of `Subject`.

    stated: the property.
    spec: its text.
    threads: for searches that make a proof.
    """

    network: Network
    stated: Property | HeadProperty
    spec: str
    threads: int = 1

    @property
    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of the ONNX file and of the property's text, both unpacked."""
        return {
            "network": hashlib.sha256(self.network.source).hexdigest(),
            "property": hashlib.sha256(self.spec.encode()).hexdigest(),
        }

    def lines(self, verdict: Proved, deadline: float, progress: Progress, *, kept: bool) -> Iterator[Line]:
        ties = isinstance(verdict.evidence, Tiling) and verdict.evidence.by_ties
        stated, how = _without_head(self.stated), HowProved(verdict.backend, ties, self.threads)
        with one_blas_thread():
            yield from proof_lines(self.network, stated, self.digests, deadline, progress, how)

    def quick_lines(self) -> Iterator[Line] | None:
        return None

    def write_form(
        self, form: str, place: Path, deadline: float, progress: Progress, confirm: Callable[[Path], None]
    ) -> None:
        stated = _for_aptp(self.stated)
        aptp_producer.write(place, self.network, stated, deadline, self.threads, progress, confirm)

    def witness(self, verdict: Refuted) -> Line:
        """Make the witness line; the outputs are the network's (the logits, if it has a head)."""
        found = verdict.counterexample
        inputs, outputs = tuple(map(rational, found.input)), exact_outputs(self.network, found.input)
        runtime = (found.runtime_input, found.runtime_output)
        return witness_line(BOXES, self.digests, inputs, outputs, None, runtime)

    def check(self, lines: Iterable[Line], deadline: float, progress: Progress) -> Accepted:
        with one_blas_thread():
            return check_box_proof(
                self.network, _without_head(self.stated), self.digests, lines, progress, deadline=deadline
            )

    def check_witness(self, line: Line) -> tuple[str, ...]:
        return tuple(map(rational, check_box_witness(self.network, self.stated, self.digests, line)))

    def check_form(self, path: Path, deadline: float, progress: Progress) -> Certificate | None:
        if _is_ours(path):
            return None
        found = aptp_checker.check_path(self.network, _for_aptp(self.stated), path, deadline, progress)
        return Certificate("proved", accepted=Accepted(0, found.leaves))

    def told(self, verdict: Proved, certificate: Certificate, form: str | None) -> Proved:
        """Add the proof to the verdict as an attempt of its own.

        APTP leaves the trust at "exact", because its checker uses the same bounds as the searches.
        """
        seconds = certificate.seconds + (certificate.written or 0.0)
        found = f"{certificate.counted}, {certificate.size} bytes"
        own = Attempt.own(form or "proof", "proved", seconds, found)
        verdict = replace(verdict, attempts=(*verdict.attempts, own))
        return verdict if form else replace(verdict, trust="checked", certificate=str(certificate))

    def save(self, folder: Path) -> None:
        write(folder / "network.onnx", self.network.source)
        write(folder / "property.vnnlib", self.spec)


def _without_head(stated: Property | HeadProperty) -> Property:
    """Return the property that a proof has to show; raise Unsupported if a head's cuts prevent it."""
    if isinstance(stated, Property):
        return stated
    if stated.cuts:
        raise Unsupported("a threshold on a softmax of several values took cuts, which a proof cannot say")
    return stated.outer()


def _for_aptp(stated: Property | HeadProperty) -> Property:
    """Return the property for APTP; raise Unsupported if the network has a head."""
    if not isinstance(stated, Property):
        raise Unsupported(
            "APTP is about a ReLU network's outputs, and here a head (softmax, sigmoid or argmax) follows"
        )
    return stated


def check_files(
    network: Path, spec: Path, proof: Path, timeout: float, progress: Progress = lambda text: None
) -> Certificate:
    """Check a proof, a witness or an APTP file about an ONNX file and a VNN-LIB file.

    timeout: the time limit in seconds.
    progress: receives one line of text now and then.

    Raises Rejected if the file does not show it, LimitReached, and InputError for what cannot be read.
    """
    started = now()
    read = read_box_files(BoxFiles(network, spec), started + timeout)
    ours, stated = read.networks[0], read.stated
    about = stated if ours.head is None else HeadProperty(stated, ours.head, ours.output_size)
    found = check_file(BoxSubject(ours, about, stated.source), proof, started + timeout - now(), progress)
    return replace(found, seconds=now() - started)


def _is_ours(proof: Path) -> bool:
    """Say whether the file, unpacked, begins as one of our lines does."""
    with open_file(proof) as raw:
        start = raw.read(2)
        raw.seek(0)
        if start != b"\x1f\x8b":
            return start[:1] in (b"{", b"[", b"")
        try:
            return gzip.GzipFile(fileobj=raw).read(1) in (b"{", b"[", b"")
        except (OSError, EOFError, zlib.error):
            return True
