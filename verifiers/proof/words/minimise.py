"""Makes the evidence of one part small: fewer leaves, fewer multipliers.  Nothing here is trusted; every change is tried out first.

Siblings are merged where their parent holds with the multipliers of one of them.  Then multipliers go back to their defaults, which
a proof does not mention: all of a leaf's, one kind of them, and half by half what is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .network_rows import Built
from .parts import Bound, Part, Phases, evaluated, excluded

CHUNK = 512  # bounds evaluated at once
ROUNDS = 7  # of taking multipliers back, each on blocks half as large


@dataclass(frozen=True, eq=False)
class Settled:
    """A node of the tree of phases: `bound` shows it, or (None) the part's bounds leave no word there."""

    rival: int
    phases: Phases
    bound: Bound | None


def minimised(built: Built, part: Part, settled: Sequence[Settled], until: float) -> list[Settled]:
    """The same or less evidence for at least the same; as far as the time (time.monotonic) goes."""
    if part.language.empty:
        return []
    found = _merged(built, part, list(settled), until)
    bounds = _by_default(built, part, [s.bound for s in found if s.bound is not None], until)
    following = iter(bounds)
    return [s if s.bound is None else replace(s, bound=next(following)) for s in found]


def _hold(built: Built, part: Part, bounds: Sequence[Bound]) -> list[bool]:
    """Which of them are negative."""
    return [
        n < 0
        for start in range(0, len(bounds), CHUNK)
        for n, _ in evaluated(built, part, bounds[start : start + CHUNK])
    ]


def _merged(built: Built, part: Part, settled: list[Settled], until: float) -> list[Settled]:
    below, above, beta = part.defaults
    while time.monotonic() < until:
        siblings: dict[tuple[int, Phases, int], list[Settled]] = {}
        for s in settled:
            if s.phases:
                siblings.setdefault((s.rival, s.phases[:-1], s.phases[-1][0]), []).append(s)
        pairs = {key: pair for key, pair in siblings.items() if len({s.phases[-1][1] for s in pair}) == 2}
        tried: list[tuple[tuple[int, Phases, int], Bound]] = []
        for (rival, phases, j), pair in pairs.items():
            row = len(built.lower) + rival
            tried.append(((rival, phases, j), Bound(row, 1, phases, below, above, beta)))
            for s in pair:
                if s.bound is not None:
                    without = s.bound.beta.copy()
                    without[j] = 0
                    tried.append(((rival, phases, j), replace(s.bound, phases=phases, beta=without)))
        held = {
            key: bound
            for (key, bound), holds in zip(tried, _hold(built, part, [b for _, b in tried]), strict=True)
            if holds
        }
        held |= {key: None for key in pairs if excluded(part, key[1])}  # type: ignore[dict-item, misc]
        if not held:
            break
        gone = {id(s) for key in held for s in pairs[key]}
        settled = [s for s in settled if id(s) not in gone]
        settled += [Settled(rival, phases, bound) for (rival, phases, _), bound in held.items()]
    return settled


def _by_default(built: Built, part: Part, bounds: list[Bound], until: float) -> list[Bound]:
    k = len(built.lower)
    default = np.concatenate(part.defaults)
    blocks: list[list[np.ndarray]] = [
        [np.arange(3 * k)] for _ in bounds
    ]  # of multipliers that are still to be tried
    for _ in range(ROUNDS):
        if time.monotonic() > until:
            break
        for turn in range(max(map(len, blocks), default=0)):
            chosen = [f for f, mine in enumerate(blocks) if turn < len(mine)]
            tried = [_taken_back(bounds[f], blocks[f][turn], default) for f in chosen]
            for f, bound, holds in zip(chosen, tried, _hold(built, part, tried), strict=True):
                if holds:
                    bounds[f] = bound
            if time.monotonic() > until:
                break
        following: list[list[np.ndarray]] = []
        for bound, mine in zip(bounds, blocks, strict=True):
            changed = [block[_flat(bound)[block] != default[block]] for block in mine]
            following.append(
                [half for block in changed if len(block) > 1 for half in np.array_split(block, 2)]
            )
        blocks = following
    return bounds


def _flat(bound: Bound) -> np.ndarray:
    return np.concatenate([bound.below, bound.above, bound.beta])


def _taken_back(bound: Bound, which: np.ndarray, default: np.ndarray) -> Bound:
    values = _flat(bound).copy()
    values[which] = default[which]
    below, above, beta = np.split(values, 3)
    return replace(bound, below=below, above=above, beta=beta)
