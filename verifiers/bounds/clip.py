"""What several rows say together: parts shrink to where all rows of an unsafe polyhedron may hold, and often vanish.

After `box_bounds.py`, which gives each row a linear upper bound a.x + b on the part.  An unsafe point satisfies a.x + b >= 0 for
every row of its polyhedron; with U the largest value of a.x + b on the part, that means x_i >= high_i - U / a_i where
a_i > 0, and x_i <= low_i + U / -a_i where a_i < 0.  And where a sum of rows with non-negative factors is negative on the
whole part, no point satisfies them all (Farkas).  Both are sound for every choice of factors, and rounded outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .box_bounds import Parts, middle_and_radius
from .floats import ABSOLUTE, SAFE, UNIT
from .rows import Rows


@dataclass(eq=False)
class _Boxes:
    low: np.ndarray
    high: np.ndarray


ROUNDS = 3
SWEEPS = 3
MOST_POLYHEDRA = 16


def clipped(
    rows: Rows,
    parts: Parts,
    refuted: np.ndarray,
    forms: Sequence[tuple[np.ndarray, np.ndarray]],
    cuts: np.ndarray,
    cut_offsets: np.ndarray,
) -> np.ndarray:
    """Shrinks `parts` (in place); returns `refuted` (parts, polyhedra) with what turned out to be refuted on the way.

    `forms`: linear upper bounds of all rows, (parts, rows, inputs) and (parts, rows) each; cuts hold on the part whatever the polyhedron (see `Tightened`).
    """
    refuted = refuted.copy()
    if rows.polyhedra > MOST_POLYHEDRA:
        return refuted
    low, high = np.full_like(parts.low, np.inf), np.full_like(parts.high, -np.inf)
    ends = [*rows.first[1:], len(rows)]
    for p, (a, b) in enumerate(zip(rows.first, ends, strict=True)):
        open_parts = np.flatnonzero(~refuted[:, p])
        if not len(open_parts):
            continue
        part = _Boxes(parts.low[open_parts], parts.high[open_parts])
        slope = np.concatenate([*(s[open_parts, a:b] for s, _ in forms), cuts[open_parts]], axis=1)
        constant = np.concatenate([*(o[open_parts, a:b] for _, o in forms), cut_offsets[open_parts]], axis=1)
        strict = np.concatenate([np.tile(rows.strict[a:b], len(forms)), np.zeros(cuts.shape[1], dtype=bool)])
        gone = np.zeros(len(open_parts), dtype=bool)
        for _ in range(ROUNDS):
            gone |= _clip(part, slope, _largest(part, slope, constant), strict)
        if slope.shape[1] > 1:
            gone |= _contradict(part, slope, constant, (b - a) * len(forms))
        refuted[open_parts, p] = gone
        stay = open_parts[~gone]
        low[stay] = np.minimum(low[stay], part.low[~gone])
        high[stay] = np.maximum(high[stay], part.high[~gone])
    left = ~refuted.all(axis=1)
    parts.low[left], parts.high[left] = low[left], high[left]
    return refuted


def _largest(part: _Boxes, slope: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Proved: the largest value of slope.x + constant on each part, for slope (parts, rows, inputs)."""
    middle, radius = middle_and_radius(part.low, part.high)
    own = np.einsum("prn,pn->pr", slope, middle)
    spread = np.einsum("prn,pn->pr", np.abs(slope), radius)
    size = np.einsum("prn,pn->pr", np.abs(slope), np.abs(middle)) + spread + np.abs(constant)
    return own + spread + constant + 4 * (slope.shape[2] + 8) * UNIT * size + ABSOLUTE


def _clip(part: _Boxes, slope: np.ndarray, largest: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """One round, in place; which parts are gone."""
    gone = np.asarray(((largest < 0) | (strict & (largest <= 0))).any(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        room = (
            np.maximum(largest, 0)[:, :, None] / np.abs(slope) * SAFE
        )  # how far from the best side x_i may be
        far = np.isnan(room) | (slope == 0)
        low = np.where((slope > 0) & ~far, part.high[:, None, :] - room, -np.inf).max(axis=1)
        high = np.where((slope < 0) & ~far, part.low[:, None, :] + room, np.inf).min(axis=1)
        low = low - (np.abs(part.high) + np.abs(low)) * 4 * UNIT
        high = high + (np.abs(part.low) + np.abs(high)) * 4 * UNIT
    np.fmax(part.low, low, out=part.low)
    np.fmin(part.high, high, out=part.high)
    crossed = part.low > part.high
    gone |= crossed.any(axis=1)
    part.low[crossed] = part.high[crossed] = 0.0  # of parts that are gone: any box will do
    return gone


def _contradict(part: _Boxes, slope: np.ndarray, constant: np.ndarray, bases: int) -> np.ndarray:
    """Where some non-negative combination of the rows is negative on the whole part."""
    factors, reached = promising_factors(part, slope, constant, bases)
    promising = np.flatnonzero(reached < 0)
    found = np.zeros(len(reached), dtype=bool)
    if len(promising):
        inside = _Boxes(part.low[promising], part.high[promising])
        found[promising] = _combined(inside, slope[promising], constant[promising], factors[promising]) < 0
    return found


def promising_factors(
    part: _Boxes | Parts, slope: np.ndarray, constant: np.ndarray, bases: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factors >= 0 (parts, rows) of a combination that is as low as possible, and about its largest value (parts,).

    The search may be as rough as it likes, because others prove what comes of it.  From each of the first
    `bases` rows (with cuts only, from all): add to it, row by row, the multiple of another one that lowers its largest value
    most, exactly found among the breakpoints of a piecewise linear function.
    """
    count, rows = constant.shape
    middle, radius = middle_and_radius(part.low, part.high)
    value = np.einsum("prn,pn->pr", slope, middle) + constant  # rows at the middle
    scaled = slope * radius[:, None, :]
    factors = np.zeros((count, bases, rows))
    factors[:, np.arange(bases), np.arange(bases)] = 1
    total, at_middle = scaled[:, :bases].copy(), value[:, :bases].copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(SWEEPS):
            for j in range(rows):
                other = scaled[:, None, j, :]
                steps = -total / other  # where a coefficient vanishes
                steps = np.where(np.isfinite(steps), steps, 0.0)
                least = np.where(
                    np.arange(bases) == j, 0.0, -factors[:, :, j]
                )  # the base keeps its factor of at least 1
                steps = np.concatenate(
                    [np.maximum(steps, least[:, :, None]), np.zeros((count, bases, 1)), least[:, :, None]],
                    axis=2,
                )
                reached = np.abs(total[:, :, None, :] + steps[..., None] * other[:, :, None, :]).sum(axis=3)
                reached += at_middle[:, :, None] + steps * value[:, None, j, None]
                step = np.take_along_axis(steps, reached.argmin(axis=2)[:, :, None], axis=2)[:, :, 0]
                factors[:, :, j] += step
                total += step[:, :, None] * other
                at_middle += step * value[:, None, j]
    reached = at_middle + np.abs(total).sum(axis=2)
    best = reached.argmin(axis=1)
    at = np.arange(count)
    return np.maximum(factors[at, best], 0), reached[at, best]


def _combined(part: _Boxes, slope: np.ndarray, constant: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Proved: the largest value of the combination on each part."""
    total = np.einsum("pr,prn->pn", factors, slope)
    offset = np.einsum("pr,pr->p", factors, constant)
    largest = np.maximum(np.abs(part.low), np.abs(part.high))
    size = np.einsum("pr,prn,pn->p", factors, np.abs(slope), largest) + np.einsum(
        "pr,pr->p", factors, np.abs(constant)
    )
    error = 4 * (slope.shape[1] + 8) * UNIT * size + ABSOLUTE
    return _largest(part, total[:, None, :], (offset + error)[:, None])[:, 0] + UNIT * 4 * size
