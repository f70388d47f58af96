"""Many subdomains at once, as arrays: what a search keeps, divides, and puts together again.

Data only, beneath `box_bounds.py` and `engines/branch_and_bound.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from .floats import FloatNetwork

Index = slice | np.ndarray


class Arrays:
    """Base of dataclasses whose fields are arrays with the same first axis."""

    def __len__(self) -> int:
        return len(next(self._arrays()))

    def __getitem__(self, some: Index) -> Self:
        return type(self)(*(array[some] for array in self._arrays()))

    @classmethod
    def joined(cls, batches: list[Self]) -> Self:
        """Put batches (at least one) one after the other."""
        if len(batches) == 1:
            return batches[0]
        return cls(*(np.concatenate(arrays) for arrays in zip(*(b._arrays() for b in batches), strict=True)))

    def _arrays(self) -> Iterator[np.ndarray]:
        return (getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]


class Subdomains(Arrays):
    """Base of what searches over a box divide.

    `phase` (subdomains, neurons): 1 and -1 where a split restricts the subdomain to inputs for which the
    neuron's input is >= 0, or <= 0; 0 elsewhere.  `weight` (subdomains,): the share of the whole search, for
    reports.  `node` (subdomains,): the number in the `Tree` that accounts for it.
    """

    phase: np.ndarray
    weight: np.ndarray
    node: np.ndarray


@dataclass(eq=False)
class BoxSubdomains(Subdomains):
    """Boxes, and what is known on each: `low`, `high` (subdomains, inputs); bounds `lower`, `upper`
    (subdomains, neurons) of the neurons' inputs.

    The bounds hold on the box as its phases restrict it.
    """

    low: np.ndarray
    high: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    weight: np.ndarray
    node: np.ndarray

    @classmethod
    def whole(cls, net: FloatNetwork, node: int = 0) -> BoxSubdomains:
        """The whole box of a network."""
        ends = (net.start_lower, net.start_upper, net.lower, net.upper)
        low, high, lower, upper = (np.array(v[None]) for v in ends)
        phase = np.zeros((1, net.count), dtype=np.int8)
        return cls(low, high, lower, upper, phase, np.ones(1), np.array([node]))
