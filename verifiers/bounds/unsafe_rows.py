"""The unsafe polyhedra of one case in float64: rows to bound from above, with their own rounding.

Between `models/claims/property.py` and the searches.  A polyhedron is refuted on a subdomain as soon as one
of its rows is negative everywhere, or a sum of its rows with non-negative factors is.  A subdomain is safe
when all polyhedra are refuted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...common.errors import Unsupported
from ...models.claims.property import Polyhedron
from .box_bounds import LinearBounds, Objectives, upper_bounds
from .floats import FLOOR, HOPELESS, SAFE, UNIT, FloatNetwork
from .relaxation import ReluRelaxation
from .subdomains import BoxSubdomains


@dataclass(frozen=True, eq=False)
class UnsafeRows:
    """Row r is outputs[r] . y + inputs[r] . x + constant[r], and is off by at most error[r].

    `owner[r]`: its polyhedron.  Rows of one polyhedron lie side by side; `first` (polyhedra,) says where they
    start.
    """

    outputs: np.ndarray  # (rows, outputs)
    inputs: np.ndarray | None  # (rows, inputs)
    constant: np.ndarray
    error: np.ndarray
    strict: np.ndarray
    owner: np.ndarray
    first: np.ndarray
    node: int  # whose values the outputs are
    size: float  # no row is larger, and no sum that it is computed by

    def __len__(self) -> int:
        return len(self.constant)

    @property
    def polyhedra(self) -> int:
        return len(self.first)

    @classmethod
    def of(cls, net: FloatNetwork, unsafe: Sequence[Polyhedron]) -> UnsafeRows:
        """Raises Unsupported where numbers are far beyond float64, and ValueError where a polyhedron has no
        rows (every input is unsafe), or there are none.
        """
        if not unsafe or not all(unsafe):
            raise ValueError("every polyhedron has rows to bound")
        rows = [r for p in unsafe for r in p]
        outputs, inputs = np.zeros((len(rows), net.sizes[-1])), np.zeros((len(rows), net.sizes[0]))
        try:
            for r, row in enumerate(rows):
                for matrix, terms in ((outputs, row.y), (inputs, row.x)):
                    for i, factor in terms:
                        matrix[r, i] = factor.numerator / factor.denominator
            constant = np.array([r.constant.numerator / r.constant.denominator for r in rows])
        except OverflowError:
            raise Unsupported("a number of the property is far beyond float64") from None
        size = np.abs(outputs) @ net.largest[-1] + np.abs(inputs) @ net.largest[0] + np.abs(constant)
        if not (size < HOPELESS).all():
            raise Unsupported("a number of the property is far beyond float64")
        owner = np.repeat(np.arange(len(unsafe)), [len(p) for p in unsafe])
        first = np.concatenate([[0], np.flatnonzero(np.diff(owner)) + 1]).astype(
            np.int64
        )  # of each, for none is without rows
        error = 8 * UNIT * size * SAFE + FLOOR
        return cls(
            outputs,
            inputs if inputs.any() else None,
            constant,
            error,
            np.array([r.strict for r in rows]),
            owner,
            first,
            len(net.nodes),
            float(size.max()),
        )

    def bound(
        self, net: FloatNetwork, subdomains: BoxSubdomains, relaxations: dict[int, ReluRelaxation]
    ) -> tuple[np.ndarray, LinearBounds]:
        """Upper bounds (subdomains, rows), and the linear bounds of all functions: row by row of the first
        subdomain, then of the next.
        """
        n, r = len(subdomains), len(self)
        objectives = Objectives(
            self.node,
            np.tile(self.outputs, (n, 1)),
            np.repeat(np.arange(n), r),
            np.tile(self.constant, n),
            None if self.inputs is None else np.tile(self.inputs, (n, 1)),
            np.tile(self.error, n),
        )
        found = upper_bounds(net, objectives, subdomains, relaxations, trace=True)
        return found.bound.reshape(n, r), found

    def objectives(self, row: np.ndarray) -> Objectives:
        """Rows as functions on the one box; `row` (functions,)."""
        inputs = None if self.inputs is None else self.inputs[row]
        subdomain = np.zeros(len(row), dtype=np.int64)
        return Objectives(
            self.node, self.outputs[row], subdomain, self.constant[row], inputs, self.error[row]
        )

    def within(self, factors: np.ndarray, polyhedron: np.ndarray) -> np.ndarray:
        """Factors (functions, rows), those of one polyhedron for each, as (functions, rows of the largest
        polyhedron).
        """
        sizes = np.diff(np.append(self.first, len(self)))
        at = self.first[polyhedron][:, None] + np.arange(sizes.max())
        there = np.arange(sizes.max()) < sizes[polyhedron][:, None]
        return np.where(there, np.take_along_axis(factors, np.minimum(at, len(self) - 1), axis=1), 0)

    def by_subdomain(self, values: np.ndarray) -> np.ndarray:
        """What `bound` found, (functions, ...), as (subdomains, rows, ...)."""
        return values.reshape(len(values) // len(self), len(self), *values.shape[1:])

    def refuted(self, bound: np.ndarray) -> np.ndarray:
        """Which polyhedra bounds (subdomains, rows) refute: (subdomains, polyhedra)."""
        negative = (bound < 0) | (self.strict & (bound <= 0))
        return np.logical_or.reduceat(negative, self.first, axis=1)

    def margin(self, inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """In plain floats: (points, polyhedra), the smallest row; unsafe where it is >= 0, as far as floats
        tell.
        """
        value = outputs @ self.outputs.T + self.constant
        if self.inputs is not None:
            value = value + inputs @ self.inputs.T
        return np.minimum.reduceat(value, self.first, axis=1)
