"""What is known on the whole box before anything is split: bounds of all neurons and of the unsafe rows.

After `unsafe_rows.py`, before the searches over phases (`engines/boxes/relu_split.py`, `lp_split.py`,
`milp.py`), which may share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...common.clock import now, share_of
from .box_bounds import Objectives
from .descend import NeuronStates, descend
from .floats import FloatNetwork
from .refuted_leaves import RefutedLeaves
from .subdomains import BoxSubdomains
from .tighten import tightened
from .unsafe_rows import UnsafeRows

Progress = Callable[[str], None]
Optimised = Callable[[np.ndarray, int, np.ndarray], None]
BATCH_BYTES = 1 << 26
NEURON_STEPS = 20
NEURON_SHARE, OPTIMISED_SHARE = 0.7, 0.2  # of the time that is left, for the neurons' bounds
OPTIMISED_PRODUCTS, GROUP_PRODUCTS = (
    10**11,
    10**10,
)  # that the neurons of one layer, and those of them that go together, may cost


@dataclass(frozen=True, eq=False)
class Presolved:
    """`box`: the whole box with its neurons' bounds; `bound` (rows,): of the unsafe rows; `refuted`
    (polyhedra,): which are empty by these bounds.
    """

    box: BoxSubdomains
    bound: np.ndarray
    refuted: np.ndarray


def presolve(
    net: FloatNetwork,
    rows: UnsafeRows,
    deadline: float,
    progress: Progress = lambda text: None,
    threads: int = 1,
    optimised: Optimised = lambda neurons, sign, below: None,
) -> Presolved:
    """Bound all neurons and rows; where that leaves a polyhedron open, optimise the neurons' bounds (see
    `optimise_neurons`).
    """
    box = BoxSubdomains.whole(net)
    progress("bounding all neurons")
    known = tightened(net, box, until=share_of(deadline, NEURON_SHARE), threads=threads)
    bound, _ = rows.bound(net, box, known.relaxations)
    refuted = rows.refuted(bound)[0]
    if net.count and not refuted.all():
        optimise_neurons(net, box, deadline, progress, optimised)
    return Presolved(box, bound[0], refuted)


def presolve_leaves(net: FloatNetwork, rows: UnsafeRows, presolved: Presolved) -> RefutedLeaves:
    """Leaves for the polyhedra that are refuted on the whole box: each by its row with the lowest bound, with
    the first multipliers.
    """
    ends = [*rows.first[1:], len(rows)]
    refuted = np.flatnonzero(presolved.refuted)
    row = np.array(
        [rows.first[p] + presolved.bound[rows.first[p] : ends[p]].argmin() for p in refuted], dtype=np.int64
    )
    factors = np.zeros((len(row), len(rows)))
    factors[np.arange(len(row)), row] = 1
    f = NeuronStates.fresh(presolved.box, len(row))
    return RefutedLeaves(refuted, rows.within(factors, refuted), f.phase, f.below, f.beta)


def optimise_neurons(
    net: FloatNetwork,
    box: BoxSubdomains,
    deadline: float,
    progress: Callable[[str], None],
    optimised: Optimised = lambda neurons, sign, below: None,
) -> None:
    """Tighten the bounds of open neurons on the whole box, layer by layer, for as long as that is worth it.

    `optimised` gets neurons whose bounds above (sign 1) or below (-1) became better, and the lower slopes
    (neurons, all neurons) that did it.
    """
    until = share_of(deadline, OPTIMISED_SHARE)
    group = max(1, BATCH_BYTES // (8 * 8 * max(net.count, *net.sizes)))
    for k, c in list(zip(net.relus, net.columns, strict=True))[1:]:
        source = net.nodes[k - 1].source  # type: ignore[union-attr]
        neurons = np.flatnonzero((box.lower[0, c] < 0) & (box.upper[0, c] > 0))
        each = NEURON_STEPS * 4 * net.products(source)  # up and down, forwards and backwards
        if len(neurons) * each > OPTIMISED_PRODUCTS:
            continue
        group = max(1, min(group, GROUP_PRODUCTS // max(each, 1)))
        for a in range(0, len(neurons), group):
            if now() > until:
                return
            progress(f"bounding the neurons of node {k}")
            some = neurons[a : a + group]
            count = len(some)
            chosen = np.zeros((2 * count, net.sizes[source]))
            chosen[np.arange(count), some] = 1
            chosen[count + np.arange(count), some] = -1
            objectives = Objectives(source, chosen, np.zeros(2 * count, dtype=np.int64), np.zeros(2 * count))
            functions = NeuronStates.fresh(box, 2 * count)
            found, _ = descend(net, objectives, box, functions, NEURON_STEPS, goal=None, until=until)
            up, down = found.bound[:count], found.bound[count:]
            for sign, better, slopes in (
                (1, up < box.upper[0, c][some], functions.below[:count]),
                (-1, -down > box.lower[0, c][some], functions.below[count:]),
            ):
                optimised(c.start + some[better], sign, slopes[better])
            box.upper[0, c][some] = np.fmin(box.upper[0, c][some], up)
            box.lower[0, c][some] = np.fmax(box.lower[0, c][some], -down)
