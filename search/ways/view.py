"""A machine as the ways to write it see it, and what they share: arms over tokens, and the label read off the last state.

For `numbered.py` and `named.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..candidate import Candidate
from ..feature import Body, Family
from ..problem import Problem
from ..reading import Reading, groups, readings
from ..render import indent, is_in, literal
from .learn import Machine

NEVER = -1  # the label of a state in which no example ends


@dataclass(frozen=True, eq=False)
class View:
    """A machine with the label that each state means, and perhaps one state that the program leaves the loop from."""

    problem: Problem
    machine: Machine
    labels: np.ndarray
    exit: int | None

    @property
    def states(self) -> list[int]:
        return [q for q in range(len(self.machine.step)) if q != self.exit]


def chain(view: View, arms: Sequence[tuple[tuple[int, ...], tuple[str, ...]]]) -> tuple[str, ...]:
    """if / elif over tokens; where no token leaves everything as it is, the largest group is the `else`."""
    acting = sorted((a for a in arms if a[1]), key=lambda a: len(a[0]))
    if len(acting) == len(arms) == 1:
        return acting[0][1]
    lines: list[str] = []
    for i, (members, body) in enumerate(acting):
        last = len(acting) == len(arms) and i == len(acting) - 1
        head = "else" if last else f"{'elif' if i else 'if'} {is_in(view.problem, members)}"
        lines += [f"{head}:", *indent(body)]
    return tuple(lines) or ("pass",)


def read(
    view: View,
    lines: tuple[str, ...],
    values: list[int],
    kind: str,
    name: str,
    count: int,
    names: Sequence[str] = (),
) -> Iterator[Candidate]:
    """The label from the last state, as from any feature."""
    ends = [i for i, q in enumerate(view.states) if view.labels[q] != NEVER]
    seen = np.array([values[i] for i in ends])
    labels = np.array([view.labels[view.states[i]] for i in ends])
    body = Body(lines, name, name)
    if len(set(labels.tolist())) == 1:
        only = int(labels[0])
        found = [Reading((*lines, f"return {literal(view.problem.labels[only])}"), np.array([only]), 0)]
    elif kind == "names":
        found = _by_name(view, lines, names, dict(zip(seen.tolist(), labels.tolist(), strict=True)))
    else:
        family = Family("state_machine", kind, 1, _unused, lambda row: body, bound=count)  # type: ignore[arg-type]
        found = readings(family, 0, view.problem, seen, labels)
    for reading in found:
        table = np.full(len(view.machine.step), -1)
        if view.exit is not None:
            table[view.exit] = view.labels[view.exit]
        table[view.states] = reading.apply(np.array(values))
        yield _running(view.machine, table, reading.lines)


def _running(machine: Machine, table: np.ndarray, lines: tuple[str, ...]) -> Candidate:
    return Candidate("automaton", "state_machine", lines, lambda words: table[machine.run(words)])


def _by_name(
    view: View, lines: tuple[str, ...], names: Sequence[str], meaning: dict[int, int]
) -> list[Reading]:
    labels = view.problem.labels
    if all(labels[y] == names[v] for v, y in meaning.items()):
        itself = np.array([meaning.get(v, -1) for v in range(len(names))])
        return [Reading((*lines, "return state"), itself, 0)]
    return [groups(Body(lines, "state", "state"), view.problem, meaning, list(names))]


def _unused(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
    raise AssertionError("a machine is run by itself")


def alike(keys: list[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Indices with equal keys."""
    out: dict[tuple[int, ...], tuple[int, ...]] = {}
    for i, key in enumerate(keys):
        out[key] = (*out.get(key, ()), i)
    return out
