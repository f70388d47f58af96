"""`bab` on a whole claim: one search per label, in turns, with counterexamples blocked as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ....common.clock import now
from ....common.text import number
from ....models.claims.word_claim import WordClaim
from ...evidence import Settled
from ..label_bounds import BoundedLabel, bounded_labels
from .bounding import DEFAULT, BabOptions, Effort
from .cells import Word
from .checkpoint import restore, save
from .search import LabelSearch

FIRST_SLICE = 0.5  # seconds for one label before the next gets its turn; twice as long each round
SAVE_SECONDS = 15.0  # between checkpoints


@dataclass
class LabelSearches:
    """`searches[label]` of every label that bounds alone do not settle, `bounded[label]` what these say;
    `found`: distinct violating words.

    Raises InputError where the checkpoint does not hold, TimeoutError where not even the bounds are done by
    `deadline`, Unsupported where the network's numbers do not fit float64.
    """

    claim: WordClaim
    deadline: float  # time.monotonic
    options: BabOptions = DEFAULT
    seed: int = 0
    checkpoint: Path | None = None
    found: list[Word] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.searches: dict[int, LabelSearch] = {}
        self.bounded: dict[int, BoundedLabel] = {}
        for bounded in bounded_labels(self.claim, self.deadline):
            self.bounded[bounded.label] = bounded
            if bounded.open:
                search = LabelSearch(list(bounded.open.values()), self.options, self.seed)
                search.bounding.deadline = self.deadline
                self.searches[bounded.label] = search
        if self.checkpoint is not None:
            restore(self.checkpoint, self.claim, self.searches)
        self.open = list(self.searches)
        self.saved = now()

    def run(self, deadline: float, wanted: int, progress: Callable[[str], None]) -> bool:
        """Until everything is settled, `wanted` words are found, or `deadline`; False where time ran out.

        May be called again.
        """
        try:
            return self._run(deadline, wanted, progress)
        finally:
            if self.open and len(self.found) < wanted:
                self._save()

    def _run(self, deadline: float, wanted: int, progress: Callable[[str], None]) -> bool:
        seconds = FIRST_SLICE
        while self.open:
            for label in list(self.open):
                if now() >= deadline:
                    return False
                search = self.searches[label]

                def report(said: Effort, cells: int, label: int = label) -> None:
                    progress(
                        f"label {self.claim.decision.labels[label]!r}: {said.nodes} nodes, {said.cuts} cuts,"
                        f" {cells} cells open"
                    )

                outcome = search.run(min(deadline, now() + seconds), report)
                new = [word for word in outcome.words if word not in self.found][: wanted - len(self.found)]
                self.found += new
                if len(self.found) >= wanted:
                    return True
                if new:  # go on without them
                    self.searches[label] = search.without(new)
                elif outcome.proved:
                    self.open.remove(label)
                if now() - self.saved > SAVE_SECONDS:
                    self._save()
            seconds *= 2
        return True

    def _save(self) -> None:
        if self.checkpoint is not None and not self.found:
            save(self.checkpoint, self.claim, self.searches)
        self.saved = now()

    def evidence(self) -> tuple[Settled, ...]:
        """What bounds and leaves have settled, label by label and rival by rival."""
        out: list[Settled] = []
        for label, bounded in self.bounded.items():
            out += bounded.settled
            if label in self.searches:
                counts = self.searches[label].account().rivals
                out += [
                    Settled(label, (rival,), n, "leaves")
                    for rival, n in zip(bounded.open, counts, strict=True)
                    if n
                ]
        return tuple(out)

    def proved_inputs(self) -> int:
        """On how many inputs network and program are shown to agree, exactly."""
        by_bounds = sum(b.language.size for b in self.bounded.values() if not b.open)
        return by_bounds + sum(search.proved_inputs() for search in self.searches.values())

    def __str__(self) -> str:
        nodes, cuts = (
            sum(getattr(s.effort, what) for s in self.searches.values()) for what in ("nodes", "cuts")
        )
        relus = max((search.problem.count for search in self.searches.values()), default=0)
        return f"{number(nodes)} nodes, {number(cuts)} cuts of the words, at most {relus} open ReLUs"
