"""Chooses the floating point type for a composed network, and bounds the rounding error of its margins.

Everything that `blocks.py` computes for a word is a sum of products in some order, a maximum, or a
comparison.  If all numbers and all partial sums are integers within the type's exact range, nothing is
rounded: `slack` is 0.  Otherwise float64 is used with the classic a priori bound.  Every operation has a
relative error of at most 2**-53, so a sum of n products in any order, fused or not, has an error of at most n
* 2**-53 / (1 - n * 2**-53) times the sum of absolute values (Higham, Accuracy and Stability of Numerical
Algorithms, section 3.1).  Every number is an integer, rounded or not, so nothing underflows; `LARGEST`
excludes overflow.  Margins within `slack` of 0 or of each other are decided again in exact integers, so the
answer is exact in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .composed import ComposedLayer

UNIT = 2.0**-53
EXACT = ((np.dtype(np.float32), 2.0**24), (np.dtype(np.float64), 2.0**53))
LARGEST = 2.0**900  # beyond, float64 may overflow
_UP = 1 + 2.0**-20  # covers the rounding of the bounds themselves


@dataclass(frozen=True)
class Precision:
    """The type to compute in, and the error of a margin.

    slack: 0 where nothing is rounded; infinite where floating point says nothing about the margins.
    """

    dtype: np.dtype
    slack: float


def precision(layers: tuple[ComposedLayer, ...], before: np.ndarray, behind: np.ndarray) -> Precision:
    """Choose the type for layers whose sums over symbols are bounded per row.

    before, behind (rows,): bounds of the sums over heads, and over tails with the constant.
    """
    terms = max(
        sum(w.shape[1] for w in layer.relus.values())
        + (0 if layer.symbols is None else layer.symbols.shape[1])
        for layer in layers
    )
    unit = 4 * UNIT * (64 + terms)
    inner: list[_Bound] = []  # b of each layer
    outer: list[_Bound] = []  # D of each layer, after its ReLU
    largest, row, slack = np.float64(0), 0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in layers:
            b, d = _Bound.zero(len(layer)), _Bound.zero(len(layer))
            for g, w in layer.relus.items():
                weights = np.abs(floats(w))
                b, d = b.plus(inner[g].times(weights)), d.plus(outer[g].times(weights))
                # If a bound is NaN, so is `largest`, and every comparison with it fails.
                largest = np.maximum(largest, weights.max(initial=0.0))
            if reads(layer):
                here = slice(row, row := row + len(layer))
                b, d = b.plus(_Bound(before[here], 0 * b.error)), d.plus(_Bound(behind[here], 0 * d.error))
            else:
                b = b.plus(_Bound(np.abs(floats(layer.constant)), 0 * b.error))
            b, d = b.rounded(unit), d.rounded(unit)
            largest = np.maximum(largest, np.maximum(b.size, d.size).max(initial=0.0))
            # The last layer, the margins, sets the final value.
            slack = float((b.error + d.error + unit * (b.size + d.size)).max(initial=0.0)) * _UP
            inner.append(b)
            outer.append(_Bound(np.maximum(b.size, d.size), np.maximum(b.error, d.error)))
    for dtype, limit in EXACT:
        if largest < limit:
            return Precision(dtype, 0.0)
    return Precision(np.dtype(np.float64), slack if largest < LARGEST and np.isfinite(slack) else np.inf)


def reads(layer: ComposedLayer) -> bool:
    """Say whether the layer has sums over symbols (of zeros, if it depends on nothing at all)."""
    return layer.symbols is not None or not layer.relus


@dataclass(frozen=True)
class _Bound:
    """Per row: no partial sum is larger than `size`, and the computed value has at most `error`."""

    size: np.ndarray
    error: np.ndarray

    @classmethod
    def zero(cls, rows: int) -> _Bound:
        """Return the bound of empty sums."""
        return cls(np.zeros(rows), np.zeros(rows))

    def times(self, weights: np.ndarray) -> _Bound:
        """Return the bound of sums with these absolute weights."""
        return _Bound(weights @ self.size, weights @ self.error)

    def plus(self, other: _Bound) -> _Bound:
        """Return the bound of the rows' sums."""
        return _Bound(self.size + other.size, self.error + other.error)

    def rounded(self, unit: float) -> _Bound:
        """Return the bound after the sum has been computed, with a relative error of `unit`."""
        computed = self.size + self.error
        return _Bound(computed * _UP, (self.error + unit * computed) * _UP)


def floats(integers: np.ndarray) -> np.ndarray:
    """Round integers to the nearest float64; infinite where they are too large."""
    if integers.dtype != object:
        return integers.astype(np.float64)
    out = np.empty(integers.shape)
    flat = out.reshape(-1)
    for i, v in enumerate(integers.flat):
        try:
            flat[i] = float(v)
        except OverflowError:
            flat[i] = np.inf if v > 0 else -np.inf
    return out
