"""The words of a language as heads times tails, cut at one layer of its automaton.  For `tree.py`.

A state of that layer joins all heads that reach it with all tails that leave it.  States with the same tails
(whatever labels they lead to) are of one kind, so that blocks do not get small where a program has many
states.  Most languages have one kind, padded ones two.  Tails are few and are kept.  Heads are streamed with
the sums along them; what heads have in common is summed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from ....models.automata.automaton import Automaton


@dataclass(frozen=True)
class SplitSizes:
    """Limits of memory and shapes of work, as counts of numbers held at a time.

    tails, heads: the most tails and heads in memory.
    cells: the most values of one layer in one block.
    across: the most heads in one block.
    labels: the most labels kept for pairs of a tail and a state.
    """

    tails: int = 1 << 12
    heads: int = 1 << 13
    cells: int = 1 << 18
    across: int = 1 << 9
    labels: int = 1 << 22


@dataclass(frozen=True, eq=False)
class Heads:
    """Beginnings of words up to one layer.

    states (heads,): where each ends.
    words (heads, layer): its symbols.
    sums (heads, rows): the sum of its symbols' rows in the tables.
    """

    states: np.ndarray
    words: np.ndarray
    sums: np.ndarray

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: slice | np.ndarray) -> Heads:
        """Select some heads."""
        return Heads(self.states[rows], self.words[rows], self.sums[rows])


@dataclass(frozen=True, eq=False)
class Tails:
    """The ends of words from states of one kind.

    words (tails, length - layer): the symbols.
    labels (tails, states of the kind): the label's index, for each state that the tail may begin at.
    """

    words: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class _Edges:
    """One layer of edges, sorted by source: those of state s are first[s] .. first[s + 1]."""

    source: np.ndarray
    symbol: np.ndarray
    target: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, layer: tuple[tuple[int, int, int], ...], states: int) -> _Edges:
        """Make one layer of an automaton; `states` is the number of its states."""
        source, symbol, target = (
            np.fromiter(chain.from_iterable(layer), dtype=np.int64, count=3 * len(layer)).reshape(-1, 3).T
        )
        return cls(source, symbol, target, np.searchsorted(source, np.arange(states + 1)))

    def following(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all edges that leave the states in `states`: each one's row there, and the edge."""
        degree = self.first[states + 1] - self.first[states]
        row = np.repeat(np.arange(len(states)), degree)
        return row, np.arange(len(row)) + np.repeat(self.first[states] - (np.cumsum(degree) - degree), degree)


@dataclass(frozen=True, eq=False)
class Split:
    """A language cut at layer `at`.

    kind (states,): each state's kind.
    column (states,): each state's column in the labels of its kind.
    tails: per kind.
    reach: per layer up to `at` and state, the number of heads that go on from there.
    """

    at: int
    edges: tuple[_Edges, ...]
    initial: int
    kind: np.ndarray
    column: np.ndarray
    tails: tuple[Tails, ...]
    reach: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, language: Automaton, sizes: SplitSizes, label_type: np.dtype) -> Split:
        """Cut at the layer that makes the least work, among those whose tails fit the limits."""
        edges = [_Edges.of(layer, n) for layer, n in zip(language.edges, language.layer_sizes, strict=False)]
        heads: list[np.ndarray] = [np.ones(language.layer_sizes[0])]
        for t, e in enumerate(edges):  # exact: domains are far below 2**53
            heads.append(
                np.bincount(e.target, weights=heads[-1][e.source], minlength=language.layer_sizes[t + 1])
            )
        best, least = None, np.inf
        for at, kind, tails in _kinds(edges, language.layer_sizes, sizes):
            if (work := _work(heads[at], kind, tails, sizes)) < least:
                best, least = (at, kind), work
            elif work > 4 * least:
                break
        assert best is not None
        at, kind = best
        reach = [np.ones(language.layer_sizes[at], dtype=np.int64)]
        for e in reversed(edges[:at]):
            reach.insert(0, np.add.reduceat(reach[0][e.target], e.first[:-1]))
        column = np.zeros(len(kind), dtype=np.int64)
        parts = []
        for q in range(int(kind.max()) + 1):
            states = np.flatnonzero(kind == q)
            column[states] = np.arange(len(states))
            parts.append(_tails(edges, at, states, np.array(language.labels).astype(label_type)))
        return cls(at, tuple(edges), language.layer_sizes[0], kind, column, tuple(parts), tuple(reach))

    def present(self, symbol_count: int) -> np.ndarray:
        """Return which symbols occur at each position, (length, symbol_count)."""
        out = np.zeros((len(self.edges), symbol_count), dtype=bool)
        for t, e in enumerate(self.edges):
            out[t, e.symbol] = True
        return out

    def heads(self, tables: np.ndarray, limit: int) -> Iterator[Heads]:
        """Yield all heads in dictionary order, at most `limit` at a time.

        tables (length, symbols, rows): what symbols add to the sums.
        """
        nothing = np.zeros((self.initial, tables.shape[2]), dtype=tables.dtype)
        stack = [(0, Heads(np.arange(self.initial), np.zeros((self.initial, 0), dtype=np.int16), nothing))]
        while stack:
            t, heads = stack.pop()
            ends = np.cumsum(self.reach[t][heads.states])
            if ends[-1] > limit and len(heads) > 1:
                cut = max(1, int(np.searchsorted(ends, limit, side="right")))
                stack += [(t, heads[cut:]), (t, heads[:cut])]
            elif t < self.at:
                stack.append((t + 1, self._longer(t, heads, tables[t])))
            else:
                yield heads

    def _longer(self, t: int, heads: Heads, table: np.ndarray) -> Heads:
        row, edge = self.edges[t].following(heads.states)
        symbol = self.edges[t].symbol[edge]
        words = np.concatenate([heads.words[row], symbol[:, None].astype(np.int16)], axis=1)
        return Heads(self.edges[t].target[edge], words, heads.sums[row] + table[symbol])


def _kinds(
    edges: list[_Edges], layer_sizes: tuple[int, ...], sizes: SplitSizes
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield layers from the last one backwards while their tails fit the limits.

    Yields the layer, its states' kinds, and each kind's number of tails.
    """
    at = len(edges)
    kind, tails = np.zeros(layer_sizes[-1], dtype=np.int64), np.ones(1, dtype=np.int64)
    while True:
        yield at, kind, tails
        if at == 0:
            return
        at -= 1
        e = edges[at]
        key, count = (
            e.symbol * len(tails) + kind[e.target],
            np.add.reduceat(tails[kind[e.target]], e.first[:-1]),
        )
        known: dict[bytes, int] = {}
        bounds = e.first.tolist()
        kind = np.array([known.setdefault(key[i:j].tobytes(), len(known)) for i, j in pairwise(bounds)])
        tails = np.zeros(len(known), dtype=np.int64)
        tails[kind] = count
        if tails.sum() > sizes.tails or count.sum() > sizes.labels:
            return


def _work(heads: np.ndarray, kind: np.ndarray, tails: np.ndarray, sizes: SplitSizes) -> float:
    """Estimate the cost of a cut, in words.

    A kind costs as much as 8000 words, a group of heads 4000, each tail that a group meets 100 more, and
    every head 30.
    """
    count = np.bincount(kind, weights=heads, minlength=len(tails))
    groups = np.maximum(np.ceil(count / sizes.across), np.minimum(count, np.ceil(count.sum() / sizes.heads)))
    return float((tails * (count + 100 * groups + 100) + 4000 * groups + 8000).sum() + 30 * count.sum())


def _tails(edges: list[_Edges], at: int, states: np.ndarray, labels: np.ndarray) -> Tails:
    """Return the tails of states of one kind; their order is the same for each state."""
    current, words = states, np.zeros((len(states), 0), dtype=np.int16)
    for e in edges[at:]:
        row, edge = e.following(current)
        words = np.concatenate([words[row], e.symbol[edge][:, None].astype(np.int16)], axis=1)
        current = e.target[edge]
    count = len(current) // len(states)
    found = labels[current].reshape(len(states), count).T
    return Tails(words[:count], np.ascontiguousarray(found))
