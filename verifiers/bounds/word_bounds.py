"""Linear relaxations of a network over parts of a language: bounds with multipliers, and how to improve these.

The mathematics of `bab`.  A row of the query is bounded from above by replacing, from the last ReLU layer to the first, each
ReLU y = max(0, x) with lower <= x <= upper by a line: y <= s x + max(-s lower, (1 - s) upper) where its coefficient is
positive, y >= a x where it is negative, for any s and a in [0, 1] (CROWN, Zhang et al. 2018; optimised slopes: Xu et al. 2021).
A ReLU that is split is x or 0, and its constraint enters with a multiplier beta >= 0 (beta-CROWN, Wang et al. 2021).  What
is left is linear in the symbols, and its maximum over the words of the part is a dynamic program (`paths.py`): not a box, the
language.  The word that attains it gives the derivative of the bound by every multiplier.

Sound against rounding: slopes and betas are multiples of 2**-GRID, so all numbers are dyadic.  Where magnitudes prove that
none has more than 53 bits, float64 computes the bound exactly; elsewhere (three layers; raw float32 weights, whose integers
do not even fit) a proved bound on the rounding is added.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...common.errors import Unsupported
from ...encoders.dense import Dense
from .paths import Paths

GRID = 8  # multipliers are multiples of 2**-GRID
STEP = 2.0**-GRID
EXACT = 2.0**53
HOPELESS = 2**400  # products of a few layers stay finite
TINY = 1e-30
MOST_BETA = 2.0**20  # times the row's unit


def on_grid(values: np.ndarray) -> np.ndarray:
    return np.rint(values / STEP) * STEP


@dataclass(frozen=True, eq=False)
class FloatQueries:
    """One label's queries: k shared ReLU rows, then one violation row per rival, in float64.

    `groups`: the columns of each ReLU layer, in order.  `reach[i]` bounds every partial sum of row i's terms, `total[i]` the sum of
    the absolute values of all products that it expands to.  `exact`: float64 holds every number of the queries; if not, entries are the
    nearest floats and lower, upper are rounded outwards.
    """

    queries: tuple[Dense, ...]

    paths: Paths
    symbols: np.ndarray  # (rows, length, symbols)
    relus: np.ndarray  # (rows, k)
    constant: np.ndarray  # (rows,)
    lower: np.ndarray  # (k,)
    upper: np.ndarray  # (k,)
    groups: tuple[slice, ...]
    reach: np.ndarray  # (rows,)
    total: np.ndarray  # (rows,)
    exact: bool

    @property
    def count(self) -> int:
        """k, the number of unstable ReLUs."""
        return int(self.relus.shape[1])

    @classmethod
    def of(cls, queries: Sequence[Dense]) -> FloatQueries:
        """Of queries about one label that differ in the rival only.  Raises Unsupported where a number is far beyond float64."""
        first, k = queries[0], queries[0].count
        shared = (first.symbols[:k], first.relus[:k], first.constant[:k], first.lower[:k], first.upper[:k])
        violations = [(q.symbols[k:], q.relus[k:], q.constant[k:]) for q in queries]
        largest = max(_largest(a) for part in (shared, *violations) for a in part)
        if largest >= HOPELESS:
            raise Unsupported("a number of the network is far beyond float64")
        exact = largest < int(EXACT)
        symbols, relus, constant = (
            np.concatenate([shared[i], *(v[i] for v in violations)]).astype(np.float64) for i in range(3)
        )
        layers = np.array(first.layer, dtype=np.int64)
        edges = [0, *(np.flatnonzero(np.diff(layers)) + 1), k]
        groups = tuple(slice(a, b) for a, b in pairwise(edges)) if k else ()
        lower, upper = first.lower[:k].astype(np.float64), first.upper[:k].astype(np.float64)
        if not exact:
            lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
        own = np.abs(symbols).max(axis=2, initial=0).sum(axis=1) + np.abs(constant)
        reach, total = own + np.abs(relus) @ np.maximum(upper, 1), own.copy()
        for group in groups:
            total += np.abs(relus[:, group]) @ total[group]
        paths = Paths.of(first.language)
        return cls(tuple(queries), paths, symbols, relus, constant, lower, upper, groups, reach, total, exact)

    def values(self, words: np.ndarray) -> np.ndarray:
        """The symbol part of every row on words (n, length), with the constant: (n, rows)."""
        out = np.tile(self.constant, (len(words), 1))
        table = self.symbols.transpose(1, 2, 0)
        for t in range(words.shape[1]):
            out += table[t][words[:, t]]
        return out

    def exact_rows(self, own: np.ndarray) -> np.ndarray:
        """All rows of the network itself, from `values`; rounded beyond 2**53."""
        out = own.copy()
        for group in self.groups:
            out += np.maximum(out[:, group], 0) @ self.relus[:, group].T
        return out

    def violates(self, row: int, word: tuple[int, ...]) -> bool:
        """Whether violation row `row` is >= 0 on the word, in integers."""
        return bool(self.queries[row - self.count].values(np.array([word], dtype=np.int64))[0, -1] >= 0)


def _largest(array: np.ndarray) -> int:
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


@dataclass(frozen=True, eq=False)
class RowObjectives:
    """Functions to bound from above: sign[f] * row target[f], on parts of the language and with phases of ReLUs.

    `phase` (functions, k): 1 active, -1 inactive, 0 open; `lower`, `upper` (functions, k).  `symbol_mask` (length, symbols,
    functions) and `state_mask` (length + 1, width, functions) are 0 or -inf; None where nothing is cut off.
    """

    target: np.ndarray
    sign: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    symbol_mask: np.ndarray | None = None
    state_mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: np.ndarray) -> RowObjectives:
        masks = [None if m is None else m[..., rows] for m in (self.symbol_mask, self.state_mask)]
        return RowObjectives(
            *(a[rows] for a in (self.target, self.sign, self.lower, self.upper, self.phase)), *masks
        )


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Per function and ReLU: lower slope, upper slope, beta; (functions, k) each."""

    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Multipliers:
        return Multipliers(self.below[rows], self.above[rows], self.beta[rows])

    def rounded(self) -> Multipliers:
        return Multipliers(
            on_grid(self.below), on_grid(self.above), on_grid(np.minimum(self.beta, MOST_BETA))
        )


def first_multipliers(batch: RowObjectives) -> Multipliers:
    """The usual start: the triangle's upper edge, and the lower line that loses less area."""
    width = np.maximum(batch.upper - batch.lower, 1.0)
    above = np.clip(
        np.floor((batch.upper / STEP + np.floor(width / 2)) / width) * STEP, 0, 1
    )  # as the checker has it
    below = (batch.upper > -batch.lower).astype(np.float64)
    return Multipliers(below, above, np.zeros_like(above))


@dataclass(frozen=True, eq=False)
class Bounds:
    """`upper`: proved bounds (functions,), -inf where there is no word.  The rest serves branching and the derivative.

    `words`, `states`: the path that attains it; `coefficients` (functions, k): of each ReLU's output when it was replaced.
    """

    upper: np.ndarray
    words: np.ndarray
    states: np.ndarray
    coefficients: np.ndarray


def bounds(
    problem: FloatQueries, batch: RowObjectives, multipliers: Multipliers, *, trace: bool = True
) -> Bounds:
    """Upper bounds of the batch's functions for multipliers that lie on the grid."""
    count, k = len(batch), problem.count
    chosen = problem.relus[batch.target] * batch.sign[:, None]
    into = np.zeros((count, len(problem.reach)))
    into[np.arange(count), batch.target] = batch.sign
    added = np.zeros(count)
    size = problem.reach[batch.target]  # bounds every partial sum so far
    expanded = problem.total[batch.target]  # the sum of all absolute products so far
    depth = np.zeros(count)
    is_open = batch.phase == 0
    for group in reversed(problem.groups):
        here = chosen[:, group]
        plus, minus = np.maximum(here, 0), np.minimum(here, 0)
        above, below, beta = (
            multipliers.above[:, group],
            multipliers.below[:, group],
            multipliers.beta[:, group],
        )
        lower, upper = batch.lower[:, group], batch.upper[:, group]
        opened, phase = is_open[:, group], batch.phase[:, group]
        lift = np.maximum(-above * lower, (1 - above) * upper)
        passed = np.where(opened, plus * above + minus * below, np.where(phase > 0, here + beta, -beta))
        added += (plus * np.where(opened, lift, 0)).sum(axis=1)
        lifted = (plus * np.maximum(-lower, upper)).sum(axis=1)
        size = size + lifted + np.abs(passed) @ problem.reach[group]
        expanded = expanded + lifted + np.abs(passed) @ problem.total[group]
        depth += here.any(axis=1) | passed.any(axis=1)
        into[:, group] += passed
        chosen[:, : group.start] += passed @ problem.relus[group, : group.start]
    rows, length, symbols = problem.symbols.shape
    weights = problem.symbols.reshape(rows, -1).T @ into.T
    weights = weights.reshape(length, symbols, count)
    if batch.symbol_mask is not None:
        weights += batch.symbol_mask
    value, words, states = problem.paths.best(weights, batch.state_mask, trace=trace)
    upper_bounds = value + (into @ problem.constant + added)
    operations = 2 + (len(problem.groups) + 1) * (k + len(problem.groups) + 4) + rows + length + 8
    rounded = (size * 2.0 ** (GRID * depth) >= EXACT) | (not problem.exact)
    upper_bounds = np.where(rounded, upper_bounds + expanded * (operations * 2.0**-51), upper_bounds)
    return Bounds(upper_bounds, words, states, chosen)


def derivative(
    problem: FloatQueries, batch: RowObjectives, multipliers: Multipliers, found: Bounds, own: np.ndarray
) -> Multipliers:
    """How the bounds change with each multiplier (a subgradient): by a forward pass of the relaxed network on the words.

    `own` (functions, rows): the symbol part of the rows on `found.words`.
    """
    relaxed = np.zeros((len(batch), problem.count))
    inner = own[:, : problem.count].copy()
    by_below, by_above, by_beta = (np.zeros_like(relaxed) for _ in range(3))
    for group in problem.groups:
        x = inner[:, group]
        lower, upper, phase = batch.lower[:, group], batch.upper[:, group], batch.phase[:, group]
        above, below = multipliers.above[:, group], multipliers.below[:, group]
        coefficient = found.coefficients[:, group]
        positive = coefficient >= 0
        low_side = -above * lower >= (1 - above) * upper
        lift = np.where(low_side, -above * lower, (1 - above) * upper)
        opened = phase == 0
        relaxed[:, group] = np.where(
            opened, np.where(positive, above * x + lift, below * x), np.where(phase > 0, x, 0)
        )
        by_above[:, group] = np.where(
            opened & positive, coefficient * (x + np.where(low_side, -lower, -upper)), 0
        )
        by_below[:, group] = np.where(opened & ~positive, coefficient * x, 0)
        by_beta[:, group] = phase * x
        inner[:, group.stop :] += relaxed[:, group] @ problem.relus[group.stop : problem.count, group].T
    return Multipliers(by_below, by_above, by_beta)


@dataclass(frozen=True, eq=False)
class Minimised:
    """The best bounds found, their multipliers and what attains them; `own` are the symbol parts of the rows on the words.

    `seen`: (function, word, states) arrays of every step, for branching; `violations`: words on which a target row is >= 0.
    """

    bounds: Bounds
    multipliers: Multipliers
    own: np.ndarray
    seen: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    violations: tuple[tuple[int, ...], ...]


def minimise(
    problem: FloatQueries,
    batch: RowObjectives,
    start: Multipliers,
    iterations: int,
    *,
    ambition: float = 1.0,
    deadline: float = math.inf,
) -> Minimised:
    """Projected subgradient steps (Polyak's step towards a bound just below 0, deflected as by Camerini, Fratta, Maffioli 1975).

    `ambition`: which part of the way to 0 a step aims at.  Stops for each function as soon as its bound is negative, for all at `deadline` and when a word violates a target row (>= 0, sign 1).
    """
    count = len(batch)
    active = np.arange(count)
    current = start.rounded()
    best = bounds(problem, batch, current)
    own_best = problem.values(best.words)
    kept, seen = current, [(active, best.words, best.states)]
    scale = _beta_scale(problem, batch)
    violations = _violations(problem, batch, best.words, own_best, best.upper)
    part, found, own, direction = batch, best, own_best, None
    target_scale = np.maximum(np.abs(best.upper), 1.0)
    for _ in range(iterations):
        if violations or time.monotonic() > deadline:
            break
        ahead = (found.upper >= 0) & np.isfinite(found.upper)
        if not ahead.all():
            rows = np.flatnonzero(ahead)
            if not len(rows):
                break
            active, part, current, own = active[rows], part[rows], current[rows], own[rows]
            found = Bounds(found.upper[rows], found.words[rows], found.states[rows], found.coefficients[rows])
            scale, target_scale = scale[rows], target_scale[rows]
            direction = None if direction is None else direction[rows]
        slope = derivative(problem, part, current, found, own)
        gradient = np.stack([slope.below, slope.above, slope.beta * scale])
        point = np.stack([current.below, current.above, current.beta / scale])
        gradient = gradient.transpose(1, 0, 2)
        point = point.transpose(1, 0, 2)
        blocked = ((point <= 0) & (gradient > 0)) | (
            (point >= 1) & (gradient < 0) & (np.arange(3) < 2)[None, :, None]
        )
        gradient = np.where(blocked, 0, gradient)
        if direction is not None:
            back = (gradient * direction).sum(axis=(1, 2))
            length = np.maximum((direction**2).sum(axis=(1, 2)), 1e-300)
            gradient = gradient + np.maximum(0, -1.5 * back / length)[:, None, None] * direction
        direction = gradient
        norm = (gradient**2).sum(axis=(1, 2))
        gap = ambition * (found.upper + 0.05 * target_scale)
        step = np.where(norm > TINY, gap / np.maximum(norm, TINY), 0)
        point = point - step[:, None, None] * gradient
        current = Multipliers(
            np.clip(point[:, 0], 0, 1), np.clip(point[:, 1], 0, 1), np.maximum(point[:, 2], 0) * scale
        ).rounded()  # fmt: skip
        found = bounds(problem, part, current)
        own = problem.values(found.words)
        violations = _violations(problem, part, found.words, own, found.upper)
        seen.append((active, found.words, found.states))
        better = found.upper < best.upper[active]
        if better.any():
            to = active[better]
            for whole, new in ((best.upper, found.upper), (best.words, found.words), (best.states, found.states),
                               (best.coefficients, found.coefficients), (own_best, own)):  # fmt: skip
                whole[to] = new[better]
            for whole, new in (
                (kept.below, current.below),
                (kept.above, current.above),
                (kept.beta, current.beta),
            ):
                whole[to] = new[better]
    return Minimised(best, kept, own_best, tuple(seen), violations)


def _beta_scale(problem: FloatQueries, batch: RowObjectives) -> np.ndarray:
    """A natural size for each beta: the largest coefficient that the ReLU's output can get, or 1."""
    most = np.abs(problem.relus[batch.target])
    for group in reversed(problem.groups):
        most[:, : group.start] += most[:, group] @ np.abs(problem.relus[group, : group.start])
    return np.maximum(most, 1.0)


def _violations(
    problem: FloatQueries, batch: RowObjectives, words: np.ndarray, own: np.ndarray, upper: np.ndarray
) -> tuple[tuple[int, ...], ...]:
    """Distinct words on which their function's violation row is not negative, checked in integers."""
    rows = problem.exact_rows(own)[np.arange(len(batch)), batch.target]
    hits = np.flatnonzero((rows >= 0) & (batch.target >= problem.count) & np.isfinite(upper))
    found = {tuple(map(int, words[i])): int(batch.target[i]) for i in hits}
    return tuple(word for word, row in found.items() if problem.violates(row, word))
