"""Shrink each subdomain to where all constraints of an unsafe polyhedron can hold.

A subdomain of which nothing remains is dropped.  After `box_bounds.py`, which gives each row a linear upper
bound a . x + b on the subdomain.  An unsafe point satisfies a . x + b >= 0 for every row of its polyhedron.
With U the largest value of a . x + b on the subdomain, that means x_i >= high_i - U / a_i where a_i > 0, and
x_i <= low_i + U / -a_i where a_i < 0.  Where a sum of rows with non-negative factors is negative on the whole
subdomain, no point satisfies them all (Farkas).  Both are sound for every choice of factors, and rounded
outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .floats import ABSOLUTE, SAFE, UNIT
from .subdomains import BoxSubdomains
from .support import middle_and_radius
from .unsafe_rows import UnsafeRows


@dataclass(eq=False)
class _Boxes:
    low: np.ndarray
    high: np.ndarray


ROUNDS = 3
SWEEPS = 3
MOST_POLYHEDRA = 16


def clipped(
    rows: UnsafeRows,
    subdomains: BoxSubdomains,
    refuted: np.ndarray,
    forms: Sequence[tuple[np.ndarray, np.ndarray]],
    cuts: np.ndarray,
    cut_offsets: np.ndarray,
) -> np.ndarray:
    """Shrink `subdomains` in place; returns `refuted` (subdomains, polyhedra) with what turned out to be
    refuted on the way.

    `forms`: linear upper bounds of all rows, (subdomains, rows, inputs) and (subdomains, rows) each; cuts
    hold on the subdomain whatever the polyhedron (see `Tightened`).
    """
    refuted = refuted.copy()
    if rows.polyhedra > MOST_POLYHEDRA:
        return refuted
    low, high = np.full_like(subdomains.low, np.inf), np.full_like(subdomains.high, -np.inf)
    ends = [*rows.first[1:], len(rows)]
    for p, (a, b) in enumerate(zip(rows.first, ends, strict=True)):
        open_ = np.flatnonzero(~refuted[:, p])
        if not len(open_):
            continue
        subdomain = _Boxes(subdomains.low[open_], subdomains.high[open_])
        slope = np.concatenate([*(s[open_, a:b] for s, _ in forms), cuts[open_]], axis=1)
        constant = np.concatenate([*(o[open_, a:b] for _, o in forms), cut_offsets[open_]], axis=1)
        strict = np.concatenate([np.tile(rows.strict[a:b], len(forms)), np.zeros(cuts.shape[1], dtype=bool)])
        gone = np.zeros(len(open_), dtype=bool)
        for _ in range(ROUNDS):
            gone |= _clip(subdomain, slope, _largest(subdomain, slope, constant), strict)
        if slope.shape[1] > 1:
            gone |= _contradict(subdomain, slope, constant, (b - a) * len(forms))
        refuted[open_, p] = gone
        stay = open_[~gone]
        low[stay] = np.minimum(low[stay], subdomain.low[~gone])
        high[stay] = np.maximum(high[stay], subdomain.high[~gone])
    left = ~refuted.all(axis=1)
    subdomains.low[left], subdomains.high[left] = low[left], high[left]
    return refuted


def _largest(subdomain: _Boxes, slope: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Proved: the largest value of slope.x + constant on each subdomain, for slope (subdomains, rows,
    inputs).
    """
    middle, radius = middle_and_radius(subdomain.low, subdomain.high)
    own = np.einsum("prn,pn->pr", slope, middle)
    spread = np.einsum("prn,pn->pr", np.abs(slope), radius)
    size = np.einsum("prn,pn->pr", np.abs(slope), np.abs(middle)) + spread + np.abs(constant)
    result: np.ndarray = own + spread + constant + 4 * (slope.shape[2] + 8) * UNIT * size + ABSOLUTE
    return result


def _clip(subdomain: _Boxes, slope: np.ndarray, largest: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """Clip once, in place; returns which boxes are gone, (boxes,)."""
    gone = np.asarray(((largest < 0) | (strict & (largest <= 0))).any(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        room = (
            np.maximum(largest, 0)[:, :, None] / np.abs(slope) * SAFE
        )  # how far from the best side x_i may be
        far = np.isnan(room) | (slope == 0)
        low = np.where((slope > 0) & ~far, subdomain.high[:, None, :] - room, -np.inf).max(axis=1)
        high = np.where((slope < 0) & ~far, subdomain.low[:, None, :] + room, np.inf).min(axis=1)
        low = low - (np.abs(subdomain.high) + np.abs(low)) * 4 * UNIT
        high = high + (np.abs(subdomain.low) + np.abs(high)) * 4 * UNIT
    np.fmax(subdomain.low, low, out=subdomain.low)
    np.fmin(subdomain.high, high, out=subdomain.high)
    crossed = subdomain.low > subdomain.high
    gone |= crossed.any(axis=1)
    subdomain.low[crossed] = subdomain.high[crossed] = 0.0  # these are gone: any box will do
    return gone


def _contradict(subdomain: _Boxes, slope: np.ndarray, constant: np.ndarray, bases: int) -> np.ndarray:
    """Where some non-negative combination of the rows is negative on the whole subdomain."""
    factors, reached = promising_factors(subdomain, slope, constant, bases)
    promising = np.flatnonzero(reached < 0)
    found = np.zeros(len(reached), dtype=bool)
    if len(promising):
        inside = _Boxes(subdomain.low[promising], subdomain.high[promising])
        found[promising] = _combined(inside, slope[promising], constant[promising], factors[promising]) < 0
    return found


def promising_factors(
    subdomain: _Boxes | BoxSubdomains, slope: np.ndarray, constant: np.ndarray, bases: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factors >= 0 (subdomains, rows) of a combination that is as low as possible, and about its largest
    value (subdomains,).

    The search may be as rough as it likes, because others prove what comes of it.  From each of the first
    `bases` rows (with cuts only, from all): add to it, row by row, the multiple of another one that lowers
    its largest value most, exactly found among the breakpoints of a piecewise linear function.
    """
    count, rows = constant.shape
    middle, radius = middle_and_radius(subdomain.low, subdomain.high)
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


def _combined(subdomain: _Boxes, slope: np.ndarray, constant: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Proved: the largest value of the combination on each subdomain."""
    total = np.einsum("pr,prn->pn", factors, slope)
    offset = np.einsum("pr,pr->p", factors, constant)
    largest = np.maximum(np.abs(subdomain.low), np.abs(subdomain.high))
    size = np.einsum("pr,prn,pn->p", factors, np.abs(slope), largest) + np.einsum(
        "pr,pr->p", factors, np.abs(constant)
    )
    error = 4 * (slope.shape[1] + 8) * UNIT * size + ABSOLUTE
    result: np.ndarray = (
        _largest(subdomain, total[:, None, :], (offset + error)[:, None])[:, 0] + UNIT * 4 * size
    )
    return result
