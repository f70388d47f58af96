"""Branch and bound over the phases of ReLUs, for networks with many inputs (images).

The neurons' bounds are optimised once, on the whole box (`slopes.py`); after that a subdomain is a set of fixed phases, one polyhedron
that is not refuted yet, and the multipliers of the bound on one of its rows.  The neuron to split is the one of a few
likely ones whose two halves have the best bounds ("filtered smart branching", De Palma et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....common.clock import share_of
from ...bounds.box_bounds import BoxSubdomains, losses
from ...bounds.floats import HOPELESS, FloatNetwork
from ...bounds.presolve import NEURON_SHARE, Presolved, fresh, presolve, presolve_leaves
from ...bounds.refuted_leaves import OnRefuted, RefutedLeaves
from ...bounds.slopes import NeuronStates, descend, one_bound
from ...bounds.subdomains import Subdomains
from ...bounds.unsafe_rows import UnsafeRows
from ...evidence import How
from ..branch_and_bound import Searched, branch_and_bound
from .halves import split_neurons
from .tree import Tree

BATCH = 64
BATCH_BYTES = 1 << 26
WAITING_BYTES = 1 << 30
ROOT_STEPS, STEPS, LAST_STEPS = 60, 16, 400
CANDIDATES = 4


@dataclass(eq=False)
class PhaseSubdomains(Subdomains):
    """BoxSubdomains: (subdomains, neurons) for neuron bounds, phases, multipliers; `row`: the row that is bounded; `bound`: the parent's."""

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
    def functions(self) -> NeuronStates:
        return NeuronStates(self.lower, self.upper, self.phase, self.below, self.beta)


Done = Callable[[PhaseSubdomains], None]


def search(
    net: FloatNetwork,
    rows: UnsafeRows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    tree: Tree,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
    on_refuted: OnRefuted | None = None,
    presolved: Presolved | None = None,
) -> Searched:
    """`accept` gets points (points, inputs) that look unsafe and says whether one of them is; threads may call it together.

    `tree` accounts for the subdomains, from a presolved for every polyhedron.  `on_refuted` gets those that are found safe, with the multipliers and the row that
    show it: the leaves.  `presolved`: what is known on the whole box, where that was found already.
    """
    presolved = presolved or presolve(net, rows, deadline, progress, threads)
    if on_refuted is not None and presolved.refuted.any():
        on_refuted(presolve_leaves(net, rows, presolved))
    tree.settle(tree.roots[presolved.refuted], How.BOUNDS)
    if presolved.refuted.all():
        return Searched("done", 1)
    if not net.count:
        return Searched("stuck", 1)

    def done(subdomains: PhaseSubdomains) -> None:
        tree.settle(subdomains.node, How.BOUNDS)
        if on_refuted is not None and len(subdomains):
            factors = np.zeros((len(subdomains), len(rows)))
            factors[np.arange(len(subdomains)), subdomains.row] = 1
            polyhedron = rows.owner[subdomains.row]
            on_refuted(
                RefutedLeaves(
                    polyhedron,
                    rows.within(factors, polyhedron),
                    subdomains.phase,
                    subdomains.below,
                    subdomains.beta,
                )
            )

    left = _root(net, rows, presolved, tree, done, share_of(deadline, NEURON_SHARE))
    if left is None:
        return Searched("done", 1)
    each = 8 * (net.count * 16 + 4 * net.sizes[0])
    return branch_and_bound(
        left,
        lambda subdomains: _step(net, rows, presolved.box, tree, subdomains, accept, done),
        batch=max(1, min(BATCH, BATCH_BYTES // each)),
        most_waiting=max(1, WAITING_BYTES // (net.count * 40)),
        threads=threads,
        deadline=deadline,
        progress=progress,
    )


def _root(
    net: FloatNetwork, rows: UnsafeRows, presolved: Presolved, tree: Tree, done: Done, until: float
) -> PhaseSubdomains | None:
    """One subdomain for each polyhedron that is not refuted on the whole box, with its most promising row."""
    box = presolved.box
    row = np.flatnonzero(~presolved.refuted[rows.owner])
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
    subdomains = PhaseSubdomains(
        f.lower, f.upper, f.phase, f.below, f.beta, row[chosen], weight, found.bound[chosen], node
    )
    done(subdomains[np.flatnonzero(safe[chosen])])
    left = np.flatnonzero(~safe[chosen])
    return subdomains[left] if len(left) else None


def _step(
    net: FloatNetwork,
    rows: UnsafeRows,
    box: BoxSubdomains,
    tree: Tree,
    subdomains: PhaseSubdomains,
    accept: Callable[[np.ndarray], bool],
    done: Done,
) -> tuple[PhaseSubdomains | None, str]:
    functions = subdomains.functions
    found, corners = descend(
        net, rows.start(subdomains.row), box, functions, STEPS if (subdomains.phase != 0).any() else 0
    )
    # other rows of the same polyhedron may be the ones that fail there: each is tried with these multipliers
    safe = (found.bound < 0) | (rows.strict[subdomains.row] & (found.bound <= 0))
    left = np.flatnonzero(~safe)
    done(subdomains[np.flatnonzero(safe)])
    if not len(left):
        return None, ""
    subdomains = subdomains[left]
    subdomains.bound = found.bound[left]
    points = corners[left]
    margin = rows.margin(points, net.values(points)[-1]).max(axis=1)
    unsafe = np.flatnonzero(margin >= 0)
    if len(unsafe) and accept(points[unsafe[np.argsort(-margin[unsafe])]]):
        return None, "found"
    going = subdomains
    subdomains, still = _other_rows(net, rows, box, subdomains)
    done(going[np.delete(np.arange(len(going)), still)])
    if not len(subdomains):
        return None, ""
    replaced = found.replaced[left][still]
    closed = ~((subdomains.lower < 0) & (subdomains.upper > 0)).any(axis=1)
    if closed.any():  # linear on the subdomain: only the multipliers of the splits can still help
        last = subdomains[np.flatnonzero(closed)]
        found, _ = descend(net, rows.start(last.row), box, last.functions, LAST_STEPS)
        if not ((found.bound < 0) | (rows.strict[last.row] & (found.bound <= 0))).all():
            return None, "stuck"
        done(last)
        subdomains, replaced = subdomains[np.flatnonzero(~closed)], replaced[~closed]
    halves = _split(net, rows, box, tree, subdomains, replaced, done) if len(subdomains) else None
    return halves if halves is not None and len(halves) else None, ""


def _other_rows(
    net: FloatNetwork, rows: UnsafeRows, box: BoxSubdomains, subdomains: PhaseSubdomains
) -> tuple[PhaseSubdomains, np.ndarray]:
    """Where a polyhedron has several rows: go on with the one that is lowest with the present multipliers."""
    counts = np.diff(np.append(rows.first, len(rows)))
    several = counts[rows.owner[subdomains.row]] > 1
    still = np.arange(len(subdomains))
    if not several.any():
        return subdomains, still
    best, bound = subdomains.row.copy(), subdomains.bound.copy()
    for offset in range(int(counts.max())):
        row = rows.first[rows.owner[subdomains.row]] + np.minimum(
            offset, counts[rows.owner[subdomains.row]] - 1
        )
        found, _ = one_bound(net, rows.start(row), box, subdomains.functions)
        better = found.bound < bound
        best, bound = np.where(better, row, best), np.where(better, found.bound, bound)
    subdomains.row, subdomains.bound = best, bound
    safe = (bound < 0) | (rows.strict[best] & (bound <= 0))
    return subdomains[~safe], still[~safe]


def _split(
    net: FloatNetwork,
    rows: UnsafeRows,
    box: BoxSubdomains,
    tree: Tree,
    subdomains: PhaseSubdomains,
    replaced: np.ndarray,
    done: Done,
) -> PhaseSubdomains:
    """Both halves of every subdomain, each of which has an open neuron; without those that are safe already."""
    count = len(subdomains)
    relaxations = subdomains.functions.relaxations(net, len(net.nodes))
    score = np.where(
        (subdomains.lower < 0) & (subdomains.upper > 0),
        np.nan_to_num(losses(net, replaced, relaxations)),
        -1.0,
    )
    few = min(CANDIDATES, net.count)
    candidates = np.argpartition(-score, few - 1, axis=1)[:, :few]
    bounds = np.zeros((few, 2, count))
    worst = np.zeros((few, count))
    at = np.arange(count)
    for j in range(few):
        for side in (0, 1):
            found, _ = one_bound(
                net, rows.start(subdomains.row), box, _half(subdomains, candidates[:, j], side)
            )
            bounds[j, side] = found.bound
        best = np.minimum(bounds[j], subdomains.bound)
        worst[j] = np.nan_to_num(best.max(axis=0) + 0.1 * best.min(axis=0), nan=HOPELESS, posinf=HOPELESS)
        worst[j][score[at, candidates[:, j]] < 0] = np.inf
    choice = worst.argmin(axis=0)
    neuron = candidates[at, choice]
    off, on = split_neurons(tree, subdomains, neuron)
    off.upper[at, neuron], on.lower[at, neuron] = 0.0, 0.0
    off.bound, on.bound = bounds[choice, 0, at], bounds[choice, 1, at]
    out = PhaseSubdomains.joined([off, on])
    safe = (out.bound < 0) | (rows.strict[out.row] & (out.bound <= 0))
    done(out[np.flatnonzero(safe)])
    return out[np.flatnonzero(~safe)] if safe.any() else out


def _half(subdomains: PhaseSubdomains, neuron: np.ndarray, side: int) -> NeuronStates:
    """With each subdomain's neuron off (side 0) or on."""
    at, half = np.arange(len(subdomains)), subdomains.functions[np.arange(len(subdomains))]
    (half.lower if side else half.upper)[at, neuron] = 0.0
    half.phase[at, neuron] = 1 if side else -1
    return half
