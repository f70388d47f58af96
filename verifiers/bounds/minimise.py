"""Better multipliers for bounds over words: projected subgradient descent, many functions at once.

After `word_bounds.py`, for `engines/bab`.  What a step proposes may be as rough as it likes: `word_bounds.py`
proves the bound of whatever multipliers come out, rounded to the grid, and the best one is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...common.clock import now
from .multipliers import Multipliers, moved
from .word_bounds import RowObjectives, WordBounds, bounds, derivative
from .word_queries import FloatQueries

AIM = 0.05  # of a first bound's size: how far below 0 steps aim


@dataclass(frozen=True, eq=False)
class Minimised:
    """The best bounds found, their multipliers, and `own` (functions, rows), what symbols and constant add to
    the rows on the words that attain them.

    `seen`: (function, word, states) arrays of every step, for branching; `violations`: words on which a
    target row is >= 0.
    """

    bounds: WordBounds
    multipliers: Multipliers
    own: np.ndarray
    seen: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    violations: tuple[tuple[int, ...], ...]


def minimise(
    problem: FloatQueries,
    batch: RowObjectives,
    start: Multipliers,
    iterations: int,
    *,
    ambition: float = 1.0,
    deadline: float = math.inf,
) -> Minimised:
    """Improve the multipliers of each function until its bound is negative.

    Stops for all functions after so many `iterations`, at `deadline` (time.monotonic), and when a word
    violates a target row (>= 0, sign 1). `ambition`: which share of the way to 0 a step aims at.
    """
    active = np.arange(len(batch))  # the functions that are still worked on
    current = start.rounded()
    best = found = bounds(problem, batch, current)
    own_best = own = problem.values(best.words)
    kept, seen = current, [(active, best.words, best.states)]
    scale = _beta_scale(problem, batch)
    violations = _violations(problem, batch, best, own)
    direction: np.ndarray | None = None
    aim = AIM * np.maximum(np.abs(best.upper), 1.0)
    for _ in range(iterations):
        if violations or now() > deadline:
            break
        ahead = (found.upper >= 0) & np.isfinite(found.upper)
        if not ahead.all():
            rows = np.flatnonzero(ahead)
            if not len(rows):
                break
            active, own, scale, aim = active[rows], own[rows], scale[rows], aim[rows]
            batch, current, found = batch[rows], current[rows], found[rows]
            direction = None if direction is None else direction[rows]
        slope = derivative(problem, batch, current, found, own)
        gap = ambition * (found.upper + aim)
        proposed, direction = moved(current, slope, scale, gap, direction, math.inf)
        current = proposed.rounded()
        found = bounds(problem, batch, current)
        own = problem.values(found.words)
        violations = _violations(problem, batch, found, own)
        seen.append((active, found.words, found.states))
        better = found.upper < best.upper[active]
        if better.any():
            to = active[better]
            for whole, new in (*_arrays(best, found), *_arrays(kept, current), (own_best, own)):
                whole[to] = new[better]
    return Minimised(best, kept, own_best, tuple(seen), violations)


def _arrays(whole: object, new: object) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays of two dataclasses of one type, in pairs."""
    return list(zip(vars(whole).values(), vars(new).values(), strict=True))


def _beta_scale(problem: FloatQueries, batch: RowObjectives) -> np.ndarray:
    """A natural size for each beta (functions, k): the largest coefficient that the ReLU's output can get, at
    least 1.
    """
    most = np.abs(problem.relus[batch.target])
    for group in reversed(problem.groups):
        most[:, : group.start] += most[:, group] @ np.abs(problem.relus[group, : group.start])
    result: np.ndarray = np.maximum(most, 1.0)
    return result


def _violations(
    problem: FloatQueries, batch: RowObjectives, found: WordBounds, own: np.ndarray
) -> tuple[tuple[int, ...], ...]:
    """Distinct words on which their function's violation row is not negative, checked in integers."""
    rows = problem.exact_rows(own)[np.arange(len(batch)), batch.target]
    hits = np.flatnonzero((rows >= 0) & (batch.target >= problem.count) & np.isfinite(found.upper))
    words = {tuple(map(int, found.words[i])): int(batch.target[i]) for i in hits}
    return tuple(word for word, row in words.items() if problem.violates(row, word))
