"""What several rows say together: parts shrink to where all rows of an unsafe polyhedron may hold, and often vanish.

After `bounds.py`, which gives each row a linear upper bound a.x + b on the part.  An unsafe point satisfies a.x + b >= 0 for
every row of its polyhedron; with U the largest value of a.x + b on the part, that means x_i >= high_i - U / a_i where
a_i > 0, and x_i <= low_i + U / -a_i where a_i < 0.  And where a sum of rows with non-negative factors is negative on the
whole part, no point satisfies them all (Farkas).  Both are sound for every choice of factors, and rounded outwards.
"""

from __future__ import annotations

import numpy as np

from .bounds import Parts, middle_and_radius
from .floats import ABSOLUTE, SAFE, UNIT
from .rows import Rows

ROUNDS = 3
STEPS = 24
MOST_POLYHEDRA = 16


def clipped(
    rows: Rows, parts: Parts, refuted: np.ndarray, slopes: np.ndarray, offset: np.ndarray, cuts: np.ndarray, cut_offsets: np.ndarray
) -> np.ndarray:
    """Shrinks `parts` (in place); returns `refuted` (parts, polyhedra) with what turned out to be refuted on the way.

    `offset` (parts, rows), `slopes` (parts, rows, inputs); cuts hold on the part whatever the polyhedron (see `Tightened`).
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
        part = Parts(parts.low[open_parts], parts.high[open_parts], parts.lower[:0], parts.upper[:0], parts.phase[:0])
        slope = np.concatenate([slopes[open_parts, a:b], cuts[open_parts]], axis=1)
        constant = np.concatenate([offset[open_parts, a:b], cut_offsets[open_parts]], axis=1)
        strict = np.concatenate([rows.strict[a:b], np.zeros(cuts.shape[1], dtype=bool)])
        gone = np.zeros(len(open_parts), dtype=bool)
        for _ in range(ROUNDS):
            gone |= _clip(part, slope, _largest(part, slope, constant), strict)
        if slope.shape[1] > 1:
            gone |= _contradict(part, slope, constant)
        refuted[open_parts, p] = gone
        left = open_parts[~gone]
        low[left] = np.minimum(low[left], part.low[~gone])
        high[left] = np.maximum(high[left], part.high[~gone])
    left = ~refuted.all(axis=1)
    parts.low[left], parts.high[left] = low[left], high[left]
    return refuted


def _largest(part: Parts, slope: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Proved: the largest value of slope.x + constant on each part, for slope (parts, rows, inputs)."""
    middle, radius = middle_and_radius(part)
    own = np.einsum("prn,pn->pr", slope, middle)
    spread = np.einsum("prn,pn->pr", np.abs(slope), radius)
    size = np.einsum("prn,pn->pr", np.abs(slope), np.abs(middle)) + spread + np.abs(constant)
    return own + spread + constant + 4 * (slope.shape[2] + 8) * UNIT * size + ABSOLUTE


def _clip(part: Parts, slope: np.ndarray, largest: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """One round, in place; which parts are gone."""
    gone = ((largest < 0) | (strict & (largest <= 0))).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        room = np.maximum(largest, 0)[:, :, None] / np.abs(slope) * SAFE  # how far from the best side x_i may be
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


def _contradict(part: Parts, slope: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Where some non-negative combination of the rows is negative on the whole part.  The search for factors may be as rough as it likes."""
    count, rows = constant.shape
    middle, radius = middle_and_radius(part)
    found = np.zeros(count, dtype=bool)
    value = np.einsum("prn,pn->pr", slope, middle) + constant  # rows at the middle
    scaled = slope * radius[:, None, :]
    size = np.abs(scaled).sum(axis=2) + np.abs(value) + 1e-300
    value, scaled = value / size[:, :, None][:, :, 0], scaled / size[:, :, None]
    weights = np.full((count, rows), 1.0 / rows)
    best, best_weights = np.full(count, np.inf), weights
    for step in range(STEPS):
        total = np.einsum("pr,prn->pn", weights, scaled)
        now = np.einsum("pr,pr->p", weights, value) + np.abs(total).sum(axis=1)
        better = now < best
        best = np.where(better, now, best)
        best_weights = np.where(better[:, None], weights, best_weights)
        gradient = value + np.einsum("prn,pn->pr", scaled, np.sign(total))
        gradient -= gradient.min(axis=1, keepdims=True)
        weights = weights * np.exp(-gradient * (4.0 / np.sqrt(step + 1.0)))
        weights /= weights.sum(axis=1, keepdims=True)
    promising = np.flatnonzero(best < 0)
    if len(promising):
        factors = best_weights[promising] / size[promising]
        chosen = Parts(part.low[promising], part.high[promising], part.lower, part.upper, part.phase)
        found[promising] = _combined(chosen, slope[promising], constant[promising], factors) < 0
    return found


def _combined(part: Parts, slope: np.ndarray, constant: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Proved: the largest value of the combination on each part."""
    total = np.einsum("pr,prn->pn", factors, slope)
    offset = np.einsum("pr,pr->p", factors, constant)
    largest = np.maximum(np.abs(part.low), np.abs(part.high))
    size = np.einsum("pr,prn,pn->p", factors, np.abs(slope), largest) + np.einsum("pr,pr->p", factors, np.abs(constant))
    error = 4 * (slope.shape[1] + 8) * UNIT * size + ABSOLUTE
    return _largest(part, total[:, None, :], (offset + error)[:, None])[:, 0] + UNIT * 4 * size
