"""A surrogate that is built, not trained: the smallest layered automaton of the labelled inputs, run by ReLUs.

For behaviours that small networks do not learn (toggles, long parities).  One layer per position: relu(state + word - 1)
is 1 exactly where the automaton is in that state and the position holds one of the words that lead on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .domain import Domain
from .labelled import Labelled
from .network import Affine, Network, Node, Relu, integer_array


@dataclass(frozen=True, eq=False)
class Layered:
    """`tables[t][state, symbol]`: the state of layer t + 1, or -1; layer 0 has one state; `finals[state]`: label index."""

    tables: tuple[np.ndarray, ...]
    finals: np.ndarray


def smallest_layered(labelled: Labelled, symbols: int, limit: int) -> Layered | None:
    """The smallest deterministic layered automaton of exactly these words; None if it has more than `limit` states."""
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


def _changes(words: np.ndarray) -> np.ndarray:
    """Which rows of sorted words differ from the row before."""
    return np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)]) if len(words) else np.zeros(0, dtype=bool)


def recurrent_network(layered: Layered, domain: Domain, columns: np.ndarray) -> Network:
    """The network with outputs columns[:, label] for each word; `columns` are integers, (outputs, labels)."""
    alphabet, prefix = len(domain.alphabet), len(domain.prefix)
    nodes: list[Node] = []
    state = np.ones((1, 0), dtype=np.int64)  # state[q] . neurons of the last layer == 1 where the automaton is in q
    started = False  # until the first layer of neurons the only state is certain
    for t, table in enumerate(layered.tables):
        arrows = [(q, int(target)) for q, row in enumerate(table) for target in np.unique(row[row >= 0])]
        if len(arrows) == len(table):  # every state has one successor: nothing to read here
            state = _merged(arrows, state, int(table.max()) + 1)
            continue
        reads = np.zeros((len(arrows), domain.input_size), dtype=np.int64)
        offset = np.zeros(len(arrows), dtype=np.int64)
        for i, (q, target) in enumerate(arrows):
            row = table[q]
            if not (row[row >= 0] == target).all():
                start = (prefix + t) * alphabet
                reads[i, start : start + len(row)] = row == target
                offset[i] = -1
            if not started:
                offset[i] += 1
        sources, weights = [0], [integer_array(reads)]
        if started:
            sources.append(len(nodes))
            weights.append(integer_array(state[[q for q, _ in arrows]]))
        nodes.append(Affine(tuple(sources), tuple(weights), integer_array(offset)))
        nodes.append(Relu(len(nodes)))
        started = True
        state = _merged([(i, target) for i, (_, target) in enumerate(arrows)], np.eye(len(arrows), dtype=np.int64), int(table.max()) + 1)
    if not started:
        value = columns[:, int(layered.finals[0])]
        zero = np.zeros((len(columns), domain.input_size), dtype=np.int64)
        return Network(domain.input_size, (Affine((0,), (integer_array(zero),), integer_array(value)),), name="surrogate")
    outputs = columns[:, layered.finals] @ state
    nodes.append(Affine((len(nodes),), (integer_array(outputs),), integer_array(np.zeros(len(columns), dtype=np.int64))))
    return Network(domain.input_size, tuple(nodes), name="surrogate")


def _merged(arrows: list[tuple[int, int]], rows: np.ndarray, count: int) -> np.ndarray:
    """Sum the rows that lead to one target."""
    out = np.zeros((count, rows.shape[1]), dtype=np.int64)
    for source, target in arrows:
        out[target] += rows[source]
    return out
