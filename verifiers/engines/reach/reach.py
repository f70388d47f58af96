"""Runs `reach` on a whole claim: sweeps if there are few exact sums, else words grouped by rounded sums.

The room's entry: `backends/reach.py` and `race/count.py` call it.  Deciding and counting are the same work;
counting also tells right inputs from wrong ones.  The search can be stopped at any time, and then says
exactly how many inputs are settled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ....common.errors import Unsupported
from ....common.text import number
from ....models.claims.word_claim import WordClaim
from ....models.network.network import Relu
from ...evidence import Settled
from ..label_bounds import BoundedLabel, bounded_labels
from .chunks import DEFAULT as MANY
from .chunks import Chunks, SweepLimits
from .grouped import GroupedSearch
from .refine import DEFAULT, Options
from .sweep import Unrolled

Word = tuple[int, ...]
Report = Callable[[str], None]
DEEP = 4  # with more layers of ReLUs, sweeps go on: grouping words needs bounds of every layer
FEW = SweepLimits(entries=50_000)  # of the sweep that is tried first; if it is enough, the count is done
SHARE = 0.5  # the share of the time for the sweeps of a deep network
FIRST_SLICE = 0.3  # seconds for a label before the next one has its turn; later turns are longer


@dataclass(frozen=True)
class Count:
    """How many inputs are shown to be right, shown to be wrong, and neither."""

    right: int = 0
    wrong: int = 0
    undecided: int = 0

    @property
    def settled(self) -> int:
        """Return how many inputs are shown to be right or wrong."""
        return self.right + self.wrong


def count_disagreeing(claim: WordClaim, seconds: float, progress: Report = lambda text: None) -> Count:
    """Count the inputs on which network and program disagree, as far as the time goes.

    seconds: the time limit.
    progress: receives one line of text now and then.

    Raises Unsupported if the numbers are too wide for the engine.
    """
    search = Reach(claim, counting=True)
    with suppress(TimeoutError):  # the time was too short for the first bounds
        search.run(time.monotonic() + seconds, report=progress)
    if search.reason and not search.settled.settled:
        raise Unsupported(search.reason)
    return search.settled


@dataclass(eq=False)
class Reach:
    """The search on one claim.

    words: distinct words that err, as far as they were asked for.
    reason: why some inputs cannot be settled, however long the search takes; empty if there is no such
        reason.
    """

    claim: WordClaim
    counting: bool = False
    options: Options = DEFAULT
    words: dict[Word, None] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        self.deep = sum(isinstance(node, Relu) for node in self.claim.network.nodes) > DEEP
        self.chunks: Chunks | None = None
        self.parts: list[GroupedSearch] | None = None
        self.bounded: list[BoundedLabel] = []  # every label, with what bounds alone settle

    def run(self, deadline: float, wanted: int = 1, report: Report = lambda text: None) -> bool:
        """Search until everything is settled; return False if `deadline` (of `time.monotonic()`) comes first.

        Unless all words are counted, it also stops, and returns True, when `wanted` words are found.  Raises
        RuntimeError if the search ends and its counts do not add up: the engine is wrong.
        """
        if time.monotonic() > deadline:
            return False
        done = self._run(deadline, wanted, report)
        if done and (self.counting or len(self.words) < wanted) and self.settled.undecided:
            raise RuntimeError(f"reach says that it is done, but {self.settled} does not add up")
        return done

    def _run(self, deadline: float, wanted: int, report: Report) -> bool:
        if self.parts is None and self._swept(deadline, wanted, report, SHARE if self.deep else 0):
            return True
        try:
            return self._grouped(deadline, wanted, report)
        except Unsupported as error:
            self.reason = str(error)
        return self._swept(deadline, wanted, report, 1)

    @property
    def settled(self) -> Count:
        """Return what is settled so far: the larger count of sweeps and groups.

        The two cannot be added, because they may have settled the same words.
        """
        size, swept, grouped = self.claim.domain_size, (0, 0), (0, 0)
        if self.chunks is not None:
            swept = self.chunks.right, self.chunks.wrong
        if self.parts is not None:
            by_bounds = sum(b.language.size for b in self.bounded if not b.open)
            grouped = (
                by_bounds + sum(parts.right for parts in self.parts),
                sum(parts.wrong for parts in self.parts),
            )
        right, wrong = max(swept, grouped, key=sum)
        return Count(right, wrong, size - right - wrong)

    def evidence(self) -> tuple[Settled, ...]:
        """Return what is settled as right: by the sweeps if they settled everything, else label by label."""
        if self.chunks is not None and self.chunks.right == self.claim.domain_size:
            return (Settled(None, None, self.chunks.right, "sweeps"),)
        out = [settled for bounded in self.bounded for settled in bounded.settled]
        for bounded, parts in zip([b for b in self.bounded if b.open], self.parts or [], strict=True):
            out.append(Settled(bounded.label, tuple(bounded.open), parts.right, "sums"))
        return tuple(out)

    def __str__(self) -> str:
        """Say what was done, for an attempt's detail."""
        told = [] if self.chunks is None else [f"sweeps of at most {number(self.chunks.most)} distinct sums"]
        if self.parts:
            told.append(f"{number(sum(p.worked for p in self.parts))} parts")
        return ", ".join([*told, self.reason] if self.reason else told) or "settled by bounds"

    def _swept(self, deadline: float, wanted: int, report: Report, share: float) -> bool:
        """Sweep once; if that is not enough, sweep on in chunks within a share of the time."""
        report(f"sweep over {self.claim.language.length} positions")
        try:
            if self.chunks is None:
                self.chunks = Chunks(self.claim, Unrolled(self.claim), self.counting, MANY if share else FEW)
            done = self.chunks.run(deadline, wanted, alone=False)
            if not done and share:
                now = time.monotonic()
                done = self.chunks.run(now + share * (deadline - now), wanted)
        except Unsupported:
            self.chunks = None
            return False
        self.words.update(self.chunks.words)
        while done and not self.counting and self.words and len(self.words) < wanted:
            # Only one word is known for each way into a wrong end: look among the others.
            rest = self.claim.language.without(self.words)
            if rest.empty:
                break
            again = Chunks(self.claim, Unrolled(self.claim, rest))
            if not again.run(deadline, wanted - len(self.words)):
                return False
            if not again.words:
                break
            self.words.update(again.words)
        return done

    def _grouped(self, deadline: float, wanted: int, report: Report) -> bool:
        """Search the words grouped by rounded sums; the labels take turns."""
        if self.parts is None:
            self.parts = self._begun(deadline)
        waiting, seconds = [parts for parts in self.parts if parts.stack], FIRST_SLICE
        while waiting and (self.counting or len(self.words) < wanted):
            now = time.monotonic()
            if now > deadline:
                return False
            report(f"{number(self.settled.settled)} of {number(self.claim.domain_size)} inputs settled")
            parts = waiting.pop(0)
            if not parts.run(min(deadline, now + seconds), wanted):
                waiting.append(parts)
                seconds *= 1.3
            self.words.update(parts.words)
        return True

    def _begun(self, deadline: float) -> list[GroupedSearch]:
        """Start one search for each label that bounds alone do not settle.

        Raises Unsupported, and TimeoutError after `deadline`.
        """
        self.bounded = list(bounded_labels(self.claim, deadline))
        return [
            GroupedSearch(list(b.open.values()), self.counting, self.options) for b in self.bounded if b.open
        ]
