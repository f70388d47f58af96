"""Turns an unrolled network into rows with a place in time: when each sum begins, and after which symbol it
is complete.

`sweep.py` runs on these rows.  They are all rows of the network, not bounded and not told apart by label.
Each is divided by its common factor, so that the same cell at another position has the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ....common.errors import Unsupported
from ....models.claims.word_claim import WordClaim
from ..enumerate.composed import composed

WIDEST = 2**62


@dataclass(frozen=True, eq=False)
class UnrolledRow:
    """sum_t symbols[t, word[t]] + sum_i weights[i] * max(0, row inputs[i]) + constant; `end`: symbols after
    which it is complete.
    """

    symbols: np.ndarray
    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    constant: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Completion:
    """ReLUs that are complete at once: their columns, and what they add to the columns `readers`: weights
    (readers, columns).
    """

    columns: np.ndarray
    readers: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Moment:
    """What happens after the t-th symbol: columns get `step[symbol]`, then columns `fresh` (constants) are
    appended, with what the symbol adds to them; then completions, one after the other; then only the columns
    `kept` go on.
    """

    step: np.ndarray
    fresh: np.ndarray
    completions: tuple[Completion, ...]
    kept: np.ndarray


def rows_of(claim: WordClaim) -> tuple[tuple[UnrolledRow, ...], int]:
    """The rows in topological order, margins last (`composed.py` says what they decide); and the number of
    margins.
    """
    rows: list[UnrolledRow] = []
    factors: list[int] = []
    begins: list[int] = []  # of each layer
    layers = composed(claim)
    for layer in layers:
        begins.append(len(rows))
        parts = []
        for j in range(len(layer)):
            own = np.zeros((claim.language.length, claim.language.symbol_count), dtype=object)
            if layer.symbols is not None:
                own[:] = layer.symbols[j]
            inputs = [
                (begins[g] + i, int(w))
                for g, weights in sorted(layer.relus.items())
                for i, w in enumerate(weights[j])
                if w
            ]
            parts.append(
                (own, [i for i, _ in inputs], [w * factors[i] for i, w in inputs], int(layer.constant[j]))
            )
        common = [
            math.gcd(constant, *weights, *map(int, own.flat)) or 1 for own, _, weights, constant in parts
        ]
        if layer is layers[-1]:  # margins are compared with each other
            common = [math.gcd(*common)] * len(common)
        for (own, indices, weights, constant), g in zip(parts, common, strict=True):
            rows.append(_row(rows, own // g, indices, [w // g for w in weights], constant // g))
        factors += common
    return tuple(rows), len(layers[-1])


def _row(
    rows: list[UnrolledRow], own: np.ndarray, inputs: list[int], weights: list[int], constant: int
) -> UnrolledRow:
    if max(abs(constant), *map(abs, weights), *(abs(int(v)) for v in own.flat), 0) >= WIDEST:
        raise Unsupported("a number of the network does not fit 64 bits")
    places = np.flatnonzero((own != 0).any(axis=1))
    ends = [rows[i].end for i in inputs]
    end = max(int(places[-1]) + 1 if len(places) else 0, *ends, 0)
    begin = min([int(places[0]) + 1 if len(places) else end, *ends])
    return UnrolledRow(own.astype(np.int64), tuple(inputs), tuple(weights), constant, begin, end)


def levels(rows: tuple[UnrolledRow, ...]) -> int:
    """The longest chain of ReLUs."""
    level: list[int] = []
    for row in rows:
        level.append(1 + max((level[i] for i in row.inputs), default=0))
    return max(level) - 1


def moments(rows: tuple[UnrolledRow, ...], margins: int, length: int) -> tuple[Moment, ...]:
    """One moment per number of symbols read, 0 to length; after the last one the columns are the margins, in
    order.
    """
    live: list[int] = []
    out = []
    relus, symbols = len(rows) - margins, rows[0].symbols.shape[1]

    def added(wanted: list[int], t: int) -> np.ndarray:
        """What the symbol before t adds to rows (symbols, rows)."""
        nothing = np.zeros((symbols, len(wanted)), dtype=np.int64)
        return np.stack([rows[j].symbols[t - 1] for j in wanted], axis=1) if t and wanted else nothing

    for t in range(length + 1):
        step = added(live, t)
        new = [j for j, row in enumerate(rows) if row.begin == t]
        constants = np.array([rows[j].constant for j in new], dtype=np.int64)
        live = [*live, *new]
        place = {j: c for c, j in enumerate(live)}
        done = sorted(j for j in live if j < relus and rows[j].end <= t)
        completions = tuple(_completion(rows, place, group) for group in _together(rows, done))
        going = sorted(set(live) - set(done))
        out.append(
            Moment(
                step,
                added(new, t) + constants,
                completions,
                np.array([place[j] for j in going], dtype=np.int64),
            )
        )
        live = going
    return tuple(out)


def _together(rows: tuple[UnrolledRow, ...], done: list[int]) -> list[list[int]]:
    """The rows in groups that do not read each other, in order."""
    groups: list[list[int]] = []
    for j in done:
        if groups and not set(rows[j].inputs) & set(groups[-1]):
            groups[-1].append(j)
        else:
            groups.append([j])
    return groups


def _completion(rows: tuple[UnrolledRow, ...], place: dict[int, int], group: list[int]) -> Completion:
    among = {j: c for c, j in enumerate(group)}
    readers: dict[int, list[int]] = {}
    for j, column in place.items():
        for i, w in zip(rows[j].inputs, rows[j].weights, strict=True):
            if i in among:
                readers.setdefault(column, [0] * len(group))[among[i]] = w
    weights = np.array(list(readers.values()), dtype=np.int64).reshape(len(readers), len(group))
    return Completion(np.array([place[j] for j in group]), np.array(list(readers), dtype=np.int64), weights)
