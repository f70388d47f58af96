"""Makes the evidence of one subdomain smaller: fewer leaves, fewer multipliers.

`producer.py` calls it for proofs that are kept.  It is not trusted, and tries every change with the checker's
arithmetic first.  Two siblings are merged if their parent holds with the multipliers of one of them.  Then
multipliers are reset to their defaults, which a proof need not state: first all of a leaf's, then block by
block, with blocks half as large in each round.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..region import Phases
from ..tree import ProofLeaf
from .checker import WordArithmetic, WordRegion

CHUNK = 512  # leaves evaluated at once
ROUNDS = 7  # of resetting multipliers, each on blocks half as large
ONCE = np.ones(1, dtype=np.int64)  # the factor 1 of a rival's only row


@dataclass(frozen=True, eq=False)
class SettledPhases:
    """A rival excluded on the words with some phases.

    leaf: the multipliers that show it; None if the region's bounds exclude the phases themselves.
    """

    rival: int
    phases: Phases
    leaf: ProofLeaf | None


def minimised(
    arithmetic: WordArithmetic, region: WordRegion, settled: Sequence[SettledPhases], until: float
) -> list[SettledPhases]:
    """Return the same or less evidence for at least the same targets.

    settled: the evidence on `region`.
    until: a time of `time.monotonic()`, at which minimising stops.
    """
    if region.empty:
        return []
    return _Minimiser(arithmetic, region, until).run(settled)


@dataclass(eq=False)
class _Minimiser:
    """Minimises the evidence of one region."""

    arithmetic: WordArithmetic
    region: WordRegion
    until: float

    def run(self, settled: Sequence[SettledPhases]) -> list[SettledPhases]:
        """Merge leaves, then reset multipliers."""
        found = self._merged(list(settled))
        leaves = iter(self._by_default([s.leaf for s in found if s.leaf is not None]))
        return [s if s.leaf is None else replace(s, leaf=next(leaves)) for s in found]

    def _hold(self, leaves: Sequence[ProofLeaf]) -> list[bool]:
        """Say, per leaf, whether the checker accepts it."""
        return [
            holds
            for start in range(0, len(leaves), CHUNK)
            for holds in self.arithmetic.holds(self.region, leaves[start : start + CHUNK])
        ]

    def _merged(self, settled: list[SettledPhases]) -> list[SettledPhases]:
        """Merge pairs of siblings, until no pair can be merged."""
        below, above, beta = self.region.defaults
        while time.monotonic() < self.until:
            siblings: dict[tuple[int, Phases, int], list[SettledPhases]] = {}
            for s in settled:
                if s.phases:
                    siblings.setdefault((s.rival, s.phases[:-1], s.phases[-1][0]), []).append(s)
            pairs = {key: pair for key, pair in siblings.items() if len({s.phases[-1][1] for s in pair}) == 2}
            tried: list[tuple[tuple[int, Phases, int], ProofLeaf]] = []
            for (rival, phases, j), pair in pairs.items():
                tried.append(((rival, phases, j), ProofLeaf(rival, phases, ONCE, below, above, beta)))
                for s in pair:
                    if s.leaf is not None:
                        without = s.leaf.beta.copy()
                        without[j] = 0
                        tried.append(((rival, phases, j), replace(s.leaf, phases=phases, beta=without)))
            shown = self._hold([leaf for _, leaf in tried])
            held: dict[tuple[int, Phases, int], ProofLeaf | None] = {
                key: leaf for (key, leaf), holds in zip(tried, shown, strict=True) if holds
            }
            held |= {key: None for key in pairs if self.region.excludes(key[1])}
            if not held:
                break
            gone = {id(s) for key in held for s in pairs[key]}
            settled = [s for s in settled if id(s) not in gone]
            settled += [SettledPhases(rival, phases, leaf) for (rival, phases, _), leaf in held.items()]
        return settled

    def _by_default(self, leaves: list[ProofLeaf]) -> list[ProofLeaf]:
        """Reset as many multipliers to their defaults as the checker allows."""
        default = np.concatenate(self.region.defaults)
        # per leaf, the blocks of multipliers that are still to be tried
        blocks: list[list[np.ndarray]] = [[np.arange(len(default))] for _ in leaves]
        for _ in range(ROUNDS):
            if time.monotonic() > self.until:
                break
            for turn in range(max(map(len, blocks), default=0)):
                chosen = [f for f, mine in enumerate(blocks) if turn < len(mine)]
                tried = [_taken_back(leaves[f], blocks[f][turn], default) for f in chosen]
                for f, leaf, holds in zip(chosen, tried, self._hold(tried), strict=True):
                    if holds:
                        leaves[f] = leaf
                if time.monotonic() > self.until:
                    break
            following: list[list[np.ndarray]] = []
            for leaf, mine in zip(leaves, blocks, strict=True):
                changed = [block[_flat(leaf)[block] != default[block]] for block in mine]
                following.append(
                    [half for block in changed if len(block) > 1 for half in np.array_split(block, 2)]
                )
            blocks = following
        return leaves


def _flat(leaf: ProofLeaf) -> np.ndarray:
    """Return all multipliers of a leaf as one array."""
    return np.concatenate([leaf.below, leaf.above, leaf.beta])


def _taken_back(leaf: ProofLeaf, which: np.ndarray, default: np.ndarray) -> ProofLeaf:
    """Reset some multipliers of a leaf to their defaults."""
    values = _flat(leaf).copy()
    values[which] = default[which]
    below, above, beta = np.split(values, 3)
    return replace(leaf, below=below, above=above, beta=beta)
