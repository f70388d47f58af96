"""Bounds linear functions of a network's values over a box from above, in integers rounded outwards.

Part of the trusted base of proofs about real inputs; `checker.py` calls it, and `rounded_network.py` has the
weights.  Numbers are integers over powers
of two.  Coefficients are carried backwards as in `network_rows.py`.  Coefficients with too many bits are
rounded to the nearest.  The largest error of that, half a unit times the largest magnitudes of the values
they multiply, is added to the bound.  So is the error of rounding a weight to WEIGHT bits.  The only floating
point here is in products of integers that `models/network/integers.py` proves exact.  The specification is
docs/reference/proof-format.md, section 10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ....models.network.integers import (
    exact_matmul,
    exact_product,
    exact_sum,
    integer_array,
    magnitude,
)
from ....models.network.network import Relu
from ..region import Region
from .rounded_network import (
    BOX,
    GRID,
    ONE,
    SCALE,
    AffineStep,
    BoxNetwork,
    interval,
    largest_values,
    total,
    up,
)

ONES = integer_array([1 << SCALE])  # the value that a bias multiplies
LIFT = 28  # bits of the constant of a ReLU's upper line


Ends = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]


@dataclass(frozen=True, eq=False)
class BoxRegion(Region):
    """A box, with bounds of the ReLUs' arguments in units of 2**-SCALE.

    ends: the exact ends.
    low, high (inputs,): the ends over 2**BOX, rounded outwards.
    """

    one = ONE
    ends: Ends
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class BoxFunctions:
    """Functions to bound from above: sums of coefficients times values of nodes, plus a constant.

    coefficients: by node, integers (functions, size).
    constant: integers (functions,).
    below, above, beta: multipliers in units of 2**-GRID, (functions, ReLUs), or (1, ReLUs) for all functions;
        below and above in 0 .. ONE, beta >= 0.
    phase: of the same shape; 1 active, -1 inactive, 0 open.
    """

    coefficients: Mapping[int, np.ndarray]
    constant: np.ndarray
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray
    phase: np.ndarray


def rounded(ends: Ends) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of a box over 2**BOX, rounded outwards."""
    low, high = (
        integer_array([way(v * 2**BOX) for v in side])
        for way, side in zip((math.floor, math.ceil), ends, strict=True)
    )
    return low, high


def start(net: BoxNetwork, ends: Ends) -> BoxRegion:
    """Return the whole box, with bounds of the ReLUs by interval arithmetic."""
    low, high = rounded(ends)
    found = [(-up(-low, BOX - SCALE), up(high, BOX - SCALE))]
    for node in net.nodes:
        if isinstance(node, Relu):
            found.append(tuple(np.maximum(side, 0) for side in found[node.source]))
            continue
        pieces = [
            interval(node.bias, ONES, ONES),
            *(interval(w, *found[s]) for s, w in zip(node.sources, node.weights, strict=True)),
        ]
        found.append((exact_sum(*(a for a, _ in pieces)), exact_sum(*(b for _, b in pieces))))
    known = [found[net.nodes[k - 1].source] for k in net.columns]  # type: ignore[union-attr]
    lower, upper = (
        integer_array(np.concatenate([k[n].astype(object) for k in known] or [np.zeros(0, dtype=np.int64)]))
        for n in (0, 1)
    )
    return BoxRegion(lower, upper, ends, low, high)


def magnitudes(net: BoxNetwork, region: BoxRegion) -> list[np.ndarray]:
    """Return, per node, upper bounds of |value| on the region, over 2**SCALE."""
    found = [up(np.maximum(np.abs(region.low), np.abs(region.high)), BOX - SCALE)]
    bounded = {net.nodes[k - 1].source: c for k, c in net.columns.items()}  # type: ignore[union-attr]
    for k, node in enumerate(net.nodes, start=1):
        if isinstance(node, Relu):
            found.append(np.maximum(region.upper[net.columns[k]], 0))
        elif k in bounded:
            found.append(np.maximum(np.abs(region.lower[bounded[k]]), np.abs(region.upper[bounded[k]])))
        else:
            terms = zip((node.bias, *node.weights), (ONES, *(found[s] for s in node.sources)), strict=True)
            found.append(exact_sum(*(largest_values(matrix, sizes) for matrix, sizes in terms)))
    return found


def tightened(net: BoxNetwork, region: BoxRegion) -> BoxRegion:
    """Tighten the bounds of every open ReLU by default multipliers, layer by layer.

    This is the format's default rule (docs/reference/proof-format.md, section 10).  Returns the region with
    the better of old and new bounds.
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
        multipliers = (m[None] for m in (*region.defaults, region.phase))
        found = upper_bounds(
            net, region, BoxFunctions({source: selected}, np.zeros(2 * n, dtype=np.int64), *multipliers)
        )
        places = columns.start + chosen
        region = region.better(1, places, found[:n]).better(-1, places, found[n:])
    return region


def upper_bounds(net: BoxNetwork, region: BoxRegion, asked: BoxFunctions) -> np.ndarray:
    """Bound each function from above at every point of the region that has the phases.

    Returns integers (functions,) over 2**SCALE.
    """
    return bounds_and_losses(net, region, asked)[0]


def bounds_and_losses(
    net: BoxNetwork, region: BoxRegion, asked: BoxFunctions
) -> tuple[np.ndarray, np.ndarray]:
    """Return `upper_bounds`, and roughly how much of each bound is the cost of rounding.

    The algorithm is backward substitution (CROWN: Zhang et al. 2018, theorem 3.2), with betas for split ReLUs
    (Wang et al. 2021, theorem 3.1).
    """
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
        ends = exact_matmul(plus, region.high[:, None]), exact_matmul(minus, region.low[:, None])
        walk.gain(exact_sum(*ends)[:, 0], places + (BOX - SCALE))
    return integer_array(walk.bound), integer_array(walk.lost)


class _Walk:
    """The coefficients on their way backwards, and the bounds so far.

    carried: by node, numbers (functions, size) / 2**places (functions,).
    bound (functions,): the constants so far, over 2**SCALE.
    lost (functions,): how much of them is the cost of rounding.
    """

    def __init__(self, net: BoxNetwork, sizes: list[np.ndarray], count: int) -> None:
        self.net, self.sizes = net, sizes
        self.bound = np.zeros(count, dtype=object)
        self.lost = np.zeros(count, dtype=object)
        self.carried: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def lose(self, numerators: np.ndarray, places: np.ndarray) -> None:
        """Add the cost of a rounding to the bounds."""
        before = self.bound
        self.gain(numerators, places)
        self.lost = self.lost + (self.bound - before)

    def gain(self, numerators: np.ndarray, places: np.ndarray) -> None:
        """Add numerators / 2**places (functions,) to the bounds, rounded up to 2**-SCALE."""
        values, down = numerators.astype(object), places.astype(object)
        self.bound = self.bound - ((-(values << np.maximum(-down, 0))) >> np.maximum(down, 0))
        self.lost = self.lost + 1

    def add(self, node: int, numbers: np.ndarray, places: np.ndarray) -> None:
        """Add coefficients of a node, rounded to the bits that a coefficient may have."""
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
            # Half a unit is added, so that the shift rounds to the nearest; it may not fit 64 bits.
            raised = exact_sum(numbers, integer_array((1 << drop.astype(object)) >> 1)[:, None])
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
        """Replace coefficients of a ReLU's output by coefficients of its argument."""
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
        """Replace coefficients of an affine node by coefficients of its sources."""
        size = np.abs(numbers).astype(object).sum(axis=1)
        self.gain(exact_matmul(numbers, node.bias.numbers)[:, 0], places + (node.bias.places - SCALE))
        for matrix, largest in (
            (node.bias, ONES),
            *zip(node.weights, (self.sizes[s] for s in node.sources), strict=True),
        ):
            if not matrix.exact:
                self.lose(size * total(largest), places + (matrix.places + 1))
        for source, matrix in zip(node.sources, node.weights, strict=True):
            self.add(source, exact_matmul(numbers, matrix.numbers), places + matrix.places)


def _raised(numbers: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return numbers * 2**by, for by (functions,) >= 0."""
    return exact_product(numbers, integer_array(1 << by.astype(object))[:, None]) if by.any() else numbers
