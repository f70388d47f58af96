"""How to split the words of a cell: by groups of symbols at a position, or of automaton states in a layer.

The splitting rule of `search.py` for words; for ReLUs it is in `bounding.py`.  Good cuts tell apart the words
that attained bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ...bounds.minimise import Minimised
from ...bounds.word_queries import FloatQueries
from .cells import Cell, WordCut


class WordCuts:
    """Of one label's queries.

    `candidates`: how many cuts by states are proposed, and half as many by symbols; `states`: whether any.
    """

    def __init__(self, problem: FloatQueries, candidates: int, states: bool) -> None:
        self.problem, self.paths = problem, problem.paths
        self.candidates, self.states = candidates, states

    def likely(self, cell: Cell, done: Minimised) -> list[WordCut]:
        """Cuts of a cell, both sides of which may have words, from the words that attained its nodes' bounds;
        none where it has one path only.

        The words form two groups, by the first-layer row in which they differ most.  States are ordered by
        that row's average over the words that pass them, and cut in two; a cut is as good as what it says
        about the group.  Cuts at places that are far apart are proposed.
        """
        words = np.concatenate([w for _, w, _ in done.seen])
        states = np.concatenate([s for _, _, s in done.seen])
        length = self.paths.length
        found: dict[tuple[str, int], WordCut] = {}  # one for each stretch of the length
        for _, cut in sorted(self._rated(words, states), key=lambda o: (-o[0], o[1].kind, o[1].place)):
            spread = self.candidates if cut.kind == "state" else max(1, self.candidates // 2)
            stretch = (cut.kind, cut.place * spread // (length + 1))
            if stretch not in found and cell.divides(self.paths, cut):
                found[stretch] = cut
        if found:
            return list(found.values())
        # there was one word only to look at: whatever can be cut
        return [cut for cut in [next(self._all(cell), None)] if cut is not None]

    def _rated(self, words: np.ndarray, states: np.ndarray) -> list[tuple[float, WordCut]]:
        """Cuts with what they say about the words' two groups."""
        row, group = self._two_groups(words)
        if not group.any() or group.all():
            return []
        rated: list[tuple[float, WordCut]] = []
        for t in range(1, self.paths.length + 1 if self.states else 1):
            order = self._averages[t][:, row]
            middle = (order[states[group, t]].mean() + order[states[~group, t]].mean()) / 2
            gain = _gain((order[states[:, t]] > middle).astype(np.int64), group)
            rated.append((gain, WordCut("state", t, tuple(np.flatnonzero(order > middle).tolist()))))
        for t in range(self.paths.length):
            values, place = np.unique(words[:, t], return_inverse=True)
            speaks = np.array([group[words[:, t] == v].mean() > group.mean() for v in values])
            gain = _gain(place.reshape(-1), group)
            rated.append((gain, WordCut("symbol", t, tuple(values[speaks].tolist()))))
        return rated

    def _two_groups(self, words: np.ndarray) -> tuple[int, np.ndarray]:
        """The row in which words differ most, and (words,) bool: the group of each."""
        first = self.problem.groups[0].stop if self.problem.groups else len(self.problem.reach)
        rows = self.problem.exact_rows(self.problem.values(words))[:, :first]
        spread = rows.std(axis=0) / np.maximum(np.abs(rows).max(axis=0), 1.0)
        row = int(spread.argmax())
        positive = rows[:, row] > 0
        return row, positive if positive.any() and not positive.all() else rows[:, row] > rows[:, row].mean()

    @cached_property
    def _averages(self) -> list[np.ndarray]:
        return self.paths.averages(self.problem.symbols.transpose(1, 2, 0))

    def _all(self, cell: Cell) -> Iterator[WordCut]:
        """Each symbol, each state alone, of those that the cell has, where that divides it."""
        for t in range(self.paths.length):
            for symbol in np.flatnonzero(self.paths.present[t]).tolist():
                if cell.symbol_mask is None or cell.symbol_mask[t, symbol] == 0:
                    cut = WordCut("symbol", t, (symbol,))
                    if cell.divides(self.paths, cut):
                        yield cut
        for t in range(self.paths.length + 1 if self.states else 0):
            for state in range(self.paths.layer_sizes[t]):
                if cell.state_mask is None or cell.state_mask[t, state] == 0:
                    cut = WordCut("state", t, (state,))
                    if cell.divides(self.paths, cut):
                        yield cut


def _gain(values: np.ndarray, group: np.ndarray) -> float:
    """What a value says about the group: mutual information in nats, less what chance gives (Miller and
    Madow's correction).
    """
    total = np.bincount(values).astype(np.float64)
    inside = np.bincount(values[group], minlength=len(total)).astype(np.float64)
    gain, expected = 0.0, group.mean()
    for side, share in ((inside, expected), (total - inside, 1 - expected)):
        positive = side > 0
        gain += float((side[positive] * np.log(side[positive] / (total[positive] * share))).sum())
    result: float = gain / len(values) - ((total > 0).sum() - 1) / (2 * len(values))
    return result
