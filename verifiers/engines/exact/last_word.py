"""Decide a subdomain of a box exactly, where floats cannot.

Linear programs in rational arithmetic are split at ReLUs until each is settled.  After `forms.py`, for
`verifiers/boxes/decide.py` and the searches, which ask about whole boxes of small networks and about
subdomains on which something is an exact tie.  A polyhedron that is empty comes with the leaves that show it;
a point at which it is not is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ....models.claims.property import Case, Polyhedron
from ....models.network.exact_point import exact_outputs
from ....models.network.network import Network
from ...bounds.floats import FloatNetwork
from ...proof.region import Phases
from ...proof.tree import covers
from .forms import ExactSubdomain, Forms
from .lp import Empty, Point, System, TooMuchWork, Work, solve
from .systems import linear_system

LEAVES, WORK = 256, 1 << 17  # that a subdomain may take, see `Work`
# a whole box, before anything else is tried: a quarter of a second at most
FEW_LEAVES, LITTLE_WORK = 48, 1 << 14
# ReLUs of a whole box up to which all of the network is written down; above that, so many of its last layers
FEW_OPEN = 24


@dataclass(frozen=True, eq=False)
class ExactLeaf:
    """Where ReLUs have these phases, on top of the subdomain's, polyhedron `polyhedron` is empty: a sum of
    the system's rows (those of the polyhedron, `unsafe`, come first) by `factors` shows it.
    """

    polyhedron: int
    unsafe: Polyhedron
    phases: Phases
    forms: Forms
    system: System
    factors: np.ndarray

    @property
    def tight(self) -> bool:
        """Whether it is by strictness alone, for the sum reaches 0."""
        return self.system.most(self.factors) == 0


@dataclass(frozen=True, eq=False)
class Shown:
    """All polyhedra that were asked about are empty on the subdomain: their leaves, which cover it."""

    leaves: tuple[ExactLeaf, ...]


@dataclass(frozen=True)
class Unsafe:
    """A point of the subdomain that is unsafe, exactly."""

    inputs: tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class LastWord:
    """About the unsafe polyhedra of one case of a network.

    `plain`: see `Forms`; `fits`: a neuron to split where a leaf is not what it has to be, or None.  `tick` is
    called for every program, and may raise.
    """

    network: Network
    unsafe: Sequence[Polyhedron]
    plain: bool = False
    fits: Callable[[ExactLeaf], int | None] = lambda leaf: None
    tick: Callable[[], None] = lambda: None

    def about(
        self,
        subdomain: ExactSubdomain,
        polyhedra: Sequence[int],
        *,
        leaves: int = LEAVES,
        work: int = WORK,
        first: int = 0,
    ) -> Shown | Unsafe | None:
        """Whether one of these polyhedra has a point in the subdomain; None where that would take too long.

        `first`: see `Forms`.
        """
        budget, shown = Work(work), list[ExactLeaf]()
        try:
            for p in polyhedra:
                waiting: list[Phases] = [()]
                while waiting:
                    self.tick()
                    found = self._one(subdomain, waiting.pop(), p, budget, first)
                    if isinstance(found, Unsafe):
                        return found
                    if isinstance(found, ExactLeaf):
                        shown.append(found)
                    else:
                        waiting += found
                    if len(shown) + len(waiting) > leaves:
                        return None
        except TooMuchWork:
            return None
        if not all(covers(leaf.phases for leaf in shown if leaf.polyhedron == p) for p in polyhedra):
            raise AssertionError("the leaves of a subdomain do not cover it")
        return Shown(tuple(shown))

    def _one(
        self, subdomain: ExactSubdomain, phases: Phases, p: int, budget: Work, first: int
    ) -> ExactLeaf | Unsafe | tuple[Phases, Phases]:
        """A leaf, a point, or both halves of what has to be split."""
        phase = subdomain.phase.copy()
        for neuron, sign in phases:
            phase[neuron] = sign
        forms = Forms(self.network, replace(subdomain, phase=phase), budget, plain=self.plain, first=first)
        system = linear_system(forms, self.unsafe[p])
        found = solve(system, budget)
        if isinstance(found, Empty):
            leaf = ExactLeaf(p, self.unsafe[p], phases, forms, system, found.factors)
            split = self.fits(leaf)
            return leaf if split is None else ((*phases, (split, -1)), (*phases, (split, 1)))
        inputs = found.values[: self.network.input_size]
        outputs = exact_outputs(self.network, inputs)
        if all(row.holds(inputs, outputs) for row in self.unsafe[p]):
            return Unsafe(inputs)
        wrong = _most_wrong(forms, found)
        if wrong is None:
            if not first:
                raise AssertionError("an affine subdomain has a point that is none of the network's")
            raise TooMuchWork
        return (*phases, (wrong, -1)), (*phases, (wrong, 1))


def as_point(found: Unsafe) -> np.ndarray:
    """(1, inputs), for whoever accepts points: exact numbers as objects."""
    point = np.empty((1, len(found.inputs)), dtype=object)
    point[0] = found.inputs
    return point


def whole_box(network: Network, case: Case, net: FloatNetwork) -> Shown | Unsafe | None:
    """The last word about a case's whole box, where it is cheap: all of a small network, or the last layers
    of a large one.
    """
    subdomain = ExactSubdomain(
        case.lower, case.upper, np.zeros(net.count, dtype=np.int8), net.lower, net.upper
    )
    word = LastWord(network, case.unsafe)
    found = None
    if int((subdomain.decided == 0).sum()) <= FEW_OPEN:
        found = word.about(subdomain, range(len(case.unsafe)), leaves=FEW_LEAVES, work=2 * LITTLE_WORK)
    if found is None:
        first, there = len(net.nodes) + 1, 0
        for k in reversed(net.relus):
            there += net.sizes[k]
            first = k if there <= FEW_OPEN else first
        found = word.about(subdomain, range(len(case.unsafe)), work=LITTLE_WORK, first=first)
    return found


def _most_wrong(forms: Forms, point: Point) -> int | None:
    """The open neuron whose output is farthest from what it is at the point, relative to its range."""
    best, found = None, Fraction(-1)
    for a in forms.open:
        assert a.variable is not None
        argument = sum(
            (int(c) * v for c, v in zip(a.row, point.values, strict=False) if c), Fraction(a.constant)
        )
        wrong = abs(point.values[a.variable] - max(argument, Fraction(0))) / max(1, a.high - a.low)
        if wrong > found:
            best, found = a.neuron, wrong
    return best
