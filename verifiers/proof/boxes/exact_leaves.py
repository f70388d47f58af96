"""Makes leaves of proofs from exact linear programs, on subdomains where floating point cannot decide.

Stands between `last_word.py` and `producer.py`.  Once all ReLUs that matter are split, a leaf can express
every exact program's result: sums of rows and of the phases of splits, with integer factors.  ReLUs that
matter and are open are split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from ....models.network.integers import integer_array
from ....models.network.network import Network
from ...bounds.floats import above, below
from ...engines.exact.forms import ExactSubdomain
from ...engines.exact.last_word import ExactLeaf, LastWord, Shown
from ...engines.exact.lp import TooMuchWork
from ..lines import BITS
from ..tree import ProofLeaf
from .bounds import BoxRegion
from .checker import BoxArithmetic
from .rounded_network import ONE, SCALE

LEAVES, WORK = 4096, 1 << 22  # limits of `LastWord.about`


def exact_leaves(
    network: Network,
    arithmetic: BoxArithmetic,
    region: BoxRegion,
    polyhedra: Sequence[int],
    tick: Callable[[], None],
) -> list[ProofLeaf] | None:
    """Make leaves that the checker accepts and that cover some polyhedra on the region.

    polyhedra: the indices of the polyhedra.
    tick: called now and then; it may raise.

    Returns None if there are none, or if it would take too long.
    """
    lower = np.array([below(Fraction(int(v), 1 << SCALE)) for v in region.lower])
    upper = np.array([above(Fraction(int(v), 1 << SCALE)) for v in region.upper])
    part = ExactSubdomain(*region.ends, np.zeros(len(lower), dtype=np.int8), lower, upper)
    written: dict[int, ProofLeaf] = {}

    def fits(leaf: ExactLeaf) -> int | None:
        found = _leaf(leaf, region, network)
        if found is not None and arithmetic.holds(region, [found])[0]:
            written[id(leaf)] = found
            return None
        neuron = _open(leaf)
        if neuron is None:
            raise TooMuchWork
        return neuron

    said = LastWord(network, arithmetic.case.unsafe, True, fits, tick).about(
        part, polyhedra, leaves=LEAVES, work=WORK
    )
    return [written[id(leaf)] for leaf in said.leaves] if isinstance(said, Shown) else None


def _open(leaf: ExactLeaf) -> int | None:
    """Return an open neuron, if possible one that the leaf's multipliers use; None if all are settled."""
    used = (leaf.system.matrix[leaf.factors > 0] != 0).any(axis=0)
    there = sorted(leaf.forms.open, key=lambda a: not used[a.variable])
    return there[0].neuron if there else None


def _leaf(leaf: ExactLeaf, region: BoxRegion, network: Network) -> ProofLeaf | None:
    """Convert a leaf to the checker's units, with slopes of open ReLUs rounded to the nearest.

    Returns None if other numbers are too large for the format.
    """
    system, given, arguments = leaf.system, leaf.factors, leaf.forms.arguments
    places = np.cumsum([0, *(1 if a.variable is None else 2 for a in arguments)]) + len(leaf.unsafe)
    below, above, beta = region.defaults
    # Slopes of 0 stand for y >= 0 and y <= u, where the program uses nothing else.
    below, above = (np.where(region.phase == 0, 0, v) for v in (below, above))
    phases = [Fraction(0)] * len(beta)
    for a, k in zip(arguments, places.tolist(), strict=False):
        if a.variable is None:
            phases[a.neuron] = Fraction(int(given[k]) * a.scale * ONE, a.factor)
            continue
        own = system.matrix[:, a.variable]
        rest = int(given @ own) - int(given[k] * own[k] + given[k + 1] * own[k + 1])
        if rest < 0:  # y >= x
            below[a.neuron] = _slope(Fraction(int(given[k]), -rest))
        elif rest > 0:  # (u - l) y <= u (x - l)
            above[a.neuron] = _slope(
                Fraction(int(-given[k + 1] * own[k + 1]), rest) * Fraction(a.high, max(a.high - a.low, 1))
            )
    numbers = [*(Fraction(int(f)) * network.scale for f in given[: len(leaf.unsafe)]), *phases]
    common = math.lcm(*(v.denominator for v in numbers))
    whole = [int(v * common) for v in numbers]
    shared = math.gcd(*whole) or 1
    whole = [v // shared for v in whole]
    if max(whole) >> BITS:
        return None
    count = len(leaf.unsafe)
    return ProofLeaf(
        leaf.polyhedron, leaf.phases, integer_array(whole[:count]), below, above, integer_array(whole[count:])
    )


def _slope(value: Fraction) -> int:
    """Round a slope to the checker's units, within [0, 1]."""
    return min(max(round(value * ONE), 0), ONE)
