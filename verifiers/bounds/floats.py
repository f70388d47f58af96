"""The exact network once more in float64, with a proved bound on everything that rounding can do to it.

Before `box_bounds.py`, which multiplies with these matrices.  What is computed speaks of the rational network
over the rational box, because every error is bounded here, before anything is computed
(docs/theory/rounding.md): an affine node's products lose at most `slack[k] . |A|` when coefficients A are
carried backwards through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ...common.errors import Unsupported
from ...models.network.network import Affine, Network, Relu, SparseMatrix
from .matrices import SPARSE_COST, Matrix, SparseFloats, magnitudes

UNIT = 2.0**-53
FLOOR = 2.0**-900  # added to every error bound: more than all that underflow can lose
ABSOLUTE = 2.0**-700  # the same for a finished bound
HOPELESS = 2.0**300  # values from here on are refused: then the two floors above hold
SAFE = 1.0 + 2.0**-20  # an error bound is itself a rounded sum of non-negative terms


@dataclass(frozen=True, eq=False)
class FloatAffine:
    """out = sum of weights[k] @ sources[k] + bias, nearest floats of the exact parameters."""

    sources: tuple[int, ...]
    weights: tuple[Matrix, ...]
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Nodes as in `Network`; `relus` lists the ReLU nodes and `columns` their places in a row of all neurons.

    `largest[k]`: |value| of node k over the box, proved; `slack[k]` as above; `lower`, `upper`: proved bounds
    of all ReLU inputs over the box; `start_lower`, `start_upper`: the box, rounded outwards.
    """

    nodes: tuple[FloatAffine | Relu, ...]
    sizes: tuple[int, ...]
    relus: tuple[int, ...]
    columns: tuple[slice, ...]
    largest: tuple[np.ndarray, ...]
    slack: tuple[np.ndarray, ...]
    merged: frozenset[int]  # affine nodes whose slack is inside that of the ReLU, their only reader
    lower: np.ndarray
    upper: np.ndarray
    start_lower: np.ndarray
    start_upper: np.ndarray

    @property
    def count(self) -> int:
        """Neurons."""
        return len(self.lower)

    def products(self, node: int) -> int:
        """That one vector costs on its way to a node, or back, as if all matrices were dense."""
        weights = [w for n in self.nodes[:node] if isinstance(n, FloatAffine) for w in n.weights]
        return sum(w.size * (SPARSE_COST if isinstance(w, SparseFloats) else 1) for w in weights)

    def values(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Of all nodes, in plain float64: for attacks and heuristics, never for a verdict."""
        found = [inputs]
        for node in self.nodes:
            if isinstance(node, Relu):
                found.append(np.maximum(found[node.source], 0))
            else:
                total = np.broadcast_to(node.bias, (len(inputs), len(node.bias)))
                for s, w in zip(node.sources, node.weights, strict=True):
                    total = total + found[s] @ w.T
                found.append(total)
        return found


def check_subnormals() -> None:
    """Raises where this thread flushes subnormal numbers to zero: then the error bounds would not hold."""
    smallest = np.full(4, 2.0**-1074)
    if not ((smallest * 1.0 == smallest).all() and (smallest * 2.0 + smallest == 3 * 2.0**-1074).all()):
        raise Unsupported(
            "this thread flushes subnormal numbers to zero (some library was built with -ffast-math)"
        )


def below(value: Fraction) -> float:
    """The largest float that is at most `value`."""
    near = _nearest(value)
    return near if Fraction(near) <= value else float(np.nextafter(near, -np.inf))


def above(value: Fraction) -> float:
    near = _nearest(value)
    return near if Fraction(near) >= value else float(np.nextafter(near, np.inf))


def _nearest(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:
        raise Unsupported("a number of the property is far beyond float64") from None


def gamma(terms: int) -> float:
    """A bound on the relative error of a sum of `terms` products, in any order, fused or not, the factors
    rounded too.
    """
    return 2 * (terms + 16) * UNIT


def float_network(network: Network, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> FloatNetwork:
    """Raises Unsupported where numbers are far beyond float64."""
    check_subnormals()
    start_lower, start_upper = np.array([below(v) for v in lower]), np.array([above(v) for v in upper])
    nodes: list[FloatAffine | Relu] = []
    for exact in network.nodes:
        nodes.append(exact if isinstance(exact, Relu) else _affine(exact))
    relus = tuple(k for k, node in enumerate(nodes, start=1) if isinstance(node, Relu))
    edges = np.cumsum([0, *(network.sizes[k] for k in relus)])
    columns = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
    largest, slack, lows, highs = _intervals(nodes, start_lower, start_upper)
    readers: dict[int, list[int]] = {}
    for k, node in enumerate(nodes, start=1):
        for s in node.sources if isinstance(node, FloatAffine) else (node.source,):
            readers.setdefault(s, []).append(k)
    merged = set()
    for k in relus:
        source = nodes[k - 1].source  # type: ignore[union-attr]
        if source and readers[source] == [k] and isinstance(nodes[source - 1], FloatAffine):
            slack[k] = slack[k] + slack[source]
            merged.add(source)
    pre = [nodes[k - 1].source for k in relus]  # type: ignore[union-attr]
    empty = np.zeros(0)
    return FloatNetwork(
        tuple(nodes),
        network.sizes,
        relus,
        columns,
        tuple(largest),
        tuple(slack),
        frozenset(merged),
        np.concatenate([lows[k] for k in pre]) if pre else empty,
        np.concatenate([highs[k] for k in pre]) if pre else empty,
        start_lower,
        start_upper,
    )


def _affine(node: Affine) -> FloatAffine:
    weights = tuple(_floats(m, node.denominator) for m in node.matrices)
    return FloatAffine(node.sources, weights, exact_floats(node.bias, node.denominator))


def _floats(matrix: np.ndarray | SparseMatrix, denominator: int) -> Matrix:
    if isinstance(matrix, SparseMatrix):
        return SparseFloats.of(
            matrix.shape, matrix.rows, matrix.columns, exact_floats(matrix.numerators, denominator)
        )
    return np.ascontiguousarray(exact_floats(matrix, denominator))


def exact_floats(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """numerators / denominator within 4 units of relative and 2**-1074 of absolute error."""
    if numerators.dtype != object and denominator.bit_length() <= 900:
        return numerators / float(denominator)
    try:
        divided = np.frompyfunc(lambda n: int(n) / denominator, 1, 1)(
            numerators
        )  # Python rounds a quotient of integers correctly
    except OverflowError:
        raise Unsupported("a weight of the network is far beyond float64") from None
    return np.asarray(divided, dtype=np.float64).reshape(numerators.shape)


def _intervals(
    nodes: Sequence[FloatAffine | Relu], lower: np.ndarray, upper: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Per node: the largest |value|, the slack, lower and upper bounds; by interval arithmetic, rounded
    outwards.
    """
    lows, highs = [lower], [upper]
    largest = [np.maximum(np.abs(lower), np.abs(upper))]
    slack = [gamma(len(lower)) * 2 * largest[0] * SAFE + FLOOR]
    with np.errstate(over="ignore", invalid="ignore"):
        for node in nodes:
            if isinstance(node, Relu):
                lows.append(np.maximum(lows[node.source], 0))
                highs.append(np.maximum(highs[node.source], 0))
                largest.append(highs[-1])
                slack.append(gamma(len(highs[-1])) * 2 * largest[node.source] * SAFE + FLOOR)
                continue
            middle, radius, total = node.bias.copy(), np.zeros(len(node.bias)), np.abs(node.bias)
            terms = 1
            for s, w in zip(node.sources, node.weights, strict=True):
                size = magnitudes(w)
                middle = middle + w @ ((lows[s] + highs[s]) / 2)
                radius = radius + size @ ((highs[s] - lows[s]) / 2)
                total = total + size @ largest[s]
                terms += w.shape[1]
            error = (
                gamma(max(terms, len(node.bias))) * 4 * total * SAFE + FLOOR
            )  # also of carrying len(bias) products backwards
            lows.append(middle - radius - error)
            highs.append(middle + radius + error)
            largest.append(np.maximum(np.abs(lows[-1]), np.abs(highs[-1])))
            slack.append(error)
            if not (largest[-1] < HOPELESS).all():
                raise Unsupported("values of the network may be far beyond float64")
    return largest, slack, lows, highs
