"""Random and extreme words of a language, many at once: what networks are trained on and attacked with.

Walks through the layered automaton in numpy arrays; every word that comes out is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..models.automata.automaton import Automaton, trimmed

BORDER_EDGES = 60_000


@dataclass(frozen=True, eq=False)
class WalkLayer:
    """The edges of one layer as rectangles (state, choice): symbol, next state, and whether there is such a
    choice.
    """

    symbol: np.ndarray
    target: np.ndarray
    there: np.ndarray


@dataclass(frozen=True, eq=False)
class Walks:
    """Words of one non-empty automaton."""

    automaton: Automaton

    @cached_property
    def layers(self) -> tuple[WalkLayer, ...]:
        out = []
        for edges, states in zip(self.automaton.edges, self.automaton.layer_sizes, strict=False):
            source, symbol, target = np.array(edges, dtype=np.int64).reshape(-1, 3).T
            first = np.searchsorted(source, np.arange(states))  # edges are sorted by source
            choice = np.arange(len(source)) - first[source]
            shape = (states, int(choice.max()) + 1)
            table = [
                np.zeros(shape, dtype=np.int64),
                np.zeros(shape, dtype=np.int64),
                np.zeros(shape, dtype=bool),
            ]
            for array, values in zip(table, (symbol, target, True), strict=True):
                array[source, choice] = values
            out.append(WalkLayer(*table))
        return tuple(out)

    def sample(self, rng: np.random.Generator, each: int, tilts: np.ndarray) -> np.ndarray:
        """Draw `each` random words per row of `tilts` (rows, symbols).

        A word's chance is proportional to exp(sum of its tilts): tilts of zero make every word equally
        likely.
        """
        rows = len(tilts)
        weight = np.zeros((rows, self.automaton.layer_sizes[-1]))
        cumulated = []
        for layer in reversed(self.layers):
            score = np.where(layer.there, tilts[:, layer.symbol] + weight[:, layer.target], -np.inf)
            top = score.max(axis=2, keepdims=True)
            chance = np.exp(score - top)
            total = chance.sum(axis=2, keepdims=True)
            cumulated.append(np.cumsum(chance / total, axis=2))
            weight = (top + np.log(total))[:, :, 0]
        start = np.exp(weight - weight.max(axis=1, keepdims=True))
        start = np.cumsum(start / start.sum(axis=1, keepdims=True), axis=1)
        row = np.repeat(np.arange(rows), each)
        state = _chosen(start[row], rng)
        words = np.empty((len(row), len(self.layers)), dtype=np.int64)
        for t, (layer, chances) in enumerate(zip(self.layers, reversed(cumulated), strict=True)):
            choice = _chosen(chances[row, state], rng)
            # rounding of the last cumulated chance
            choice = np.minimum(choice, layer.there.sum(axis=1)[state] - 1)
            words[:, t] = layer.symbol[state, choice]
            state = layer.target[state, choice]
        return words

    def uniform(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return self.sample(rng, count, np.zeros((1, self.automaton.symbol_count)))

    def varied(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw words with very different numbers of each symbol: each 16 under a random tilt, the first ones
        under none.
        """
        rows = -(-count // 16)
        spread = rng.uniform(0, 2.5, size=(rows, 1)) * (np.arange(rows) >= rows // 4)[:, None]
        tilts = rng.standard_normal((rows, self.automaton.symbol_count)) * spread
        words = self.sample(rng, 16, tilts)
        return words[rng.permutation(len(words))[:count]]

    def best(self, weights: np.ndarray) -> np.ndarray:
        """Return, per linear function, weights (functions, length, symbols), a word of the language where it
        is largest.
        """
        value = np.zeros((len(weights), self.automaton.layer_sizes[-1]))
        picks = []
        for t in reversed(range(len(self.layers))):
            layer = self.layers[t]
            score = np.where(layer.there, weights[:, t, layer.symbol] + value[:, layer.target], -np.inf)
            picks.append(score.argmax(axis=2))
            value = score.max(axis=2)
        state = value.argmax(axis=1)
        row = np.arange(len(weights))
        words = np.empty((len(weights), len(self.layers)), dtype=np.int64)
        for t, (layer, pick) in enumerate(zip(self.layers, reversed(picks), strict=True)):
            choice = pick[row, state]
            words[:, t] = layer.symbol[state, choice]
            state = layer.target[state, choice]
        return words


def _chosen(cumulated: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one index at random per row of cumulated chances."""
    draws = rng.random((len(cumulated), 1))
    result: np.ndarray = np.minimum((cumulated < draws).sum(axis=1), cumulated.shape[1] - 1)
    return result


def border(automaton: Automaton, label: int) -> Automaton:
    """Return the words of one label that become words of another label when one symbol is changed.

    A word has one path for each such change, so this is good for looking, not for counting.  Empty where the
    automaton is not deterministic, or the result would be large.
    """
    nothing = Automaton(automaton.symbol_count, (0,) * (automaton.length + 1), ((),) * automaton.length, ())
    start = {(0, 0): 0} if automaton.deterministic and not automaton.empty else {}
    numbers, sizes, layers = start, [len(start)], []
    for t, edges in enumerate(automaton.edges):
        outgoing: list[dict[int, int]] = [{} for _ in range(automaton.layer_sizes[t])]
        for source, symbol, target in edges:
            outgoing[source][symbol] = target
        following: dict[tuple[int, int], int] = {}
        layer = set()
        for (p, q), number in numbers.items():
            for symbol, target in outgoing[p].items():
                changed = (
                    set(outgoing[p].values())
                    if p == q
                    else {outgoing[q][symbol]}
                    if symbol in outgoing[q]
                    else set()
                )
                # states that have become one stay one: the same word from there on
                for other in sorted(changed):
                    layer.add((number, symbol, following.setdefault((target, other), len(following))))
        layers.append(tuple(sorted(layer)))
        if sum(map(len, layers)) > BORDER_EDGES:
            return nothing
        sizes.append(len(following))
        numbers = following
    accepted = [
        label if automaton.labels[p] == label and automaton.labels[q] != label else None for p, q in numbers
    ]
    return trimmed(automaton.symbol_count, tuple(sizes), tuple(layers), tuple(accepted))
