"""The virtual best solver: what a user would have who knew, for each claim, which single backend to ask.

Computed from a `score.Summary`, and what each backend adds to it (Xu et al., "Evaluating component solver
contributions to portfolio-based algorithm selectors", SAT 2012).  The race is left out: it is the attempt to
be that solver without knowing, and is compared with it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Any

from .score import Summary
from .suite import RACE

PATIENCE = 0.3  # seconds that the race may lose on the best backend


@dataclass(frozen=True)
class Contribution:
    """What one backend adds.

    `best`: claims on which it is the fastest.  `alone`: claims that only it solves.  `par2_without`: the
    virtual best's PAR-2 if this backend did not exist.
    """

    name: str
    best: int
    alone: int
    par2_without: float


@dataclass(frozen=True)
class VirtualBest:
    """The virtual best over `claims` claims; PAR-2 as in `score.py`, in seconds."""

    claims: int
    solved: int
    par2: float
    contributions: tuple[Contribution, ...]


def virtual_best(summary: Summary) -> VirtualBest:
    """Compute the virtual best of all columns but the race, the most valuable contributions first."""
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


def race_against_the_best(summary: Summary) -> dict[str, Any] | None:
    """Compare the race with the fastest backend of each claim.  Returns None where there is no such pair."""
    times: dict[str, dict[str, float]] = defaultdict(dict)
    for r in summary.results:
        if summary.solved(r):
            times[r.claim][r.backend] = r.seconds
    pairs = []
    for by in times.values():
        others = [seconds for name, seconds in by.items() if name != RACE]
        if RACE in by and others:
            pairs.append((by[RACE], min(others)))
    if not pairs:
        return None
    return {
        "claims": len(pairs),
        "median_ratio": round(median((race - PATIENCE) / max(best, 1e-3) for race, best in pairs), 3),
        "within_1.3_times_and_0.3_seconds": sum(race <= 1.3 * best + PATIENCE for race, best in pairs),
        "solved_by_others_only": sum(
            RACE not in by for by in times.values() if by and any(n != RACE for n in by)
        ),
    }
