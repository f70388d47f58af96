"""Cutting planes: upper planes of ReLUs in terms of what their layer reads.

They are tighter than the triangle, which knows the sum alone.  Beside `box_bounds.py`, for
`engines/boxes/lp_split.py`.  Of y = max(0, w . h + b) with h in a box, the triangle uses the bounds of w . h
+ b only.  The convex hull has a facet for many a subset of h's elements, and the one that a point violates
most is found by sorting (Tjandraatmadja et al. 2020, "The convex relaxation barrier, revisited", after
Anderson et al. 2020).  Any slopes are sound here: the offset is chosen so that the plane is above 0 and above
w . h + b on the whole box, rounding included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...models.network.network import Relu
from .floats import FLOOR, SAFE, FloatAffine, FloatNetwork, gamma
from .relaxation import CutPlanes
from .subdomains import BoxSubdomains
from .support import middle_and_radius

VIOLATED = 1e-4  # of a neuron's upper bound


@dataclass(frozen=True, eq=False)
class Cuts:
    """`place` (cuts,): the neuron, counted in its layer; its output is at most `slopes` (cuts, size of node
    `source`) times the values there plus `offset`.
    """

    source: int
    size: int
    place: np.ndarray
    slopes: np.ndarray
    offset: np.ndarray
    error: np.ndarray  # (cuts,) that carrying one unit of each may be off by

    def __len__(self) -> int:
        return len(self.place)

    @cached_property
    def owner(self) -> np.ndarray:
        """(cuts, neurons of the layer): 1 where the cut is the neuron's."""
        result: np.ndarray = np.eye(self.size)[self.place]
        return result

    def weighed(self, weight: np.ndarray) -> CutPlanes:
        """`weight` (functions, cuts): how much of a neuron's coefficient each is to take."""
        return CutPlanes(self.source, self.owner, self.slopes, self.offset, self.error, np.maximum(weight, 0))


class CutLayer:
    """One ReLU node that reads a plain matrix of one node's values."""

    def __init__(self, net: FloatNetwork, box: BoxSubdomains, k: int) -> None:
        node = net.nodes[k - 1]
        assert isinstance(node, Relu)
        affine = net.nodes[node.source - 1]
        assert isinstance(affine, FloatAffine) and isinstance(affine.weights[0], np.ndarray)
        self.source, self.weights, self.bias = affine.sources[0], affine.weights[0], affine.bias
        if self.source == 0:
            self.low, self.high = box.low[0], box.high[0]
        else:
            c = dict(zip(net.relus, net.columns, strict=True))[self.source]
            self.low, self.high = np.maximum(box.lower[0, c], 0), np.maximum(box.upper[0, c], 0)

    def cuts(self, place: np.ndarray, slopes: np.ndarray) -> Cuts:
        """Sound lines with these slopes (cuts, size of the source) for neurons of the layer (cuts,)."""
        w, b = self.weights[place], self.bias[place]
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        middle, radius = middle_and_radius(self.low, self.high)
        above_zero = np.abs(slopes) @ radius - slopes @ middle
        above_sum = b + (w - slopes) @ middle + np.abs(w - slopes) @ radius
        scale = (np.abs(slopes) + np.abs(w)) @ (largest + radius) + np.abs(b)
        rounding = gamma(self.weights.shape[1] + len(place)) * 4 * scale * SAFE + FLOOR
        offset = np.maximum(above_zero, above_sum) + rounding
        return Cuts(
            self.source,
            len(self.bias),
            place,
            slopes,
            offset,
            rounding + gamma(len(place)) * 4 * np.abs(offset) * SAFE,
        )

    def violated(
        self, place: np.ndarray, values: np.ndarray, outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Neurons among `place` and slopes of the facets that the point (`values` of the source, `outputs` of
        the neurons) violates most.
        """
        found, slopes = [], []
        width = self.high - self.low
        for j, output in zip(place.tolist(), outputs.tolist(), strict=True):
            w = self.weights[j]
            used = np.flatnonzero((w != 0) & (width > 0))
            rise = np.abs(w[used]) * width[used]
            # how far each element is from where the sum is least, as a share of its interval
            share = (
                np.where(w[used] > 0, values[used] - self.low[used], self.high[used] - values[used])
                / width[used]
            )
            order = np.argsort(share)
            most = self.bias[j] + w @ self.low + np.maximum(w * width, 0).sum()
            level = most - np.concatenate(
                [[0.0], np.cumsum(rise[order])]
            )  # of the sum, with the first few elements at their worst
            last = int(np.argmax(level < 0)) - 1
            if most <= 0 or last < 0:
                continue
            line = np.zeros(len(w))
            line[used[order[:last]]] = w[used[order[:last]]]
            turn = used[order[last]]
            line[turn] = np.sign(w[turn]) * level[last] / width[turn]
            reached = (np.abs(line) * np.where(line > 0, values - self.low, self.high - values)).sum()
            if output - reached > VIOLATED * most:
                found.append(j)
                slopes.append(line)
        return np.array(found, dtype=np.int64), np.array(slopes).reshape(len(found), self.weights.shape[1])


def layers_of(net: FloatNetwork, box: BoxSubdomains) -> dict[int, CutLayer]:
    """The ReLU nodes whose neurons can be cut."""
    out = {}
    for k in net.relus:
        node = net.nodes[k - 1]
        affine = net.nodes[node.source - 1] if isinstance(node, Relu) and node.source else None
        if (
            not isinstance(affine, FloatAffine)
            or len(affine.sources) != 1
            or not isinstance(affine.weights[0], np.ndarray)
        ):
            continue
        if affine.sources[0] == 0 or affine.sources[0] in net.relus:
            out[k] = CutLayer(net, box, k)
    return out


def joined(cuts: Sequence[Mapping[int, Cuts]]) -> dict[int, Cuts]:
    out: dict[int, Cuts] = {}
    for some in cuts:
        for k, more in some.items():
            old = out.get(k)
            if old is None:
                out[k] = more
                continue
            subdomains = (
                np.concatenate([getattr(old, name), getattr(more, name)])
                for name in ("place", "slopes", "offset", "error")
            )
            out[k] = Cuts(more.source, more.size, *subdomains)
    return out
