"""Claims about every position as the subject of certificates: one file holds the proofs of all positions.

A proof at a position is made as that of any other claim about words (`subject.py`), and so is a witness.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ....common.errors import Unsupported
from ....models.claims.position_claims import PositionClaims
from ...verdict import Proved, Refuted
from ..certificate import Certificate, Progress
from ..format import FORMAT, POSITIONS
from ..tree import Accepted
from ..writing import END, Line
from .positions import check_position_witness, check_positions
from .subject import WordSubject


@dataclass(frozen=True)
class PositionsSubject:
    """A claim about every position; its methods are those of `Subject`."""

    claim: PositionClaims

    def lines(self, verdict: Proved, deadline: float, progress: Progress, *, kept: bool) -> Iterator[Line]:
        made = (
            (i, WordSubject(part).lines(verdict, deadline, progress, kept=kept))
            for i, part in self.claim.parts.items()
        )
        return self._joined(made)

    def quick_lines(self) -> Iterator[Line] | None:
        made = [(i, WordSubject(part).quick_lines()) for i, part in self.claim.parts.items()]
        quick = [(i, lines) for i, lines in made if lines is not None]
        return self._joined(quick) if len(quick) == len(made) else None

    def _joined(self, parts: Iterable[tuple[int, Iterator[Line]]]) -> Iterator[Line]:
        yield {"format": FORMAT, "kind": POSITIONS, "digests": {"claim": self.claim.digest}}
        for i, lines in parts:
            yield from itertools.chain([{"position": i}], lines)
        yield END

    def write_form(
        self, form: str, place: Path, deadline: float, progress: Progress, confirm: Callable[[Path], None]
    ) -> None:
        """Raise Unsupported: other formats are about one label."""
        raise Unsupported(f"there are no {form} proofs about every position")

    def witness(self, verdict: Refuted) -> Line:
        position = verdict.counterexample.position
        return WordSubject(self.claim.parts[position]).witness(verdict) | {"position": position}

    def check(self, lines: Iterable[Line], deadline: float, progress: Progress) -> Accepted:
        return check_positions(self.claim, lines, progress, deadline=deadline)

    def check_witness(self, line: Line) -> tuple[str, ...]:
        return check_position_witness(self.claim, line)

    def check_form(self, path: Path, deadline: float, progress: Progress) -> Certificate | None:
        """Return None: other formats are about one label."""
        return None

    def told(self, verdict: Proved, certificate: Certificate, form: str | None) -> Proved:
        return replace(verdict, trust="checked", certificate=str(certificate))

    def save(self, folder: Path) -> None:
        """Save network and program, as the claim has them."""
        question, where = self.claim.question, self.claim.domain.where
        (folder / "network.onnx").write_bytes(question.network.source)
        (folder / "program.py").write_text(question.program.source, encoding="utf-8")
        if where is not None:
            (folder / "where.py").write_text(where.source, encoding="utf-8")
