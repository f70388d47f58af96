"""Accounts for the subdomains of a case's box: which were split, which are settled, and which are open.

After `verifiers/evidence.py`, beneath the searches and the race.  A `Tree` is made outside of the search,
which can do three things with a subdomain: split it in two (`halves.py`, the only place that does, makes
halves that cover it), settle it, or leave it open.  What a search says of itself ("done") counts for nothing;
`Tree.tiling` gives evidence when no subdomain is open, and nothing else does.  It takes a byte for every
subdomain that there ever was.
"""

from __future__ import annotations

import threading

import numpy as np

from ...evidence import How, Lost, Tiling

OPEN, SPLIT, JOINED = 0, 254, 255


class Tree:
    """The subdomains of one case's box, as numbered nodes: open, split, or settled.  Threads may share it."""

    def __init__(self, polyhedra: int) -> None:
        if polyhedra < 1:
            raise ValueError("where nothing is unsafe, there is nothing to show")
        self.polyhedra = polyhedra
        self._alone = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the whole box, whatever is known: for a second attempt."""
        with self._alone:
            self._state = np.zeros(max(64, self.polyhedra), dtype=np.uint8)
            self._count, self._joins = self.polyhedra, 0

    @property
    def roots(self) -> np.ndarray:
        """(polyhedra,): the whole box, once for each."""
        return np.arange(self.polyhedra)

    def join(self, nodes: np.ndarray) -> int:
        """One node for several roots: what settles it settles all of them."""
        with self._alone:
            if not len(nodes) or (np.asarray(nodes) >= self.polyhedra).any():
                raise Lost("only roots are joined, at least one")
            self._close(nodes, JOINED)
            self._joins += 1
            return int(self._more(1)[0])

    def split(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two children for each.  For `halves.py`, which says what subdomains they stand for."""
        with self._alone:
            self._close(nodes, SPLIT)
            both = self._more(2 * len(nodes))
            return both[: len(nodes)], both[len(nodes) :]

    def settle(self, nodes: np.ndarray, how: How) -> None:
        """These subdomains hold no counterexample."""
        with self._alone:
            self._close(nodes, How(how))

    def tiling(self) -> Tiling | None:
        """None while a subdomain is open."""
        with self._alone:
            counts = np.bincount(self._state[: self._count], minlength=256).tolist()
        if counts[OPEN]:
            return None
        settled = tuple((how.name, counts[how]) for how in How if counts[how])
        return Tiling(1, self.polyhedra, counts[JOINED] - self._joins, counts[SPLIT], settled)

    def _close(self, nodes: np.ndarray, state: int) -> None:
        nodes = np.asarray(nodes)
        if not len(nodes):
            return
        if (
            nodes.min() < 0
            or nodes.max() >= self._count
            or (self._state[nodes] != OPEN).any()
            or len(np.unique(nodes)) != len(nodes)
        ):
            raise Lost("a subdomain is split or settled twice, or was never there")
        self._state[nodes] = state

    def _more(self, count: int) -> np.ndarray:
        while self._count + count > len(self._state):
            self._state = np.concatenate([self._state, np.zeros_like(self._state)])
        self._count += count
        return np.arange(self._count - count, self._count)
