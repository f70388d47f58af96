"""A network as proofs about boxes compute with it: weights are integers over powers of two.

Part of the trusted base of proofs about real inputs: `checker.py` makes it, and `bounds.py` bounds functions
of it.  What rounding a weight can cost is added there.  docs/reference/proof-format.md, section 10, is the
specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ....models.network.integers import (
    exact_matmul,
    exact_product,
    exact_quotient,
    exact_sum,
    integer_array,
    magnitude,
)
from ....models.network.network import Affine, Network, Relu

GRID = 16  # multipliers are integers over 2**GRID
ONE = 1 << GRID
SCALE = 32  # bounds and magnitudes of values are integers over 2**SCALE
BOX = 64  # ends of intervals of inputs are integers over 2**BOX
WEIGHT = 26  # bits of a weight


@dataclass(frozen=True, eq=False)
class Matrix:
    """The matrix numbers / 2**places: exact, or within half of 2**-places in every entry."""

    numbers: np.ndarray
    places: int
    exact: bool


@dataclass(frozen=True, eq=False)
class AffineStep:
    """An affine node: sum of weights[k] @ value(sources[k]) + bias; `bias` has one column."""

    sources: tuple[int, ...]
    weights: tuple[Matrix, ...]
    bias: Matrix


@dataclass(frozen=True, eq=False)
class BoxNetwork:
    """A network whose weights are rounded to `Matrix`.

    nodes: as in `network`.
    sizes: the size of the input and of each node.
    columns: the columns of ReLU node k in a row of all ReLUs.
    bits: the most bits of a coefficient.
    """

    network: Network
    nodes: tuple[AffineStep | Relu, ...]
    sizes: tuple[int, ...]
    columns: Mapping[int, slice]
    bits: int

    @property
    def count(self) -> int:
        """Return the number of ReLUs."""
        return sum(c.stop - c.start for c in self.columns.values())


def box_network(network: Network) -> BoxNetwork:
    """Round a network's weights to the checker's numbers."""
    nodes = tuple(node if isinstance(node, Relu) else _step(node) for node in network.nodes)
    relus = [k for k, node in enumerate(nodes, start=1) if isinstance(node, Relu)]
    ends = np.cumsum([network.sizes[k] for k in relus], dtype=np.int64).tolist()
    columns = {k: slice(end - network.sizes[k], end) for k, end in zip(relus, ends, strict=True)}
    bits = 61 - WEIGHT - max(network.sizes).bit_length()
    return BoxNetwork(network, nodes, network.sizes, columns, max(16, min(WEIGHT, bits)))


def _step(node: Affine) -> AffineStep:
    """Round the weights and the bias of an affine node."""
    *weights, bias = (_matrix(m, node.denominator) for m in (*node.weights, node.bias[:, None]))
    return AffineStep(node.sources, tuple(weights), bias)


def _matrix(numerators: np.ndarray, denominator: int) -> Matrix:
    """Round a matrix to WEIGHT bits, relative to its largest entry."""
    places = WEIGHT - magnitude(numerators).bit_length() + denominator.bit_length() - 1
    exact_places = denominator.bit_length() - 1
    if denominator == 1 << exact_places and places >= exact_places:
        return Matrix(numerators, exact_places, True)
    raised, divisor = exact_product(numerators, 1 << max(places, 0)), denominator << max(-places, 0)
    numbers = integer_array(
        exact_quotient(exact_sum(exact_product(raised, 2), integer_array([[divisor]])), 2 * divisor)
    )
    return Matrix(numbers, places, bool((exact_product(numbers, divisor) == raised).all()))


def up(values: np.ndarray, places: int) -> np.ndarray:
    """Return the least integers >= values / 2**places."""
    if places <= 0:
        return exact_product(values, 1 << -places)
    return -((-values) >> (places if values.dtype == object else min(places, 63)))


def interval(matrix: Matrix, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bound matrix @ values, for values from low to high, over 2**SCALE; rounded outwards."""
    plus, minus = np.maximum(matrix.numbers, 0), np.minimum(matrix.numbers, 0)
    lost = integer_array([0 if matrix.exact else total(np.maximum(np.abs(low), np.abs(high)))])
    tops = [
        exact_sum(exact_matmul(plus, a[:, None])[:, 0], exact_matmul(minus, b[:, None])[:, 0])
        for a, b in ((high, low), (low, high))
    ]
    above, under = (
        up(exact_sum(exact_product(t, sign * 2), lost), matrix.places + 1)
        for t, sign in zip(tops, (1, -1), strict=True)
    )
    return -under, above


def largest_values(matrix: Matrix, sizes: np.ndarray) -> np.ndarray:
    """Return upper bounds of |matrix| @ sizes."""
    doubled = exact_product(exact_matmul(np.abs(matrix.numbers), sizes[:, None])[:, 0], 2)
    return up(
        doubled if matrix.exact else exact_sum(doubled, integer_array([total(sizes)])), matrix.places + 1
    )


def total(values: np.ndarray) -> int:
    """Return the exact sum of integers."""
    return int(values.astype(object).sum())
