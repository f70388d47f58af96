"""The smallest layered automaton of labelled words: equal futures are merged, position by position.

Machines are learnt from it, one-hot networks are built from it (`surrogates/`), and the program search uses
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .automaton import Automaton
from .labelled import Labelled


@dataclass(frozen=True, eq=False)
class Layered:
    """A deterministic layered automaton as tables.

    `tables[t][state, symbol]` is the state of layer t + 1, or -1.  Layer 0 has one state.  `finals[state]` is
    a label index.
    """

    tables: tuple[np.ndarray, ...]
    finals: np.ndarray

    def labels(self, words: np.ndarray) -> np.ndarray:
        """Return the label indices of padded words, -1 for words that are not in it."""
        state = np.zeros(len(words), dtype=np.int64)
        for t, table in enumerate(self.tables):
            state = np.where(state >= 0, table[np.maximum(state, 0), words[:, t]], -1)
        return np.where(state >= 0, self.finals[np.maximum(state, 0)], -1)

    @staticmethod
    def of(automaton: Automaton) -> Layered:
        """Return a deterministic automaton as tables."""
        tables = []
        for layer, states in zip(automaton.edges, automaton.layer_sizes, strict=False):
            source, symbol, target = np.array(layer, dtype=np.int64).reshape(-1, 3).T
            table = np.full((states, automaton.symbol_count), -1, dtype=np.int64)
            table[source, symbol] = target
            tables.append(table)
        return Layered(tuple(tables), np.array(automaton.labels, dtype=np.int64))

    def automaton(self, symbols: int) -> Automaton:
        """Return the tables as an automaton over that many symbols."""
        edges = []
        for table in self.tables:
            source, symbol = np.nonzero(table >= 0)
            edges.append(
                tuple(zip(source.tolist(), symbol.tolist(), table[source, symbol].tolist(), strict=True))
            )
        sizes = (*map(len, self.tables), len(self.finals))
        return Automaton(symbols, sizes, tuple(edges), tuple(self.finals.tolist()))


def smallest_layered(labelled: Labelled, symbols: int, limit: int) -> Layered | None:
    """Return the smallest deterministic layered automaton of exactly these words.

    `symbols`: the size of the alphabet.  Returns None if it has more than `limit` states.
    """
    words = labelled.words.astype(np.int64)
    order = np.lexsort(words.T[::-1]) if words.shape[1] else np.arange(len(words))
    words, labels = words[order], labelled.labels[order]
    fresh = _changes(words)
    finals, classes = np.unique(labels[fresh], return_inverse=True)
    words = words[fresh]
    tables: list[np.ndarray] = []
    total = len(finals)
    for t in range(words.shape[1] - 1, -1, -1):
        fresh = _changes(words[:, :t])
        table = np.full((int(fresh.sum()), symbols), -1, dtype=np.int64)
        table[np.cumsum(fresh) - 1, words[:, t]] = classes
        states, merged = np.unique(table, axis=0, return_inverse=True)
        tables.append(states)
        total += len(states)
        if total > limit:
            return None
        words, classes = words[fresh], merged.reshape(-1)
    return Layered(tuple(tables[::-1]), finals)


def minimised(layered: Layered) -> Layered:
    """Return the same labels with equal states merged, from the last layer backwards."""
    finals, classes = np.unique(layered.finals, return_inverse=True)
    tables = []
    for table in reversed(layered.tables):
        states, merged = np.unique(
            np.where(table >= 0, classes[np.maximum(table, 0)], -1), axis=0, return_inverse=True
        )
        tables.append(states)
        classes = merged.reshape(-1)
    return Layered(tuple(tables[::-1]), finals)


def _changes(words: np.ndarray) -> np.ndarray:
    """Return which rows of sorted words differ from the row before."""
    return (
        np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)])
        if len(words)
        else np.zeros(0, dtype=bool)
    )
