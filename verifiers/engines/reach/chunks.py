"""Decides or counts all words of a claim by sweeps over the unrolled network.

Comes after `sweep.py`; `reach.py` runs it.  It is meant for recurrent and other deep networks.  One exact
sweep settles everything as long as there are few distinct sums.  If there are too many, the prefixes are
taken in chunks, depth first.  A relaxed sweep settles what it can of a chunk.  The rest is split and swept
further.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from ....models.claims.word_claim import WordClaim
from .bounds import ReachOutOfTime
from .lines import split
from .sweep import Entries, SweepStep, Unrolled, merged, relaxed

Word = tuple[int, ...]
CELLS = 1 << 25  # numbers, a quarter of a gigabyte


@dataclass(frozen=True)
class SweepLimits:
    """Limits of sweeps.

    entries: the most entries of an exact sweep.
    width: the most boxes per layer of a relaxed sweep, roughly.
    pieces: the number of chunks that the rest of a chunk is split into.
    """

    entries: int = 100_000
    width: int = 4_000
    pieces: int = 8


DEFAULT = SweepLimits()


@dataclass(frozen=True, eq=False)
class Chunk:
    """Entries of a sweep, and the prefix (entries, symbols read) that leads to each."""

    entries: Entries
    prefix: np.ndarray


@dataclass(eq=False)
class Chunks:
    """The sweeps over one claim, and what they have settled so far.

    words: words that err; at most one for each way into a wrong end.
    right, wrong: the numbers of words that are settled as right and as wrong.
    most: the most entries of a layer.
    crowded: how many chunks had too many entries for an exact sweep.
    """

    claim: WordClaim
    network: Unrolled
    counting: bool = False
    limits: SweepLimits = DEFAULT
    words: dict[Word, None] = field(default_factory=dict)
    right: int = 0
    wrong: int = 0
    most: int = 0
    crowded: int = 0

    def __post_init__(self) -> None:
        first = self.network.start()
        self.stack = [Chunk(first, np.zeros((len(first), 0), dtype=np.int16))]

    def run(self, until: float, wanted: int = 1, alone: bool = True) -> bool:
        """Sweep until everything is settled; return False if `until` (of `time.monotonic()`) comes first.

        Unless all words are counted, it also stops, and returns True, when `wanted` words are found.  If not
        `alone`, it gives up and returns False as soon as one sweep is not enough.
        """
        while self.stack and (self.counting or len(self.words) < wanted):
            if time.monotonic() > until or (self.crowded and not alone):
                return False
            chunk = self.stack.pop()
            before = self.right, self.wrong
            more: list[Chunk] = []
            try:
                self._sweep(chunk, until, more, alone)
            except ReachOutOfTime:
                self.right, self.wrong = before
                more = [chunk]
            self.stack += more
        return True

    def _sweep(self, chunk: Chunk, until: float, more: list[Chunk], alone: bool) -> None:
        """Sweep a chunk exactly; append to `more` what cannot be settled within the limits."""
        entries = chunk.entries
        trail: list[SweepStep] = []
        length = self.network.language.length
        while entries.t < length:
            if time.monotonic() > until:
                more.append(Chunk(entries, _prefixes(chunk.prefix, trail)))
                return
            if len(entries) > (self.limits.entries if alone else self._few(entries)):
                self.crowded += 1
                here = Chunk(entries, _prefixes(chunk.prefix, trail))
                more += self._thinned(here, until) if alone else [here]
                return
            entries, step = self.network.advanced(entries)
            if entries.t < length:  # not at the end: there each entry gives a word of its own
                entries, step = merged(entries, step)
            self.most = max(self.most, len(entries))
            trail.append(step)
        right, wrong = self.network.decided(entries)
        self.right += int(entries.weight[right].sum())
        self.wrong += int(entries.weight[wrong].sum())
        self._keep(_prefixes(chunk.prefix, trail, np.flatnonzero(wrong)[:1000]))

    def _few(self, entries: Entries) -> int:
        """Return the most entries of a sweep that is only tried: moving them must not take much memory."""
        degree = int(self.network.layers[entries.t].degree.max())
        return min(self.limits.entries, CELLS // max(1, degree * int(entries.low.shape[1])))

    def _thinned(self, chunk: Chunk, until: float) -> list[Chunk]:
        """Settle what a relaxed sweep can settle of a chunk, and return the rest in pieces."""
        entries = chunk.entries
        result = relaxed(self.network, entries, self.limits.width, until)
        if result is None:
            raise ReachOutOfTime
        counts = entries.weight * self.network.completions[entries.t][entries.state]
        self.right += int(counts[~result.maybe_wrong].sum())
        self.wrong += int(counts[~result.maybe_right].sum())
        words = np.concatenate([chunk.prefix[result.leads], result.tails], axis=1)
        labels = self.network.language.label_of
        wrong = (
            self.claim.network_labels(words) != np.array([labels(tuple(map(int, word))) for word in words])
            if len(words)
            else []
        )
        self._keep(words[wrong] if len(words) else words)
        left = np.flatnonzero(result.maybe_wrong & result.maybe_right)
        rest, prefix = entries.take(left), chunk.prefix[left]
        if len(rest) <= self.limits.entries // 2:
            return [Chunk(rest, prefix)] if len(rest) else []
        ids, count = split(rest.low.astype(np.float64), self.limits.pieces)
        if count == 1:  # the sums are all equal: only the states differ
            ids, count = np.arange(len(rest)) % self.limits.pieces, self.limits.pieces
        return [Chunk(rest.take(ids == k), prefix[ids == k]) for k in range(count)]

    def _keep(self, words: np.ndarray) -> None:
        self.words.update(dict.fromkeys(tuple(map(int, word)) for word in words))


def _prefixes(prefix: np.ndarray, trail: list[SweepStep], chosen: np.ndarray | None = None) -> np.ndarray:
    """Return the prefixes of the last step's entries, or of those in `chosen`: (entries, symbols read)."""
    here = chosen
    if here is None:
        here = np.arange(len(trail[-1].parent) if trail else len(prefix))
    out = np.zeros((len(here), prefix.shape[1] + len(trail)), dtype=np.int16)
    for k in reversed(range(len(trail))):
        out[:, prefix.shape[1] + k] = trail[k].symbol[here]
        here = trail[k].parent[here]
    out[:, : prefix.shape[1]] = prefix[here]
    return out
