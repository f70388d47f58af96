"""Bounds of all neurons of a network over many boxes, layer by layer.

After `box_bounds.py`, before the searches, which call it for every batch of subdomains.
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
from .box_bounds import LinearBounds, Objectives, upper_bounds
from .floats import SAFE, FloatAffine, FloatNetwork, check_subnormals
from .matrices import SparseFloats
from .relaxation import Index, ReluRelaxation, triangle
from .subdomains import BoxSubdomains

PIECE = 1 << 23  # coefficients that wait to be carried
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Tightened:
    """What `tightened` found: the relaxations of all ReLU nodes, and which subdomains are empty, because a
    neuron's bounds cross.

    `share` (subdomains, neurons, inputs): how much of an open neuron's width each input makes; None unless
    asked for.  `cuts` (subdomains, splits, inputs), `cut_offsets` (subdomains, splits): on the subdomain as
    its phases restrict it, cuts . x + cut_offsets >= 0, a row for every split (0 . x + 0 where there are
    fewer).
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
    """Bound every neuron that is open on a subdomain, layer by layer; writes the bounds into `subdomains`.

    After `until` (time.monotonic), open neurons keep the bounds they have.
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
        relaxations[k] = triangle(lower, upper)
    empty = np.asarray((subdomains.lower > subdomains.upper).any(axis=1))
    return Tightened(relaxations, empty, shares, cuts, offsets)


def mapped(function: Callable[[Given], Made], items: Sequence[Given], threads: int) -> Iterator[Made]:
    """`map`, by so many threads."""
    if threads == 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)


def _pieces(net: FloatNetwork, source: int, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The chosen subdomains and neurons, so many at a time that their coefficients fit; neurons of a
    convolution that see the same place go together.
    """
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
