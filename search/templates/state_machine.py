"""The last resort: a small state machine, learnt from all examples (`search/learn.py`), written as a chain of transitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..feature import Body, Family
from ..learn import Machine, learn_machines
from ..problem import Problem
from ..rank import description_length
from ..render import function, indent, is_in

LAST_RESORT = True

EXAMPLE = """
def balance(tokens):
    state = 0
    for token in tokens:
        if token == "a":
            if state == 0:
                state = 1
            elif state == 1:
                state = 2
            else:
                state = 0
        elif token == "b" and state == 2:
            state = 1
    return "even" if state == 2 else "odd"
"""


def families(problem: Problem) -> Iterator[Family]:
    machines = learn_machines(problem.examples, problem.size)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([machines[r].run(words) for r in rows])

    yield Family("state_machine", "number", len(machines), evaluate, lambda row: _body(problem, machines[row]))


def _body(problem: Problem, machine: Machine) -> Body:
    forms = [_by_token(problem, machine), _by_state(problem, machine)]
    loops = [(f"state = {machine.start}", "for token in tokens:", *indent(lines or ("pass",))) for lines in forms]
    return Body(min(loops, key=lambda lines: description_length(function(lines, "f"))), "state", "state")


def _chain(arms: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """if / elif over conditions."""
    lines: list[str] = []
    for i, (test, body) in enumerate(arms):
        lines += [f"{'elif' if i else 'if'} {test}:", *indent(body)]
    return tuple(lines)


def _groups(keys: list[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Indices with equal keys."""
    out: dict[tuple[int, ...], tuple[int, ...]] = {}
    for i, key in enumerate(keys):
        out[key] = (*out.get(key, ()), i)
    return out


def _moves(before: list[int], after: list[int]) -> tuple[str, ...]:
    """Statements that take state before[i] to after[i]."""
    if len(set(after)) == 1 and len(before) > 1:
        return (f"state = {after[0]}",)
    moving = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    if len(before) == 2 and moving == [(before[0], before[1]), (before[1], before[0])]:
        return (f"state = {sum(before)} - state",)
    return _chain([(f"state == {a}", (f"state = {b}",)) for a, b in moving])


def _by_token(problem: Problem, machine: Machine) -> tuple[str, ...]:
    """Outer choice on the token, inner on the state."""
    states = list(range(len(machine.step)))
    arms = []
    for column, members in _groups([tuple(c) for c in machine.step.T.tolist()]).items():
        moves = _moves(states, list(column))
        if list(column) != states:
            arms.append((is_in(problem, members), moves))
    return _chain(arms)


def _by_state(problem: Problem, machine: Machine) -> tuple[str, ...]:
    """Outer choice on the state, inner on the token; where every token moves on, the largest group needs no condition."""
    arms = []
    for state, row in enumerate(machine.step.tolist()):
        groups = sorted(_groups([(t,) for t in row]).items(), key=lambda g: len(g[1]))
        inner = [(is_in(problem, members), (f"state = {target[0]}",)) for target, members in groups if target[0] != state]
        if not inner:
            continue
        if len(inner) < len(groups):
            body = _chain(inner)
        elif len(inner) == 1:
            body = inner[0][1]
        else:
            body = (*_chain(inner[:-1]), "else:", *indent(inner[-1][1]))
        arms.append((f"state == {state}", body))
    return _chain(arms)
