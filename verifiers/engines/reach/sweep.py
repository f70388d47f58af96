"""Sweeps over an unrolled network: moves all prefixes of one length forward by one symbol.

Comes after `unrolled.py`; `chunks.py` drives it.  Prefixes are kept as distinct pairs of an automaton state
and the network's sums.  Equal entries are merged, so a recurrent network needs as many entries as its cell
has states.  A relaxed sweep also merges entries that are close.  An entry is then a box, low to high in every
sum, that contains all prefixes it stands for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....common.errors import Unsupported
from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ....models.network.integers import exact_matmul
from .unrolled import WIDEST, Moment, moments, rows_of

# For hashes, which only speed up: equality is checked.
MULTIPLIERS = np.random.default_rng(20261).integers(-(2**62), 2**62, size=4096) | 1
# Cells of a relaxed sweep grow by this factor until there are few enough, and shrink before the next symbol.
GROW, SHRINK = 1.5, 0.5
SAFE_COUNT = 2**62


@dataclass(frozen=True, eq=False)
class Entries:
    """Prefixes after `t` symbols, those with equal state and sums together.

    state (entries,): the state of the automaton.
    low, high (entries, columns): boxes of the sums; the same array where the boxes are points.
    weight (entries,): how many prefixes each entry stands for; Python integers where 64 bits might not do.
    """

    t: int
    state: np.ndarray
    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.state)

    def take(self, chosen: np.ndarray) -> Entries:
        """Select some entries."""
        low = self.low[chosen]
        return Entries(
            self.t,
            self.state[chosen],
            low,
            low if self.high is self.low else self.high[chosen],
            self.weight[chosen],
        )


@dataclass(frozen=True, eq=False)
class SweepStep:
    """Where entries came from: the index of the entry before, and the symbol that was read."""

    parent: np.ndarray
    symbol: np.ndarray

    def take(self, chosen: np.ndarray) -> SweepStep:
        """Select the steps to some entries."""
        return SweepStep(self.parent[chosen], self.symbol[chosen])


@dataclass(frozen=True, eq=False)
class Edges:
    """One layer of the automaton, sorted by source: state s has `degree[s]` edges from `first[s]` on."""

    first: np.ndarray
    degree: np.ndarray
    symbol: np.ndarray
    target: np.ndarray

    @classmethod
    def of(cls, language: Automaton) -> tuple[Edges, ...]:
        """Make the layers of an automaton."""
        out = []
        for edges, states in zip(language.edges, language.layer_sizes, strict=False):
            source, symbol, target = np.array(edges, dtype=np.int64).reshape(-1, 3).T.copy()
            first = np.searchsorted(source, np.arange(states))
            out.append(cls(first, np.diff(np.append(first, len(source))), symbol, target))
        return tuple(out)


class Unrolled:
    """A claim's network, with all words of the claim or those of `language`, ready to be swept.

    Raises Unsupported if a number of the network does not fit 64 bits.
    """

    def __init__(self, claim: WordClaim, language: Automaton | None = None) -> None:
        self.language = claim.language if language is None else language
        self.rows, self.margins = rows_of(claim)
        self.moments: tuple[Moment, ...] = moments(self.rows, self.margins, self.language.length)
        self.layers = Edges.of(self.language)
        self.labels = np.array(self.language.labels, dtype=np.int64)

    @cached_property
    def completions(self) -> tuple[np.ndarray, ...]:
        """Return, per layer and state, the number of words from there on."""
        dtype = np.int64 if self.language.size < SAFE_COUNT else object
        return tuple(np.array(counts, dtype=dtype) for counts in self.language.completions())

    def start(self) -> Entries:
        """Return the entries before the first symbol."""
        states = self.language.layer_sizes[0]
        nothing = np.zeros((states, 0), dtype=np.int64)
        low, high = self._moved(0, nothing, nothing, np.zeros(states, dtype=np.int64))
        return Entries(0, np.arange(states), low, high, np.ones(states, dtype=np.int64))

    def advanced(self, entries: Entries) -> tuple[Entries, SweepStep]:
        """Move every entry by every symbol; return the new entries and where they came from.

        Raises Unsupported if the sums do not fit 64 bits.
        """
        edges = self.layers[entries.t]
        degree = edges.degree[entries.state]
        parent = np.repeat(np.arange(len(entries)), degree)
        ends = np.cumsum(degree)
        edge = np.arange(len(parent)) + np.repeat(edges.first[entries.state] - (ends - degree), degree)
        symbol, weight = edges.symbol[edge], entries.weight[parent]
        if (
            weight.dtype != object
            and self.language.size >= SAFE_COUNT
            and len(weight)
            and int(weight.max()) * len(weight) >= SAFE_COUNT
        ):
            weight = weight.astype(object)
        low = entries.low[parent]
        high = low if entries.high is entries.low else entries.high[parent]
        low, high = self._moved(entries.t + 1, low, high, symbol)
        return Entries(entries.t + 1, edges.target[edge], low, high, weight), SweepStep(parent, symbol)

    def _moved(
        self, t: int, low: np.ndarray, high: np.ndarray, symbol: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums after the t-th symbol; `low` and `high` are overwritten."""
        moment, points = self.moments[t], high is low
        _fits(_largest(low, high) + _largest(moment.step, moment.fresh))
        out = []
        for array in (low,) if points else (low, high):
            array += moment.step[symbol]
            out.append(
                np.concatenate([array, moment.fresh[symbol]], axis=1) if moment.fresh.shape[1] else array
            )
        low, high = out[0], out[-1]
        for done in moment.completions:
            small = np.maximum(low[:, done.columns], 0)
            _fits(
                _largest(low, high)
                + _largest(small, high) * int(np.abs(done.weights).sum(axis=1, dtype=object).max(initial=0))
            )
            if points:
                low[:, done.readers] += exact_matmul(small, done.weights.T)
                continue
            large = np.maximum(high[:, done.columns], 0)
            up, down = np.maximum(done.weights, 0).T, np.minimum(done.weights, 0).T
            low[:, done.readers] += exact_matmul(small, up) + exact_matmul(large, down)
            high[:, done.readers] += exact_matmul(large, up) + exact_matmul(small, down)
        low = low[:, moment.kept]
        return low, low if points else high[:, moment.kept]

    def decided(self, entries: Entries) -> tuple[np.ndarray, np.ndarray]:
        """Find the entries of whole words with only the program's label, and those that never have it."""
        label, low, high = self.labels[entries.state], entries.low, entries.high
        n = len(entries)
        # The margin of label 0 is 0.  The network gives a label iff its margin is larger than all earlier
        # ones, and no later one is larger.
        low = np.concatenate([np.zeros((n, 1), dtype=np.int64), low], axis=1)
        high = np.concatenate([np.zeros((n, 1), dtype=np.int64), high], axis=1)
        here = np.arange(n)
        own_low, own_high = low[here, label][:, None], high[here, label][:, None]
        earlier, later = (
            np.arange(self.margins + 1) < label[:, None],
            np.arange(self.margins + 1) > label[:, None],
        )
        right = np.all(~(earlier & (own_low <= high)) & ~(later & (own_low < high)), axis=1)
        wrong = np.any((earlier & (low >= own_high)) | (later & (low > own_high)), axis=1)
        return np.asarray(right), np.asarray(wrong)


def _largest(*arrays: np.ndarray) -> int:
    return max((max(abs(int(a.max())), abs(int(a.min()))) for a in arrays if a.size), default=0)


def _fits(bound: int) -> None:
    if bound >= WIDEST:
        raise Unsupported("the sums of the unrolled network do not fit 64 bits")


def merged(entries: Entries, step: SweepStep) -> tuple[Entries, SweepStep]:
    """Merge equal entries, whose boxes have to be points."""
    if len(entries) < 2:
        return entries, step
    order, first = runs(entries.low, entries.state)
    if len(first) == len(order):
        return entries, step
    kept = order[first]
    low = entries.low[kept]
    return Entries(
        entries.t, entries.state[kept], low, low, np.add.reduceat(entries.weight[order], first)
    ), step.take(kept)


def runs(keys: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an order in which equal pairs (state, key) are adjacent, and where each run of them begins."""
    with np.errstate(over="ignore"):
        mixed = keys @ MULTIPLIERS[: keys.shape[1]] + state * MULTIPLIERS[-1]
        mixed ^= mixed >> 29
    order = np.argsort(mixed, kind="stable")
    sorted_hash = mixed[order]
    same_hash = sorted_hash[1:] == sorted_hash[:-1]
    pairs = np.flatnonzero(same_hash)
    left, right = order[pairs], order[pairs + 1]
    # If two different pairs have the same hash, sort by everything.
    if not ((keys[left] == keys[right]).all() and (state[left] == state[right]).all()):
        order = np.lexsort([*keys.T, state])
        same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1) & (state[order[1:]] == state[order[:-1]])
        return order, np.flatnonzero(np.concatenate([[True], ~same]))
    return order, np.flatnonzero(np.concatenate([[True], ~same_hash]))


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What a relaxed sweep says about the entries that went in.

    maybe_wrong, maybe_right (entries,): whether some word that begins with the entry may be wrong, or right.
    leads, tails: some ways to ends that may be wrong: the entry (ways,) and the symbols after it (ways,
        symbols).
    """

    maybe_wrong: np.ndarray
    maybe_right: np.ndarray
    leads: np.ndarray
    tails: np.ndarray


def relaxed(
    network: Unrolled, entries: Entries, width: int, deadline: float, most: int = 64
) -> Relaxed | None:
    """Sweep to the end with about `width` boxes per layer at most; None if the time is up.

    deadline: a time of `time.monotonic()`.
    most: the largest number of ways to return.
    """
    here = entries
    if here.high is here.low:
        here = Entries(here.t, here.state, here.low, here.low.copy(), here.weight)
    trail: list[SweepStep] = []
    cells: list[tuple[np.ndarray, np.ndarray]] = []
    size = 0.0
    while here.t < network.language.length:
        if time.monotonic() > deadline:
            return None
        following, step = network.advanced(here)
        cell, leader, boxed, size = _boxed(following, width, size)
        cells.append((step.parent, cell))
        here, step = boxed, step.take(leader)
        trail.append(step)
    right, wrong = network.decided(here)
    flags = np.stack([~right, ~wrong], axis=1)
    ends = np.flatnonzero(~right)[:most]
    tails = np.zeros((len(ends), len(trail)), dtype=np.int64)
    for k in reversed(range(len(trail))):
        tails[:, k], ends = trail[k].symbol[ends], trail[k].parent[ends]
        parent, cell = cells[k]
        before = np.zeros((len(entries) if k == 0 else len(trail[k - 1].parent), 2), dtype=bool)
        for kind in range(2):
            before[parent[flags[cell, kind]], kind] = True
        flags = before
    return Relaxed(flags[:, 0], flags[:, 1], ends, tails)


def _boxed(entries: Entries, width: int, size: float) -> tuple[np.ndarray, np.ndarray, Entries, float]:
    """Join entries that are close into about `width` boxes at most.

    size: the size of the cells that served at the symbol before.

    Returns each entry's box, the leading entry of each box, the boxes, and the size of the cells used.
    """
    middle = (entries.low + entries.high).astype(np.float64)
    middle -= middle.min(axis=0)
    spread = float(middle.max(initial=0))
    keys = np.concatenate([entries.low, entries.high], axis=1)
    order, first = runs(keys, entries.state)
    size = max(size * SHRINK, spread * 1e-6, 1e-9)
    while len(first) > width and size <= spread:
        size *= GROW
        order, first = runs(np.floor(middle / size).astype(np.int64), entries.state)
    cell = np.zeros(len(entries), dtype=np.int64)
    cell[order] = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(order))))
    leader = order[first]
    low = np.minimum.reduceat(entries.low[order], first, axis=0)
    high = np.maximum.reduceat(entries.high[order], first, axis=0)
    boxes = Entries(entries.t, entries.state[leader], low, high, np.ones(len(first), dtype=np.int64))
    return cell, leader, boxes, size
