"""What a search of `bab` has settled, counted: on how many words its leaves exclude each rival.

The count starts from nothing.  Cells come from the cuts, phases from the leaves; where a leaf is missing, for
whatever reason, the words below it are not counted.  What the search believes to be open or done is not
asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ....models.automata.automaton import Automaton
from ...bounds.paths import Paths
from .cells import Cell, Phases, SettledNode, WordCut, sizes
from .leaves import Leaves

AT_ONCE = 256  # cells whose words are counted together


@dataclass(frozen=True)
class Account:
    """`words` of the language: on so many each rival is excluded (`rivals`), on so many all of them are
    (`settled`).
    """

    words: int
    rivals: tuple[int, ...]
    settled: int

    @property
    def complete(self) -> bool:
        """Whether every rival is excluded on every word."""
        return self.settled == self.words and all(n == self.words for n in self.rivals)


@dataclass(eq=False)
class Accounting:
    """Over the cells of one search; targets first .. first + rivals - 1 are its rivals."""

    language: Automaton
    paths: Paths
    first: int
    rivals: int
    cuts: Mapping[int, tuple[WordCut, int, int]]
    closed: Leaves
    ends: list[tuple[Cell, list[bool]]] = field(default_factory=list)

    def account(self, root: Cell) -> Account:
        """Walk from the root through all cuts; cells that were not cut further are counted."""
        stack: list[tuple[Cell, list[list[Phases]]]] = [(root, [[()] for _ in range(self.rivals)])]
        excluded, settled = [0] * self.rivals, 0
        while stack:
            cell, open_nodes = stack.pop()
            left = self._left(open_nodes, self.closed.of(cell.number))
            cut = self.cuts.get(cell.number)
            halves = () if cut is None else cell.cut(self.paths, cut[0], cut[1:])
            stack += [(half, left) for half in halves]
            if not halves:
                self.ends.append((cell, [not nodes for nodes in left]))
            if len(self.ends) >= AT_ONCE or not stack:
                for (_, done), size in zip(
                    self.ends, sizes([c for c, _ in self.ends], self.language), strict=True
                ):
                    excluded = [n + size * d for n, d in zip(excluded, done, strict=True)]
                    settled += size * all(done)
                self.ends.clear()
        return Account(self.language.size, tuple(excluded), settled)

    def _left(
        self, open_nodes: Sequence[Sequence[Phases]], leaves: Iterable[SettledNode]
    ) -> list[list[Phases]]:
        """Per rival, the nodes that are open in a cell after its leaves."""
        by_rival: list[set[Phases]] = [set() for _ in open_nodes]
        for leaf in leaves:
            by_rival[leaf.target - self.first].add(leaf.phases)
        return [
            _uncovered(nodes, known) if known else list(nodes)
            for nodes, known in zip(open_nodes, by_rival, strict=True)
        ]


def _uncovered(nodes: Sequence[Phases], known: set[Phases]) -> list[Phases]:
    """Of these nodes of a tree of phase splits, what no leaf lies on: the topmost nodes that are left."""
    splits: dict[
        Phases, int
    ] = {}  # which ReLU a node is split by; a node that is split by two counts as split by one of them
    for phases in known:
        for depth, (relu, _) in enumerate(phases):
            splits[phases[:depth]] = relu
    out: list[Phases] = []
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node in known:
            continue
        if node in splits:
            stack += [(*node, (splits[node], phase)) for phase in (1, -1)]
        else:
            out.append(node)
    return out
