"""Many subdomains at once, as a dataclass of arrays: what searches keep of subdomains, cut, and put together again.

Beneath `box_bounds.py` and `work.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Self

import numpy as np

Index = slice | np.ndarray


class Arrays:
    """Base of dataclasses whose fields are arrays (subdomains, ...), all of the same length."""

    def __len__(self) -> int:
        return len(next(self._arrays()))

    def __getitem__(self, some: Index) -> Self:
        return type(self)(*(array[some] for array in self._arrays()))

    @classmethod
    def joined(cls, batches: list[Self]) -> Self:
        """One after the other; of at least one."""
        if len(batches) == 1:
            return batches[0]
        return cls(*(np.concatenate(arrays) for arrays in zip(*(b._arrays() for b in batches), strict=True)))

    def _arrays(self) -> Iterator[np.ndarray]:
        return (getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]


class Subdomains(Arrays):
    """Batches of what `branch_and_bound` searches, (subdomains,) each: `node` of the `Tree` that accounts for them, `weight`: the share of the whole, for reports.

    `phase` (subdomains, neurons): which ReLUs are fixed to be on (1) or off (-1).
    """

    phase: np.ndarray
    weight: np.ndarray
    node: np.ndarray
