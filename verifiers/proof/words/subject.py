"""Claims about words as the subject of certificates: how their proofs and witnesses are made and checked.

Stands between `certify.py` and the producer and checker of words.  Proofs come from branch and bound or from
running every word.  In another format they come from the solver that writes it (`export/solver_proofs.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....common.clock import now
from ....models.claims.word_claim import WordClaim
from ....models.network.runtime import RuntimeMismatch, RuntimeUnavailable
from ...race.replay import WordReplayer
from ...verdict import Proved, Refuted
from ..certificate import Certificate, Progress
from ..export.sections import opened
from ..export.solver_proofs import section_pieces
from ..export.third_party import FORMS, check_sections, form_of
from ..format import WORDS, read_lines
from ..tree import Accepted
from ..writing import Line, witness_line, write_pieces
from .checker import check_proof, digests_of
from .producer import proof_lines, run_lines
from .witness import check_witness


@dataclass(frozen=True)
class WordSubject:
    """A claim about words; its methods are those of `Subject`."""

    claim: WordClaim

    def lines(self, verdict: Proved, deadline: float, progress: Progress, *, kept: bool) -> Iterator[Line]:
        return proof_lines(self.claim, deadline - now(), progress, kept=kept)

    def quick_lines(self) -> Iterator[Line] | None:
        return run_lines(self.claim)

    def write_form(
        self, form: str, place: Path, deadline: float, progress: Progress, confirm: Callable[[Path], None]
    ) -> None:
        write_pieces(place, section_pieces(self.claim, FORMS[form], deadline - now(), progress), confirm)

    def witness(self, verdict: Refuted) -> Line:
        found, runtime = verdict.counterexample, _in_onnxruntime(self.claim, verdict)
        gave = None if runtime is None else [repr(v) for v in runtime]
        labels = (found.network_label, found.program_label)
        about = digests_of(self.claim)
        return witness_line(WORDS, about, found.tokens, found.outputs, labels, (found.tokens, gave))

    def check(self, lines: Iterable[Line], deadline: float, progress: Progress) -> Accepted:
        return check_proof(self.claim, lines, progress, deadline=deadline)

    def check_witness(self, line: Line) -> tuple[str, ...]:
        return check_witness(self.claim, digests_of(self.claim), line)

    def check_form(self, path: Path, deadline: float, progress: Progress) -> Certificate | None:
        form = form_of(next(read_lines(path), {}))
        if form is None:
            return None
        with opened(path) as sections:
            convinced = check_sections(self.claim, form, sections, progress, deadline=deadline)
        return Certificate("proved", convinced=convinced)

    def told(self, verdict: Proved, certificate: Certificate, form: str | None) -> Proved:
        return replace(verdict, trust="checked", certificate=str(certificate))

    def save(self, folder: Path) -> None:
        """Do nothing: the race saves the claim with its attempts."""


def _in_onnxruntime(claim: WordClaim, verdict: Refuted) -> tuple[float, ...] | None:
    """Return the outputs of onnxruntime on the counterexample; None where it cannot be run."""
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
