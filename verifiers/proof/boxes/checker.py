"""Checks proofs about boxes: the arithmetic of one box, and the cases of a property as the roots of a proof.

The trusted base of proofs about boxes is this file with `bounds.py` and `exact_bounds.py`, the tree reader
(`tree.py`, `lines.py`, `format.py`), and the part of `models` that reads networks and properties.  No solver
and no floating point in any decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ....models.claims.property import Case, Polyhedron, Property
from ....models.network.integers import exact_matmul, integer_array
from ....models.network.network import Network
from ..format import BOXES
from ..lines import Lines
from ..tree import Accepted, ProofLeaf, read_proof
from .bounds import (
    BOX,
    BoxFunctions,
    BoxNetwork,
    BoxRegion,
    bounds_and_losses,
    box_network,
    rounded,
    start,
    tightened,
    upper_bounds,
)
from .exact_bounds import exact_bound

CHUNK = 256  # leaves that are looked at together
PLACES = 1100  # binary places of where an input is split
SPLIT_BITS = 1200  # of its numerator


def check_box_proof(
    network: Network,
    stated: Property,
    digests: Mapping[str, str],
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
) -> Accepted:
    """Raise Rejected, with one line that says why, unless the lines prove the property; LimitReached after
    `deadline`.

    `digests`: of "network" and "property", none in tests, so that digests are not all that stands between a
    mutant and a false proof.
    """
    net = box_network(network)
    roots = ((n, BoxArithmetic(net, case)) for n, case in enumerate(stated.cases) if case.unsafe)
    return read_proof(Lines(iter(lines), deadline), BOXES, digests, None, roots, progress)


@dataclass(frozen=True, eq=False)
class PolyhedronRows:
    """A polyhedron's rows, all of them >= 0 (> 0: strict), as integers over `scale`.

    `outputs` (rows, outputs), `inputs` (rows, inputs), `constant` (rows,).
    """

    scale: int
    outputs: np.ndarray
    inputs: np.ndarray
    constant: np.ndarray
    strict: tuple[bool, ...]


def polyhedron_rows(polyhedron: Polyhedron, inputs: int, outputs: int) -> PolyhedronRows:
    """Bring all rows to one denominator."""
    numbers = [factor for row in polyhedron for _, factor in (*row.x, *row.y, (0, row.constant))]
    common = math.lcm(1, *(f.denominator for f in numbers))
    x, y = (
        np.zeros((len(polyhedron), inputs), dtype=object),
        np.zeros((len(polyhedron), outputs), dtype=object),
    )
    for r, row in enumerate(polyhedron):
        for matrix, terms in ((x, row.x), (y, row.y)):
            for i, factor in terms:
                matrix[r, i] += int(factor * common)
    constant = integer_array([int(row.constant * common) for row in polyhedron])
    return PolyhedronRows(
        common, integer_array(y), integer_array(x), constant, tuple(row.strict for row in polyhedron)
    )


class BoxArithmetic:
    """One case's box.  Its targets are the unsafe polyhedra; a leaf shows that a sum of rows is negative."""

    def __init__(self, net: BoxNetwork, case: Case) -> None:
        self.net, self.case = net, case
        self.unsafe = [polyhedron_rows(p, net.sizes[0], net.sizes[-1]) for p in case.unsafe]
        self.rows: Sequence[int] = [len(p.strict) for p in self.unsafe]

    def root(self) -> BoxRegion:
        return start(self.net, (self.case.lower, self.case.upper))

    def tightened(self, region: BoxRegion) -> BoxRegion:
        return tightened(self.net, region)

    def bounded(
        self, region: BoxRegion, relu: int, sign: int, below: np.ndarray, above: np.ndarray
    ) -> BoxRegion:
        k, columns = next((k, c) for k, c in self.net.columns.items() if c.start <= relu < c.stop)
        source = self.net.nodes[k - 1].source  # type: ignore[union-attr]
        chosen = np.zeros((1, self.net.sizes[source]), dtype=np.int64)
        chosen[0, relu - columns.start] = sign
        none = np.zeros((1, self.net.count), dtype=np.int64)
        asked = BoxFunctions(
            {source: chosen}, np.zeros(1, dtype=np.int64), below[None], above[None], none, region.phase[None]
        )
        return region.better(sign, [relu], upper_bounds(self.net, region, asked))

    def holds(self, region: BoxRegion, leaves: Sequence[ProofLeaf]) -> list[bool]:
        return [
            holds
            for first in range(0, len(leaves), CHUNK)
            for holds in self._hold(region, leaves[first : first + CHUNK])
        ]

    def _hold(self, region: BoxRegion, leaves: Sequence[ProofLeaf]) -> list[bool]:
        phase = np.tile(region.phase, (len(leaves), 1))
        for f, leaf in enumerate(leaves):
            for j, p in leaf.phases:
                phase[f, j] = p
        sums = [self._sum(leaf) for leaf in leaves]
        outputs, inputs, constant = (
            integer_array(np.stack([s[n].astype(object) for s in sums])) for n in range(3)
        )
        coefficients = (
            {len(self.net.nodes): outputs, 0: inputs} if inputs.any() else {len(self.net.nodes): outputs}
        )
        below, above, beta = (
            integer_array(np.stack([getattr(leaf, name) for leaf in leaves]))
            for name in ("below", "above", "beta")
        )
        asked = BoxFunctions(coefficients, constant[:, 0], below, above, beta, phase)
        found_and_lost = (
            values.tolist() for values in bounds_and_losses(self.net, region, asked)
        )  # Python's integers: twice one may take more than 64 bits
        out: list[bool] = []
        for f, (leaf, bound, lost) in enumerate(zip(leaves, *found_and_lost, strict=True)):
            rows = self.unsafe[leaf.target].strict
            strict = any(s and factor for s, factor in zip(rows, leaf.factors, strict=True))
            if not (bound < 0 or bound > 2 * lost):  # rounding may hide a tie
                bound = exact_bound(self.net, region, asked, f)
            out.append(bool(bound < 0 or (strict and bound == 0)))
        return out

    def _sum(self, leaf: ProofLeaf) -> list[np.ndarray]:
        """Coefficients of outputs, of inputs, and the constant (1,), of the sum of the target's rows."""
        rows = self.unsafe[leaf.target]
        return [
            exact_matmul(leaf.factors[None], m)[0]
            for m in (rows.outputs, rows.inputs, rows.constant[:, None])
        ]

    def split(self, region: BoxRegion, given: Any, lines: Lines) -> tuple[BoxRegion, BoxRegion]:
        kind, i, value = lines.a_list(given, 3)
        if kind != "input":
            raise lines.no("a split is not by an input")
        numerator, places = lines.a_list(value, 2)
        lines.integers([i], 0, len(region.low) - 1, "a split's input")
        lines.integers([places], 0, PLACES, "a split's places")
        lines.integers([numerator], -(1 << SPLIT_BITS), 1 << SPLIT_BITS, "a split's place")
        at = Fraction(numerator, 1 << places)
        if not int(region.low[i]) <= at * 2**BOX <= int(region.high[i]):
            raise lines.no("a split is outside of its subdomain")
        return split(region, i, at)

    def run(self, region: BoxRegion | None, most: int, lines: Lines) -> int:
        raise lines.no("the inputs of a box cannot be run")


def split(region: BoxRegion, i: int, value: Fraction) -> tuple[BoxRegion, BoxRegion]:
    """Split in two: input i at most `value`, and at least `value`."""
    low, high = region.ends
    halves = (
        (low, (*high[:i], min(high[i], value), *high[i + 1 :])),
        ((*low[:i], max(low[i], value), *low[i + 1 :]), high),
    )
    first, second = (
        replace(region, ends=ends, low=a, high=b) for ends in halves for a, b in (rounded(ends),)
    )
    return first, second
