"""Sets of words as layered graphs in arrays: one path per word, refined by rounded sums, cut down edge by
edge.

The same as an automaton (`models/automata/automaton.py`), but large: 10^6 edges are usual.  `bounds.py`
maximizes over it.  A refinement by a linear function remembers at every node the function's rounded sum so
far, so that words with different sums end at different nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....models.automata.automaton import Automaton
from .problem import SAFE

DENSE = 1 << 22  # keys that are looked up in a table instead of sorted


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """Edges from one layer to the next, sorted by source; every source and every target has at least one."""

    source: np.ndarray
    symbol: np.ndarray
    target: np.ndarray

    @cached_property
    def first(self) -> np.ndarray:
        """Where each source's edges begin."""
        return np.flatnonzero(np.concatenate([[True], self.source[1:] != self.source[:-1]]))

    @cached_property
    def degree(self) -> np.ndarray:
        """How many edges each source has."""
        return np.diff(np.append(self.first, len(self.source)))

    @cached_property
    def incoming(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources and symbols of the edges ordered by target, and where each target's begin."""
        order = np.argsort(self.target, kind="stable")
        target = self.target[order]
        return (
            self.source[order],
            self.symbol[order],
            np.flatnonzero(np.concatenate([[True], target[1:] != target[:-1]])),
        )


@dataclass(frozen=True, eq=False)
class Graph:
    """A non-empty language.  Every node lies on a path from the first layer to the last."""

    sizes: tuple[int, ...]
    layers: tuple[GraphLayer, ...]

    @property
    def length(self) -> int:
        return len(self.layers)

    @cached_property
    def edges(self) -> int:
        return sum(len(layer.source) for layer in self.layers)

    @property
    def full(self) -> list[np.ndarray]:
        """Per layer, all edges, as masks for `kept`."""
        return [np.ones(len(layer.source), dtype=bool) for layer in self.layers]

    @cached_property
    def size(self) -> int:
        """The number of words."""
        return int(self.completions[0].sum())

    @cached_property
    def completions(self) -> list[np.ndarray]:
        """Per layer and node, the number of words from there on; Python integers if 64 bits might not do."""
        tables = [np.ones(self.sizes[-1], dtype=np.int64)]
        for layer in reversed(self.layers):
            counts = tables[-1][layer.target]
            if counts.dtype != object and len(counts) and int(counts.max()) * len(counts) >= SAFE:
                counts = counts.astype(object)
            tables.append(np.add.reduceat(counts, layer.first))
        return tables[::-1]

    def forward(self, weights: np.ndarray) -> Iterator[np.ndarray]:
        """Per layer (nodes, functions): the most that a word adds up to there; weights (positions, symbols,
        functions).
        """
        table = np.zeros((self.sizes[0], weights.shape[2]), dtype=weights.dtype)
        yield table
        for t, layer in enumerate(self.layers):
            source, symbol, first = layer.incoming
            table = np.maximum.reduceat(table[source] + weights[t, symbol], first, axis=0)
            yield table

    def backward(self, weights: np.ndarray, end: np.ndarray) -> list[np.ndarray]:
        """Per layer (nodes, functions): the most that a word adds from there on, `end` (nodes, functions)
        included.
        """
        tables = [end]
        for t in reversed(range(self.length)):
            layer = self.layers[t]
            tables.append(
                np.maximum.reduceat(weights[t, layer.symbol] + tables[-1][layer.target], layer.first, axis=0)
            )
        return tables[::-1]

    def best(self, weights: np.ndarray, tables: list[np.ndarray], functions: np.ndarray) -> np.ndarray:
        """Per function, the word that attains the most in tables[0] (of `backward`)."""
        node = tables[0][:, functions].argmax(axis=0)
        words = np.zeros((len(functions), self.length), dtype=np.int64)
        for t, layer in enumerate(self.layers):
            begin = layer.first[node]
            degree = layer.degree[node]
            edge = begin[:, None] + np.minimum(np.arange(int(degree.max())), degree[:, None] - 1)
            gain = (
                weights[t, layer.symbol[edge], functions[:, None]]
                + tables[t + 1][layer.target[edge], functions[:, None]]
            )
            chosen = edge[np.arange(len(node)), gain.argmax(axis=1)]
            words[:, t], node = layer.symbol[chosen], layer.target[chosen]
        return words

    def sampled(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Words (count, length) that are best for random functions."""
        symbols = 1 + max((int(layer.symbol.max()) for layer in self.layers), default=0)
        weights = rng.normal(size=(self.length, symbols, count))
        return self.best(weights, self.backward(weights, np.zeros((self.sizes[-1], count))), np.arange(count))

    def kept(self, masks: list[np.ndarray], ends: np.ndarray) -> Graph | None:
        """The words all of whose edges are in `masks` and that end in `ends`; None where there are none."""
        alive = ends
        masks = list(masks)
        for t in reversed(range(self.length)):
            masks[t] = masks[t] & alive[self.layers[t].target]
            alive = np.zeros(self.sizes[t], dtype=bool)
            alive[self.layers[t].source[masks[t]]] = True
        if not alive.any():
            return None
        number = np.cumsum(alive) - 1
        sizes, layers = [int(alive.sum())], []
        for t, layer in enumerate(self.layers):
            mask = masks[t] & alive[layer.source]
            source, target = number[layer.source[mask]], layer.target[mask]
            alive = np.zeros(self.sizes[t + 1], dtype=bool)
            alive[target] = True
            number = np.cumsum(alive) - 1
            layers.append(GraphLayer(source, layer.symbol[mask], number[target]))
            sizes.append(int(alive.sum()))
        return Graph(tuple(sizes), tuple(layers))

    def refined(self, sums: np.ndarray, most: int) -> Graph | None:
        """The same words, each node split by the sum so far of sums[t, symbol] (integers); None beyond `most`
        edges.
        """
        state, total = np.arange(self.sizes[0]), np.zeros(self.sizes[0], dtype=np.int64)
        sizes, layers, edges = [len(state)], [], 0
        for t, layer in enumerate(self.layers):
            degree = layer.degree[state]
            edges += int(degree.sum())
            if edges > most:
                return None
            source = np.repeat(np.arange(len(state)), degree)
            ends = np.cumsum(degree)
            edge = np.arange(len(source)) + np.repeat(layer.first[state] - (ends - degree), degree)
            symbol = layer.symbol[edge]
            reached = total[source] + sums[t, symbol]
            lowest = int(reached.min())
            width = int(reached.max()) - lowest + 1
            keys, target = _numbered(
                layer.target[edge] * width + (reached - lowest), self.sizes[t + 1] * width
            )
            state, total = keys // width, keys % width + lowest
            layers.append(GraphLayer(source, symbol, target))
            sizes.append(len(keys))
        return Graph(tuple(sizes), tuple(layers))

    @cached_property
    def arrivals(self) -> np.ndarray:
        """Per final node, the number of words that end there."""
        counts = np.ones(self.sizes[0], dtype=np.int64)
        for layer in self.layers:
            source, _, first = layer.incoming
            counts = counts[source]
            if counts.dtype != object and int(counts.max()) * len(counts) >= SAFE:
                counts = counts.astype(object)
            counts = np.add.reduceat(counts, first)
        return counts

    def every(self, table: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
        """For all words: the sums (words, rows) of table[t, symbol] (rows,), and what `spelled` needs."""
        node, sums = np.arange(self.sizes[0]), np.zeros((self.sizes[0], table.shape[2]), dtype=table.dtype)
        ways = []
        for t, layer in enumerate(self.layers):
            degree = layer.degree[node]
            parent = np.repeat(np.arange(len(node)), degree)
            ends = np.cumsum(degree)
            edge = np.arange(len(parent)) + np.repeat(layer.first[node] - (ends - degree), degree)
            sums = sums[parent]
            sums += table[t, layer.symbol[edge]]
            ways.append((parent, layer.symbol[edge]))
            node = layer.target[edge]
        return sums, ways

    @staticmethod
    def spelled(ways: list[tuple[np.ndarray, np.ndarray]], chosen: np.ndarray) -> np.ndarray:
        """The chosen words (words, length)."""
        out = np.zeros((len(chosen), len(ways)), dtype=np.int64)
        for t in reversed(range(len(ways))):
            parent, symbol = ways[t]
            out[:, t], chosen = symbol[chosen], parent[chosen]
        return out


def _numbered(keys: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys (below `limit`) in order, and each key's place among them."""
    if limit > DENSE:
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.reshape(-1)
    there = np.zeros(limit, dtype=bool)
    there[keys] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[keys]


def of_automaton(language: Automaton) -> Graph:
    layers = [
        GraphLayer(*np.array(edges, dtype=np.int64).reshape(-1, 3).T.copy()) for edges in language.edges
    ]
    return Graph(language.layer_sizes, tuple(layers))
