"""Bound how far the outputs of two networks are apart on a box, and cut the box where the bound is worst.

`against.py` and `agreement.py` ask this.  `bounds/difference.py` bounds the difference if the layers pair up;
if not, it is bounded like the output of any other network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...common.clock import now
from ...models.network.exact_point import exact_outputs
from ...models.network.network import Network
from ...models.network.stacked import side_by_side
from ..bounds.box_bounds import Objectives, upper_bounds
from ..bounds.difference import Pair, known, pair, paired
from ..bounds.floats import FloatNetwork, float_network
from ..bounds.subdomains import BoxSubdomains
from ..bounds.tighten import tightened
from ..engines.boxes.halves import cut_inputs
from ..engines.boxes.tree import Tree
from ..evidence import How, Lost, Tiling

FEW_INPUTS = 16  # that are not fixed: up to here the box is cut
ROWS = 1 << 14  # neurons that are bounded at once


@dataclass(frozen=True, eq=False)
class Apart:
    """Two networks whose layers do not pair up.

    both: their difference as one network, bounded like any other.
    """

    a: FloatNetwork
    b: FloatNetwork
    both: FloatNetwork

    @classmethod
    def of(cls, a: Network, b: Network, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Apart:
        both = float_network(side_by_side(a, b), lower, upper)
        return cls(float_network(a, lower, upper), float_network(b, lower, upper), both)

    def bounds(self, parts: BoxSubdomains) -> tuple[np.ndarray, np.ndarray]:
        net, outputs = self.both, self.a.sizes[-1]
        of_both = replace(known(net, parts), phase=np.zeros((len(parts), net.count), dtype=np.int8))
        layers = tightened(net, of_both).relaxations
        minus = np.concatenate([np.eye(outputs), -np.eye(outputs)], axis=1)
        part = np.repeat(np.arange(len(parts)), 2 * outputs)
        start = Objectives(
            len(net.nodes),
            np.tile(np.concatenate([minus, -minus]), (len(parts), 1)),
            part,
            np.zeros(len(part)),
        )
        found = upper_bounds(net, start, of_both, layers)
        bound = found.bound.reshape(len(parts), 2, outputs).max(axis=1)
        return bound, np.abs(found.inputs).reshape(len(parts), 2 * outputs, -1).max(axis=1)


@dataclass(frozen=True)
class Compared:
    """What is known about a difference.

    bound: no output differs by more anywhere on the box, proved.
    seen: so much it differs at `point`, exactly.
    evidence: subdomains of the box on each of which the bound holds.
    """

    bound: float
    seen: Fraction
    point: tuple[Fraction, ...]
    evidence: Tiling  # of the bound: parts of the box on each of which it holds

    @property
    def parts(self) -> int:
        return self.evidence.parts


@dataclass(frozen=True)
class GoodEnough:
    """When the difference of two networks is known well enough.

    bound: if the bound is at most this.
    ratio: if the bound is at most so many times the seen difference.
    seen_above: if a difference above this was seen; then nothing is cut.
    """

    bound: float = 0.0
    ratio: float = 1.5
    seen_above: Fraction | None = None


def compare(
    a: Network,
    b: Network,
    lower: Sequence[Fraction],
    upper: Sequence[Fraction],
    *,
    deadline: float,
    enough: GoodEnough | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Compared:
    """Bound the difference of two networks on the box lower <= x <= upper.

    Cuts the worst subdomains until the bound is good enough, or until `deadline` on the clock of
    `common/clock.py`.  Raises Lost if a part of the box ends without a bound.
    """
    enough = enough or GoodEnough()
    both = pair(a, b, lower, upper) if paired(a, b) else Apart.of(a, b, lower, upper)
    net = both.a
    tree, top = Tree(1), 0.0

    def settle(parts: BoxSubdomains, at_most: np.ndarray) -> None:
        """Note that these subdomains need no better bounds."""
        nonlocal top
        tree.settle(parts.node, How.BOUNDS)
        top = max(top, float(at_most.max(initial=0.0)))

    waiting = BoxSubdomains.whole(net)
    worst, steep = _bounded(both, waiting)
    seen, point = _sampled(a, b, both, lower, upper)
    free = int((net.start_lower < net.start_upper).sum())
    done = 1
    batch = max(1, min(64, ROWS // max(net.sizes)))
    if enough.seen_above is not None and seen > enough.seen_above:
        free = FEW_INPUTS + 1
    while now() < deadline and len(waiting):
        highest = max(float(worst.max()), top)
        progress(f"{done} parts: at most {highest:.3g}, at least {float(seen):.3g}")
        target = max(enough.bound, enough.ratio * float(seen))
        if not highest > target or free > FEW_INPUTS:
            break
        order = np.argsort(-worst)
        taken = order[:batch][worst[order[:batch]] > target]
        kept = np.setdiff1d(np.arange(len(waiting)), taken)
        low = worst[kept] <= target  # good enough: they need not wait
        halves = _halved(tree, waiting[taken], steep[taken])
        if halves is None:
            break
        settle(waiting[kept[low]], worst[kept[low]])
        more, more_steep = _bounded(both, halves)
        waiting = BoxSubdomains.joined([waiting[kept[~low]], halves])
        worst = np.concatenate([worst[kept[~low]], more])
        steep = np.concatenate([steep[kept[~low]], more_steep])
        done += len(halves)
    settle(waiting, worst)
    evidence = tree.tiling()
    if evidence is None:
        raise Lost("a part of the box has no bound")
    return Compared(top, seen, point, evidence)


def _bounded(both: Pair | Apart, parts: BoxSubdomains) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest bound of each subdomain over its outputs, and how much each input matters.

    A bound is infinite if there is none.
    """
    bound, steep = both.bounds(parts)
    worst = bound.max(axis=1)
    return np.where(np.isnan(worst), np.inf, worst), steep


def _halved(tree: Tree, parts: BoxSubdomains, steep: np.ndarray) -> BoxSubdomains | None:
    at = np.arange(len(parts))
    width = parts.high - parts.low
    cut = ((steep + 1e-3 * steep.max(axis=1, keepdims=True) + 1e-300) * width).argmax(axis=1)
    middle = parts.low[at, cut] + width[at, cut] / 2
    if not ((parts.low[at, cut] < middle) & (middle < parts.high[at, cut])).all():
        return None
    return BoxSubdomains.joined(list(cut_inputs(tree, parts, cut, middle)))


def _sampled(
    a: Network, b: Network, both: Pair | Apart, lower: Sequence[Fraction], upper: Sequence[Fraction]
) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Return the largest difference on random points and corners, exact at the best one, and that point."""
    rng = np.random.default_rng(0)
    low, high = both.a.start_lower, both.a.start_upper
    points = np.concatenate(
        [rng.uniform(low, high, (2000, len(low))), np.where(rng.random((1000, len(low))) < 0.5, low, high)]
    )
    gap = np.abs(both.a.values(points)[-1] - both.b.values(points)[-1]).max(axis=1)
    best = points[gap.argmax()]
    point = tuple(min(max(Fraction(float(x)), p), q) for x, p, q in zip(best, lower, upper, strict=True))
    exact = zip(exact_outputs(a, point), exact_outputs(b, point), strict=True)
    return max((abs(u - v) for u, v in exact), default=Fraction(0)), point
