"""In which floating point a composed network may be evaluated block by block, and how far off the margins can
be.

Everything that `blocks` computes for a word is a sum of products in some order, a maximum, or a comparison.
Where all numbers and all partial sums are integers within the type's exact range, nothing is ever rounded:
`slack` is 0.  Otherwise float64 is used with the classic a priori bound: every operation is off by a relative
2**-53 at most, so a sum of n products in any order, fused or not, is off by at most n * 2**-53 / (1 - n *
2**-53) of the sum of absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
Every number is a whole one, rounded or not, so nothing underflows; overflow is excluded by `LARGEST`.
Margins within `slack` of 0 or of each other are decided again in exact integers: the answer is exact in any
case.
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
    """`slack` 0: exact.  Infinite: floating point says nothing."""

    dtype: np.dtype
    slack: float


def precision(layers: tuple[ComposedLayer, ...], before: np.ndarray, behind: np.ndarray) -> Precision:
    """For layers whose sums over symbols are bounded, per row, by `before` (over the head) and `behind` (tail
    and constant).
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
                largest = np.maximum(
                    largest, weights.max(initial=0.0)
                )  # not a number where a bound is not: then nothing below holds
            if reads(layer):
                here = slice(row, row := row + len(layer))
                b, d = b.plus(_Bound(before[here], 0 * b.error)), d.plus(_Bound(behind[here], 0 * d.error))
            else:
                b = b.plus(_Bound(np.abs(floats(layer.constant)), 0 * b.error))
            b, d = b.rounded(unit), d.rounded(unit)
            largest = np.maximum(largest, np.maximum(b.size, d.size).max(initial=0.0))
            slack = (
                float((b.error + d.error + unit * (b.size + d.size)).max(initial=0.0)) * _UP
            )  # the last one counts
            inner.append(b)
            outer.append(_Bound(np.maximum(b.size, d.size), np.maximum(b.error, d.error)))
    for dtype, limit in EXACT:
        if largest < limit:
            return Precision(dtype, 0.0)
    return Precision(np.dtype(np.float64), slack if largest < LARGEST and np.isfinite(slack) else np.inf)


def reads(layer: ComposedLayer) -> bool:
    """Whether the layer has sums over symbols (of zeros, where it depends on nothing at all)."""
    return layer.symbols is not None or not layer.relus


@dataclass(frozen=True)
class _Bound:
    """Per row: no partial sum is larger than `size`, and what is computed is off by `error` at most."""

    size: np.ndarray
    error: np.ndarray

    @classmethod
    def zero(cls, rows: int) -> _Bound:
        return cls(np.zeros(rows), np.zeros(rows))

    def times(self, weights: np.ndarray) -> _Bound:
        return _Bound(weights @ self.size, weights @ self.error)

    def plus(self, other: _Bound) -> _Bound:
        return _Bound(self.size + other.size, self.error + other.error)

    def rounded(self, unit: float) -> _Bound:
        """After the sum has been computed."""
        computed = self.size + self.error
        return _Bound(computed * _UP, (self.error + unit * computed) * _UP)


def floats(integers: np.ndarray) -> np.ndarray:
    """Rounded to the nearest, infinite where they are too large."""
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
