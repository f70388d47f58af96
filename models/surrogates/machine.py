"""The smallest state machine that gives labelled words their labels, found by CP-SAT: what recurrent cells are built from.

A step of `fit.py`.  Padding leaves the state alone, so that one machine serves every length.  The words enter as their layered
automaton (`layered.py`): a state of it is reached in some states of the machine, and its final states say the label.  A few
words at first; those that a machine gets wrong are added.  One thread, a seed and deterministic time: runs repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..labelled import Labelled
from ..layered import Layered, smallest_layered

MAX_STATES = 8  # of a machine: beyond that one-hot layers do as well
EDGES = 1500  # of the layered automaton that is solved at once
FIRST = 48  # words to begin with where all would be too many
MORE = 24  # wrong words that are added in a round
ROUNDS = 40
EFFORT = 4.0  # deterministic seconds per number of states


@dataclass(frozen=True, eq=False)
class Machine:
    """`step[state, symbol]`: the next state; state 0 begins; `outputs[state]`: the label index after it, -1 where no word ends."""

    step: np.ndarray
    outputs: np.ndarray

    @property
    def states(self) -> int:
        return len(self.step)

    def run(self, words: np.ndarray) -> np.ndarray:
        """The state after each padded word."""
        state = np.zeros(len(words), dtype=np.int64)
        for t in range(words.shape[1]):
            state = self.step[state, words[:, t]]
        return state

    def labels(self, words: np.ndarray) -> np.ndarray:
        return self.outputs[self.run(words)]


def smallest_machine(labelled: Labelled, symbols: int, pad: int | None, seed: int, largest: int = MAX_STATES) -> Machine | None:
    """The machine with the fewest states, at most `largest`, that gives every word its label; None where none was found.

    `pad`: the symbol that leaves the state alone.  Fewest: unless CP-SAT gave up on a smaller number.
    """
    for layered in _layered(labelled, symbols):
        known: Layered | None = layered
        chosen = None
        break
    else:
        chosen = _mixed(labelled, seed)[:FIRST]
        known = smallest_layered(labelled.take(chosen), symbols, 10**6)
    states = 1
    for _ in range(ROUNDS):
        assert known is not None, "there is no limit to the states"
        states = max(states, _distinguished(known))
        machine = None
        while machine is None and states <= largest:
            machine = _solved(known, states, symbols, pad, seed)
            states += machine is None
        if machine is None:
            return None
        if chosen is None:
            return machine
        wrong = np.flatnonzero(machine.labels(labelled.words) != labelled.labels)
        if not len(wrong):
            return machine
        rng = np.random.default_rng([seed, len(chosen)])
        chosen = np.concatenate([chosen, rng.choice(wrong, min(MORE, len(wrong)), replace=False)])
        known = smallest_layered(labelled.take(chosen), symbols, 10**6)
    return None


def _layered(labelled: Labelled, symbols: int) -> Iterator[Layered]:
    """The automaton of all words, if that is small."""
    layered = smallest_layered(labelled, symbols, EDGES)
    if layered is not None and sum(int((t >= 0).sum()) for t in layered.tables) <= EDGES:
        yield layered


def _mixed(labelled: Labelled, seed: int) -> np.ndarray:
    """Rows in an order that takes the labels in turn, words of few different symbols first: those say most about single steps."""
    order = np.random.default_rng(seed).permutation(len(labelled))
    words, labels = labelled.words[order], labelled.labels[order]
    kinds = (np.diff(np.sort(words, axis=1), axis=1) != 0).sum(axis=1)
    order = order[np.argsort(kinds, kind="stable")]
    labels = labelled.labels[order]
    turn = np.zeros(len(order), dtype=np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange((labels == label).sum())
    simple = order[np.argsort(turn, kind="stable")]
    other = np.random.default_rng([seed, 1]).permutation(len(labelled))
    both = np.stack([simple, other], axis=1).reshape(-1)  # a simple one, then any one
    return both[np.sort(np.unique(both, return_index=True)[1])]


def _distinguished(layered: Layered) -> int:
    """A number of states that every machine needs: states of one layer that some continuation tells apart, pairwise."""
    best, apart = 1, layered.finals[:, None] != layered.finals[None, :]
    for table in (*reversed(layered.tables), None):
        if len(apart) <= 512:
            best = max(best, _clique(apart))
        if table is None:
            break
        following = np.zeros((len(table), len(table)), dtype=bool)
        for column in table.T:
            both = np.flatnonzero(column >= 0)
            following[np.ix_(both, both)] |= apart[np.ix_(column[both], column[both])]
        apart = following
    return best


def _clique(apart: np.ndarray) -> int:
    """Greedily, from the state that is told apart from most."""
    chosen = np.ones(len(apart), dtype=bool)
    size = 0
    while chosen.any():
        state = int(np.argmax(np.where(chosen, apart.sum(axis=1), -1)))
        chosen = chosen & apart[state]
        size += 1
    return size


def _solved(layered: Layered, states: int, symbols: int, pad: int | None, seed: int) -> Machine | None:
    """A machine with that many states, or None: there is none, or none was found in the time."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    every = range(states)
    step = {(q, a, r): model.new_bool_var("") for q in every for a in range(symbols) if a != pad for r in every}
    for q in every:
        for a in range(symbols):
            if a != pad:
                model.add_exactly_one(step[q, a, r] for r in every)
    labels = sorted({int(y) for y in layered.finals})
    says = {(q, y): model.new_bool_var("") for q in every for y in labels}
    for q in every:
        model.add_at_most_one(says[q, y] for y in labels)
    here = {(0, q): model.new_constant(int(q == 0)) for q in every}
    for table in layered.tables:
        following = {(v, q): model.new_bool_var("") for v in range(int(table.max(initial=-1)) + 1) for q in every}
        for v, row in enumerate(table):
            for a in np.flatnonzero(row >= 0):
                w = int(row[a])
                for q in every:
                    if a == pad:
                        model.add_implication(here[v, q], following[w, q])
                        continue
                    for r in every:
                        model.add_bool_or(here[v, q].negated(), step[q, int(a), r].negated(), following[w, r])
        here = following
    for v, y in enumerate(layered.finals):
        for q in every:
            model.add_implication(here[v, q], says[q, int(y)])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % (1 << 31)
    solver.parameters.max_deterministic_time = EFFORT
    solver.parameters.symmetry_level = 2
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    model.clear_hints()
    for variable in step.values():
        model.add_hint(variable, solver.value(variable))
    model.maximize(sum(step[q, a, q] for q in every for a in range(symbols) if a != pad))  # plainer: fewer steps that move
    plainer = cp_model.CpSolver()
    plainer.parameters.copy_from(solver.parameters)
    plainer.parameters.max_deterministic_time = EFFORT / 8
    if plainer.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        solver = plainer
    table = np.tile(np.arange(states)[:, None], (1, symbols))
    for (q, a, r), variable in step.items():
        if solver.value(variable):
            table[q, a] = r
    return _tidy(Machine(table, np.full(states, -1)), layered)


def _tidy(machine: Machine, layered: Layered) -> Machine:
    """Steps that no word takes stay where they are; states get their labels from the words, and unreached ones go."""
    taken = np.zeros(machine.step.shape, dtype=bool)
    here = np.zeros((1, machine.states), dtype=bool)
    here[0, 0] = True
    for table in layered.tables:
        following = np.zeros((int(table.max(initial=-1)) + 1, machine.states), dtype=bool)
        for v, a in zip(*np.nonzero(table >= 0), strict=True):
            for q in np.flatnonzero(here[v]):
                taken[q, a] = True
                following[table[v, a], machine.step[q, a]] = True
        here = following
    step = np.where(taken, machine.step, np.arange(machine.states)[:, None])
    outputs = np.full(machine.states, -1)
    for v, y in enumerate(layered.finals):
        outputs[here[v]] = y
    reached = [0]
    for q in reached:
        reached += [int(r) for r in dict.fromkeys(step[q].tolist()) if r not in reached]
    number = np.full(machine.states, -1)
    number[reached] = np.arange(len(reached))
    return Machine(number[step[reached]], outputs[reached])
