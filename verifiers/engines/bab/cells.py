"""The subdomains of `bab`: sets of words, and what is still open on them.

A cell is a set of words, given by masks on symbols and states, with bounds of every ReLU that hold on it.  A
node is a rival and phases of ReLUs; the open nodes of a cell are what is not settled there.  Data only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ....models.automata.automaton import Automaton
from ...bounds.multipliers import Multipliers
from ...bounds.paths import NEVER, Paths

SAFE_COUNT = 2**62  # words that 64 bits can count
Word = tuple[int, ...]
Phases = tuple[tuple[int, int], ...]  # (ReLU, 1 or -1) in the order in which they were split


@dataclass(frozen=True)
class WordCut:
    """The words that pass one of the states `values` of layer `place` (have such a symbol at position
    `place`), and all others.
    """

    kind: Literal["state", "symbol"]
    place: int
    values: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OpenNode:
    """Violation row `target` where ReLUs have these phases; `upper` bounds the row there, by `multipliers`
    (k,) each.

    `relu`: the open ReLU whose relaxation loses most, -1: none is open.
    """

    target: int
    phases: Phases
    multipliers: Multipliers
    upper: float
    relu: int = -1


@dataclass(frozen=True, eq=False)
class SettledNode:
    """A leaf: `multipliers` prove that its row is negative; None: the cell's bounds leave no word with these
    phases.

    `looked`: the cell has one word, and it was evaluated.
    """

    target: int
    phases: Phases
    multipliers: Multipliers | None
    looked: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """`symbol_mask` (length, symbols), `state_mask` (length + 1, width): 0 or -inf, None: nothing cut off;
    bounds (k,).
    """

    number: int
    symbol_mask: np.ndarray | None
    state_mask: np.ndarray | None
    lower: np.ndarray
    upper: np.ndarray
    nodes: tuple[OpenNode, ...] = ()

    @property
    def worst(self) -> float:
        return max(node.upper for node in self.nodes)

    def excludes(self, phases: Phases) -> bool:
        """Whether its bounds leave no word with these phases."""
        if (self.lower > self.upper).any():
            return True
        return any(self.upper[j] < 0 if phase > 0 else self.lower[j] > 0 for j, phase in phases)

    def divides(self, paths: Paths, cut: WordCut) -> bool:
        """Whether a cut leaves values on both sides; where not, one side is certainly empty."""
        row, values = self._row(paths, cut)
        allowed = np.isfinite(row)
        return bool((allowed & values).any() and (allowed & ~values).any())

    def cut(self, paths: Paths, cut: WordCut, numbers: Sequence[int]) -> tuple[Cell, ...]:
        """The words on the cut's side and all others, as cells with these numbers; () where it does not
        divide the cell.
        """
        if not self.divides(paths, cut):
            return ()
        row, values = self._row(paths, cut)
        name = "state_mask" if cut.kind == "state" else "symbol_mask"
        mask = getattr(self, name)
        if mask is None:
            shape = (
                (paths.length + 1, paths.width) if cut.kind == "state" else (paths.length, paths.symbol_count)
            )
            mask = np.zeros(shape)
        inside, outside = mask.copy(), mask.copy()
        inside[cut.place, : len(row)][~values] = NEVER
        outside[cut.place, : len(row)][values] = NEVER
        return tuple(
            replace(self, number=number, nodes=(), **{name: m})
            for number, m in zip(numbers, (inside, outside), strict=True)
        )

    def _row(self, paths: Paths, cut: WordCut) -> tuple[np.ndarray, np.ndarray]:
        """The mask at the cut's place, and which of the values there are on its side; raises IndexError where
        there is no such place or value.
        """
        if cut.kind == "state":
            count = paths.layer_sizes[cut.place]
            row = np.zeros(count) if self.state_mask is None else self.state_mask[cut.place, :count]
        else:
            row = np.zeros(paths.symbol_count) if self.symbol_mask is None else self.symbol_mask[cut.place]
            row = np.where(paths.present[cut.place], row, NEVER)
        values = np.zeros(len(row), dtype=bool)
        values[list(cut.values)] = True
        return row, values

    def size(self, language: Automaton) -> int:
        """How many words it has, exactly."""
        return sizes([self], language)[0]


def sizes(cells: Sequence[Cell], language: Automaton) -> list[int]:
    """How many words each cell has, exactly."""
    dtype = np.int64 if language.size < SAFE_COUNT else object
    counts = np.ones((language.layer_sizes[-1], len(cells)), dtype=dtype)
    counts[~_allowed([c.state_mask for c in cells], language.length, language.layer_sizes[-1])] = 0
    for t in reversed(range(language.length)):
        source, symbol, target = np.array(language.edges[t], dtype=np.int64).reshape(-1, 3).T
        passed = counts[target]
        passed[~_allowed([c.symbol_mask for c in cells], t, language.symbol_count)[symbol]] = 0
        counts = np.zeros((language.layer_sizes[t], len(cells)), dtype=dtype)
        np.add.at(counts, source, passed)
        counts[~_allowed([c.state_mask for c in cells], t, language.layer_sizes[t])] = 0
    return [int(n) for n in counts.sum(axis=0)]


def _allowed(masks: Sequence[np.ndarray | None], place: int, count: int) -> np.ndarray:
    """(count, cells): which values each cell lets pass at the place."""
    everything = np.ones(count, dtype=bool)
    return np.stack(
        [everything if mask is None else np.isfinite(mask[place, :count]) for mask in masks], axis=1
    )


def masks(cells: Sequence[Cell], paths: Paths) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The cells' masks side by side in the last axis, None where no cell cuts anything off."""
    symbols = states = None
    if any(c.symbol_mask is not None for c in cells):
        none = np.zeros((paths.length, paths.symbol_count))
        symbols = np.stack([none if c.symbol_mask is None else c.symbol_mask for c in cells], axis=2)
    if any(c.state_mask is not None for c in cells):
        none = np.zeros((paths.length + 1, paths.width))
        states = np.stack([none if c.state_mask is None else c.state_mask for c in cells], axis=2)
    return symbols, states


def phase_array(phases: Phases, count: int) -> np.ndarray:
    """(count,) int8: 1, -1, and 0 for what is not split."""
    out = np.zeros(count, dtype=np.int8)
    for j, phase in phases:
        out[j] = phase
    return out
