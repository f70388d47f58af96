"""Sets of words as layered graphs in arrays, with one path per word.

The same as an automaton (`models/automata/automaton.py`), but for graphs of 10^6 edges and more.  `bounds.py`
maximizes linear functions over them.  A refinement by a linear function stores at every node the function's
rounded sum so far, so that words with different sums end at different nodes.  Edges can be removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....models.automata.automaton import Automaton
from .problem import SAFE

DENSE = 1 << 22  # up to this many possible keys, a table numbers them; beyond, sorting


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """The edges from one layer to the next, sorted by source.  Every source and target has an edge.

    source, symbol, target: arrays (edges,).
    """

    source: np.ndarray
    symbol: np.ndarray
    target: np.ndarray

    @cached_property
    def first(self) -> np.ndarray:
        """Return the index of each source's first edge."""
        return np.flatnonzero(np.concatenate([[True], self.source[1:] != self.source[:-1]]))

    @cached_property
    def degree(self) -> np.ndarray:
        """Return the number of edges of each source."""
        return np.diff(np.append(self.first, len(self.source)))

    @cached_property
    def incoming(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the edges' sources and symbols ordered by target, and each target's first place there."""
        order = np.argsort(self.target, kind="stable")
        target = self.target[order]
        return (
            self.source[order],
            self.symbol[order],
            np.flatnonzero(np.concatenate([[True], target[1:] != target[:-1]])),
        )


@dataclass(frozen=True, eq=False)
class Graph:
    """A language that is not empty.  Every node lies on a path from the first layer to the last.

    sizes: the number of nodes of each layer.
    layers: the edges, one layer per position.
    """

    sizes: tuple[int, ...]
    layers: tuple[GraphLayer, ...]

    @property
    def length(self) -> int:
        """Return the number of positions."""
        return len(self.layers)

    @cached_property
    def edges(self) -> int:
        """Return the number of edges."""
        return sum(len(layer.source) for layer in self.layers)

    @property
    def full(self) -> list[np.ndarray]:
        """Return masks for `kept` that keep all edges: one per layer."""
        return [np.ones(len(layer.source), dtype=bool) for layer in self.layers]

    @cached_property
    def size(self) -> int:
        """Return the number of words."""
        return int(self.completions[0].sum())

    @cached_property
    def completions(self) -> list[np.ndarray]:
        """Return, per layer and node, the number of words from there on.

        Counts are Python integers where 64 bits might not do.
        """
        tables = [np.ones(self.sizes[-1], dtype=np.int64)]
        for layer in reversed(self.layers):
            counts = tables[-1][layer.target]
            if counts.dtype != object and len(counts) and int(counts.max()) * len(counts) >= SAFE:
                counts = counts.astype(object)
            tables.append(np.add.reduceat(counts, layer.first))
        return tables[::-1]

    def forward(self, weights: np.ndarray) -> Iterator[np.ndarray]:
        """Yield, per layer (nodes, functions), the largest sum of a word's symbols up to a node.

        weights (positions, symbols, functions): what each symbol adds.
        """
        table = np.zeros((self.sizes[0], weights.shape[2]), dtype=weights.dtype)
        yield table
        for t, layer in enumerate(self.layers):
            source, symbol, first = layer.incoming
            table = np.maximum.reduceat(table[source] + weights[t, symbol], first, axis=0)
            yield table

    def backward(self, weights: np.ndarray, end: np.ndarray) -> list[np.ndarray]:
        """Return, per layer (nodes, functions), the largest sum of a word's symbols from a node on.

        weights (positions, symbols, functions): what each symbol adds.
        end (final nodes, functions): what is added at the end.
        """
        tables = [end]
        for t in reversed(range(self.length)):
            layer = self.layers[t]
            tables.append(
                np.maximum.reduceat(weights[t, layer.symbol] + tables[-1][layer.target], layer.first, axis=0)
            )
        return tables[::-1]

    def best(self, weights: np.ndarray, tables: list[np.ndarray], functions: np.ndarray) -> np.ndarray:
        """Return a word (functions, positions) that attains the maximum of each function.

        tables: what `backward` returned for `weights`.
        functions: the indices of the functions.
        """
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
        """Return words (count, positions) that are best for random linear functions."""
        symbols = 1 + max((int(layer.symbol.max()) for layer in self.layers), default=0)
        weights = rng.normal(size=(self.length, symbols, count))
        return self.best(weights, self.backward(weights, np.zeros((self.sizes[-1], count))), np.arange(count))

    def kept(self, masks: list[np.ndarray], ends: np.ndarray) -> Graph | None:
        """Return the words whose edges are all in `masks` and that end in `ends`; None if there are none.

        masks: per layer, a bool per edge.
        ends: a bool per final node.
        """
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
        """Split each node by the sum so far of sums[t, symbol] (integers); the words stay the same.

        Returns None if this takes more than `most` edges.
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
        """Return, per final node, the number of words that end there."""
        counts = np.ones(self.sizes[0], dtype=np.int64)
        for layer in self.layers:
            source, _, first = layer.incoming
            counts = counts[source]
            if counts.dtype != object and int(counts.max()) * len(counts) >= SAFE:
                counts = counts.astype(object)
            counts = np.add.reduceat(counts, first)
        return counts

    def every(self, table: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
        """Sum table[t, symbol] (positions, symbols, rows) over each word of the graph.

        Returns the sums (words, rows), and the steps from which `spelled` makes words.
        """
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
        """Return the chosen words (chosen, positions), from the steps that `every` returned."""
        out = np.zeros((len(chosen), len(ways)), dtype=np.int64)
        for t in reversed(range(len(ways))):
            parent, symbol = ways[t]
            out[:, t], chosen = symbol[chosen], parent[chosen]
        return out


def _numbered(keys: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct keys (below `limit`) in order, and each key's place among them."""
    if limit > DENSE:
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.reshape(-1)
    there = np.zeros(limit, dtype=bool)
    there[keys] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[keys]


def of_automaton(language: Automaton) -> Graph:
    """Make the graph of an automaton's language."""
    layers = [
        GraphLayer(*np.array(edges, dtype=np.int64).reshape(-1, 3).T.copy()) for edges in language.edges
    ]
    return Graph(language.layer_sizes, tuple(layers))
