"""Find the machine with the fewest states that fits a partial automaton, by backtracking.

Trials are counted, not timed, so that runs are reproducible.
"""

from __future__ import annotations

import numpy as np

from ...common.deadline import check
from .machine import PartialAutomaton, TokenMachine

MAX_SEARCHED = 6  # states up to which a machine is searched for
TRIALS = 20_000  # partial machines for each number of states

Steps = dict[tuple[int, int], int]  # (state, token) -> the next state
Edges = tuple[tuple[tuple[int, int], ...], ...]  # for each node, the tokens with the node that each leads to


def smallest_machine(graph: PartialAutomaton, size: int) -> TokenMachine | None:
    """Return the machine with the fewest states that is found within TRIALS; None if there is none.

    Tokens that act alike are taken as one.  `size` is the number of tokens.
    """
    columns: dict[tuple[int | None, ...], int] = {}
    group = [columns.setdefault(tuple(out.get(a) for out in graph.edges), a) for a in range(size)]
    edges = tuple(tuple((a, out[a]) for a in sorted(set(group)) if a in out) for out in graph.edges)
    fewest = len({y for y in graph.labels if y is not None})
    for count in range(max(2, fewest), MAX_SEARCHED + 1):
        delta = _backtrack(edges, graph.labels, count)
        if delta is not None:
            step = [[delta.get((q, group[a]), q) for a in range(size)] for q in range(count)]
            return _ordered(np.array(step), graph.labels, edges, delta)
    return None


def _explore(
    edges: Edges, labels: tuple[int | None, ...], delta: Steps
) -> tuple[dict[int, int], tuple[int, int] | None] | None:
    """Run the words through a partial machine, depth first.

    Returns: the label of each state, and the first transition that is missing; None if a state has two
        labels.
    """
    outputs: dict[int, int] = {}
    missing = None
    stack, seen = [(0, 0)], {(0, 0)}
    while stack:
        node, state = stack.pop()
        label = labels[node]
        if label is not None and outputs.setdefault(state, label) != label:
            return None
        for symbol, target in edges[node]:
            following = delta.get((state, symbol))
            if following is None:
                missing = missing or (state, symbol)
            elif (target, following) not in seen:
                seen.add((target, following))
                stack.append((target, following))
    return outputs, missing


def _backtrack(edges: Edges, labels: tuple[int | None, ...], count: int) -> Steps | None:
    """Find the transitions of a machine with `count` states; a new state has the lowest unused number."""
    todo: list[Steps] = [{}]
    for _ in range(TRIALS):
        check()
        if not todo:
            return None
        delta = todo.pop()
        explored = _explore(edges, labels, delta)
        if explored is None:
            continue
        missing = explored[1]
        if missing is None:
            return delta
        used = 1 + max((0, *(q for q, _ in delta), *delta.values()))
        choices = [*range(min(used + 1, count))]
        choices.sort(
            key=lambda q: q == missing[0]
        )  # the last is tried first: staying makes the shortest programs
        todo += [{**delta, missing: q} for q in choices]
    return None


def _ordered(step: np.ndarray, labels: tuple[int | None, ...], edges: Edges, delta: Steps) -> TokenMachine:
    """Number the states so that those with one label are neighbours: then thresholds tell the labels."""
    explored = _explore(edges, labels, delta)
    assert explored is not None, "the machine was found consistent"
    outputs = explored[0]
    first = outputs.get(0, min(outputs.values()))
    order = sorted(
        range(len(step)), key=lambda q: (outputs.get(q, first) != first, outputs.get(q, first), q != 0, q)
    )
    place = {q: i for i, q in enumerate(order)}
    return TokenMachine(np.array([[place[int(t)] for t in step[q]] for q in order]), place[0])
