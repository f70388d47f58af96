"""State merging: fold a partial automaton into a small machine (blue-fringe).

Two states may be one as long as no sequence would get two labels.

Source: Lang, Pearlmutter and Price, "Results of the Abbadingo One DFA Learning Competition" (1998), the
    blue-fringe algorithm.
"""

from __future__ import annotations

import numpy as np

from ...common.deadline import check
from .machine import PartialAutomaton, TokenMachine

MAX_MACHINE = 12  # states: more are not readable


class _Partition:
    """States that are merged into blocks; a block has at most one label, and one edge for each token."""

    def __init__(self, graph: PartialAutomaton) -> None:
        self.parent = list(range(len(graph.edges)))
        self.edges = [dict(out) for out in graph.edges]
        self.labels = list(graph.labels)

    def copy(self) -> _Partition:
        """Return an independent copy."""
        other = object.__new__(_Partition)
        other.parent, other.labels = list(self.parent), list(self.labels)
        other.edges = [dict(out) for out in self.edges]
        return other

    def find(self, state: int) -> int:
        """Return the state that stands for a state's block."""
        while self.parent[state] != state:
            self.parent[state] = state = self.parent[self.parent[state]]
        return state

    def merge(self, a: int, b: int) -> int | None:
        """Merge two blocks, and whatever that forces.

        Returns: a score of merges and of labels that agreed; None if a block would get two labels.
        """
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


def merged_machine(graph: PartialAutomaton, size: int, by_score: bool) -> TokenMachine | None:
    """Fold an automaton over `size` tokens; None if the machine gets too large.

    `by_score`: make the merge with the best score next, instead of the first that is possible.
    """
    blocks = _fold(graph, by_score)
    return None if blocks is None else _machine(graph, blocks, size)


def _fold(graph: PartialAutomaton, by_score: bool) -> _Partition | None:
    """Merge states.  Red states are kept, blue ones are their successors."""
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


def _machine(graph: PartialAutomaton, blocks: _Partition, size: int) -> TokenMachine:
    """Number the blocks so that those with one label are neighbours: then thresholds tell the labels."""
    reached = [blocks.find(0)]
    for state in reached:
        for symbol in sorted(blocks.edges[state]):
            target = blocks.find(blocks.edges[state][symbol])
            if target not in reached:
                reached.append(target)
    first = blocks.labels[reached[0]]
    labels = {y for y in (blocks.labels[s] for s in reached) if y is not None}
    rank = {y: i for i, y in enumerate(sorted(labels, key=lambda y: (y != first, y)))}
    order = sorted(reached, key=lambda s: rank.get(blocks.labels[s], 0))  # type: ignore[arg-type]
    number = {state: i for i, state in enumerate(order)}
    step = np.tile(np.arange(len(order))[:, None], (1, size))
    for state in order:
        for symbol, target in blocks.edges[state].items():
            step[number[state], symbol] = number[blocks.find(target)]
    return TokenMachine(step, number[reached[0]])
