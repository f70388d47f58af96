"""Branch and bound by cutting the box: for networks with few inputs (ACAS Xu, control).

Parts are bounded many at a time (`bounds.py`); a part that is not yet safe is halved across the input that matters most to
the rows that are still positive.  Parts are floats' boxes that cover the rational box, so nothing is lost between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .bounds import Parts, tightened
from .clip import clipped
from .floats import FloatNetwork
from .rows import Rows

BATCH = 512


@dataclass(frozen=True)
class Searched:
    """`status`: "safe", "found" (a point that the caller accepted), "timeout" or "stuck" (a part cannot be cut any more)."""

    status: str
    parts: int = 0


def search(
    net: FloatNetwork,
    rows: Rows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
) -> Searched:
    """`accept` gets points (points, inputs) that look unsafe and says whether one of them is."""
    waiting = [Parts.whole(net)]
    done, volume = 0, 0.0
    whole = np.maximum(net.start_upper - net.start_lower, 1e-300)
    while waiting:
        if time.monotonic() > deadline:
            return Searched("timeout", done)
        parts = _take(waiting, BATCH)
        known = tightened(net, parts, share=True)
        bound, found = rows.bound(net, parts, known.layers)
        slopes = found.inputs.reshape(len(parts), len(rows), -1)
        offsets = found.offset.reshape(bound.shape)
        refuted = clipped(rows, parts, rows.refuted(bound), slopes, offsets, known.cuts, known.cut_offsets)
        safe = known.empty | refuted.all(axis=1)
        done += len(parts)
        # (of what clipping has left)
        volume += float(np.prod((parts.high - parts.low) / whole, axis=1, where=net.start_upper > net.start_lower)[safe].sum())
        progress(f"{done} parts, {100 * volume:.1f} % of the box is safe")
        left = np.flatnonzero(~safe)
        if not len(left):
            continue
        still = parts[left]
        weakest = _weakest(rows, bound[left], refuted[left])
        steep = slopes[left, weakest]
        if accept(_suspects(net, rows, still, steep)):
            return Searched("found", done)
        loss = found.loss.reshape(len(parts), len(rows), -1)[left, weakest]  # type: ignore[union-attr]
        halves = _divided(net, still, steep, loss, known.share[left])  # type: ignore[index]
        if halves is None:
            return Searched("stuck", done)
        waiting.append(halves)
    return Searched("safe", done)


def _take(waiting: list[Parts], most: int) -> Parts:
    """The last `most` parts: depth first, so that few are kept."""
    taken, count = [], 0
    while waiting and count < most:
        last = waiting.pop()
        room = most - count
        if len(last) > room:
            waiting.append(last[: len(last) - room])
            last = last[len(last) - room :]
        taken.append(last)
        count += len(last)
    return Parts.joined(taken)


def _suspects(net: FloatNetwork, rows: Rows, parts: Parts, steep: np.ndarray) -> np.ndarray:
    """Corners where the relaxed weakest row is largest, and middles, that are unsafe as far as floats tell."""
    points = np.concatenate([np.where(steep > 0, parts.high, parts.low), (parts.low + parts.high) / 2])
    return points[(rows.margin(points, net.values(points)[-1]) >= 0).any(axis=1)]


def _weakest(rows: Rows, bound: np.ndarray, refuted: np.ndarray) -> np.ndarray:
    """Per part: the row that is nearest to refuting the polyhedron that is farthest from being refuted."""
    lowest = np.minimum.reduceat(bound, rows.first, axis=1)
    worst = np.where(refuted, -np.inf, lowest).argmax(axis=1)
    return np.where(rows.owner == worst[:, None], bound, np.inf).argmin(axis=1)


def _divided(net: FloatNetwork, parts: Parts, steep: np.ndarray, loss: np.ndarray, share: np.ndarray) -> Parts | None:
    """Two parts for each: cut across the input, or split at the neuron, that costs the weakest row's bound most.

    None where a part has neither an open neuron nor a float inside to cut at.
    """
    at = np.arange(len(parts))
    by_input = np.abs(steep) * (parts.high - parts.low) / 2 + np.einsum("pj,pji->pi", loss, share)
    middle = parts.low + (parts.high - parts.low) / 2
    by_input[~((parts.low < middle) & (middle < parts.high))] = -1.0
    by_neuron = np.where((parts.lower < 0) & (parts.upper > 0), loss, -1.0)
    if not net.count:
        by_neuron = np.full((len(parts), 1), -1.0)
    cut, split = by_input.argmax(axis=1), by_neuron.argmax(axis=1)
    import os
    better = by_neuron[at, split]*float(os.environ.get("KA","1")) > by_input[at, cut]
    if (np.maximum(by_input[at, cut], by_neuron[at, split]) < 0).any():
        return None
    left, right = parts[at], parts[at]
    rows = np.flatnonzero(~better)
    left.high[rows, cut[rows]] = middle[rows, cut[rows]]
    right.low[rows, cut[rows]] = middle[rows, cut[rows]]
    rows = np.flatnonzero(better)
    left.upper[rows, split[rows]] = 0.0
    left.phase[rows, split[rows]] = -1
    right.lower[rows, split[rows]] = 0.0
    right.phase[rows, split[rows]] = 1
    return Parts.joined([left, right])
