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
    net: FloatNetwork, rows: Rows, accept: Callable[[np.ndarray], bool], deadline: float, progress: Callable[[str], None] = lambda text: None
) -> Searched:
    """`accept` gets points (points, inputs) that look unsafe and says whether one of them is."""
    waiting = [Parts.whole(net)]
    done, volume = 0, 0.0
    whole = np.maximum(net.start_upper - net.start_lower, 1e-300)
    while waiting:
        if time.monotonic() > deadline:
            return Searched("timeout", done)
        parts = _take(waiting, BATCH)
        layers, empty = tightened(net, parts)
        bound, found = rows.bound(net, parts, layers)
        slopes = found.inputs.reshape(len(parts), len(rows), -1)
        refuted = clipped(rows, parts, rows.refuted(bound), bound, slopes, found.offset.reshape(bound.shape))
        safe = empty | refuted.all(axis=1)
        done += len(parts)
        # (of what clipping has left)
        volume += float(np.prod((parts.high - parts.low) / whole, axis=1, where=net.start_upper > net.start_lower)[safe].sum())
        progress(f"{done} parts, {100 * volume:.1f} % of the box is safe")
        left = np.flatnonzero(~safe)
        if not len(left):
            continue
        still = parts[left]
        slopes = slopes[left]
        if accept(_suspects(net, rows, still, bound[left], slopes, refuted[left])):
            return Searched("found", done)
        halves = _halved(still, _cuts(rows, still, bound[left], slopes, refuted[left]))
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


def _suspects(
    net: FloatNetwork, rows: Rows, parts: Parts, bound: np.ndarray, slopes: np.ndarray, refuted: np.ndarray
) -> np.ndarray:
    """Corners where the relaxed rows are largest, and middles, that are unsafe as far as floats tell."""
    weakest = _weakest(rows, bound, refuted)
    corner = np.where(slopes[np.arange(len(parts)), weakest] > 0, parts.high, parts.low)
    points = np.concatenate([corner, (parts.low + parts.high) / 2])
    return points[(rows.margin(points, net.values(points)[-1]) >= 0).any(axis=1)]


def _weakest(rows: Rows, bound: np.ndarray, refuted: np.ndarray) -> np.ndarray:
    """Per part: the row that is nearest to refuting the polyhedron that is farthest from being refuted."""
    lowest = np.minimum.reduceat(bound, rows.first, axis=1)
    worst = np.where(refuted, -np.inf, lowest).argmax(axis=1)
    return np.where(rows.owner == worst[:, None], bound, np.inf).argmin(axis=1)


def _cuts(rows: Rows, parts: Parts, bound: np.ndarray, slopes: np.ndarray, refuted: np.ndarray) -> np.ndarray:
    """The input to cut, per part: where the relaxed weakest row varies most."""
    steep = np.abs(slopes[np.arange(len(parts)), _weakest(rows, bound, refuted)])
    return (steep * (parts.high - parts.low)).argmax(axis=1)


def _halved(parts: Parts, cut: np.ndarray) -> Parts | None:
    """Both halves of every part, which share the cut; None where a part has no float inside to cut at."""
    at = np.arange(len(parts))
    low, high = parts.low[at, cut], parts.high[at, cut]
    middle = low + (high - low) / 2
    if not ((low < middle) & (middle < high)).all():
        return None
    left, right = parts[at], parts[at]
    left.high[at, cut] = middle
    right.low[at, cut] = middle
    return Parts.joined([left, right])
