"""Many cases by the batch: settle what bounds on whole boxes settle, before any case is looked at alone.

Between `bounds/unsafe_rows.py` and `verifiers/boxes/decide.py`.  A batch shares one float network over the
hull of its boxes, whose error bounds hold on each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ....common.clock import now
from ....common.errors import Unsupported
from ....models.claims.property import Case
from ....models.network.network import Network
from ...bounds.box_bounds import Objectives, upper_bounds
from ...bounds.floats import FloatNetwork, above, below, float_network
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import tightened
from ...bounds.unsafe_rows import UnsafeRows
from ...evidence import How, Tiling
from .tree import Tree

BATCH = 512
BATCH_BYTES = 1 << 27


def first_bounds(
    network: Network,
    cases: Sequence[Case],
    until: float,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
) -> dict[int, Tiling]:
    """Evidence about the cases, by number, that are safe by bounds on their whole boxes."""
    neurons = sum(network.sizes[1:])
    size = max(1, min(BATCH, BATCH_BYTES // (8 * (6 * neurons + 4 * network.input_size + 1))))
    asked = [number for number, case in enumerate(cases) if case.unsafe and all(case.unsafe)]
    found: dict[int, Tiling] = {}
    for first in range(0, len(asked), size):
        if now() > until:
            break
        progress(f"bounds: {first} of {len(cases)} cases")
        some = asked[first : first + size]
        for number, tree in zip(some, _batch(network, [cases[n] for n in some], until, threads), strict=True):
            if (evidence := tree.tiling()) is not None:
                found[number] = evidence
    return found


def _batch(network: Network, cases: Sequence[Case], until: float, threads: int) -> list[Tree]:
    """A tree for each, in which the polyhedra are settled that are refuted on the whole box."""
    trees = [Tree(len(case.unsafe)) for case in cases]
    try:
        lower = [min(ends) for ends in zip(*(case.lower for case in cases), strict=True)]
        upper = [max(ends) for ends in zip(*(case.upper for case in cases), strict=True)]
        net = float_network(network, lower, upper)
        rows = UnsafeRows.of(net, [polyhedron for case in cases for polyhedron in case.unsafe])
        subdomains = _boxes(net, cases)
    except Unsupported:  # of one of them: each will be told alone
        return trees
    case_of = np.repeat(np.arange(len(cases)), [len(case.unsafe) for case in cases])  # polyhedra's
    relaxations = tightened(net, subdomains, until=until, threads=threads).relaxations
    start = Objectives(rows.node, rows.outputs, case_of[rows.owner], rows.constant, rows.inputs, rows.error)
    refuted = rows.refuted(upper_bounds(net, start, subdomains, relaxations).bound[None])[0]
    ends = np.cumsum([len(case.unsafe) for case in cases])
    for tree, mine in zip(trees, np.split(refuted, ends[:-1]), strict=True):
        tree.settle(tree.roots[mine], How.BOUNDS)
    return trees


def _boxes(net: FloatNetwork, cases: Sequence[Case]) -> BoxSubdomains:
    """Each case's box, rounded outwards, with what the hull says about the neurons."""
    count = len(cases)
    low = np.array([[below(v) for v in case.lower] for case in cases])
    high = np.array([[above(v) for v in case.upper] for case in cases])
    lower, upper = (np.repeat(v[None], count, axis=0) for v in (net.lower, net.upper))
    return BoxSubdomains(
        low,
        high,
        lower,
        upper,
        np.zeros((count, net.count), dtype=np.int8),
        np.ones(count),
        np.zeros(count, dtype=np.int64),
    )
