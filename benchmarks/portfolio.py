"""The virtual best solver: what one would have who knew, for each claim, which single backend to ask; and what each brings to it.

From `score.Summary`.  The race is left out: it is the attempt to be that solver without knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .suite import RACE

if TYPE_CHECKING:
    from .score import Summary


@dataclass(frozen=True)
class Contribution:
    """`alone`: claims that only this one solves.  `best`: claims on which it is the fastest.  `par2_without`: the virtual best's PAR-2 without it."""

    name: str
    best: int
    alone: int
    par2_without: float


@dataclass(frozen=True)
class VirtualBest:
    """Over `claims` claims; PAR-2 as in `score.py`."""

    claims: int
    solved: int
    par2: float
    contributions: tuple[Contribution, ...]


def virtual_best(summary: Summary) -> VirtualBest:
    names = [name for name in summary.names if name != RACE]
    claims = list(dict.fromkeys(r.claim for r in summary.results))
    limit = {claim: 0.0 for claim in claims}
    times: dict[str, dict[str, float]] = {claim: {} for claim in claims}
    for r in summary.results:
        limit[r.claim] = max(limit[r.claim], r.timeout)
        if r.backend != RACE and summary.solved(r):
            times[r.claim][r.backend] = r.seconds

    def par2(left_out: str | None = None) -> float:
        seconds = [
            min((s for n, s in times[c].items() if n != left_out), default=2 * limit[c]) for c in claims
        ]
        return round(sum(seconds) / len(claims), 3) if claims else 0.0

    best = [min(by, key=lambda name: by[name]) for by in times.values() if by]
    alone = [next(iter(by)) for by in times.values() if len(by) == 1]
    found = [Contribution(name, best.count(name), alone.count(name), par2(name)) for name in names]
    return VirtualBest(
        len(claims), len(best), par2(), tuple(sorted(found, key=lambda c: (-c.par2_without, c.name)))
    )
