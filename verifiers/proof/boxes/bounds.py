"""Upper bounds of linear functions of a network's values over a box, in integers that are rounded outwards.

Part of the trusted base of proofs about real inputs; `checker.py` asks.  Numbers are integers over powers of
two.  Coefficients are carried backwards as in `network_rows.py`, and whenever they grow beyond some bits they
are rounded to the nearest; what that can cost, half a unit times the largest magnitudes of the values they
stand at, is added to the bound.  So are the places that a weight has beyond WEIGHT bits.  Nothing here is
floating point but products of integers that `models/network/integers.py` proves exact.
docs/reference/proof-format.md, §10, is the specification.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ....models.network.integers import (
    exact_matmul,
    exact_product,
    exact_quotient,
    exact_sum,
    integer_array,
    magnitude,
)
from ....models.network.network import Network, Relu
from ..region import Region

GRID = 16  # multipliers are integers over 2**GRID
ONE = 1 << GRID
SCALE = 32  # bounds and magnitudes of values are integers over 2**SCALE
BOX = 64  # ends of intervals of inputs are integers over 2**BOX
WEIGHT = 26  # bits of a weight
LIFT = 28  # bits of a ReLU's intercept


@dataclass(frozen=True, eq=False)
class Matrix:
    """numbers / 2**places, exactly or (not `exact`) within half of 2**-places, elementwise."""

    numbers: np.ndarray
    places: int
    exact: bool


@dataclass(frozen=True, eq=False)
class AffineStep:
    """out = sum of weights[k] @ value(sources[k]) + bias; `bias` has one column."""

    sources: tuple[int, ...]
    weights: tuple[Matrix, ...]
    bias: Matrix


@dataclass(frozen=True, eq=False)
class BoxNetwork:
    """Nodes as in `network`.  `columns[k]`: the places of ReLU node k in a row of all ReLUs; `bits`: of a
    coefficient.
    """

    network: Network
    nodes: tuple[AffineStep | Relu, ...]
    sizes: tuple[int, ...]
    columns: Mapping[int, slice]
    bits: int

    @property
    def count(self) -> int:
        """ReLUs."""
        return sum(c.stop - c.start for c in self.columns.values())


Ends = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]


@dataclass(frozen=True, eq=False)
class BoxRegion(Region):
    """A box: `ends` exactly, `low` and `high` (inputs,) over 2**BOX and rounded outwards.  Bounds of ReLUs
    are over 2**SCALE.
    """

    one = ONE
    ends: Ends
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class BoxFunctions:
    """Functions to bound from above: `coefficients` of nodes (functions, size) and constants (functions,),
    integers over 1.

    Multipliers in units of 2**-GRID and phases, (functions, ReLUs) or (1, ReLUs) for all: below and above in
    0 .. ONE, beta >= 0.
    """

    coefficients: Mapping[int, np.ndarray]
    constant: np.ndarray
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray
    phase: np.ndarray


def box_network(network: Network) -> BoxNetwork:
    nodes: list[AffineStep | Relu] = []
    for node in network.nodes:
        if isinstance(node, Relu):
            nodes.append(node)
        else:
            weights = tuple(_matrix(w, node.denominator) for w in node.weights)
            nodes.append(AffineStep(node.sources, weights, _matrix(node.bias[:, None], node.denominator)))
    relus = [k for k, node in enumerate(nodes, start=1) if isinstance(node, Relu)]
    edges = np.cumsum([0, *(network.sizes[k] for k in relus)])
    columns = {k: slice(int(a), int(b)) for k, (a, b) in zip(relus, pairwise(edges), strict=True)}
    return BoxNetwork(
        network,
        tuple(nodes),
        network.sizes,
        columns,
        max(16, min(WEIGHT, 61 - WEIGHT - max(network.sizes).bit_length())),
    )


def _matrix(numerators: np.ndarray, denominator: int) -> Matrix:
    """Rounded to the nearest of WEIGHT bits, relative to the largest entry."""
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
    """The least integers that are at least values / 2**places."""
    if places <= 0:
        return exact_product(values, 1 << -places)
    return -((-values) >> (places if values.dtype == object else min(places, 63)))


def rounded(ends: Ends) -> tuple[np.ndarray, np.ndarray]:
    """Over 2**BOX, outwards."""
    low, high = (
        integer_array([way(v * 2**BOX) for v in side])
        for way, side in zip((math.floor, math.ceil), ends, strict=True)
    )
    return low, high


def start(net: BoxNetwork, ends: Ends) -> BoxRegion:
    """The whole box, with what interval arithmetic says about ReLUs."""
    low, high = rounded(ends)
    found = [(-up(-low, BOX - SCALE), up(high, BOX - SCALE))]
    ones = integer_array([1 << SCALE])
    for node in net.nodes:
        if isinstance(node, Relu):
            found.append(tuple(np.maximum(side, 0) for side in found[node.source]))
            continue
        pieces = [
            _interval(node.bias, ones, ones),
            *(_interval(w, *found[s]) for s, w in zip(node.sources, node.weights, strict=True)),
        ]
        found.append((exact_sum(*(a for a, _ in pieces)), exact_sum(*(b for _, b in pieces))))
    none = [np.zeros(0, dtype=np.int64)]
    known = [found[net.nodes[k - 1].source] for k in net.columns]  # type: ignore[union-attr]
    lower, upper = (
        integer_array(np.concatenate([k[n].astype(object) for k in known] or none)) for n in (0, 1)
    )
    return BoxRegion(lower, upper, ends, low, high)


def _interval(matrix: Matrix, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the matrix makes of values from low to high, over 2**SCALE, rounded outwards."""
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


def magnitudes(net: BoxNetwork, region: BoxRegion) -> list[np.ndarray]:
    """Per node: at least |value| on the region, over 2**SCALE."""
    found = [up(np.maximum(np.abs(region.low), np.abs(region.high)), BOX - SCALE)]
    bounded = {net.nodes[k - 1].source: c for k, c in net.columns.items()}  # type: ignore[union-attr]
    for k, node in enumerate(net.nodes, start=1):
        if isinstance(node, Relu):
            found.append(np.maximum(region.upper[net.columns[k]], 0))
        elif k in bounded:
            found.append(np.maximum(np.abs(region.lower[bounded[k]]), np.abs(region.upper[bounded[k]])))
        else:
            ones = integer_array([1 << SCALE])
            terms = [
                _largest(node.bias, ones),
                *(_largest(w, found[s]) for s, w in zip(node.sources, node.weights, strict=True)),
            ]
            found.append(exact_sum(*terms))
    return found


def _largest(matrix: Matrix, sizes: np.ndarray) -> np.ndarray:
    """At least |matrix| @ sizes."""
    doubled = exact_product(exact_matmul(np.abs(matrix.numbers), sizes[:, None])[:, 0], 2)
    return up(
        doubled if matrix.exact else exact_sum(doubled, integer_array([total(sizes)])), matrix.places + 1
    )


def total(values: np.ndarray) -> int:
    return int(values.astype(object).sum())


def tightened(net: BoxNetwork, region: BoxRegion) -> BoxRegion:
    """By the default rule: layer by layer, every open ReLU's bounds by default multipliers, where these are
    better.
    """
    for k, columns in net.columns.items():
        lower, upper = region.lower[columns], region.upper[columns]
        chosen = np.flatnonzero((lower < 0) & (upper > 0))
        if not len(chosen):
            continue
        source = net.nodes[k - 1].source  # type: ignore[union-attr]
        n = len(chosen)
        selected = np.zeros((2 * n, net.sizes[source]), dtype=np.int64)
        selected[np.arange(n), chosen], selected[n + np.arange(n), chosen] = 1, -1
        below, above, beta = (m[None] for m in region.defaults)
        asked = BoxFunctions(
            {source: selected}, np.zeros(2 * n, dtype=np.int64), below, above, beta, region.phase[None]
        )
        found = upper_bounds(net, region, asked)
        places = columns.start + chosen
        region = region.better(1, places, found[:n]).better(-1, places, found[n:])
    return region


def upper_bounds(net: BoxNetwork, region: BoxRegion, asked: BoxFunctions) -> np.ndarray:
    """Per function, an integer: over 2**SCALE, it is at least the function at every point of the region that
    has the phases.
    """
    return bounds_and_losses(net, region, asked)[0]


def bounds_and_losses(
    net: BoxNetwork, region: BoxRegion, asked: BoxFunctions
) -> tuple[np.ndarray, np.ndarray]:
    """`upper_bounds`, and about how much of each is what rounding may have cost."""
    walk = _Walk(net, magnitudes(net, region), len(asked.constant))
    none = np.zeros(len(asked.constant), dtype=np.int64)
    walk.gain(asked.constant, none - SCALE)
    for node, coefficients in asked.coefficients.items():
        walk.add(node, coefficients, none)
    for k in range(len(net.nodes), 0, -1):
        if k in walk.carried:
            step = net.nodes[k - 1]
            if isinstance(step, Relu):
                walk.relu(step.source, net.columns[k], region, asked, *walk.carried.pop(k))
            else:
                walk.affine(step, *walk.carried.pop(k))
    if 0 in walk.carried:
        numbers, places = walk.carried[0]
        plus, minus = np.maximum(numbers, 0), np.minimum(numbers, 0)
        ends = exact_sum(exact_matmul(plus, region.high[:, None]), exact_matmul(minus, region.low[:, None]))
        walk.gain(ends[:, 0], places + (BOX - SCALE))
    return integer_array(walk.bound), integer_array(walk.lost)


class _Walk:
    """Coefficients on their way backwards, numbers (functions, size) / 2**places (functions,), and the
    constants that were gained.
    """

    def __init__(self, net: BoxNetwork, sizes: list[np.ndarray], count: int) -> None:
        self.net, self.sizes = net, sizes
        self.bound = np.zeros(count, dtype=object)
        self.lost = np.zeros(count, dtype=object)
        self.carried: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def lose(self, numerators: np.ndarray, places: np.ndarray) -> None:
        """What rounding may cost joins the bounds."""
        before = self.bound
        self.gain(numerators, places)
        self.lost = self.lost + (self.bound - before)

    def gain(self, numerators: np.ndarray, places: np.ndarray) -> None:
        """numerators / 2**places (functions,), over 2**SCALE and rounded up, joins the bounds."""
        values, down = numerators.astype(object), places.astype(object)
        self.bound = self.bound - ((-(values << np.maximum(-down, 0))) >> np.maximum(down, 0))
        self.lost = self.lost + 1

    def add(self, node: int, numbers: np.ndarray, places: np.ndarray) -> None:
        """More coefficients of a node, rounded to as many bits as a coefficient has."""
        if node in self.carried:
            other, theirs = self.carried[node]
            most = np.maximum(places, theirs)
            numbers, places = exact_sum(_raised(numbers, most - places), _raised(other, most - theirs)), most
        widths = np.array(
            [int(m).bit_length() for m in np.abs(numbers).max(axis=1, initial=0)], dtype=np.int64
        )
        drop = np.maximum(widths - self.net.bits, 0)
        if drop.any():
            live = (numbers != 0).any(axis=0)
            raised = exact_sum(
                numbers, integer_array((1 << drop.astype(object)) >> 1)[:, None]
            )  # by half a unit, which 64 bits may not hold
            by = drop.astype(object) if raised.dtype == object else drop
            numbers, places = integer_array(raised >> by[:, None]), places - drop
            self.lose((drop > 0).astype(object) * total(self.sizes[node][live]), places + 1)
        self.carried[node] = numbers, places

    def relu(
        self,
        source: int,
        columns: slice,
        region: BoxRegion,
        asked: BoxFunctions,
        numbers: np.ndarray,
        places: np.ndarray,
    ) -> None:
        lower, upper = region.lower[columns], region.upper[columns]
        phase, below, above, beta = (
            m[:, columns] for m in (asked.phase, asked.below, asked.above, asked.beta)
        )
        plus, minus = np.maximum(numbers, 0), np.minimum(numbers, 0)
        rest = exact_sum(integer_array([[ONE]]), exact_product(above, -1))
        lift = np.maximum(exact_product(above, exact_product(lower, -1)), exact_product(rest, upper))
        lift = up(integer_array(np.where(phase == 0, lift, 0)), GRID)
        drop = max(0, magnitude(lift).bit_length() - LIFT)
        lift = up(lift, drop)
        lifted = (
            exact_matmul(plus, lift.T)[:, 0]
            if len(lift) == 1
            else exact_product(plus, lift).astype(object).sum(axis=1)
        )
        self.gain(lifted, places - drop)
        opened = exact_sum(exact_product(plus, above), exact_product(minus, below))
        passed = integer_array(
            np.where(phase == 0, opened, np.where(phase > 0, exact_product(numbers, ONE), 0))
        )
        if beta.any():
            passed, places = _raised(passed, np.maximum(-places, 0)), np.maximum(places, 0)
            passed = exact_sum(passed, _raised(exact_product(phase, beta) + np.zeros_like(numbers), places))
        self.add(source, passed, places + GRID)

    def affine(self, node: AffineStep, numbers: np.ndarray, places: np.ndarray) -> None:
        size = np.abs(numbers).astype(object).sum(axis=1)
        ones = integer_array([1 << SCALE])
        self.gain(exact_matmul(numbers, node.bias.numbers)[:, 0], places + (node.bias.places - SCALE))
        for matrix, largest in (
            (node.bias, ones),
            *zip(node.weights, (self.sizes[s] for s in node.sources), strict=True),
        ):
            if not matrix.exact:
                self.lose(size * total(largest), places + (matrix.places + 1))
        for source, matrix in zip(node.sources, node.weights, strict=True):
            self.add(source, exact_matmul(numbers, matrix.numbers), places + matrix.places)


def _raised(numbers: np.ndarray, by: np.ndarray) -> np.ndarray:
    """numbers * 2**by, by (functions,) >= 0."""
    return exact_product(numbers, integer_array(1 << by.astype(object))[:, None]) if by.any() else numbers
