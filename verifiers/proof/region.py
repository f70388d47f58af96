"""Regions: subdomains with proved bounds of ReLUs, as words and boxes have them in common.

Part of the trusted base, below `tree.py`.  What the format says about bounds in general is here: the phases
that they prove, the phases that they exclude, and the multipliers that hold where a proof names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...models.network.integers import exact_product, exact_sum, integer_array

Phases = tuple[tuple[int, int], ...]  # (ReLU, 1 or -1), in the order in which they were split


@dataclass(frozen=True, eq=False)
class Region:
    """A subdomain on which the arguments of all ReLUs lie in `lower` .. `upper`, (ReLUs,).  `one`: slopes are
    integers over this.
    """

    one = 1
    lower: np.ndarray
    upper: np.ndarray

    @property
    def empty(self) -> bool:
        return False

    @property
    def phase(self) -> np.ndarray:
        """(ReLUs,): 1 and -1 where bounds prove that a ReLU is active or inactive, 0 where it is open."""
        return np.where(self.lower >= 0, 1, np.where(self.upper <= 0, -1, 0)).astype(np.int64)

    @property
    def defaults(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(below, above, beta) where a proof names none: the lower line that loses less, and u / (u - l) to
        the nearest.
        """
        width = np.maximum(exact_sum(self.upper, exact_product(self.lower, -1)), 1)
        above = exact_sum(exact_product(self.upper, 2 * self.one), width) // exact_product(width, 2)
        below = np.where(exact_sum(self.upper, self.lower) > 0, self.one, 0)
        none = np.zeros(len(width), dtype=np.int64)
        return below.astype(np.int64), np.clip(above, 0, self.one).astype(np.int64), none

    def better(self, sign: int, relus: Sequence[int] | np.ndarray, found: Sequence[int] | np.ndarray) -> Self:
        """With these upper bounds of `sign` times the ReLUs' arguments, where they are better."""
        new = (self.upper if sign > 0 else self.lower).astype(object)
        for j, bound in zip(relus, found, strict=True):
            new[j] = min(new[j], int(bound)) if sign > 0 else max(new[j], -int(bound))
        return replace(self, **{"upper" if sign > 0 else "lower": integer_array(new)})

    def excludes(self, phases: Phases) -> bool:
        """Whether bounds show that no input has these phases."""
        return self.empty or any(self.upper[j] < 0 if p > 0 else self.lower[j] > 0 for j, p in phases)
