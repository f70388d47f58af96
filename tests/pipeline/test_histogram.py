"""Histograms of margins: every value is counted once, in the bin that holds it; what is read back is what was
written.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relucid.common.errors import InputError
from relucid.pipeline.histogram import BINS, Histogram, histogram, histogram_json, read_histogram

NUMBERS = st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=300)


def check(found: Histogram, values: list[float], labels: list[int]) -> None:
    assert found.inputs == len(values) and len(found.bins) <= BINS
    for i, b in enumerate(found.bins):
        last = i == len(found.bins) - 1
        inside = [
            y
            for v, y in zip(values, labels, strict=True)
            if b.low <= v < b.high or v == b.low == b.high or (last and v == b.high)
        ]
        assert b.counts == tuple(inside.count(y) for y in range(3))


@given(NUMBERS, st.sampled_from([1, 2, 8]))
def test_integers_over_a_scale(numbers: list[int], scale: int) -> None:
    labels = [abs(v) % 3 for v in numbers]
    found = histogram(np.array(numbers), np.array(labels), 3, scale)
    assert found is not None
    check(found, [float(Fraction(v, scale)) for v in numbers], labels)
    if len(set(numbers)) <= BINS:
        assert Counter(b.low for b in found.bins) == dict.fromkeys({v / scale for v in numbers}, 1)
    assert read_histogram(histogram_json(found), 3, "x") == found


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=300))
def test_floats(numbers: list[float]) -> None:
    labels = [int(v) % 3 for v in numbers]
    found = histogram(np.array(numbers), np.array(labels), 3)
    assert found is not None
    check(found, numbers, labels)


def test_nothing_to_count() -> None:
    assert histogram(np.zeros(0), np.zeros(0, dtype=int), 2) is None
    assert histogram(np.array([np.inf, 1.0]), np.array([0, 0]), 1) is None  # the margin of a single label
    assert histogram_json(None) is None and read_histogram(None, 2, "x") is None


def test_numbers_wider_than_machine_integers() -> None:
    found = histogram(np.array([10**30, 3 * 10**30], dtype=object), np.array([0, 1]), 2, 10**30)
    assert found is not None and [(b.low, b.counts) for b in found.bins] == [(1.0, (1, 0)), (3.0, (0, 1))]


@pytest.mark.parametrize(
    "bad",
    [
        [], 5, {}, {"bins": 1}, {"bins": [1]}, {"bins": [{"low": 0, "high": 1}]}, {"bins": [{"low": 1, "high": 0, "counts": [1, 1]}]},
        {"bins": [{"low": 0, "high": 1, "counts": [1]}]}, {"bins": [{"low": 0, "high": 1, "counts": [1, -1]}]},
        {"bins": [{"low": 0, "high": 1, "counts": [1, True]}]}, {"bins": [{"low": "0", "high": 1, "counts": [1, 1]}]},
        {"bins": [{"low": 0, "high": float("nan"), "counts": [1, 1]}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_histogram(bad: object) -> None:
    with pytest.raises(InputError, match="x: is no histogram of margins"):
        read_histogram(bad, 2, "x")
