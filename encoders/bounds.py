"""Proved integer bounds of linear functions of a word and of ReLU outputs.

Used by `presolve.py`.  A value is (symbol indicators) @ S + (unstable ReLU outputs) @ R + constant, over
exact integers. The extremes of the symbol part over the words of a language are a dynamic program over its
automaton, so bounds of the first layer are attained.  Deeper bounds are the better of interval propagation
and backward substitution, which replaces each ReLU by a line above it and a line below it (CROWN; Zhang et
al. 2018), rounded to integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.automata.extremes import maxima
from ..models.network.integers import exact_matmul, exact_product, exact_sum, integer_array

SLOPE_BITS = 8  # slopes u / (u - l) are rounded to multiples of 2**-SLOPE_BITS; any in [0, 1] is sound
DEEPEST = 4  # layers of ReLUs that a backward pass goes through; below them, intervals


@dataclass(frozen=True, eq=False)
class AffineRows:
    """Affine functions: row i is symbols[i] . indicators + relus[i] . (unstable ReLU outputs) + constant[i].

    Integers of shapes (rows, length * symbol_count), (rows, unstable ReLUs known when the rows were made) and
    (rows,).
    """

    symbols: np.ndarray
    relus: np.ndarray
    constant: np.ndarray

    def __len__(self) -> int:
        return len(self.constant)

    def widened(self, relus: int) -> np.ndarray:
        """Return the ReLU part with a column for each of the `relus` known by now."""
        missing = relus - self.relus.shape[1]
        return (
            np.concatenate([self.relus, np.zeros((len(self), missing), dtype=np.int64)], axis=1)
            if missing
            else self.relus
        )

    def combined(self, weights: np.ndarray, relus: int) -> AffineRows:
        """Return weights @ rows, widened to `relus` ReLUs.  `weights`: integers, (new rows, rows)."""
        constant = exact_matmul(weights, self.constant[:, None])[:, 0]
        symbols, inner = exact_matmul(weights, self.symbols), exact_matmul(weights, self.widened(relus))
        return AffineRows(symbols, inner, constant)

    def plus(self, other: AffineRows) -> AffineRows:
        """Return the sums of the rows of both."""
        return AffineRows(
            exact_sum(self.symbols, other.symbols),
            exact_sum(self.relus, other.relus),
            exact_sum(self.constant, other.constant),
        )


@dataclass(frozen=True, eq=False)
class UnstableRelu:
    """output = max(0, symbols . indicators + relus . outputs of earlier ones + constant), with lower < 0 <
    upper proved.

    `layer` is the number of the network's ReLU node.  The argument reads only ReLUs of smaller layers.
    """

    symbols: np.ndarray
    relus: np.ndarray
    constant: int
    lower: int
    upper: int
    layer: int


def upper_bounds(language: Automaton, relus: Sequence[UnstableRelu], rows: AffineRows) -> np.ndarray:
    """Return proved upper bounds of rows on the words of a non-empty language: integers, (rows,).

    The rows may read all of `relus`.  The bound is the better of intervals and backward substitution.
    """
    wide = rows.widened(len(relus))
    symbol_part = maxima(language, rows.symbols.reshape(len(rows), language.length, language.symbol_count))
    upper = integer_array([r.upper for r in relus])
    interval = exact_sum(symbol_part, exact_matmul(np.maximum(wide, 0), upper[:, None])[:, 0], rows.constant)
    if not relus or not wide.any():
        return interval
    # `current` bounds the rows times 2**shift.
    current, shift = AffineRows(rows.symbols, wide, rows.constant), 0
    by_layer: dict[int, list[int]] = {}
    for j, r in enumerate(relus):
        by_layer.setdefault(r.layer, []).append(j)
    for layer in sorted(by_layer, reverse=True):
        here = by_layer[layer]
        if not current.relus[:, here].any():
            current = AffineRows(current.symbols, current.relus[:, : here[0]], current.constant)
        elif shift == SLOPE_BITS * DEEPEST:
            break
        else:
            current, shift = _substituted(current, [relus[j] for j in here], here[0]), shift + SLOPE_BITS
    left = upper[: current.relus.shape[1], None]  # outputs that were not substituted: intervals
    rest = exact_matmul(np.maximum(current.relus, 0), left)[:, 0]
    symbol_part = maxima(language, current.symbols.reshape(len(rows), language.length, language.symbol_count))
    substituted = integer_array([int(v) >> shift for v in exact_sum(symbol_part, rest, current.constant)])
    result: np.ndarray = np.minimum(interval, substituted)
    return result


def _substituted(rows: AffineRows, group: Sequence[UnstableRelu], first: int) -> AffineRows:
    """Return rows that are >= 2**SLOPE_BITS * `rows` and do not read the group's outputs (columns `first`
    onwards).

    For y = max(0, x) and l <= x <= u: y <= s * x + max(-s * l, (1 - s) * u) with s near u / (u - l), and y >=
    0 or y >= x, whichever cuts off less area.
    """
    one = 1 << SLOPE_BITS
    slopes = [
        min(one, (r.upper * one + (r.upper - r.lower) // 2) // max(1, r.upper - r.lower)) for r in group
    ]
    offsets = [max(-s * r.lower, (one - s) * r.upper) for s, r in zip(slopes, group, strict=True)]
    below = [one if r.upper > -r.lower else 0 for r in group]
    coefficients = rows.relus[:, first : first + len(group)]
    positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
    weights = exact_sum(
        exact_product(positive, np.array(slopes)[None]), exact_product(negative, np.array(below)[None])
    )
    inner = AffineRows(
        integer_array(np.stack([r.symbols for r in group])),
        integer_array([list(r.relus) + [0] * (first - len(r.relus)) for r in group]).reshape(
            len(group), first
        ),
        integer_array([r.constant for r in group]),
    ).combined(weights, first)
    kept = AffineRows(
        exact_product(rows.symbols, one),
        exact_product(rows.relus[:, :first], one),
        exact_product(rows.constant, one),
    )
    total = kept.plus(inner)
    lifted = exact_matmul(positive, integer_array(offsets)[:, None])[:, 0]
    return AffineRows(total.symbols, total.relus, exact_sum(total.constant, lifted))


def lower_and_upper(
    language: Automaton, relus: Sequence[UnstableRelu], rows: AffineRows
) -> tuple[np.ndarray, np.ndarray]:
    """Return proved lower and upper bounds of rows, as `upper_bounds` does."""
    negated = AffineRows(*(exact_product(a, -1) for a in (rows.symbols, rows.relus, rows.constant)))
    return exact_product(upper_bounds(language, relus, negated), -1), upper_bounds(language, relus, rows)
