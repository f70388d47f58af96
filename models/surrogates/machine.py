"""The smallest state machine that gives labelled words their labels, found by CP-SAT.

A step of `fit.py`; recurrent cells are built from it.  Padding leaves the state alone, so that one machine
serves every length.  The words enter as their layered automaton (`models/automata/layered.py`): each of its
states is reached in some states of the machine, and its final states give the labels.  States of one layer
that some continuation tells apart are pinned to different states of the machine, which leaves little to
search.  One thread, a seed and deterministic time make runs repeatable.

Source: Heule and Verwer, "Exact DFA Identification Using SAT Solvers" (2010), for the encoding and for
    pinning a clique.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.deadline import check, left
from ..automata.layered import Layered

MAX_STATES = 8  # of a machine: beyond that one-hot layers do as well
EDGES = 4000  # of the layered automaton: what the solver is given
WIDEST = 512  # states of a layer up to which pairs are compared
EFFORT = 5.0  # deterministic seconds in all: a few seconds of one core each


@dataclass(frozen=True, eq=False)
class LabelMachine:
    """A deterministic machine over symbols, padding included.  State 0 begins.

    Args:
        step: step[state, symbol] is the next state.
        outputs: the label index of each state, -1 if no word ends there.
    """

    step: np.ndarray
    outputs: np.ndarray

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.step)

    def run(self, words: np.ndarray) -> np.ndarray:
        """Return the state after each padded word (n, positions)."""
        state = np.zeros(len(words), dtype=np.int64)
        for t in range(words.shape[1]):
            state = self.step[state, words[:, t]]
        return state

    def labels(self, words: np.ndarray) -> np.ndarray:
        """Return the label index of each padded word."""
        result: np.ndarray = self.outputs[self.run(words)]
        return result


def smallest_machine(
    layered: Layered, symbols: int, pad: int | None, seed: int, largest: int = MAX_STATES
) -> LabelMachine | None:
    """Find the machine with the fewest states that gives every word its label.

    Args:
        layered: the words and their labels.
        symbols: how many symbols there are.
        pad: the symbol that leaves the state alone; None if there is no padding.
        seed: of the solver.
        largest: states at most.

    Returns: the machine; None if none was found.  A smaller one may exist if the solver gave up on a number
        of states.
    """
    if sum(int((table >= 0).sum()) for table in layered.tables) > EDGES:
        return None
    effort = EFFORT
    for states in range(max(1, len(_distinguished(layered)[1])), largest + 1):
        machine, spent = _solved(layered, states, symbols, pad, seed, effort)
        effort -= spent
        if machine is not None or effort < EFFORT / 20:
            return machine
    return None


def _distinguished(layered: Layered) -> tuple[int, list[int]]:
    """Find many states of one layer that are told apart in pairs by continuations: a machine needs as many.

    Returns: the layer, and the states.
    """
    apart = layered.finals[:, None] != layered.finals[None, :]
    layer, best = len(layered.tables), _clique(apart)
    for t in reversed(range(len(layered.tables))):
        table = layered.tables[t]
        if len(table) > WIDEST:
            break
        following = np.zeros((len(table), len(table)), dtype=bool)
        for column in table.T:
            both = np.flatnonzero(column >= 0)
            following[np.ix_(both, both)] |= apart[np.ix_(column[both], column[both])]
        apart = following
        found = _clique(apart)
        if len(found) > len(best):
            layer, best = t, found
    return layer, best


def _clique(apart: np.ndarray) -> list[int]:
    """Find a clique greedily, from the state that is told apart from most."""
    left = np.ones(len(apart), dtype=bool)
    degree = apart.sum(axis=1)
    found = []
    while left.any():
        found.append(int(np.argmax(np.where(left, degree, -1))))
        left &= apart[found[-1]]
    return found


def _solved(
    layered: Layered, states: int, symbols: int, pad: int | None, seed: int, effort: float
) -> tuple[LabelMachine | None, float]:
    """Look for a machine with that many states; return it (or None) and the effort that it took."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    every = range(states)
    step = {
        (q, a, r): model.new_bool_var("") for q in every for a in range(symbols) if a != pad for r in every
    }
    for q in every:
        for a in range(symbols):
            if a != pad:
                model.add_exactly_one(step[q, a, r] for r in every)
    labels = sorted({int(y) for y in layered.finals})
    says = {(q, y): model.new_bool_var("") for q in every for y in labels}
    for q in every:
        model.add_at_most_one(says[q, y] for y in labels)
    here = {(0, q): model.new_bool_var("") for q in every}
    start = [here[0, q] for q in every]
    model.add_exactly_one(start)
    layer, apart = _distinguished(layered)
    for t, table in enumerate(layered.tables):
        check()
        if t == layer:
            _pin(model, here, apart, states)
        following = {
            (v, q): model.new_bool_var("") for v in range(int(table.max(initial=-1)) + 1) for q in every
        }
        for v, row in enumerate(table):
            for a in np.flatnonzero(row >= 0).tolist():
                w = int(row[a])
                for q in every:
                    if a == pad:
                        model.add_implication(here[v, q], following[w, q])
                        continue
                    for r in every:
                        model.add_bool_or(here[v, q].negated(), step[q, a, r].negated(), following[w, r])
        here = following
    if layer == len(layered.tables):
        _pin(model, here, apart, states)
    for v, y in enumerate(layered.finals):
        for q in every:
            model.add_implication(here[v, q], says[q, int(y)])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % (1 << 31)
    solver.parameters.max_deterministic_time = effort
    solver.parameters.symmetry_level = 2
    solver.parameters.catch_sigint_signal = False  # it would not give the signal back
    solver.parameters.max_time_in_seconds = max(left(), 0.01)
    status = solver.solve(model)
    check()
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, solver.response_proto.deterministic_time
    model.clear_hints()  # type: ignore[no-untyped-call]
    for variable in step.values():
        model.add_hint(variable, solver.value(variable))
    staying = [step[q, a, q] for q in every for a in range(symbols) if a != pad]
    model.maximize(sum(staying))  # a machine is plainer if fewer steps move
    plainer = cp_model.CpSolver()
    plainer.parameters.copy_from(solver.parameters)
    plainer.parameters.max_deterministic_time = EFFORT / 8
    if plainer.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        solver = plainer
    table = np.tile(np.arange(states)[:, None], (1, symbols))
    for (q, a, r), variable in step.items():
        if solver.value(variable):
            table[q, a] = r
    begin = next(q for q in every if solver.value(start[q]))
    return _tidy(table, begin, layered), 0.0


def _pin(model: Any, here: dict[tuple[int, int], Any], apart: list[int], states: int) -> None:
    """Put states that are told apart into different states of the machine; which is which does not matter."""
    for i, v in enumerate(apart):
        for q in range(states):
            if q == i:
                model.add(here[v, q] == 1)
            elif q < len(apart):
                model.add(here[v, q] == 0)


def _tidy(step: np.ndarray, begin: int, layered: Layered) -> LabelMachine:
    """Let steps that no word takes stay, label states by the words, and drop states that are not reached."""
    states = len(step)
    taken = np.zeros(step.shape, dtype=bool)
    here = np.zeros((1, states), dtype=bool)
    here[0, begin] = True
    for table in layered.tables:
        following = np.zeros((int(table.max(initial=-1)) + 1, states), dtype=bool)
        for v, a in np.argwhere(table >= 0).tolist():
            for q in np.flatnonzero(here[v]):
                taken[q, a] = True
                following[table[v, a], step[q, a]] = True
        here = following
    step = np.where(taken, step, np.arange(states)[:, None])
    outputs = np.full(states, -1)
    for v, y in enumerate(layered.finals):
        outputs[here[v]] = y
    reached = [begin]
    for state in reached:
        reached += [r for r in dict.fromkeys(step[state].tolist()) if r not in reached]
    number = np.full(states, -1)
    number[reached] = np.arange(len(reached))
    return LabelMachine(number[step[reached]], outputs[reached])
