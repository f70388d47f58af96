"""Checks proofs about boxes: the arithmetic of one box, and the cases of a property as the roots of a proof.

The trusted base of proofs about boxes is this file with `rounded_network.py`, `bounds.py` and
`exact_bounds.py`, the tree reader (`tree.py`, `lines.py`, `format.py`), and the part of `models` that reads
networks and properties.  No solver is used, and no decision depends on floating point.
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
from .bounds import BoxFunctions, BoxRegion, bounds_and_losses, rounded, start, tightened, upper_bounds
from .exact_bounds import exact_bound
from .rounded_network import BOX, BoxNetwork, box_network

CHUNK = 256  # leaves that are bounded together
PLACES = 1100  # the most binary places of the value at which an input is split
SPLIT_BITS = 1200  # the most bits of that value's numerator


def check_box_proof(
    network: Network,
    stated: Property,
    digests: Mapping[str, str],
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
) -> Accepted:
    """Check that the lines prove the property.

    network, stated: what the proof is about.
    digests: of "network" and "property"; none in tests, so that mutants of a proof are tested against the
        arithmetic and not only against the digests.
    lines: the proof, one object per line.
    progress: receives one line of text now and then.
    deadline: a time of `time.monotonic()`.

    Raises Rejected, with one line that says why, if they do not, and LimitReached after `deadline`.
    """
    net = box_network(network)
    roots = ((n, BoxArithmetic(net, case)) for n, case in enumerate(stated.cases) if case.unsafe)
    return read_proof(Lines(iter(lines), deadline), BOXES, digests, None, roots, progress)


@dataclass(frozen=True, eq=False)
class PolyhedronRows:
    """A polyhedron's rows as integers over `scale`; each is >= 0 on it, or > 0 where strict.

    outputs: (rows, outputs).
    inputs: (rows, inputs).
    constant: (rows,).
    strict: per row.
    """

    scale: int
    outputs: np.ndarray
    inputs: np.ndarray
    constant: np.ndarray
    strict: tuple[bool, ...]


def polyhedron_rows(polyhedron: Polyhedron, inputs: int, outputs: int) -> PolyhedronRows:
    """Bring all rows of a polyhedron to one denominator.

    inputs, outputs: their numbers.
    """
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
    """The arithmetic of one case's box; see `Arithmetic` in `tree.py`.

    Its targets are the unsafe polyhedra.  A leaf shows that a weighted sum of a polyhedron's rows is
    negative.
    """

    def __init__(self, net: BoxNetwork, case: Case) -> None:
        self.net, self.case = net, case
        self.unsafe = [polyhedron_rows(p, net.sizes[0], net.sizes[-1]) for p in case.unsafe]
        self.rows: Sequence[int] = [len(p.strict) for p in self.unsafe]

    def root(self) -> BoxRegion:
        """Return the region of the whole box."""
        return start(self.net, (self.case.lower, self.case.upper))

    def tightened(self, region: BoxRegion) -> BoxRegion:
        """Tighten the bounds of all open ReLUs by default multipliers."""
        return tightened(self.net, region)

    def bounded(
        self, region: BoxRegion, relu: int, sign: int, below: np.ndarray, above: np.ndarray
    ) -> BoxRegion:
        """Bound one ReLU's argument (from above if `sign` is 1, from below if -1) by given slopes."""
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
        """Say, per leaf, whether its multipliers exclude its polyhedron."""
        return [
            holds
            for first in range(0, len(leaves), CHUNK)
            for holds in self._hold(region, leaves[first : first + CHUNK])
        ]

    def _hold(self, region: BoxRegion, leaves: Sequence[ProofLeaf]) -> list[bool]:
        """Say the same about at most CHUNK leaves."""
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
        # Python integers, because twice a number may not fit 64 bits
        found_and_lost = (values.tolist() for values in bounds_and_losses(self.net, region, asked))
        out: list[bool] = []
        for f, (leaf, bound, lost) in enumerate(zip(leaves, *found_and_lost, strict=True)):
            rows = self.unsafe[leaf.target].strict
            strict = any(s and factor for s, factor in zip(rows, leaf.factors, strict=True))
            if not (bound < 0 or bound > 2 * lost):  # rounding may hide that the bound is 0 or less
                bound = exact_bound(self.net, region, asked, f)
            out.append(bool(bound < 0 or (strict and bound == 0)))
        return out

    def _sum(self, leaf: ProofLeaf) -> list[np.ndarray]:
        """Sum the target's rows with the leaf's factors.

        Returns the coefficients of outputs, those of inputs, and the constant (1,).
        """
        rows = self.unsafe[leaf.target]
        return [
            exact_matmul(leaf.factors[None], m)[0]
            for m in (rows.outputs, rows.inputs, rows.constant[:, None])
        ]

    def split(self, region: BoxRegion, given: Any, lines: Lines) -> tuple[BoxRegion, BoxRegion]:
        """Read a split from a proof and return its two regions; raise Rejected if it is malformed."""
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
        """Raise Rejected: the inputs of a box cannot be run one by one."""
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
