"""Small state machines from labelled examples, for behaviours that no other template describes.

The examples become a prefix tree, and equal futures merge layer by layer into a small acyclic automaton.  Its layers are folded:
where its middle layers are copies of a machine's states, by aligning them (`align.py`); else a machine with as few states as possible
is looked for by backtracking over its transitions; where that is too much, by blue-fringe state merging, in which two states
may be one as long as no sequence would get two labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...common.deadline import check
from ...models.automata.labelled import Labelled
from ...models.automata.layered import Layered, smallest_layered
from .align import aligned

MAX_STATES = 400  # of the acyclic automaton
MAX_MACHINE = 12  # of the machine: more is not readable
MAX_SEARCHED = 6  # states up to which the smallest machine is searched for
TRIALS = 20_000  # partial machines per number of states; counted, not timed, so that runs are reproducible


@dataclass(frozen=True, eq=False)
class Machine:
    """step[state, token]: the next state, the state itself where nothing was learnt; `start`: the first state."""

    step: np.ndarray
    start: int

    def run(self, words: np.ndarray) -> np.ndarray:
        """The state after each padded word."""
        stay = np.arange(len(self.step))[:, None]
        table = np.concatenate([self.step, stay], axis=1)  # padding changes nothing
        state = np.full(len(words), self.start)
        for t in range(words.shape[1]):
            state = table[state, words[:, t]]
        return state


@dataclass(frozen=True)
class Graph:
    """A partial deterministic automaton: outgoing edges per state, and the label where a sequence may end."""

    edges: tuple[dict[int, int], ...]
    labels: tuple[int | None, ...]


def learn_machines(examples: Labelled, size: int, suggested: Layered | None = None) -> list[Machine]:
    """Machines over `size` tokens that give every example its label in its last state, smallest first (at most two).

    `suggested`: a layered automaton that may be right on more words than the examples, where they are only some of the domain.
    """
    if len(np.unique(examples.labels)) < 2:
        return []
    graph = (
        acyclic(examples, size, MAX_STATES)
        if suggested is None
        else _without_padding(suggested.tables, suggested.finals, size)
    )
    if graph is None:
        return []
    if (first := _aligned(graph, examples, size)) is not None:
        return [first]
    if len(graph.edges) > MAX_STATES:
        return []
    found = [_smallest(graph, size)]
    if found[0] is None:
        found = [
            _machine(graph, blocks, size) for blocks in (_fold(graph, True), _fold(graph, False)) if blocks
        ]
    return sorted((m for m in found if m is not None and _separates(m, examples)), key=lambda m: len(m.step))


def _aligned(graph: Graph, examples: Labelled, size: int) -> Machine | None:
    """The first machine that aligning layers gives and that is right on all examples, from whichever state it starts."""
    some = examples.take(np.arange(0, len(examples), max(1, len(examples) // 512)))
    for table in aligned(_layers(graph, size)):
        step = np.where(table >= 0, table, np.arange(len(table))[:, None])
        for start in range(len(step)):
            machine = Machine(step, start)
            if _separates(machine, some) and _separates(machine, examples):
                return _reachable(machine)
    return None


def _layers(graph: Graph, size: int) -> list[np.ndarray]:
    """The graph's states by how far they are from the root, each numbered in its layer."""
    depth, place, widths = [0] * len(graph.edges), [0] * len(graph.edges), [1]
    for state, out in enumerate(graph.edges):  # in order of depth
        for target in out.values():
            if target and depth[target] == 0:
                depth[target] = depth[state] + 1
                widths += [0] * (depth[target] + 1 - len(widths))
                place[target] = widths[depth[target]]
                widths[depth[target]] += 1
    layers = [np.full((width, size), -1) for width in widths]
    for state, out in enumerate(graph.edges):
        for symbol, target in out.items():
            layers[depth[state]][place[state], symbol] = place[target]
    return layers


def _reachable(machine: Machine) -> Machine:
    """Without the states that no word leads to; the start is state 0."""
    order = [machine.start]
    for state in order:
        order += [int(t) for t in dict.fromkeys(machine.step[state].tolist()) if t not in order]
    place = {q: i for i, q in enumerate(order)}
    return Machine(np.array([[place[int(t)] for t in machine.step[q]] for q in order]), 0)


def acyclic(examples: Labelled, size: int, limit: int) -> Graph | None:
    """The smallest layered automaton of exactly these examples, root first; None if it has more than `limit` states."""
    layered = smallest_layered(examples, size + 1, limit)
    return None if layered is None else _without_padding(layered.tables, layered.finals, size)


def _without_padding(layers: Sequence[np.ndarray], finals: np.ndarray, size: int) -> Graph:
    """States from the root on; a padding edge becomes the label of the sequence that ends before it."""
    number: dict[tuple[int, int], int] = {(0, 0): 0}
    queue = [(0, 0)]
    edges: list[dict[int, int]] = []
    labels: list[int | None] = []
    for t, s in queue:
        depth, place = t, s
        while depth < len(layers) and layers[depth].shape[1] > size and layers[depth][place, size] >= 0:
            depth, place = depth + 1, int(layers[depth][place, size])
        labels.append(int(finals[place]) if depth == len(layers) else None)
        out = {}
        for symbol in range(size) if t < len(layers) else ():
            target = int(layers[t][s, symbol])
            if target >= 0:
                out[symbol] = number.setdefault((t + 1, target), len(number))
                if out[symbol] == len(queue):
                    queue.append((t + 1, target))
        edges.append(out)
    return Graph(tuple(edges), tuple(labels))


def _smallest(graph: Graph, size: int) -> Machine | None:
    """The machine with the fewest states that some order of trying finds within TRIALS; tokens that act alike are taken as one."""
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
    edges: tuple[tuple[tuple[int, int], ...], ...],
    labels: tuple[int | None, ...],
    delta: dict[tuple[int, int], int],
) -> tuple[dict[int, int], tuple[int, int] | None] | None:
    """Label per state, and the first transition that is missing, depth first from the root; None on a state with two labels."""
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


def _backtrack(
    edges: tuple[tuple[tuple[int, int], ...], ...], labels: tuple[int | None, ...], count: int
) -> dict[tuple[int, int], int] | None:
    """Transitions of a machine with `count` states that fits; the next new state is always the lowest unused number."""
    todo: list[dict[tuple[int, int], int]] = [{}]
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
        )  # tried last to first: staying put makes the shortest programs
        todo += [{**delta, missing: q} for q in choices]
    return None


def _ordered(
    step: np.ndarray,
    labels: tuple[int | None, ...],
    edges: tuple[tuple[tuple[int, int], ...], ...],
    delta: dict[tuple[int, int], int],
) -> Machine:
    """Number the states so that those with one label are neighbours, which lets thresholds tell the labels."""
    explored = _explore(edges, labels, delta)
    assert explored is not None, "the machine was found consistent"
    outputs = explored[0]
    first = outputs.get(0, min(outputs.values()))
    order = sorted(
        range(len(step)), key=lambda q: (outputs.get(q, first) != first, outputs.get(q, first), q != 0, q)
    )
    place = {q: i for i, q in enumerate(order)}
    return Machine(np.array([[place[int(t)] for t in step[q]] for q in order]), place[0])


class _Partition:
    """States merged into blocks so far; a block has one label at most and one edge per symbol."""

    def __init__(self, graph: Graph) -> None:
        self.parent = list(range(len(graph.edges)))
        self.edges = [dict(out) for out in graph.edges]
        self.labels = list(graph.labels)

    def copy(self) -> _Partition:
        other = object.__new__(_Partition)
        other.parent, other.labels = list(self.parent), list(self.labels)
        other.edges = [dict(out) for out in self.edges]
        return other

    def find(self, state: int) -> int:
        while self.parent[state] != state:
            self.parent[state] = state = self.parent[self.parent[state]]
        return state

    def merge(self, a: int, b: int) -> int | None:
        """Make two blocks one, and whatever that forces; the number of labels that agreed and merges, None on conflict."""
        score, stack = 0, [(a, b)]
        while stack:
            a, b = map(self.find, stack.pop())
            if a == b:
                continue
            a, b = min(a, b), max(a, b)
            if self.labels[a] is not None and self.labels[b] is not None:
                if self.labels[a] != self.labels[b]:
                    return None
                score += 10
            score += 1
            self.parent[b] = a
            if self.labels[a] is None:
                self.labels[a] = self.labels[b]
            for symbol, target in self.edges[b].items():
                if symbol in self.edges[a]:
                    stack.append((self.edges[a][symbol], target))
                else:
                    self.edges[a][symbol] = target
        return score


def _fold(graph: Graph, by_score: bool) -> _Partition | None:
    """Blue-fringe merging: red states are kept, blue ones are their successors; None when the machine gets too large."""
    blocks = _Partition(graph)
    red = [0]
    while True:
        red = sorted({blocks.find(r) for r in red})
        blue = sorted({blocks.find(t) for r in red for t in blocks.edges[r].values()} - set(red))
        if not blue:
            return blocks
        best: tuple[int, _Partition] | None = None
        promoted = False
        for b in blue if by_score else blue[:1]:
            possible = False
            for r in red:
                check()
                trial = blocks.copy()
                score = trial.merge(r, b)
                if score is None:
                    continue
                possible = True
                if best is None or (by_score and score > best[0]):
                    best = score, trial
            if not possible:
                red.append(b)
                promoted = True
                break
        if promoted:
            if len(red) > MAX_MACHINE:
                return None
        elif best is not None:
            blocks = best[1]


def _machine(graph: Graph, blocks: _Partition, size: int) -> Machine:
    """States numbered so that those with one label are neighbours, which lets thresholds tell the labels."""
    reached = [blocks.find(0)]
    for state in reached:
        for symbol in sorted(blocks.edges[state]):
            target = blocks.find(blocks.edges[state][symbol])
            if target not in reached:
                reached.append(target)
    first = blocks.labels[reached[0]]
    ranks = sorted(
        {y for y in (blocks.labels[s] for s in reached) if y is not None}, key=lambda y: (y != first, y)
    )
    order = sorted(
        reached,
        key=lambda s: ranks.index(blocks.labels[s]) if blocks.labels[s] is not None else 0,  # type: ignore[arg-type]
    )  # type: ignore[arg-type]
    number = {state: i for i, state in enumerate(order)}
    step = np.tile(np.arange(len(order))[:, None], (1, size))
    for state in order:
        for symbol, target in blocks.edges[state].items():
            step[number[state], symbol] = number[blocks.find(target)]
    return Machine(step, number[reached[0]])


def _separates(machine: Machine, examples: Labelled) -> bool:
    """The last state alone tells the label."""
    pairs = np.unique(np.stack([machine.run(examples.words), examples.labels], axis=1), axis=0)
    return len(np.unique(pairs[:, 0])) == len(pairs)
