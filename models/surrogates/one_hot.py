"""One-hot networks: an automaton run by ReLUs, one layer for each position.

They are exact, whatever the labels.  For behaviours that small networks do not learn and that no cell has
(`cell.py`).  A state is a value that is 1 if the word is in it and 0 otherwise; relu(state + symbols - 1) is
1 if the word is in that state and reads one of these symbols.  An automaton that guesses (of which word the
end comes soon, say) runs as well: of all its paths, one at most goes on to the word's end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..automata.automaton import Automaton
from ..automata.layered import Layered
from ..claims.domain import Domain
from ..network.network import Network
from .machine import LabelMachine
from .unroll import Unroller

Edge = tuple[int, int, int]  # state, symbol, next state


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


def _steps(edges: tuple[Edge, ...], states: int) -> list[dict[int, list[int]]]:
    """Return for each state, by next state, the symbols that lead there."""
    out: list[dict[int, list[int]]] = [{} for _ in range(states)]
    for source, symbol, target in edges:
        out[source].setdefault(target, []).append(symbol)
    return out


def _commonest(steps: dict[int, list[int]], sure: bool, symbols: int) -> int | None:
    """Return the next state that needs no arrow; None if each needs one.

    Args:
        steps: the symbols that lead to each next state.
        sure: a word that is here goes on from here; then the commonest step is what the others leave over.
        symbols: how many occur at this position; a step that all of them take is sure, too.
    """
    common = max(steps, key=lambda target: (len(steps[target]), -target))
    return common if sure or (len(steps) == 1 and len(steps[common]) == symbols) else None


def _arrows(edges: tuple[Edge, ...], states: int, following: int, symbols: int, sure: bool) -> _Arrows:
    occurring = len({symbol for _, symbol, _ in edges})
    sources, reads, into = [], [], []
    kept = np.zeros((following, states), dtype=np.int64)
    for state, steps in enumerate(_steps(edges, states)):
        common = _commonest(steps, sure, occurring)
        if common is not None:
            kept[common, state] = 1
        for target in sorted(steps):
            if target != common:
                sources.append(state)
                reads.append(steps[target])
                into.append((target, common))
    added = np.zeros((following, len(sources)), dtype=np.int64)
    read = np.zeros((len(sources), symbols), dtype=np.int64)
    for i, (target, common) in enumerate(into):
        read[i, reads[i]] = 1
        added[target, i] = 1
        if common is not None:
            added[common, i] = -1
    return _Arrows(sources, read, kept, added)


def neurons_of(automaton: Automaton) -> int:
    """Count the ReLUs of `one_hot_network`, without those that keep its numbers small."""
    total, sure = 0, automaton.deterministic
    for t, edges in enumerate(automaton.edges):
        before, after = automaton.layer_sizes[t : t + 2]
        if t == 0 or before == 1 or after == 1:
            continue
        occurring = len({symbol for _, symbol, _ in edges})
        for steps in _steps(edges, before):
            total += len(steps) - (_commonest(steps, sure, occurring) is not None)
    return total


def one_hot_network(automaton: Automaton, domain: Domain, columns: np.ndarray) -> Network:
    """Build the network.

    Args:
        automaton: words with their labels.  Every word that enters the network has to be one of them, or, if
            the automaton is deterministic, may be decided as if its missing steps were the commonest.
        domain: how words enter the network.
        columns: the network's outputs for each label, integers (outputs, labels).
    """
    net = Unroller(domain)
    state: int | None = None  # the node of the states' values; None where there is one state, or none yet
    for t, edges in enumerate(automaton.edges):
        before, after = automaton.layer_sizes[t : t + 2]
        nothing = np.zeros(after, dtype=np.int64)
        if after == 1:
            state = None
            continue
        if state is None:  # the first symbol that matters is read as it is
            entering = np.zeros((after, automaton.symbol_count), dtype=np.int64)
            for _, symbol, target in edges:
                entering[target, symbol] += 1
            state = net.affine({0: net.reads(t, entering)}, nothing)
            continue
        state = _within(net, state, before)
        arrows = _arrows(edges, before, after, automaton.symbol_count, automaton.deterministic)
        parts = {state: arrows.kept}
        if arrows.sources:
            here = np.eye(before, dtype=np.int64)[arrows.sources]
            over = net.affine(
                {state: here, 0: net.reads(t, arrows.reads)}, -np.ones(len(here), dtype=np.int64)
            )
            parts[net.relu(over)] = arrows.added
        elif after == before and (arrows.kept == np.eye(before)).all():
            continue
        state = net.affine(parts, nothing)
    final = columns[:, list(automaton.labels)]
    if state is None:
        net.affine({}, final[:, 0])
    else:
        state = _within(net, state, len(automaton.labels))
        net.affine({state: final}, np.zeros(len(final), dtype=np.int64))
    return net.network()


def _within(net: Unroller, state: int, size: int) -> int:
    """Return the node of the states' values, cut back to 0 and 1 where its intervals have grown wide."""
    if not net.wide(state):
        return state
    return net.clamped(state, np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.int64))
