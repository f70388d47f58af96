"""Turns an unrolled network into rows with a place in time, which `sweep.py` runs on.

Each row says after which symbol its sum begins, and after which it is complete.  These are all rows of the
network: they are not bounded, and do not depend on the label.  Each is divided by the common factor of its
numbers, so that the same cell of a recurrent network has the same numbers at every position.
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
    """One sum: sum_t symbols[t, word[t]] + sum_i weights[i] * max(0, row inputs[i]) + constant.

    symbols: (positions, symbols).
    inputs, weights: the rows whose ReLUs it reads, and their coefficients.
    begin, end: the numbers of symbols after which the sum begins and is complete.
    """

    symbols: np.ndarray
    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    constant: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Completion:
    """ReLUs that are complete at the same time, and what they add to other columns.

    columns: the ReLUs' columns.
    readers: the columns that read them.
    weights: (readers, columns).
    """

    columns: np.ndarray
    readers: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Moment:
    """What happens after the t-th symbol, in this order.

    step (symbols, columns): what the symbol adds to each column.
    fresh (symbols, new columns): columns that are appended, with what the symbol adds to their constants.
    completions: ReLUs that are complete now, one group after the other.
    kept: the columns that are still needed.
    """

    step: np.ndarray
    fresh: np.ndarray
    completions: tuple[Completion, ...]
    kept: np.ndarray


def rows_of(claim: WordClaim) -> tuple[tuple[UnrolledRow, ...], int]:
    """Return the claim's rows in topological order, margins last, and the number of margins.

    `composed.py` says what the margins decide.  Raises Unsupported if a number does not fit 64 bits.
    """
    rows: list[UnrolledRow] = []
    factors: list[int] = []
    begins: list[int] = []  # the index of each layer's first row
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
        if layer is layers[-1]:  # margins are compared with each other, so they keep one common factor
            common = [math.gcd(*common)] * len(common)
        for (own, indices, weights, constant), g in zip(parts, common, strict=True):
            rows.append(_row(rows, own // g, indices, [w // g for w in weights], constant // g))
        factors += common
    return tuple(rows), len(layers[-1])


def _row(
    rows: list[UnrolledRow], own: np.ndarray, inputs: list[int], weights: list[int], constant: int
) -> UnrolledRow:
    """Make a row; raise Unsupported if a number does not fit 64 bits."""
    if max(abs(constant), *map(abs, weights), *(abs(int(v)) for v in own.flat), 0) >= WIDEST:
        raise Unsupported("a number of the network does not fit 64 bits")
    places = np.flatnonzero((own != 0).any(axis=1))
    ends = [rows[i].end for i in inputs]
    end = max(int(places[-1]) + 1 if len(places) else 0, *ends, 0)
    begin = min([int(places[0]) + 1 if len(places) else end, *ends])
    return UnrolledRow(own.astype(np.int64), tuple(inputs), tuple(weights), constant, begin, end)


def levels(rows: tuple[UnrolledRow, ...]) -> int:
    """Return the length of the longest chain of ReLUs."""
    level: list[int] = []
    for row in rows:
        level.append(1 + max((level[i] for i in row.inputs), default=0))
    return max(level) - 1


def moments(rows: tuple[UnrolledRow, ...], margins: int, length: int) -> tuple[Moment, ...]:
    """Return one moment for each number of symbols read, from 0 to `length`.

    After the last one, the columns are the margins, in order.
    """
    live: list[int] = []
    out = []
    relus, symbols = len(rows) - margins, rows[0].symbols.shape[1]

    def added(wanted: list[int], t: int) -> np.ndarray:
        """Return what the t-th symbol adds to rows (symbols, rows)."""
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
    """Divide the rows into groups whose members do not read each other, in order."""
    groups: list[list[int]] = []
    for j in done:
        if groups and not set(rows[j].inputs) & set(groups[-1]):
            groups[-1].append(j)
        else:
            groups.append([j])
    return groups


def _completion(rows: tuple[UnrolledRow, ...], place: dict[int, int], group: list[int]) -> Completion:
    """Make the completion of a group of rows; `place` is each live row's column."""
    among = {j: c for c, j in enumerate(group)}
    readers: dict[int, list[int]] = {}
    for j, column in place.items():
        for i, w in zip(rows[j].inputs, rows[j].weights, strict=True):
            if i in among:
                readers.setdefault(column, [0] * len(group))[among[i]] = w
    weights = np.array(list(readers.values()), dtype=np.int64).reshape(len(readers), len(group))
    return Completion(np.array([place[j] for j in group]), np.array(list(readers), dtype=np.int64), weights)
