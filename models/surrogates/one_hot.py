"""One-hot networks: a layered automaton run by ReLUs, one layer for each position.

They are exact, whatever the labels.  For behaviours that small networks do not learn and that no cell has
(`cell.py`).  A state is a value that is 1 if the automaton is in it and 0 otherwise; relu(state + symbols -
1) is 1 if the automaton is in that state and reads one of these symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..automata.layered import Layered
from ..claims.domain import Domain
from ..network.network import Network
from .machine import LabelMachine
from .unroll import Unroller


def layered_of(machine: LabelMachine, layers: int) -> Layered:
    """Unroll a machine: its reachable states, position by position."""
    tables = []
    states = np.zeros(1, dtype=np.int64)
    for _ in range(layers):
        following, table = np.unique(machine.step[states], return_inverse=True)
        tables.append(table.reshape(len(states), -1))
        states = following
    return Layered(tuple(tables), np.maximum(machine.outputs[states], 0))


@dataclass(frozen=True, eq=False)
class _Arrows:
    """One layer's neurons.  The next states are kept @ states + added @ arrows.

    A state's commonest step has no neuron: it is what the others leave over.

    Args:
        sources: for each arrow, the state that it comes from.
        reads: for each arrow, the symbols that it reads, 0 or 1: (arrows, symbols).
        kept: (next states, states).
        added: (next states, arrows).
    """

    sources: list[int]
    reads: np.ndarray
    kept: np.ndarray
    added: np.ndarray


def _arrows(table: np.ndarray) -> _Arrows:
    sources, reads, into = [], [], []
    kept = np.zeros((int(table.max()) + 1, len(table)), dtype=np.int64)
    for q, row in enumerate(table):
        targets, counts = np.unique(row[row >= 0], return_counts=True)
        common = targets[counts.argmax()]
        kept[common, q] = 1
        for target in targets:
            if target != common:
                sources.append(q)
                reads.append(row == target)
                into.append((target, common))
    added = np.zeros((len(kept), len(sources)), dtype=np.int64)
    for i, (target, common) in enumerate(into):
        added[target, i], added[common, i] = 1, -1
    return _Arrows(
        sources, np.array(reads, dtype=np.int64).reshape(len(sources), table.shape[1]), kept, added
    )


def neurons_of(layered: Layered) -> int:
    """Count the ReLUs of `one_hot_network`, without those that keep its numbers small."""
    tables = [t for t in layered.tables if len(t) > 1]
    return sum(len(np.unique(row[row >= 0])) - 1 for table in tables for row in table)


def one_hot_network(layered: Layered, domain: Domain, columns: np.ndarray) -> Network:
    """Build the network.

    Args:
        layered: the automaton.
        domain: how words enter the network.
        columns: the network's outputs for each label, integers (outputs, labels).
    """
    net = Unroller(domain)
    state: int | None = None
    for t, table in enumerate(layered.tables):
        arrows = _arrows(table)
        if state is None:
            if len(arrows.kept) > 1:  # the first symbol that matters is read as it is
                targets = np.arange(len(arrows.kept))[:, None]
                state = net.affine(
                    {0: net.reads(t, (table[0][None, :] == targets).astype(np.int64))},
                    np.zeros(len(targets), dtype=np.int64),
                )
            continue
        if net.wide(state):
            size = len(table)
            state = net.clamped(state, np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.int64))
        parts = {state: arrows.kept}
        if arrows.sources:
            here = np.eye(len(table), dtype=np.int64)[arrows.sources]
            over = net.affine(
                {state: here, 0: net.reads(t, arrows.reads)}, -np.ones(len(here), dtype=np.int64)
            )
            parts[net.relu(over)] = arrows.added
        elif len(arrows.kept) == len(table) and (arrows.kept == np.eye(len(table))).all():
            continue
        state = net.affine(parts, np.zeros(len(arrows.kept), dtype=np.int64))
    final = columns[:, layered.finals]
    if state is None:
        net.affine({}, final[:, 0])
    else:
        if net.wide(state):
            size = len(layered.finals)
            state = net.clamped(state, np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.int64))
        net.affine({state: final}, np.zeros(len(final), dtype=np.int64))
    return net.network()
