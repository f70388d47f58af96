"""Branch and bound over boxes, for networks with few inputs: cut an input, or split a neuron.

Examples are ACAS Xu and controllers.  Subdomains are bounded many at a time (`bounds/tighten.py`) and shrunk
to where all constraints can hold (`bounds/clip.py`).  One that is not yet safe is divided at what costs its
weakest row most: an input's interval or, where few neurons are still open, one neuron's phase.  Subdomains
are boxes of floats that cover the rational box and share their cuts, so nothing is lost between them.
"""

from __future__ import annotations

import numpy as np

from ...bounds.box_bounds import losses
from ...bounds.clip import clipped
from ...bounds.floats import FloatNetwork
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import tightened
from ...bounds.unsafe_rows import UnsafeRows
from ...evidence import How
from ..exact.ties import TIE, Ties
from .attack import nudge
from .depth_first import depth_first
from .halves import cut_inputs, split_neurons
from .request import Searched, SearchRequest
from .tree import Tree

BATCH = 512
BATCH_BYTES = 1 << 27  # of neuron bounds and shares of one batch
NUDGED = 64  # likeliest points of a batch that are moved towards unsafe
FEW_OPEN = 6  # up to so many open neurons, splitting one is worth a try


def search(asked: SearchRequest, tree: Tree, *, ties: Ties | None = None) -> Searched:
    """Search by cutting inputs.  `tree` accounts for the subdomains; all polyhedra share one root.

    `ties` are asked about subdomains where floats do not come to an end.
    """
    net, rows = asked.net, asked.rows
    each = 8 * (net.count * (4 + net.sizes[0] + len(rows)) + 1)
    whole = BoxSubdomains.whole(net, tree.join(tree.roots))
    return depth_first(
        asked,
        whole,
        lambda subdomains: _step(asked, tree, subdomains, ties),
        batch=max(1, min(BATCH, BATCH_BYTES // each)),
    )


def _step(
    asked: SearchRequest, tree: Tree, subdomains: BoxSubdomains, ties: Ties | None
) -> tuple[BoxSubdomains | None, str]:
    """What is left to do of these subdomains, and a status if the search is over."""
    net, rows = asked.net, asked.rows
    known = tightened(net, subdomains, share=True)
    bound, found = rows.bound(net, subdomains, known.relaxations)
    safe = np.asarray(known.empty | rows.refuted(bound).all(axis=1))
    tree.settle(subdomains.node[safe], How.BOUNDS)
    left = np.flatnonzero(~safe)
    if not len(left):
        return None, ""
    steep, offset, replaced = (
        rows.by_subdomain(v)[left] for v in (found.inputs, found.offset, found.replaced)
    )
    subdomains, known, bound = subdomains[left], known[left], bound[left]
    # Once more with the lower lines y >= 0: where a neuron that is mostly off caps a row, they alone show it.
    other_bound, other = rows.bound(net, subdomains, {k: v.flat() for k, v in known.relaxations.items()})
    forms = [(steep, offset), (rows.by_subdomain(other.inputs), rows.by_subdomain(other.offset))]
    better = other_bound < bound
    steep = np.where(better[:, :, None], forms[1][0], steep)
    replaced = np.where(better[:, :, None], rows.by_subdomain(other.replaced), replaced)
    bound = np.fmin(bound, other_bound)
    refuted = clipped(rows, subdomains, rows.refuted(bound), forms, known.cuts, known.cut_offsets)
    safe = np.asarray(refuted.all(axis=1))
    tree.settle(subdomains.node[safe], How.BOUNDS)
    left = np.flatnonzero(~safe)
    if not len(left):
        return None, ""
    subdomains = subdomains[left]
    weakest = weakest_rows(rows, bound[left], refuted[left])
    steep, loss = steep[left, weakest], losses(net, replaced[left, weakest], known[left].relaxations)
    points, margin = _suspects(net, rows, subdomains, steep)
    unsafe = np.flatnonzero(margin >= 0)
    if asked.accept(points[unsafe[np.argsort(-margin[unsafe])]]):
        return None, "found"
    share = known[left].share
    assert share is not None
    if ties is not None:
        likely = margin[: len(subdomains)], margin[len(subdomains) : 2 * len(subdomains)]
        kept, status = _last_word(rows, tree, subdomains, ~refuted[left], np.maximum(*likely), ties)
        if status or not len(kept):
            return None, status
        subdomains, steep, loss, share = subdomains[kept], steep[kept], loss[kept], share[kept]
    halves = _divided(net, tree, subdomains, steep, loss, share)
    return halves, "" if halves is not None else "stuck"


def _last_word(
    rows: UnsafeRows, tree: Tree, subdomains: BoxSubdomains, left: np.ndarray, margin: np.ndarray, ties: Ties
) -> tuple[np.ndarray, str]:
    """Ask `ties` about likely subdomains; returns the places of those that it does not settle, and a status
    if the search is over.

    `left` (subdomains, polyhedra): which are not refuted; `margin` (subdomains,): the largest that was seen.
    Likely are subdomains with few open neurons; first those with none, where floats have said all that they
    can, and those with a margin of nearly 0.
    """
    ties.earn(len(subdomains))
    opened = ((subdomains.lower < 0) & (subdomains.upper > 0)).sum(axis=1)
    kept = np.ones(len(subdomains), dtype=bool)
    urgent = (opened == 0) | (margin >= -TIE * rows.size)
    for n in np.lexsort((-margin, ~urgent)).tolist():
        if not ties.may_ask:
            break
        if opened[n] > ties.most_open:
            continue
        known = subdomains.phase[n], subdomains.lower[n], subdomains.upper[n]
        said = ties.ask((subdomains.low[n], subdomains.high[n]), known, np.flatnonzero(left[n]).tolist())
        if said == "found":
            return np.flatnonzero(kept), said
        if said == "safe":
            kept[n] = False
            tree.settle(subdomains.node[n : n + 1], How.EXACT)
    return np.flatnonzero(kept), ""


def _suspects(
    net: FloatNetwork, rows: UnsafeRows, subdomains: BoxSubdomains, steep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points that may be unsafe, and their margins: corners where the relaxed weakest row is largest,
    middles, and points near the likeliest of them.
    """
    points = np.concatenate(
        [np.where(steep > 0, subdomains.high, subdomains.low), (subdomains.low + subdomains.high) / 2]
    )
    margin = rows.margin(points, net.values(points)[-1]).max(axis=1)
    best = np.argsort(-margin)[:NUDGED]
    near = nudge(net, rows, points[best], (subdomains.high - subdomains.low)[best % len(subdomains)])
    points = np.concatenate([points, near])
    return points, np.concatenate([margin, rows.margin(near, net.values(near)[-1]).max(axis=1)])


def weakest_rows(rows: UnsafeRows, bound: np.ndarray, refuted: np.ndarray) -> np.ndarray:
    """Per subdomain, the lowest row of the polyhedron that is farthest from being refuted."""
    lowest = np.minimum.reduceat(bound, rows.first, axis=1)
    worst = np.where(refuted, -np.inf, lowest).argmax(axis=1)
    result: np.ndarray = np.where(rows.owner == worst[:, None], bound, np.inf).argmin(axis=1)
    return result


def _divided(
    net: FloatNetwork,
    tree: Tree,
    subdomains: BoxSubdomains,
    steep: np.ndarray,
    loss: np.ndarray,
    share: np.ndarray,
) -> BoxSubdomains | None:
    """Divide each subdomain in two: cut the input, or split the neuron, that costs the weakest row's bound
    most.

    An input is blamed for its own term and for its share in the loss at every open neuron.  None where a
    subdomain has neither an open neuron nor a float inside to cut at.
    """
    at = np.arange(len(subdomains))
    by_input, middle = blamed_inputs(subdomains, steep, loss, share)
    opened = (subdomains.lower < 0) & (subdomains.upper > 0)
    by_neuron = np.where(opened, loss, -1.0) if net.count else np.full((len(subdomains), 1), -1.0)
    cut, split = by_input.argmax(axis=1), by_neuron.argmax(axis=1)
    worth = by_input[at, cut]
    neuron_first = (by_neuron[at, split] > worth) & ((opened.sum(axis=1) <= FEW_OPEN) | (worth < 0))
    if (~neuron_first & (worth < 0)).any():
        return None
    by_cut, by_split = np.flatnonzero(~neuron_first), np.flatnonzero(neuron_first)
    left, right = cut_inputs(tree, subdomains[by_cut], cut[by_cut], middle[by_cut, cut[by_cut]])
    off, on = split_neurons(tree, subdomains[by_split], split[by_split])
    off.upper[np.arange(len(off)), split[by_split]] = 0.0
    on.lower[np.arange(len(on)), split[by_split]] = 0.0
    return BoxSubdomains.joined([left, off, right, on])


def blamed_inputs(
    subdomains: BoxSubdomains, steep: np.ndarray, loss: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What every input's interval costs the weakest row's bound (-1 where no float lies inside), and the
    middles; (subdomains, inputs) each.
    """
    by_input = np.abs(steep) * (subdomains.high - subdomains.low) / 2 + np.einsum("pj,pji->pi", loss, share)
    middle = subdomains.low + (subdomains.high - subdomains.low) / 2
    by_input[~((subdomains.low < middle) & (middle < subdomains.high))] = -1.0
    return by_input, middle
