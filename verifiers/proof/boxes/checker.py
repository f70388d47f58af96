"""Checks a proof about a network with real inputs: no input of the property's boxes is unsafe.

The trusted base is this file with `bounds.py`, `lines.py` and `format.py`, `covers` of `checker.py`, and the part of `models` that
reads networks and properties.  No solver and no floating point in any decision.  docs/reference/proof-format.md, §10, specifies what is
checked here: parts cover the box by the form of their cuts, and on each of them every unsafe polyhedron is shown to be empty.
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
from ..format import BOX_FORMAT
from ..lines import BITS, Lines, Phases, covers
from .bounds import (
    BOX,
    ONE,
    Asked,
    BoxNetwork,
    Region,
    better,
    bounds_and_losses,
    box_network,
    rounded,
    start,
    tightened,
    upper_bounds,
)
from .exact_bounds import exact_bound

LINES = 100_000_000
DEPTH = 10_000
CHUNK = 256  # leaves that are looked at together

Known = tuple[
    frozenset[Phases], ...
]  # per polyhedron: under which phases it is shown to be empty in a part or in one around it


@dataclass(frozen=True)
class BoxAccepted:
    """What was checked: parts of the boxes, and leaves in them."""

    parts: int
    leaves: int


@dataclass(frozen=True, eq=False)
class Unsafe:
    """A polyhedron's rows, all of them >= 0 (> 0: strict), times `scale`: integers, outputs (rows, outputs), inputs (rows, inputs), constant (rows,)."""

    scale: int
    outputs: np.ndarray
    inputs: np.ndarray
    constant: np.ndarray
    strict: tuple[bool, ...]


def unsafe(polyhedron: Polyhedron, inputs: int, outputs: int) -> Unsafe:
    """All rows over one denominator."""
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
    return Unsafe(
        common, integer_array(y), integer_array(x), constant, tuple(row.strict for row in polyhedron)
    )


@dataclass(frozen=True, eq=False)
class Leaf:
    """Where ReLUs have these phases, a sum of rows of the polyhedron, `factors` (rows,) of each, is negative: by these multipliers (ReLUs,)."""

    polyhedron: int
    phases: Phases
    factors: np.ndarray
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray


def region_of(net: BoxNetwork, case: Case) -> Region:
    """The case's box."""
    return start(net, (case.lower, case.upper))


def cut(region: Region, i: int, value: Fraction) -> tuple[Region, Region]:
    """Input i at most, and at least `value`."""
    low, high = region.ends
    halves = (
        (low, (*high[:i], min(high[i], value), *high[i + 1 :])),
        ((*low[:i], max(low[i], value), *low[i + 1 :]), high),
    )
    first, second = (
        replace(region, ends=ends, low=a, high=b) for ends in halves for a, b in (rounded(ends),)
    )
    return first, second


def with_bound(
    net: BoxNetwork, region: Region, relu: int, sign: int, below: np.ndarray, above: np.ndarray
) -> Region:
    """One ReLU's bound above (sign 1) or below (-1) by these multipliers, where it is better."""
    k, columns = next((k, c) for k, c in net.columns.items() if c.start <= relu < c.stop)
    source = net.nodes[k - 1].source  # type: ignore[union-attr]
    chosen = np.zeros((1, net.sizes[source]), dtype=np.int64)
    chosen[0, relu - columns.start] = sign
    none = np.zeros((1, net.count), dtype=np.int64)
    asked = Asked(
        {source: chosen}, np.zeros(1, dtype=np.int64), below[None], above[None], none, region.phase[None]
    )
    return better(region, sign, np.array([relu]), upper_bounds(net, region, asked))


def hold(net: BoxNetwork, region: Region, rows: Sequence[Unsafe], leaves: Sequence[Leaf]) -> list[bool]:
    """Which of them do."""
    out: list[bool] = []
    for first in range(0, len(leaves), CHUNK):
        some = leaves[first : first + CHUNK]
        phase = np.tile(region.phase, (len(some), 1))
        for f, leaf in enumerate(some):
            for j, p in leaf.phases:
                phase[f, j] = p
        sums = [
            [exact_matmul(leaf.factors[None], m)[0] for m in _matrices(rows[leaf.polyhedron])]
            for leaf in some
        ]
        outputs, inputs, constant = (
            integer_array(np.stack([s[n].astype(object) for s in sums])) for n in range(3)
        )
        coefficients = {len(net.nodes): outputs, 0: inputs} if inputs.any() else {len(net.nodes): outputs}
        below, above, beta = (
            integer_array(np.stack([getattr(leaf, name) for leaf in some]))
            for name in ("below", "above", "beta")
        )
        asked = Asked(coefficients, constant[:, 0], below, above, beta, phase)
        found_and_lost = (
            values.tolist() for values in bounds_and_losses(net, region, asked)
        )  # Python's integers: twice one may take more than 64 bits
        for f, (leaf, bound, lost) in enumerate(zip(some, *found_and_lost, strict=True)):
            strict = any(s and f for s, f in zip(rows[leaf.polyhedron].strict, leaf.factors, strict=True))
            found = (
                bound if bound < 0 or bound > 2 * lost else exact_bound(net, region, asked, f)
            )  # rounding may hide a tie
            out.append(bool(found < 0 or (strict and found == 0)))
    return out


def _matrices(rows: Unsafe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows.outputs, rows.inputs, rows.constant[:, None]


def excluded(region: Region, phases: Phases) -> bool:
    """Whether the region has no inputs with these phases, as its bounds show."""
    return any(region.upper[j] < 0 if p > 0 else region.lower[j] > 0 for j, p in phases)


def check_box_proof(
    network: Network,
    stated: Property,
    digests: Mapping[str, str],
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
) -> BoxAccepted:
    """Raises Rejected, with one line that says why, where the lines do not prove the property; LimitReached after `deadline`.

    `digests`: of "network" and "property", none in tests, so that a digest is not all that stands between a mutant and a false proof.
    """
    return _BoxChecker(box_network(network), stated, Lines(iter(lines), deadline), progress).run(digests)


@dataclass(eq=False)
class _BoxChecker:
    net: BoxNetwork
    stated: Property
    lines: Lines
    progress: Callable[[str], None]
    parts: int = 0
    leaves: int = 0

    def run(self, digests: Mapping[str, str]) -> BoxAccepted:
        header = self.lines.line("the first line", {"format", "network", "property"})
        if header["format"] != BOX_FORMAT:
            raise self.lines.no(f"the format is not {BOX_FORMAT!r}")
        for name, digest in digests.items():
            if header[name] != digest:
                raise self.lines.no(f"it is a proof about another {name}")
        for number, case in enumerate(self.stated.cases):
            if case.unsafe:
                found = self.lines.line("a case", {"case"})["case"]
                if type(found) is not int or found != number:
                    raise self.lines.no(f"case {number} should follow")
                self._case(case)
        self.lines.end()
        return BoxAccepted(self.parts, self.leaves)

    def _case(self, case: Case) -> None:
        rows = [unsafe(p, self.net.sizes[0], self.net.sizes[-1]) for p in case.unsafe]
        stack: list[tuple[Region, Known, int]] = [(region_of(self.net, case), (frozenset(),) * len(rows), 0)]
        while stack:
            region, known, depth = stack.pop()
            line = self.lines.line("a part", {"tighten", "bounds", "empty", "cut"})
            self.parts += line["cut"] != "again"
            if self.lines.number > LINES or depth > DEPTH:
                raise self.lines.no("there are too many parts")
            if self.lines.number % 100 == 0:
                self.progress(f"{self.parts} parts, {self.leaves} leaves checked")
            if type(line["tighten"]) is not bool:
                raise self.lines.no("tighten is neither true nor false")
            if line["tighten"]:
                region = tightened(self.net, region)
            for entry in self.lines.a_list(line["bounds"]):
                region = self._bound(region, entry)
            known = self._empty(region, rows, known, line["empty"])
            if line["cut"] is None:
                if not all(map(covers, known)):
                    raise self.lines.no("a part is left open")
            elif line["cut"] == "again":
                stack.append((region, known, depth))
            else:
                stack += [
                    (half, known, depth + 1) for half in reversed(self._halves(region, line["cut"]))
                ]  # what follows first is on top

    def _bound(self, region: Region, entry: Any) -> Region:
        relu, sign, below, above = self.lines.a_list(entry, 4)
        self.lines.integers([relu], 0, self.net.count - 1, "a bound's ReLU")
        if type(sign) is not int or sign not in (1, -1):
            raise self.lines.no("a bound is neither above nor below")
        usual = region.defaults
        given = (self.lines.multipliers(m, usual[n], ONE) for n, m in enumerate((below, above)))
        return with_bound(self.net, region, relu, sign, *given)

    def _halves(self, region: Region, given: Any) -> tuple[Region, Region]:
        i, numerator, places = self.lines.a_list(given, 3)
        self.lines.integers([i], 0, len(region.low) - 1, "a cut's input")
        self.lines.integers([places], 0, 1100, "a cut's places")
        self.lines.integers([numerator], -(1 << 1200), 1 << 1200, "a cut's place")
        value = Fraction(numerator, 1 << places)
        if not int(region.low[i]) <= value * 2**BOX <= int(region.high[i]):
            raise self.lines.no("a cut is outside of its part")
        return cut(region, i, value)

    def _empty(self, region: Region, rows: Sequence[Unsafe], known: Known, given: Any) -> Known:
        found, leaves, usual = [set(phases) for phases in known], [], region.defaults
        for entry in self.lines.a_list(given):
            self.leaves += 1
            polyhedron, flat, evidence = self.lines.a_list(entry, 3)
            self.lines.integers([polyhedron], 0, len(rows) - 1, "a leaf's polyhedron")
            phases = self.lines.phases(flat, self.net.count)
            if evidence is not None:
                factors, *changes = self.lines.a_list(evidence, 4)
                none = np.zeros(len(rows[polyhedron].strict), dtype=np.int64)
                weights = self.lines.multipliers(factors, none, 1 << BITS)
                most = (ONE, ONE, 1 << BITS)
                given_here = (
                    self.lines.multipliers(c, u, m) for c, u, m in zip(changes, usual, most, strict=True)
                )
                leaves.append(Leaf(polyhedron, phases, weights, *given_here))
            elif not excluded(region, phases):
                raise self.lines.no("a leaf is said to have no inputs, which the bounds do not show")
            found[polyhedron].add(phases)
        if not all(hold(self.net, region, rows, leaves)):
            raise self.lines.no("a leaf's bound is not negative")
        return tuple(map(frozenset, found))
