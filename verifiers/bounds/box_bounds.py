"""Proved upper bounds of linear functions of a network over many parts of a box at once: CROWN, batched, safe against rounding.

The mathematics of `verifiers/boxes`, beside `floats.py`, which bounds the rounding.  A function is carried backwards from node
to node as coefficients A.  A ReLU y = max(0, x) with l <= x <= u, l < 0 < u, is replaced by y <= s x + max(-s l, (1 - s) u)
where its coefficient is positive and by y >= a x where it is negative, for any s and a in [0, 1] (Zhang et al. 2018); what is
left at the end is linear in the inputs and is maximised over the part's box.  Everything is sound whatever the slopes
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
from .batch import Weighed
from .floats import ABSOLUTE, FLOOR, SAFE, UNIT, FloatAffine, FloatNetwork, check_subnormals
from .matrices import SparseFloats

CHUNK = 1 << 18  # coefficients that are carried at once: they stay in the cache
PIECE = 1 << 23  # coefficients that wait to be carried
Item = TypeVar("Item")
Result = TypeVar("Result")

Rows = slice | np.ndarray


@dataclass(eq=False)
class Parts(Weighed):
    """Parts of the box, and what is known on each: `low`, `high` (parts, inputs); `lower`, `upper` (parts, neurons).

    `phase` (parts, neurons): 1 and -1 where a split restricts the part to inputs for which the neuron's input is >= 0, or <= 0;
    0 elsewhere.  The other fields hold on the part so restricted.  `weight`: which part of the whole search this is, for reports;
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
    def whole(cls, net: FloatNetwork, node: int = 0) -> Parts:
        low, high, lower, upper = (
            np.array(v[None]) for v in (net.start_lower, net.start_upper, net.lower, net.upper)
        )
        return cls(
            low, high, lower, upper, np.zeros((1, net.count), dtype=np.int8), np.ones(1), np.array([node])
        )


@dataclass(frozen=True, eq=False)
class WideLines:
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

    def __getitem__(self, functions: Rows) -> WideLines:
        return WideLines(
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
class Lines:
    """One ReLU layer's replacement on each part: y <= above x + lift, y >= below x; all (parts, neurons).

    `gap`: how far y can be from the lower line; for branching only.  `push`: what is added to the coefficients before the ReLU:
    a split's sign times its multiplier (beta >= 0: on the part, sign * x >= 0, so the bound stays one; Wang et al. 2021).  `wide`: other lines
    above, which take some of the positive coefficients; they hold on the whole box.
    """

    above: np.ndarray
    below: np.ndarray
    lift: np.ndarray
    gap: np.ndarray
    push: np.ndarray | None = None
    wide: WideLines | None = None

    def __getitem__(self, parts: Rows) -> Lines:
        push = None if self.push is None else self.push[parts]
        wide = None if self.wide is None else self.wide[parts]
        return Lines(self.above[parts], self.below[parts], self.lift[parts], self.gap[parts], push, wide)

    def of(self, part: np.ndarray) -> Lines:
        """Those of the parts, for bounding only."""
        if len(self.above) == 1:  # all of one part: views are enough
            wide = (len(part), self.above.shape[1])
            above, below, lift = (np.broadcast_to(v, wide) for v in (self.above, self.below, self.lift))
            return Lines(
                above, below, lift, self.gap, None if self.push is None else np.broadcast_to(self.push, wide)
            )
        return Lines(
            self.above[part],
            self.below[part],
            self.lift[part],
            self.gap,
            None if self.push is None else self.push[part],
        )

    def flat(self) -> Lines:
        """With y >= 0 below every open neuron."""
        is_open = self.lift > 0
        return Lines(self.above, np.where(is_open, 0.0, self.below), self.lift, self.gap, self.push)


def lines(lower: np.ndarray, upper: np.ndarray, below: np.ndarray | None = None) -> Lines:
    """The triangle's upper edge and, if no lower slope is given, the lower line that loses less area."""
    active, dead = lower >= 0, upper <= 0
    is_open = ~(active | dead)
    with np.errstate(invalid="ignore", divide="ignore"):
        above = np.where(is_open, np.clip(upper / (upper - lower), 0, 1), active)
    lift = np.where(is_open, np.maximum(-above * lower, (1 - above) * upper) * (1 + 8 * UNIT) + FLOOR, 0.0)
    low = (upper > -lower).astype(np.float64) if below is None else below
    gap = np.where(is_open, np.maximum((1 - low) * upper, -low * lower), 0.0)
    return Lines(above, np.where(is_open, low, active), lift, gap)


@dataclass(frozen=True, eq=False)
class Found:
    """function(x) <= inputs . x + offset for every x of the part, `inputs` (functions, inputs); the largest such value is at most `bound`."""

    bound: np.ndarray
    inputs: np.ndarray
    offset: np.ndarray
    replaced: (
        np.ndarray
    )  # (functions, neurons) where it was traced: every neuron's coefficient when it was replaced


@dataclass(eq=False)
class Start:
    """Functions of one node: coefficients (functions, size of the node), plus inputs, plus a constant; on parts `part`, ascending.

    `error`: what the coefficients themselves may be off by, already multiplied out.
    """

    node: int
    coefficients: np.ndarray
    part: np.ndarray
    constant: np.ndarray
    inputs: np.ndarray | None = None
    error: np.ndarray | None = None


def upper_bounds(
    net: FloatNetwork,
    start: Start,
    parts: Parts,
    layers: dict[int, Lines],
    *,
    trace: bool = False,
    own_lines: bool = False,
) -> Found:
    """Bounds of the functions from above; `layers` has the lines of every ReLU node before the start.

    Lines are those of the function's part, or (`own_lines`) each function has lines of its own.
    """
    width = max(net.sizes)
    rows = max(64, CHUNK // width)
    count = len(start.part)
    if count <= rows:
        return _carried(net, start, parts, layers, trace, own_lines)
    pieces = []
    for a in range(0, count, rows):
        b = min(count, a + rows)
        first, last = int(start.part[a]), int(start.part[b - 1]) + 1
        piece = Start(
            start.node,
            start.coefficients[a:b],
            start.part[a:b] - first,
            start.constant[a:b],
            None if start.inputs is None else start.inputs[a:b],
            None if start.error is None else start.error[a:b],
        )
        cut = {k: v[a:b] if own_lines else v[first:last] for k, v in layers.items()}
        pieces.append(_carried(net, piece, parts[first:last], cut, trace, own_lines))
    names = ("bound", "inputs", "offset", "replaced")
    return Found(*(np.concatenate([getattr(p, name) for p in pieces]) for name in names))


def _carried(
    net: FloatNetwork, start: Start, parts: Parts, layers: dict[int, Lines], trace: bool, own_lines: bool
) -> Found:
    count = len(start.part)
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
            found = layers[k] if own_lines else layers[k].of(start.part)
            if found.wide is not None:
                taken, left_over = found.wide.taken(plus)
                added = taken @ found.wide.offset
                constant += added
                size += np.abs(added)
                error += taken @ found.wide.error
                through = taken @ found.wide.slopes
                source = found.wide.source
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
            if found.push is not None:
                error += np.abs(found.push) @ net.slack[k]
                a += found.push
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
    middle, radius = middle_and_radius(parts.low, parts.high)
    steepness = np.abs(left)
    error += steepness @ net.slack[0]
    own = np.einsum("ij,ij->i", left, middle[start.part])
    spread = np.einsum("ij,ij->i", steepness, radius[start.part])
    rounding = (64 + 4 * len(net.nodes)) * UNIT * (size + np.abs(own) + spread + error)
    offset = constant + (error * SAFE + rounding) * SAFE + ABSOLUTE
    return Found(own + spread + offset, left, offset, replaced)


def losses(net: FloatNetwork, replaced: np.ndarray, layers: dict[int, Lines]) -> np.ndarray:
    """(functions, neurons): what replacing each neuron may have cost; lines are the functions' own.  For branching only."""
    out = np.zeros_like(replaced)
    for k, columns in zip(net.relus, net.columns, strict=True):
        a = replaced[:, columns]
        out[:, columns] = np.maximum(a, 0) * layers[k].lift + np.maximum(-a, 0) * layers[k].gap
    return out


def middle_and_radius(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every part lies within the radius of the middle, whatever was rounded."""
    middle = (low + high) / 2
    return middle, np.nextafter(np.maximum(high - middle, middle - low), np.inf)


@dataclass(frozen=True, eq=False)
class Tightened:
    """What `tightened` found: the lines of all layers and which parts are empty, because a neuron's bounds cross.

    `share` (parts, neurons, inputs): which part of an open neuron's width each input makes; None unless asked for.  `cuts`,
    `cut_offsets`: on the restricted part, cuts . x + cut_offsets >= 0, a row for every split (0 . x + 0 where there are fewer).
    """

    layers: dict[int, Lines]
    empty: np.ndarray
    share: np.ndarray | None
    cuts: np.ndarray
    cut_offsets: np.ndarray

    def __getitem__(self, parts: Rows) -> Tightened:
        share = None if self.share is None else self.share[parts]
        layers = {k: v[parts] for k, v in self.layers.items()}
        return Tightened(layers, self.empty[parts], share, self.cuts[parts], self.cut_offsets[parts])


def tightened(
    net: FloatNetwork, parts: Parts, *, share: bool = False, until: float = math.inf, threads: int = 1
) -> Tightened:
    """Bound, layer by layer, every neuron that is open on a part; writes into `parts`.

    After `until`, in time.monotonic's seconds, open neurons keep the bounds they have.
    """
    layers: dict[int, Lines] = {}
    shares = np.zeros((*parts.lower.shape, net.sizes[0])) if share else None
    splits = (parts.phase != 0).sum(axis=1)
    cuts, offsets = (
        np.zeros((len(parts), int(splits.max(initial=0)), *more)) for more in ((net.sizes[0],), ())
    )
    entered = np.zeros(len(parts), dtype=np.int64)
    for k, columns in zip(net.relus, net.columns, strict=True):
        source = net.nodes[k - 1].source  # type: ignore[union-attr]
        lower, upper, phase = parts.lower[:, columns], parts.upper[:, columns], parts.phase[:, columns]

        def bounded(
            piece: tuple[np.ndarray, np.ndarray], k: int = k, source: int = source
        ) -> tuple[Found, Found] | None:
            if now() > until:
                return None
            check_subnormals()
            with np.errstate(all="ignore"):
                up, down = (_neuron_bounds(net, source, sign, *piece, parts, layers) for sign in (1, -1))
            return up, down

        pieces = list(_pieces(net, source, (lower < 0) & (upper > 0)))
        for (part, neuron), both in zip(pieces, mapped(bounded, pieces, threads), strict=True):
            if both is None:
                break
            up, down = both
            upper[part, neuron] = np.fmin(upper[part, neuron], up.bound)  # fmin: a NaN bounds nothing
            lower[part, neuron] = np.fmax(lower[part, neuron], -down.bound)
            if shares is not None:
                width = (np.abs(up.inputs) + np.abs(down.inputs)) * (parts.high - parts.low)[part]
                shares[:, columns][part, neuron] = width / np.maximum(
                    width.sum(axis=1, keepdims=True), 1e-300
                )
        for sign in (
            1,
            -1,
        ):  # a split neuron's input, bounded once more from its side, as a linear function of the inputs
            part, neuron = np.nonzero(phase == sign)
            if len(part):
                found = _neuron_bounds(net, source, sign, part, neuron, parts, layers)
                place = entered[part] + _ranks(part)
                cuts[part, place], offsets[part, place] = found.inputs, found.offset
                entered += np.bincount(part, minlength=len(parts))
                if sign > 0:
                    upper[part, neuron] = np.fmin(upper[part, neuron], found.bound)
                else:
                    lower[part, neuron] = np.fmax(lower[part, neuron], -found.bound)
        layers[k] = lines(lower, upper)
    empty = np.asarray((parts.lower > parts.upper).any(axis=1))
    return Tightened(layers, empty, shares, cuts, offsets)


def mapped(function: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Iterator[Result]:
    """`map`, by so many threads."""
    if threads == 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)


def _pieces(net: FloatNetwork, source: int, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The chosen parts and neurons, so many at a time that their coefficients fit; those of a convolution that see the same place together."""
    part, neuron = np.nonzero(chosen)
    node = net.nodes[source - 1] if source else None
    if isinstance(node, FloatAffine) and len(node.weights) == 1 and isinstance(node.weights[0], SparseFloats):
        order = np.lexsort((node.weights[0].first_columns()[neuron], part))
        part, neuron = part[order], neuron[order]
    most = max(64, PIECE // max(net.sizes))
    for a in range(0, len(part), most):
        yield part[a : a + most], neuron[a : a + most]


def _ranks(part: np.ndarray) -> np.ndarray:
    """For ascending `part`: how many of the same part stand before each."""
    return np.arange(len(part)) - np.searchsorted(part, part)


def _neuron_bounds(
    net: FloatNetwork,
    source: int,
    sign: int,
    part: np.ndarray,
    neuron: np.ndarray,
    parts: Parts,
    layers: dict[int, Lines],
) -> Found:
    """Upper bounds of `sign` times value `neuron` of node `source` on `part`."""
    node = net.nodes[source - 1] if source else None
    if node is not None and not isinstance(node, Relu) and len(node.sources) == 1:
        # one step by selection: the coefficients before an affine node are its rows
        before, rows = node.sources[0], node.weights[0]
        error = net.slack[source][neuron] * SAFE
        return upper_bounds(
            net,
            Start(before, sign * rows[neuron], part, sign * node.bias[neuron], None, error),
            parts,
            layers,
        )
    chosen = np.zeros((len(part), net.sizes[source]))
    chosen[np.arange(len(part)), neuron] = sign
    return upper_bounds(net, Start(source, chosen, part, np.zeros(len(part))), parts, layers)
