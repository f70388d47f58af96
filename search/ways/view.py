"""A machine as those who write it see it: arms over tokens, and the label read off the last state.

For `numbered.py` and `named.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...common.text import literal
from ..candidate import Candidate
from ..feature import Body, Family
from ..problem import SearchProblem
from ..reading import LabelReading, groups, readings
from ..render import indent, is_in
from .machine import TokenMachine

NEVER = -1  # the label of a state in which no example ends


@dataclass(frozen=True, eq=False)
class View:
    """A machine to be written.

    Args:
        problem: its tokens and labels.
        machine: the machine.
        labels: the label index of each state, NEVER if no example ends there.
        exit: a state in which the program returns at once; None if there is none.
    """

    problem: SearchProblem
    machine: TokenMachine
    labels: np.ndarray
    exit: int | None

    @property
    def states(self) -> list[int]:
        """All states but the exit."""
        return [q for q in range(len(self.machine.step)) if q != self.exit]


@dataclass(frozen=True)
class StateForm:
    """How a program holds a machine's state.

    Args:
        kind: "number", "flag", or "names" for strings.
        variable: the local that holds it.
        values: the number of each state of the view, or of its name.
        names: for "names", the strings.
    """

    kind: Literal["number", "flag", "names"]
    variable: str
    values: tuple[int, ...]
    names: tuple[str, ...] = ()


def chain(view: View, arms: Sequence[tuple[tuple[int, ...], tuple[str, ...]]]) -> tuple[str, ...]:
    """Write if / elif over tokens; if every token acts, the largest group is the `else`."""
    acting = sorted((a for a in arms if a[1]), key=lambda a: len(a[0]))
    if len(acting) == len(arms) == 1:
        return acting[0][1]
    lines: list[str] = []
    for i, (members, body) in enumerate(acting):
        last = len(acting) == len(arms) and i == len(acting) - 1
        head = "else" if last else f"{'elif' if i else 'if'} {is_in(view.problem, members)}"
        lines += [f"{head}:", *indent(body)]
    return tuple(lines) or ("pass",)


def read(view: View, lines: tuple[str, ...], form: StateForm) -> Iterator[Candidate]:
    """Read the label off the last state, as off any feature.

    Args:
        view: the machine.
        lines: the statements that run it.
        form: what its states are called, and the variable that holds one.
    """
    ends = [i for i, q in enumerate(view.states) if view.labels[q] != NEVER]
    seen = np.array([form.values[i] for i in ends])
    labels = np.array([view.labels[view.states[i]] for i in ends])
    body = Body(lines, form.variable, form.variable)
    if len(set(labels.tolist())) == 1:
        only = int(labels[0])
        found = [LabelReading((*lines, f"return {literal(view.problem.labels[only])}"), np.array([only]), 0)]
    elif form.kind == "names":
        found = _by_name(view, lines, form.names, dict(zip(seen.tolist(), labels.tolist(), strict=True)))
    else:
        bound = len(view.states)
        family = Family("state_machine", form.kind, 1, _unused, lambda row: body, bound=bound)
        found = readings(family, 0, view.problem, seen, labels)
    for reading in found:
        table = np.full(len(view.machine.step), -1)
        if view.exit is not None:
            table[view.exit] = view.labels[view.exit]
        table[view.states] = reading.apply(np.array(form.values))
        yield _running(view.machine, table, reading.lines)


def _running(machine: TokenMachine, table: np.ndarray, lines: tuple[str, ...]) -> Candidate:
    return Candidate("automaton", "state_machine", lines, lambda words: table[machine.run(words)])


def _by_name(
    view: View, lines: tuple[str, ...], names: Sequence[str], meaning: dict[int, int]
) -> list[LabelReading]:
    labels = view.problem.labels
    if all(labels[y] == names[v] for v, y in meaning.items()):
        itself = np.array([meaning.get(v, -1) for v in range(len(names))])
        return [LabelReading((*lines, "return state"), itself, 0)]
    return [groups(Body(lines, "state", "state"), view.problem, meaning, list(names))]


def _unused(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
    raise AssertionError("a machine is run by itself")


def alike(keys: list[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Group indices with equal keys."""
    out: dict[tuple[int, ...], tuple[int, ...]] = {}
    for i, key in enumerate(keys):
        out[key] = (*out.get(key, ()), i)
    return out
