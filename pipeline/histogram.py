"""Histograms of margins: how far decisions are from the next label, over many inputs, by label.

They are for pictures; nothing is decided by them.  `result_files.py` stores the circuit's, `reports/` shows
it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.errors import InputError

BINS = 40


@dataclass(frozen=True)
class Bin:
    """One bin.

    Args:
        low: of the values v, low <= v.
        high: v < high; in the last bin v <= high; if it equals `low`, v = low.
        counts: how many values there are, by label index.
    """

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Histogram:
    """Bins in order, empty ones included.  All of them are ranges, or all are single values."""

    bins: tuple[Bin, ...]

    @property
    def inputs(self) -> int:
        """How many values were counted."""
        return sum(sum(b.counts) for b in self.bins)


def histogram(values: np.ndarray, labels: np.ndarray, label_count: int, scale: int = 1) -> Histogram | None:
    """Count values in bins; few distinct values have a bin each.

    Args:
        values: numbers (n,), which are divided by `scale`.
        labels: label indices (n,).
        label_count: how many labels there are.
        scale: see `values`.

    Returns: the histogram; None if there is nothing to count, or no margin because there is a single label.
    """
    values = np.asarray(values)
    if values.dtype == object:  # wider than machine integers
        values, scale = (
            np.array([int(v) / scale if abs(int(v)) // scale < 1 << 1000 else math.inf for v in values]),
            1,
        )
    if not len(values) or not np.isfinite(values).all():
        return None
    distinct = np.unique(values)
    if len(distinct) <= BINS:
        edges, place = [(v, v) for v in distinct], np.searchsorted(distinct, values)
    else:
        low, high = distinct[0], distinct[-1]
        if values.dtype.kind in "iu":  # whole steps, so that no bin has more of the possible values
            step = -(-(int(high) - int(low) + 1) // BINS)
            ends = np.arange(int(low), int(high) + step + 1, step)[: BINS + 1]
        else:
            ends = np.linspace(low, high, BINS + 1)
        place = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, len(ends) - 2)
        edges = list(itertools.pairwise(ends))
    counts = np.zeros((len(edges), label_count), dtype=np.int64)
    np.add.at(counts, (place, labels), 1)
    return Histogram(
        tuple(
            Bin(low.item() / scale, high.item() / scale, tuple(map(int, row)))
            for (low, high), row in zip(edges, counts, strict=True)
        )
    )


def histogram_json(found: Histogram | None) -> dict[str, Any] | None:
    """Return the histogram as plain data."""
    if found is None:
        return None
    return {
        "inputs": found.inputs,
        "bins": [{"low": b.low, "high": b.high, "counts": list(b.counts)} for b in found.bins],
    }


def read_histogram(data: object, label_count: int, where: str) -> Histogram | None:
    """Read what `histogram_json` gave.  Raises InputError if it is something else."""
    if data is None:
        return None
    try:
        assert isinstance(data, Mapping)
        bins = tuple(_bin(entry, label_count) for entry in data["bins"])
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(where, "is no histogram of margins", "distil again") from None
    return Histogram(bins)


def _bin(entry: Mapping[str, Any], label_count: int) -> Bin:
    low, high, counts = entry["low"], entry["high"], entry["counts"]
    good = (
        all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in (low, high))
        and low <= high
    )
    if (
        not good
        or not isinstance(counts, Sequence)
        or len(counts) != label_count
        or any(type(n) is not int or n < 0 for n in counts)
    ):
        raise ValueError
    return Bin(float(low), float(high), tuple(counts))
