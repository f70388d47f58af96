"""Proved upper bounds of linear functions of a network over many subdomains of a box at once: CROWN, batched, safe against rounding.

The mathematics of `verifiers/boxes`, beside `floats.py`, which bounds the rounding.  A function is carried backwards from node
to node as coefficients A.  A ReLU y = max(0, x) with l <= x <= u, l < 0 < u, is replaced by y <= s x + max(-s l, (1 - s) u)
where its coefficient is positive and by y >= a x where it is negative, for any s and a in [0, 1] (Zhang et al. 2018); what is
left at the end is linear in the inputs and is maximised over the subdomain's box.  Everything is sound whatever the slopes
are, and a NaN never passes for a bound: it compares false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...common.clock import now
from ...models.network.network import Relu
from .floats import ABSOLUTE, FLOOR, SAFE, UNIT, FloatAffine, FloatNetwork, check_subnormals
from .matrices import SparseFloats
from .subdomains import Subdomains

CHUNK = 1 << 18  # coefficients that are carried at once: they stay in the cache
PIECE = 1 << 23  # coefficients that wait to be carried
Item = TypeVar("Item")
Result = TypeVar("Result")

Index = slice | np.ndarray


@dataclass(eq=False)
class BoxSubdomains(Subdomains):
    """BoxSubdomains of the box, and what is known on each: `low`, `high` (subdomains, inputs); `lower`, `upper` (subdomains, neurons).

    `phase` (subdomains, neurons): 1 and -1 where a split restricts the subdomain to inputs for which the neuron's input is >= 0, or <= 0;
    0 elsewhere.  The other fields hold on the subdomain so restricted.  `weight`: which subdomain of the whole search this is, for reports;
    `node`: its number in the tree of `evidence.py`, where there is one.
    """

    low: np.ndarray
    high: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    weight: np.ndarray
    node: np.ndarray

    @classmethod
    def whole(cls, net: FloatNetwork, node: int = 0) -> BoxSubdomains:
        low, high, lower, upper = (
            np.array(v[None]) for v in (net.start_lower, net.start_upper, net.lower, net.upper)
        )
        return cls(
            low, high, lower, upper, np.zeros((1, net.count), dtype=np.int8), np.ones(1), np.array([node])
        )


@dataclass(frozen=True, eq=False)
class CutPlanes:
    """Upper lines of a layer's neurons by what node `source` holds (`cuts.py`): y <= slopes . values + offset, off by at most `error`.

    `owner` (lines, neurons), `slopes` (lines, size of the source), `offset`, `error` (lines,).  `weight` (functions, lines): how much of the neuron's
    coefficient each takes; where they want more than there is, they share it.
    """

    source: int
    owner: np.ndarray
    slopes: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    weight: np.ndarray

    def __getitem__(self, functions: Index) -> CutPlanes:
        return CutPlanes(
            self.source, self.owner, self.slopes, self.offset, self.error, self.weight[functions]
        )

    def taken(self, plus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of positive coefficients `plus` (functions, neurons): what each line takes, and what is left, at least."""
        wanted = self.weight @ self.owner
        with np.errstate(all="ignore"):
            share = np.where(wanted > plus, plus / wanted, 1.0)
        weight = self.weight * (share @ self.owner.T)
        # all lines are above y >= 0, so that together they may take more than there is, but never less
        left = np.maximum(plus - weight @ self.owner + (8 + 4 * len(self.owner)) * UNIT * plus, 0)
        return weight, left


@dataclass(frozen=True, eq=False)
class ReluRelaxation:
    """One ReLU layer's replacement on each subdomain: y <= above x + lift, y >= below x; all (subdomains, neurons).

    `gap`: how far y can be from the lower line; for branching only.  `signed_beta`: what is added to the coefficients before the ReLU:
    a split's sign times its multiplier (beta >= 0: on the subdomain, sign * x >= 0, so the bound stays one; Wang et al. 2021).  `planes`: other lines
    above, which take some of the positive coefficients; they hold on the whole box.
    """

    above: np.ndarray
    below: np.ndarray
    lift: np.ndarray
    gap: np.ndarray
    signed_beta: np.ndarray | None = None
    planes: CutPlanes | None = None

    def __getitem__(self, subdomains: Index) -> ReluRelaxation:
        signed_beta = None if self.signed_beta is None else self.signed_beta[subdomains]
        planes = None if self.planes is None else self.planes[subdomains]
        return ReluRelaxation(
            self.above[subdomains],
            self.below[subdomains],
            self.lift[subdomains],
            self.gap[subdomains],
            signed_beta,
            planes,
        )

    def of(self, subdomain: np.ndarray) -> ReluRelaxation:
        """Those of the subdomains, for bounding only."""
        if len(self.above) == 1:  # all of one subdomain: views are enough
            planes = (len(subdomain), self.above.shape[1])
            above, below, lift = (np.broadcast_to(v, planes) for v in (self.above, self.below, self.lift))
            return ReluRelaxation(
                above,
                below,
                lift,
                self.gap,
                None if self.signed_beta is None else np.broadcast_to(self.signed_beta, planes),
            )
        return ReluRelaxation(
            self.above[subdomain],
            self.below[subdomain],
            self.lift[subdomain],
            self.gap,
            None if self.signed_beta is None else self.signed_beta[subdomain],
        )

    def flat(self) -> ReluRelaxation:
        """With y >= 0 below every open neuron."""
        is_open = self.lift > 0
        return ReluRelaxation(
            self.above, np.where(is_open, 0.0, self.below), self.lift, self.gap, self.signed_beta
        )


def relax(lower: np.ndarray, upper: np.ndarray, below: np.ndarray | None = None) -> ReluRelaxation:
    """The triangle's upper edge and, if no lower slope is given, the lower line that loses less area."""
    active, dead = lower >= 0, upper <= 0
    is_open = ~(active | dead)
    with np.errstate(invalid="ignore", divide="ignore"):
        above = np.where(is_open, np.clip(upper / (upper - lower), 0, 1), active)
    lift = np.where(is_open, np.maximum(-above * lower, (1 - above) * upper) * (1 + 8 * UNIT) + FLOOR, 0.0)
    low = (upper > -lower).astype(np.float64) if below is None else below
    gap = np.where(is_open, np.maximum((1 - low) * upper, -low * lower), 0.0)
    return ReluRelaxation(above, np.where(is_open, low, active), lift, gap)


@dataclass(frozen=True, eq=False)
class LinearBounds:
    """function(x) <= inputs . x + offset for every x of the subdomain, `inputs` (functions, inputs); the largest such value is at most `bound`."""

    bound: np.ndarray
    inputs: np.ndarray
    offset: np.ndarray
    replaced: (
        np.ndarray
    )  # (functions, neurons) where it was traced: every neuron's coefficient when it was replaced


@dataclass(eq=False)
class Objectives:
    """NeuronStates of one node: coefficients (functions, size of the node), plus inputs, plus a constant; on subdomains `subdomain`, ascending.

    `error`: what the coefficients themselves may be off by, already multiplied out.
    """

    node: int
    coefficients: np.ndarray
    subdomain: np.ndarray
    constant: np.ndarray
    inputs: np.ndarray | None = None
    error: np.ndarray | None = None


def upper_bounds(
    net: FloatNetwork,
    start: Objectives,
    subdomains: BoxSubdomains,
    relaxations: dict[int, ReluRelaxation],
    *,
    trace: bool = False,
    own_relaxations: bool = False,
) -> LinearBounds:
    """Bounds of the functions from above; `relaxations` has the lines of every ReLU node before the start.

    ReluRelaxation are those of the function's subdomain, or (`own_relaxations`) each function has lines of its own.
    """
    width = max(net.sizes)
    rows = max(64, CHUNK // width)
    count = len(start.subdomain)
    if count <= rows:
        return _carried(net, start, subdomains, relaxations, trace, own_relaxations)
    pieces = []
    for a in range(0, count, rows):
        b = min(count, a + rows)
        first, last = int(start.subdomain[a]), int(start.subdomain[b - 1]) + 1
        piece = Objectives(
            start.node,
            start.coefficients[a:b],
            start.subdomain[a:b] - first,
            start.constant[a:b],
            None if start.inputs is None else start.inputs[a:b],
            None if start.error is None else start.error[a:b],
        )
        cut = {k: v[a:b] if own_relaxations else v[first:last] for k, v in relaxations.items()}
        pieces.append(_carried(net, piece, subdomains[first:last], cut, trace, own_relaxations))
    names = ("bound", "inputs", "offset", "replaced")
    return LinearBounds(*(np.concatenate([getattr(p, name) for p in pieces]) for name in names))


def _carried(
    net: FloatNetwork,
    start: Objectives,
    subdomains: BoxSubdomains,
    relaxations: dict[int, ReluRelaxation],
    trace: bool,
    own_relaxations: bool,
) -> LinearBounds:
    count = len(start.subdomain)
    constant = start.constant.astype(np.float64)
    error = np.zeros(count) if start.error is None else start.error.copy()
    carried: dict[int, np.ndarray] = {start.node: start.coefficients}
    if start.inputs is not None:
        carried[0] = start.inputs if start.node else start.inputs + start.coefficients
    replaced = np.zeros((count, net.count if trace else 0))
    size = np.abs(constant)  # of the partial sums of the constant
    for k in range(start.node, 0, -1):
        a = carried.pop(k, None)
        if a is None:
            continue
        node = net.nodes[k - 1]
        if isinstance(node, Relu):
            plus = np.maximum(a, 0)
            error += plus @ (2 * net.slack[k]) - a @ net.slack[k]
            found = relaxations[k] if own_relaxations else relaxations[k].of(start.subdomain)
            if found.planes is not None:
                taken, left_over = found.planes.taken(plus)
                added = taken @ found.planes.offset
                constant += added
                size += np.abs(added)
                error += taken @ found.planes.error
                through = taken @ found.planes.slopes
                source = found.planes.source
                carried[source] = carried[source] + through if source in carried else through
                a = left_over + np.minimum(a, 0)
                plus = left_over
            added = np.einsum("ij,ij->i", plus, found.lift)
            constant += added
            size += added
            if trace:
                replaced[:, net.columns[net.relus.index(k)]] = a
            plus *= found.above - found.below
            a = a * found.below
            a += plus
            if found.signed_beta is not None:
                error += np.abs(found.signed_beta) @ net.slack[k]
                a += found.signed_beta
            carried[node.source] = carried[node.source] + a if node.source in carried else a
            continue
        if k not in net.merged:
            error += np.abs(a) @ net.slack[k]
        added = a @ node.bias
        constant += added
        size += np.abs(added)
        for s, w in zip(node.sources, node.weights, strict=True):
            through = a @ w
            carried[s] = carried[s] + through if s in carried else through
    left = carried.get(0)
    if left is None:
        left = np.zeros((count, net.sizes[0]))
    middle, radius = middle_and_radius(subdomains.low, subdomains.high)
    steepness = np.abs(left)
    error += steepness @ net.slack[0]
    own = np.einsum("ij,ij->i", left, middle[start.subdomain])
    spread = np.einsum("ij,ij->i", steepness, radius[start.subdomain])
    rounding = (64 + 4 * len(net.nodes)) * UNIT * (size + np.abs(own) + spread + error)
    offset = constant + (error * SAFE + rounding) * SAFE + ABSOLUTE
    return LinearBounds(own + spread + offset, left, offset, replaced)


def losses(net: FloatNetwork, replaced: np.ndarray, relaxations: dict[int, ReluRelaxation]) -> np.ndarray:
    """(functions, neurons): what replacing each neuron may have cost; lines are the functions' own.  For branching only."""
    out = np.zeros_like(replaced)
    for k, columns in zip(net.relus, net.columns, strict=True):
        a = replaced[:, columns]
        out[:, columns] = np.maximum(a, 0) * relaxations[k].lift + np.maximum(-a, 0) * relaxations[k].gap
    return out


def middle_and_radius(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every subdomain lies within the radius of the middle, whatever was rounded."""
    middle = (low + high) / 2
    return middle, np.nextafter(np.maximum(high - middle, middle - low), np.inf)


@dataclass(frozen=True, eq=False)
class Tightened:
    """What `tightened` found: the lines of all relaxations and which subdomains are empty, because a neuron's bounds cross.

    `share` (subdomains, neurons, inputs): which subdomain of an open neuron's width each input makes; None unless asked for.  `cuts`,
    `cut_offsets`: on the restricted subdomain, cuts . x + cut_offsets >= 0, a row for every split (0 . x + 0 where there are fewer).
    """

    relaxations: dict[int, ReluRelaxation]
    empty: np.ndarray
    share: np.ndarray | None
    cuts: np.ndarray
    cut_offsets: np.ndarray

    def __getitem__(self, subdomains: Index) -> Tightened:
        share = None if self.share is None else self.share[subdomains]
        relaxations = {k: v[subdomains] for k, v in self.relaxations.items()}
        return Tightened(
            relaxations, self.empty[subdomains], share, self.cuts[subdomains], self.cut_offsets[subdomains]
        )


def tightened(
    net: FloatNetwork,
    subdomains: BoxSubdomains,
    *,
    share: bool = False,
    until: float = math.inf,
    threads: int = 1,
) -> Tightened:
    """Bound, layer by layer, every neuron that is open on a subdomain; writes into `subdomains`.

    After `until`, in time.monotonic's seconds, open neurons keep the bounds they have.
    """
    relaxations: dict[int, ReluRelaxation] = {}
    shares = np.zeros((*subdomains.lower.shape, net.sizes[0])) if share else None
    splits = (subdomains.phase != 0).sum(axis=1)
    cuts, offsets = (
        np.zeros((len(subdomains), int(splits.max(initial=0)), *more)) for more in ((net.sizes[0],), ())
    )
    entered = np.zeros(len(subdomains), dtype=np.int64)
    for k, columns in zip(net.relus, net.columns, strict=True):
        source = net.nodes[k - 1].source  # type: ignore[union-attr]
        lower, upper, phase = (
            subdomains.lower[:, columns],
            subdomains.upper[:, columns],
            subdomains.phase[:, columns],
        )

        def bounded(
            piece: tuple[np.ndarray, np.ndarray], k: int = k, source: int = source
        ) -> tuple[LinearBounds, LinearBounds] | None:
            if now() > until:
                return None
            check_subnormals()
            with np.errstate(all="ignore"):
                up, down = (
                    _neuron_bounds(net, source, sign, *piece, subdomains, relaxations) for sign in (1, -1)
                )
            return up, down

        pieces = list(_pieces(net, source, (lower < 0) & (upper > 0)))
        for (subdomain, neuron), both in zip(pieces, mapped(bounded, pieces, threads), strict=True):
            if both is None:
                break
            up, down = both
            upper[subdomain, neuron] = np.fmin(
                upper[subdomain, neuron], up.bound
            )  # fmin: a NaN bounds nothing
            lower[subdomain, neuron] = np.fmax(lower[subdomain, neuron], -down.bound)
            if shares is not None:
                width = (np.abs(up.inputs) + np.abs(down.inputs)) * (subdomains.high - subdomains.low)[
                    subdomain
                ]
                shares[:, columns][subdomain, neuron] = width / np.maximum(
                    width.sum(axis=1, keepdims=True), 1e-300
                )
        for sign in (
            1,
            -1,
        ):  # a split neuron's input, bounded once more from its side, as a linear function of the inputs
            subdomain, neuron = np.nonzero(phase == sign)
            if len(subdomain):
                found = _neuron_bounds(net, source, sign, subdomain, neuron, subdomains, relaxations)
                place = entered[subdomain] + _ranks(subdomain)
                cuts[subdomain, place], offsets[subdomain, place] = found.inputs, found.offset
                entered += np.bincount(subdomain, minlength=len(subdomains))
                if sign > 0:
                    upper[subdomain, neuron] = np.fmin(upper[subdomain, neuron], found.bound)
                else:
                    lower[subdomain, neuron] = np.fmax(lower[subdomain, neuron], -found.bound)
        relaxations[k] = relax(lower, upper)
    empty = np.asarray((subdomains.lower > subdomains.upper).any(axis=1))
    return Tightened(relaxations, empty, shares, cuts, offsets)


def mapped(function: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Iterator[Result]:
    """`map`, by so many threads."""
    if threads == 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)


def _pieces(net: FloatNetwork, source: int, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The chosen subdomains and neurons, so many at a time that their coefficients fit; those of a convolution that see the same place together."""
    subdomain, neuron = np.nonzero(chosen)
    node = net.nodes[source - 1] if source else None
    if isinstance(node, FloatAffine) and len(node.weights) == 1 and isinstance(node.weights[0], SparseFloats):
        order = np.lexsort((node.weights[0].first_columns()[neuron], subdomain))
        subdomain, neuron = subdomain[order], neuron[order]
    most = max(64, PIECE // max(net.sizes))
    for a in range(0, len(subdomain), most):
        yield subdomain[a : a + most], neuron[a : a + most]


def _ranks(subdomain: np.ndarray) -> np.ndarray:
    """For ascending `subdomain`: how many of the same subdomain stand before each."""
    return np.arange(len(subdomain)) - np.searchsorted(subdomain, subdomain)


def _neuron_bounds(
    net: FloatNetwork,
    source: int,
    sign: int,
    subdomain: np.ndarray,
    neuron: np.ndarray,
    subdomains: BoxSubdomains,
    relaxations: dict[int, ReluRelaxation],
) -> LinearBounds:
    """Upper bounds of `sign` times value `neuron` of node `source` on `subdomain`."""
    node = net.nodes[source - 1] if source else None
    if node is not None and not isinstance(node, Relu) and len(node.sources) == 1:
        # one step by selection: the coefficients before an affine node are its rows
        before, rows = node.sources[0], node.weights[0]
        error = net.slack[source][neuron] * SAFE
        return upper_bounds(
            net,
            Objectives(before, sign * rows[neuron], subdomain, sign * node.bias[neuron], None, error),
            subdomains,
            relaxations,
        )
    chosen = np.zeros((len(subdomain), net.sizes[source]))
    chosen[np.arange(len(subdomain)), neuron] = sign
    return upper_bounds(
        net, Objectives(source, chosen, subdomain, np.zeros(len(subdomain))), subdomains, relaxations
    )
