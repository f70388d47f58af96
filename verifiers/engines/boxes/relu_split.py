"""Branch and bound over the phases of ReLUs, for networks with many inputs (images).

The neurons' bounds are optimised once, on the whole box (`slopes.py`); after that a part is a set of fixed phases, one polyhedron
that is not refuted yet, and the multipliers of the bound on one of its rows.  The neuron to split is the one of a few
likely ones whose two halves have the best bounds ("filtered smart branching", De Palma et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....common.clock import share_of
from ...bounds.batch import Weighed
from ...bounds.box_bounds import Parts, losses
from ...bounds.floats import HOPELESS, FloatNetwork
from ...bounds.multipliers import Settled, Shown
from ...bounds.presolve import NEURON_SHARE, Root, fresh, root_of, shown
from ...bounds.rows import Rows
from ...bounds.slopes import Functions, descend, one_bound
from ...evidence import How
from .halves import split_neurons
from .tree import Tree
from .work import Searched, branch_and_bound

BATCH = 64
BATCH_BYTES = 1 << 26
WAITING_BYTES = 1 << 30
ROOT_STEPS, STEPS, LAST_STEPS = 60, 16, 400
CANDIDATES = 4


@dataclass(eq=False)
class Phases(Weighed):
    """Parts: (parts, neurons) for neuron bounds, phases, multipliers; `row`: the row that is bounded; `bound`: the parent's."""

    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    below: np.ndarray
    beta: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    bound: np.ndarray
    node: np.ndarray

    @property
    def functions(self) -> Functions:
        return Functions(self.lower, self.upper, self.phase, self.below, self.beta)


Done = Callable[[Phases], None]


def search(
    net: FloatNetwork,
    rows: Rows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    tree: Tree,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
    settled: Settled | None = None,
    root: Root | None = None,
) -> Searched:
    """`accept` gets points (points, inputs) that look unsafe and says whether one of them is; threads may call it together.

    `tree` accounts for the parts, from a root for every polyhedron.  `settled` gets those that are found safe, with the multipliers and the row that
    show it: the leaves.  `root`: what is known on the whole box, where that was found already.
    """
    root = root or root_of(net, rows, deadline, progress, threads)
    if settled is not None and root.refuted.any():
        settled(shown(net, rows, root))
    tree.settle(tree.roots[root.refuted], How.BOUNDS)
    if root.refuted.all():
        return Searched("done", 1)
    if not net.count:
        return Searched("stuck", 1)

    def done(parts: Phases) -> None:
        tree.settle(parts.node, How.BOUNDS)
        if settled is not None and len(parts):
            factors = np.zeros((len(parts), len(rows)))
            factors[np.arange(len(parts)), parts.row] = 1
            polyhedron = rows.owner[parts.row]
            settled(Shown(polyhedron, rows.within(factors, polyhedron), parts.phase, parts.below, parts.beta))

    left = _root(net, rows, root, tree, done, share_of(deadline, NEURON_SHARE))
    if left is None:
        return Searched("done", 1)
    each = 8 * (net.count * 16 + 4 * net.sizes[0])
    return branch_and_bound(
        left,
        lambda parts: _step(net, rows, root.box, tree, parts, accept, done),
        batch=max(1, min(BATCH, BATCH_BYTES // each)),
        most_waiting=max(1, WAITING_BYTES // (net.count * 40)),
        threads=threads,
        deadline=deadline,
        progress=progress,
    )


def _root(net: FloatNetwork, rows: Rows, root: Root, tree: Tree, done: Done, until: float) -> Phases | None:
    """One part for each polyhedron that is not refuted on the whole box, with its most promising row."""
    box = root.box
    row = np.flatnonzero(~root.refuted[rows.owner])
    functions = fresh(net, box, len(row))
    found, _ = descend(net, rows.start(row), box, functions, ROOT_STEPS, goal=0.0, until=until)
    safe = (found.bound < 0) | (rows.strict[row] & (found.bound <= 0))
    best = []
    for p in np.unique(rows.owner[row]):
        own = np.flatnonzero(rows.owner[row] == p)
        best.append(own[safe[own].argmax()] if safe[own].any() else own[found.bound[own].argmin()])
    chosen = np.array(best)
    f = functions[chosen]
    weight = np.full(len(chosen), 1.0 / max(1, int((~safe[chosen]).sum())))
    node = tree.roots[rows.owner[row[chosen]]]
    parts = Phases(f.lower, f.upper, f.phase, f.below, f.beta, row[chosen], weight, found.bound[chosen], node)
    done(parts[np.flatnonzero(safe[chosen])])
    left = np.flatnonzero(~safe[chosen])
    return parts[left] if len(left) else None


def _step(
    net: FloatNetwork,
    rows: Rows,
    box: Parts,
    tree: Tree,
    parts: Phases,
    accept: Callable[[np.ndarray], bool],
    done: Done,
) -> tuple[Phases | None, str]:
    functions = parts.functions
    found, corners = descend(
        net, rows.start(parts.row), box, functions, STEPS if (parts.phase != 0).any() else 0
    )
    # other rows of the same polyhedron may be the ones that fail there: each is tried with these multipliers
    safe = (found.bound < 0) | (rows.strict[parts.row] & (found.bound <= 0))
    left = np.flatnonzero(~safe)
    done(parts[np.flatnonzero(safe)])
    if not len(left):
        return None, ""
    parts = parts[left]
    parts.bound = found.bound[left]
    points = corners[left]
    margin = rows.margin(points, net.values(points)[-1]).max(axis=1)
    unsafe = np.flatnonzero(margin >= 0)
    if len(unsafe) and accept(points[unsafe[np.argsort(-margin[unsafe])]]):
        return None, "found"
    going = parts
    parts, still = _other_rows(net, rows, box, parts)
    done(going[np.delete(np.arange(len(going)), still)])
    if not len(parts):
        return None, ""
    replaced = found.replaced[left][still]
    closed = ~((parts.lower < 0) & (parts.upper > 0)).any(axis=1)
    if closed.any():  # linear on the part: only the multipliers of the splits can still help
        last = parts[np.flatnonzero(closed)]
        found, _ = descend(net, rows.start(last.row), box, last.functions, LAST_STEPS)
        if not ((found.bound < 0) | (rows.strict[last.row] & (found.bound <= 0))).all():
            return None, "stuck"
        done(last)
        parts, replaced = parts[np.flatnonzero(~closed)], replaced[~closed]
    halves = _split(net, rows, box, tree, parts, replaced, done) if len(parts) else None
    return halves if halves is not None and len(halves) else None, ""


def _other_rows(net: FloatNetwork, rows: Rows, box: Parts, parts: Phases) -> tuple[Phases, np.ndarray]:
    """Where a polyhedron has several rows: go on with the one that is lowest with the present multipliers."""
    counts = np.diff(np.append(rows.first, len(rows)))
    several = counts[rows.owner[parts.row]] > 1
    still = np.arange(len(parts))
    if not several.any():
        return parts, still
    best, bound = parts.row.copy(), parts.bound.copy()
    for offset in range(int(counts.max())):
        row = rows.first[rows.owner[parts.row]] + np.minimum(offset, counts[rows.owner[parts.row]] - 1)
        found, _ = one_bound(net, rows.start(row), box, parts.functions)
        better = found.bound < bound
        best, bound = np.where(better, row, best), np.where(better, found.bound, bound)
    parts.row, parts.bound = best, bound
    safe = (bound < 0) | (rows.strict[best] & (bound <= 0))
    return parts[~safe], still[~safe]


def _split(
    net: FloatNetwork, rows: Rows, box: Parts, tree: Tree, parts: Phases, replaced: np.ndarray, done: Done
) -> Phases:
    """Both halves of every part, each of which has an open neuron; without those that are safe already."""
    count = len(parts)
    layers = parts.functions.layers(net, len(net.nodes))
    score = np.where(
        (parts.lower < 0) & (parts.upper > 0), np.nan_to_num(losses(net, replaced, layers)), -1.0
    )
    few = min(CANDIDATES, net.count)
    candidates = np.argpartition(-score, few - 1, axis=1)[:, :few]
    bounds = np.zeros((few, 2, count))
    worst = np.zeros((few, count))
    at = np.arange(count)
    for j in range(few):
        for side in (0, 1):
            found, _ = one_bound(net, rows.start(parts.row), box, _half(parts, candidates[:, j], side))
            bounds[j, side] = found.bound
        best = np.minimum(bounds[j], parts.bound)
        worst[j] = np.nan_to_num(best.max(axis=0) + 0.1 * best.min(axis=0), nan=HOPELESS, posinf=HOPELESS)
        worst[j][score[at, candidates[:, j]] < 0] = np.inf
    choice = worst.argmin(axis=0)
    neuron = candidates[at, choice]
    off, on = split_neurons(tree, parts, neuron)
    off.upper[at, neuron], on.lower[at, neuron] = 0.0, 0.0
    off.bound, on.bound = bounds[choice, 0, at], bounds[choice, 1, at]
    out = Phases.joined([off, on])
    safe = (out.bound < 0) | (rows.strict[out.row] & (out.bound <= 0))
    done(out[np.flatnonzero(safe)])
    return out[np.flatnonzero(~safe)] if safe.any() else out


def _half(parts: Phases, neuron: np.ndarray, side: int) -> Functions:
    """With each part's neuron off (side 0) or on."""
    at, half = np.arange(len(parts)), parts.functions[np.arange(len(parts))]
    (half.lower if side else half.upper)[at, neuron] = 0.0
    half.phase[at, neuron] = 1 if side else -1
    return half
