"""Layered automata: a finite language of equally long words, each with a label, as a directed acyclic graph.

What a domain and a program become (`claims/language.py`), and what every encoder and bound over words builds
on: one path per word.  Words are padded to one length, so symbols are the tokens, then the pad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from ...common.deadline import check

_PARTS = itemgetter(0), itemgetter(1), itemgetter(2)  # of an edge


@dataclass(frozen=True)
class Automaton:
    """An unambiguous layered automaton: every accepted word has exactly one path.

    - `layer_sizes`: layer t has the states 0 to layer_sizes[t] - 1.  All states of layer 0 are initial.
    - `edges[t]`: (state, symbol, next state) from layer t to layer t + 1, sorted.
    - `labels[s]`: the label index of final state s.

    Every state lies on some path from the first to the last layer.  Raises ValueError if the parts do not
    fit.
    """

    symbol_count: int
    layer_sizes: tuple[int, ...]
    edges: tuple[tuple[tuple[int, int, int], ...], ...]
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.layer_sizes) != len(self.edges) + 1 or len(self.labels) != self.layer_sizes[-1]:
            raise ValueError("an automaton's layers, edges and labels do not fit")
        for t, layer in enumerate(self.edges):
            if not layer:
                continue
            sizes = (self.layer_sizes[t], self.symbol_count, self.layer_sizes[t + 1])
            source, symbol, target = (
                min(map(part, layer)) >= 0 and max(map(part, layer)) < size
                for part, size in zip(_PARTS, sizes, strict=True)
            )
            if not (source and target):
                raise ValueError(f"an edge of layer {t} leads outside its layers")
            if not symbol:
                raise ValueError(f"an edge of layer {t} reads an unknown symbol")

    @property
    def length(self) -> int:
        """Return the length of all words, in symbols."""
        return len(self.edges)

    @property
    def empty(self) -> bool:
        """Return whether there is no word."""
        return self.layer_sizes[-1] == 0

    @property
    def edge_count(self) -> int:
        """Return the number of edges."""
        return sum(map(len, self.edges))

    @property
    def deterministic(self) -> bool:
        """Return whether there is one initial state, and no state has two edges with one symbol."""
        return self.layer_sizes[0] <= 1 and all(
            len({(p, s) for p, s, _ in layer}) == len(layer) for layer in self.edges
        )

    def canonical(self) -> tuple[tuple[int, ...], ...]:
        """Return per layer the states in the order in which they are met.

        That is by the state before, in that order, then by symbol.  For a trimmed deterministic automaton, so
        that the k-th state of a layer means the same in every implementation.
        """
        order = [tuple(range(self.layer_sizes[0]))]
        for t, layer in enumerate(self.edges):
            place = {state: i for i, state in enumerate(order[t])}
            met = sorted((place[source], symbol, target) for source, symbol, target in layer)
            order.append(tuple(dict.fromkeys(target for _, _, target in met)))
        return tuple(order)

    def completions(self) -> tuple[tuple[int, ...], ...]:
        """Return per layer and state the exact number of words from there to the end."""
        counts = [[1] * self.layer_sizes[-1]]
        for t in reversed(range(self.length)):
            check()
            here = [0] * self.layer_sizes[t]
            for source, _, target in self.edges[t]:
                here[source] += counts[0][target]
            counts.insert(0, here)
        return tuple(map(tuple, counts))

    @cached_property
    def size(self) -> int:
        """Return the exact number of words."""
        return sum(self.completions()[0])

    def count_by_label(self, label_count: int) -> tuple[int, ...]:
        """Return exactly how many words have each label."""
        arrived = [1] * self.layer_sizes[0]
        for t, layer in enumerate(self.edges):
            following = [0] * self.layer_sizes[t + 1]
            for source, _, target in layer:
                following[target] += arrived[source]
            arrived = following
        counts = [0] * label_count
        for label, n in zip(self.labels, arrived, strict=True):
            counts[label] += n
        return tuple(counts)

    def restricted(self, label: int) -> Automaton:
        """Return the words with this label only, as a trimmed automaton, which may be empty.

        Takes time only for the states and edges on their paths.
        """
        finals, entering = self._backwards
        here = finals.get(label, [])
        sizes, edges = [len(here)], []
        for t in reversed(range(self.length)):
            number = {state: i for i, state in enumerate(here)}
            kept = [edge for state in here for edge in entering[t][state]]
            here = sorted({source for source, _, _ in kept})
            place = {state: i for i, state in enumerate(here)}
            edges.append(tuple(sorted((place[p], s, number[n]) for p, s, n in kept)))
            sizes.append(len(here))
        return trimmed(self.symbol_count, tuple(sizes[::-1]), tuple(edges[::-1]), (label,) * sizes[0])

    @cached_property
    def _backwards(self) -> tuple[dict[int, list[int]], list[list[list[tuple[int, int, int]]]]]:
        """Return the final states of each label, and per layer and target the edges that lead there."""
        finals: dict[int, list[int]] = {}
        for state, label in enumerate(self.labels):
            finals.setdefault(label, []).append(state)
        entering: list[list[list[tuple[int, int, int]]]] = []
        for t, layer in enumerate(self.edges):
            entering.append([[] for _ in range(self.layer_sizes[t + 1])])
            for edge in layer:
                entering[t][edge[2]].append(edge)
        return finals, entering

    def label_of(self, word: tuple[int, ...]) -> int | None:
        """Return the word's label index, or None if it is not in the language."""
        states = set(range(self.layer_sizes[0]))
        for t, symbol in enumerate(word):
            states = {target for source, s, target in self.edges[t] if s == symbol and source in states}
        return self.labels[states.pop()] if states else None

    def without(self, words: Iterable[tuple[int, ...]]) -> Automaton:
        """Return the language without these words: the product with the tree of their prefixes."""
        blocked = set(words)
        if not blocked:
            return self
        prefixes = [{word[:t] for word in blocked} for t in range(self.length + 1)]
        here: dict[tuple[int, tuple[int, ...] | None], int] = {(s, ()): s for s in range(self.layer_sizes[0])}
        sizes, edges = [self.layer_sizes[0]], []
        for t, layer in enumerate(self.edges):
            check()
            outgoing = _by_source(layer, self.layer_sizes[t])
            following: dict[tuple[int, tuple[int, ...] | None], int] = {}
            rows = []
            for (state, prefix), number in here.items():
                for symbol, target in outgoing[state]:
                    longer = None if prefix is None else (*prefix, symbol)
                    key = (target, longer if longer in prefixes[t + 1] else None)
                    rows.append((number, symbol, following.setdefault(key, len(following))))
            edges.append(tuple(sorted(rows)))
            sizes.append(len(following))
            here = following
        labels = tuple(None if prefix in blocked else self.labels[state] for state, prefix in here)
        return trimmed(self.symbol_count, tuple(sizes), tuple(edges), labels)

    def words(self, batch: int = 1 << 14) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield all words in batches, depth-first, in edge order.

        Each batch has symbols, (n, length) int16, and label indices, (n,) int64.
        """
        outgoing = [_by_source(layer, n) for layer, n in zip(self.edges, self.layer_sizes, strict=False)]
        completions = self.completions()
        stack = [(0, s, np.zeros((1, 0), dtype=np.int16)) for s in reversed(range(self.layer_sizes[0]))]
        pending: list[tuple[np.ndarray, np.ndarray]] = []
        held = 0
        while stack:
            check()
            t, state, prefix = stack.pop()
            if t < self.length and completions[t][state] > batch:
                for symbol, target in reversed(outgoing[t][state]):
                    stack.append((t + 1, target, np.append(prefix, np.int16(symbol)).reshape(1, -1)))
                continue
            tails, labels = self._expand(outgoing, t, state)
            pending.append((np.concatenate([np.repeat(prefix, len(tails), axis=0), tails], axis=1), labels))
            held += len(tails)
            if held >= batch:
                yield np.concatenate([w for w, _ in pending]), np.concatenate([y for _, y in pending])
                pending, held = [], 0
        if pending:
            yield np.concatenate([w for w, _ in pending]), np.concatenate([y for _, y in pending])

    def _expand(
        self, outgoing: list[list[list[tuple[int, int]]]], start: int, state: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return all words from one state on, layer by layer: symbols and label indices."""
        words = np.zeros((1, 0), dtype=np.int16)
        states = np.array([state], dtype=np.int64)
        for t in range(start, self.length):
            degree = np.array([len(out) for out in outgoing[t]], dtype=np.int64)
            first = np.concatenate([[0], np.cumsum(degree)])
            flat = np.array([edge for out in outgoing[t] for edge in out], dtype=np.int64).reshape(-1, 2)
            repeat = degree[states]
            parent = np.repeat(np.arange(len(states)), repeat)
            offset = np.arange(len(parent)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
            chosen = flat[first[states[parent]] + offset]
            words = np.concatenate([words[parent], chosen[:, :1].astype(np.int16)], axis=1)
            states = chosen[:, 1]
        return words, np.array(self.labels, dtype=np.int64)[states]


def first_word(automaton: Automaton) -> tuple[int, ...]:
    """Return the smallest word: every state leads to the end, so the smallest symbol is always right."""
    states, word = set(range(automaton.layer_sizes[0])), []
    for layer in automaton.edges:
        symbol = min(s for p, s, _ in layer if p in states)
        states = {n for p, s, n in layer if p in states and s == symbol}
        word.append(symbol)
    return tuple(word)


def _by_source(layer: tuple[tuple[int, int, int], ...], states: int) -> list[list[tuple[int, int]]]:
    out: list[list[tuple[int, int]]] = [[] for _ in range(states)]
    for source, symbol, target in layer:
        out[source].append((symbol, target))
    return out


def trimmed(
    symbol_count: int,
    layer_sizes: tuple[int, ...],
    edges: tuple[tuple[tuple[int, int, int], ...], ...],
    labels: tuple[int | None, ...],
) -> Automaton:
    """Return the automaton without useless states, and with equivalent states merged.

    A state is useless if it is on no path to a labelled final state; a final state with label None accepts
    nothing.  Two states of a layer are merged if their outgoing edges agree, from the last layer backwards.
    For deterministic automata that gives the smallest layered one (Revuz 1992).
    """
    distinct = sorted({y for y in labels if y is not None})
    rank = {y: i for i, y in enumerate(distinct)}
    place: list[int | None] = [None if y is None else rank[y] for y in labels]
    new_sizes, new_edges = [len(distinct)], []
    for t in reversed(range(len(edges))):
        check()
        rows: list[list[tuple[int, int]]] = [[] for _ in range(layer_sizes[t])]
        for source, symbol, target in edges[t]:
            if (p := place[target]) is not None:
                rows[source].append((symbol, p))
        keys: dict[tuple[tuple[int, int], ...], int] = {}
        place = []
        for row in rows:
            row.sort()
            place.append(keys.setdefault(tuple(row), len(keys)) if row else None)
        new_edges.append(
            tuple([(p, s, n) for key, p in keys.items() for s, n in key])
        )  # this is sorted already
        new_sizes.append(len(keys))
    reached = all(
        len({n for _, _, n in layer}) == size for layer, size in zip(new_edges, new_sizes, strict=False)
    )
    if reached:  # every state can be reached, so there is nothing to drop
        return Automaton(symbol_count, tuple(new_sizes[::-1]), tuple(new_edges[::-1]), tuple(distinct))
    return _forward_trim(symbol_count, new_sizes[::-1], new_edges[::-1], tuple(distinct))


def _forward_trim(
    symbol_count: int,
    sizes: list[int],
    edges: list[tuple[tuple[int, int, int], ...]],
    labels: tuple[int, ...],
) -> Automaton:
    reached = list(range(sizes[0]))
    out_sizes, out_edges = [len(reached)], []
    number = {s: i for i, s in enumerate(reached)}
    for layer in edges:
        check()
        kept = [e for e in layer if e[0] in number]
        following = {n: i for i, n in enumerate(sorted({e[2] for e in kept}))}
        out_edges.append(tuple(sorted((number[p], s, following[n]) for p, s, n in kept)))
        out_sizes.append(len(following))
        number = following
    final = tuple(labels[s] for s in sorted(number)) if edges else labels
    return Automaton(symbol_count, tuple(out_sizes), tuple(out_edges), final)
