"""`bab` on a whole claim: one search per label, in turns, with counterexamples blocked as they come."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...models.claim import Claim
from ...models.text import number
from ..queries import open_queries
from .bab import DEFAULT, Options, Progress, Search
from .cells import Word
from .checkpoint import restore, save

FIRST_SLICE = 0.5  # seconds for one label before the next gets its turn; twice as long each round
SAVE_SECONDS = 15.0  # between checkpoints


@dataclass
class LabelSearches:
    """`searches[label]` of every label that bounds alone do not settle; `found`: distinct violating words so far.

    Raises InputError where the checkpoint does not hold, TimeoutError where not even the bounds are done by `deadline`,
    Unsupported where the network's numbers do not fit float64.
    """

    claim: Claim
    deadline: float  # time.monotonic
    options: Options = DEFAULT
    seed: int = 0
    checkpoint: Path | None = None
    found: list[Word] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.searches: dict[int, Search] = {}
        self.settled = self.claim.domain_size  # inputs of labels without a search
        for label, group in itertools.groupby(open_queries(self.claim, self.deadline), key=lambda q: q[1]):
            search = Search([query for query, _, _ in group], self.options, self.seed)
            search.deadline = self.deadline
            self.searches[label] = search
            self.settled -= search.language.size
        if self.checkpoint is not None:
            restore(self.checkpoint, self.claim, self.searches)
        self.open = list(self.searches)
        self.saved = time.monotonic()

    def run(self, deadline: float, wanted: int, progress: Callable[[str], None]) -> bool:
        """Until everything is settled, `wanted` words are found, or `deadline`; False where time ran out.  May be called again."""
        try:
            return self._run(deadline, wanted, progress)
        finally:
            if self.open and len(self.found) < wanted:
                self._save()

    def _run(self, deadline: float, wanted: int, progress: Callable[[str], None]) -> bool:
        seconds = FIRST_SLICE
        while self.open:
            for label in list(self.open):
                if time.monotonic() >= deadline:
                    return False
                search = self.searches[label]

                def report(said: Progress, cells: int, label: int = label) -> None:
                    progress(f"label {self.claim.decision.labels[label]!r}: {said.nodes} nodes, {said.cuts} cuts, {cells} parts open")

                outcome = search.run(min(deadline, time.monotonic() + seconds), report)
                new = [word for word in outcome.words if word not in self.found][: wanted - len(self.found)]
                self.found += new
                if len(self.found) >= wanted:
                    return True
                if new:  # go on without them
                    self.searches[label] = search.without(new)
                elif not outcome.open:
                    self.open.remove(label)
                if time.monotonic() - self.saved > SAVE_SECONDS:
                    self._save()
            seconds *= 2
        return True

    def _save(self) -> None:
        if self.checkpoint is not None and not self.found:
            save(self.checkpoint, self.claim, self.searches)
        self.saved = time.monotonic()

    def proved_inputs(self) -> int:
        """On how many inputs network and program are shown to agree, exactly."""
        return self.settled + sum(search.proved_inputs() for search in self.searches.values())

    def __str__(self) -> str:
        nodes, cuts = (sum(getattr(s.progress, what) for s in self.searches.values()) for what in ("nodes", "cuts"))
        relus = max((search.problem.count for search in self.searches.values()), default=0)
        return f"{number(nodes)} nodes, {number(cuts)} cuts of the words, at most {relus} open ReLUs"
