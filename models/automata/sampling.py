"""Random words of a language, drawn through its automaton: uniformly, or with some symbols made more likely.

For domains that are too large to run a circuit on every input (`circuits/executed.py`).  Uniform words of
many positions all look alike, so `varied` draws from many tilted distributions, which gives rare and frequent
symbols, short and long words their share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .automaton import Automaton

TILTS = 48  # distributions that `varied` draws from


class Sampler:
    """Draws words of a non-empty language.

    `weights[symbol]` multiplies into the probability of a word; by default all words are equally likely.
    """

    def __init__(self, language: Automaton) -> None:
        self.language = language
        self._layers = [np.array(layer, dtype=np.int64).reshape(-1, 3).T for layer in language.edges]

    def words(self, count: int, rng: np.random.Generator, weights: np.ndarray | None = None) -> np.ndarray:
        """Return random words: (count, length) symbols."""
        ahead = self._ahead(weights)
        states = rng.choice(len(ahead[0]), count, p=ahead[0] / ahead[0].sum())
        return self._walked(0, states, ahead, rng, weights)

    def tails(self, t: int, state: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return random ends of words, from a state of layer t on: (count, length - t) symbols; half of them
        tilted.
        """
        parts = []
        for weights in (None, *(self._tilt(rng) for _ in range(4))):
            ahead = self._ahead(weights)
            size = count // 2 if weights is None else (count + 7) // 8
            parts.append(self._walked(t, np.full(size, state), ahead, rng, weights))
        return np.concatenate(parts)[:count]

    def varied(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return at most `count` distinct words in random order: a quarter uniform, the rest tilted."""
        parts = [self.words(count // 4, rng)]
        parts += [self.words(count // TILTS + 1, rng, self._tilt(rng)) for _ in range(TILTS)]
        return rng.permutation(np.unique(np.concatenate(parts), axis=0))[:count]

    def through_every_edge(self, rng: np.random.Generator) -> np.ndarray:
        """Return one random word over each edge of the automaton, so that every step occurs."""
        ahead = self._ahead(None)
        parts = []
        for t, (source, symbol, target) in enumerate(self._layers):
            heads = self._heads(t, source, rng)
            tails = self._walked(t + 1, target, ahead, rng, None)
            parts.append(np.concatenate([heads, symbol[:, None].astype(np.int16), tails], axis=1))
        return np.unique(np.concatenate(parts), axis=0) if parts else np.zeros((1, 0), dtype=np.int16)

    def _tilt(self, rng: np.random.Generator) -> np.ndarray:
        """Return random weights with which few symbols dominate, although all may still occur."""
        size = self.language.symbol_count
        weights = rng.dirichlet(np.full(size, rng.choice([0.2, 0.5, 1.0]))) * size + 1e-3
        return np.asarray(weights)

    def _ahead(self, weights: np.ndarray | None) -> list[np.ndarray]:
        """Return per layer and state the weight of all that may follow, each layer scaled to at most 1."""
        ahead = [np.ones(self.language.layer_sizes[-1])]
        for t in reversed(range(self.language.length)):
            source, symbol, target = self._layers[t]
            value = ahead[0][target] * (1.0 if weights is None else weights[symbol])
            total = np.bincount(source, value, self.language.layer_sizes[t])
            ahead.insert(0, np.maximum(total / total.max(), 1e-300))
        return ahead

    def _walked(
        self,
        t: int,
        states: np.ndarray,
        ahead: Sequence[np.ndarray],
        rng: np.random.Generator,
        weights: np.ndarray | None,
    ) -> np.ndarray:
        """Return random words from given states of layer t to the end."""
        out = np.zeros((len(states), self.language.length - t), dtype=np.int16)
        for i in range(t, self.language.length):
            source, symbol, target = self._layers[i]
            value = ahead[i + 1][target] * (1.0 if weights is None else weights[symbol])
            edge = _drawn(source, value, states, self.language.layer_sizes[i], rng)
            out[:, i - t] = symbol[edge]
            states = target[edge]
        return out

    def _heads(self, t: int, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return random words that lead to given states of layer t."""
        behind = [np.ones(self.language.layer_sizes[0])]
        for i in range(t):
            source, _, target = self._layers[i]
            total = np.bincount(target, behind[-1][source], self.language.layer_sizes[i + 1])
            behind.append(np.maximum(total / total.max(), 1e-300))
        out = np.zeros((len(states), t), dtype=np.int16)
        for i in reversed(range(t)):
            source, symbol, target = self._layers[i]
            order = np.argsort(target, kind="stable")
            edge = order[
                _drawn(target[order], behind[i][source[order]], states, self.language.layer_sizes[i + 1], rng)
            ]
            out[:, i] = symbol[edge]
            states = source[edge]
        return out


def _drawn(
    owner: np.ndarray, value: np.ndarray, states: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Return for each state a random edge that it owns, in proportion to `value`.

    `owner` is sorted, and every state owns at least one edge.
    """
    total = np.bincount(owner, value, size)
    share = np.where(total[owner] > 0, value / np.where(total[owner] > 0, total[owner], 1), 1.0)
    first = np.searchsorted(owner, np.arange(size + 1))
    sums = np.concatenate([[0.0], np.cumsum(share)])
    within = sums[1:] - sums[first[owner]]  # rises from 0 to 1 for each owner
    edge = np.searchsorted(
        owner + np.minimum(within, 1 - 1e-12), states + rng.random(len(states)) * (1 - 1e-9), side="right"
    )
    return np.clip(edge, first[states], first[states + 1] - 1)
