"""Branch and bound over the phases of ReLUs, for networks with many inputs (images).

After `bounds/presolve.py`, which bounds the neurons once, on the whole box.  After that a subdomain is a set
of fixed phases, one polyhedron that is not refuted yet, and the multipliers of the bound on one of its rows.
The neuron to split is the one of a few likely ones whose two halves have the best bounds ("filtered smart
branching", De Palma et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....common.clock import share_of
from ...bounds.box_bounds import losses
from ...bounds.descend import NeuronStates, descend, one_bound
from ...bounds.floats import HOPELESS
from ...bounds.presolve import NEURON_SHARE, Presolved, presolve, presolve_leaves
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.subdomains import Subdomains
from ...evidence import How
from .depth_first import depth_first
from .halves import split_neurons
from .request import Searched, SearchRequest
from .tree import Tree

BATCH = 64
BATCH_BYTES = 1 << 26
WAITING_BYTES = 1 << 30
ROOT_STEPS, STEPS, LAST_STEPS = 60, 16, 400
CANDIDATES = 4


@dataclass(eq=False)
class PhaseSubdomains(Subdomains):
    """Neuron bounds, phases and multipliers (subdomains, neurons); `row`: the row that is bounded; `bound`:
    of it, before the last split.
    """

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
    def states(self) -> NeuronStates:
        return NeuronStates(self.lower, self.upper, self.phase, self.below, self.beta)


def search(asked: SearchRequest, tree: Tree, *, presolved: Presolved | None = None) -> Searched:
    """Search by splitting ReLUs.  `tree` accounts for the subdomains, from a root for every polyhedron.

    `presolved`: what is known on the whole box, where that was found already.
    """
    net, rows = asked.net, asked.rows
    presolved = presolved or presolve(net, rows, asked.deadline, asked.progress, asked.threads)
    if asked.on_refuted is not None and presolved.refuted.any():
        asked.on_refuted(presolve_leaves(net, rows, presolved))
    tree.settle(tree.roots[presolved.refuted], How.BOUNDS)
    if presolved.refuted.all():
        return Searched("done", 1)
    if not net.count:
        return Searched("stuck", 1)
    splitting = _PhaseSplitting(asked, tree, presolved)
    first = splitting.first(share_of(asked.deadline, NEURON_SHARE))
    if first is None:
        return Searched("done", 1)
    each = 8 * (net.count * 16 + 4 * net.sizes[0])
    return depth_first(
        asked,
        first,
        splitting.step,
        batch=max(1, min(BATCH, BATCH_BYTES // each)),
        most_waiting=max(1, WAITING_BYTES // (net.count * 40)),
    )


class _PhaseSplitting:
    def __init__(self, asked: SearchRequest, tree: Tree, presolved: Presolved) -> None:
        self.asked, self.presolved, self.box = asked, presolved, presolved.box
        self.net, self.rows, self.tree = asked.net, asked.rows, tree

    def first(self, until: float) -> PhaseSubdomains | None:
        """One subdomain for each polyhedron that is not refuted on the whole box, with its most promising
        row.
        """
        rows = self.rows
        row = np.flatnonzero(~self.presolved.refuted[rows.owner])
        states = NeuronStates.fresh(self.box, len(row))
        found, _ = descend(
            self.net, rows.objectives(row), self.box, states, ROOT_STEPS, goal=0.0, until=until
        )
        safe = self._safe(row, found.bound)
        best = []
        for p in np.unique(rows.owner[row]):
            own = np.flatnonzero(rows.owner[row] == p)
            best.append(own[safe[own].argmax()] if safe[own].any() else own[found.bound[own].argmin()])
        chosen = np.array(best)
        s = states[chosen]
        weight = np.full(len(chosen), 1.0 / max(1, int((~safe[chosen]).sum())))
        node = self.tree.roots[rows.owner[row[chosen]]]
        bound = found.bound[chosen]
        whole = PhaseSubdomains(s.lower, s.upper, s.phase, s.below, s.beta, row[chosen], weight, bound, node)
        self._done(whole[np.flatnonzero(safe[chosen])])
        left = np.flatnonzero(~safe[chosen])
        return whole[left] if len(left) else None

    def _safe(self, row: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """Whether a bound shows that its row cannot hold."""
        return np.asarray((bound < 0) | (self.rows.strict[row] & (bound <= 0)))

    def _done(self, subdomains: PhaseSubdomains) -> None:
        """These are safe by their row and multipliers."""
        self.tree.settle(subdomains.node, How.BOUNDS)
        if self.asked.on_refuted is not None and len(subdomains):
            s, rows = subdomains, self.rows
            factors = np.zeros((len(s), len(rows)))
            factors[np.arange(len(s)), s.row] = 1
            polyhedron = rows.owner[s.row]
            within = rows.within(factors, polyhedron)
            self.asked.on_refuted(RefutedLeaves(polyhedron, within, s.phase, s.below, s.beta))

    def step(self, subdomains: PhaseSubdomains) -> tuple[PhaseSubdomains | None, str]:
        """Improve the bounds, look for a counterexample, and split what is not safe."""
        net, rows, box = self.net, self.rows, self.box
        steps = STEPS if (subdomains.phase != 0).any() else 0
        found, corners = descend(net, rows.objectives(subdomains.row), box, subdomains.states, steps)
        safe = self._safe(subdomains.row, found.bound)
        left = np.flatnonzero(~safe)
        self._done(subdomains[np.flatnonzero(safe)])
        if not len(left):
            return None, ""
        subdomains = subdomains[left]
        subdomains.bound = found.bound[left]
        points = corners[left]
        margin = rows.margin(points, net.values(points)[-1]).max(axis=1)
        unsafe = np.flatnonzero(margin >= 0)
        if len(unsafe) and self.asked.accept(points[unsafe[np.argsort(-margin[unsafe])]]):
            return None, "found"
        going = subdomains
        subdomains, still = self._other_rows(subdomains)
        self._done(going[np.delete(np.arange(len(going)), still)])
        if not len(subdomains):
            return None, ""
        replaced = found.replaced[left][still]
        closed = ~((subdomains.lower < 0) & (subdomains.upper > 0)).any(axis=1)
        if closed.any():  # linear on the subdomain: only the multipliers of the splits can still help
            last = subdomains[np.flatnonzero(closed)]
            found, _ = descend(net, rows.objectives(last.row), box, last.states, LAST_STEPS)
            if not self._safe(last.row, found.bound).all():
                return None, "stuck"
            self._done(last)
            subdomains, replaced = subdomains[np.flatnonzero(~closed)], replaced[~closed]
        halves = self._split(subdomains, replaced) if len(subdomains) else None
        return halves if halves is not None and len(halves) else None, ""

    def _other_rows(self, subdomains: PhaseSubdomains) -> tuple[PhaseSubdomains, np.ndarray]:
        """Where a polyhedron has several rows, go on with the one that is lowest with the present
        multipliers.

        Another row may be the one that fails there.  Returns the subdomains that are still open, and their
        places.
        """
        rows = self.rows
        counts = np.diff(np.append(rows.first, len(rows)))
        owner = rows.owner[subdomains.row]
        still = np.arange(len(subdomains))
        if not (counts[owner] > 1).any():
            return subdomains, still
        best, bound = subdomains.row.copy(), subdomains.bound.copy()
        for offset in range(int(counts.max())):
            row = rows.first[owner] + np.minimum(offset, counts[owner] - 1)
            found, _ = one_bound(self.net, rows.objectives(row), self.box, subdomains.states)
            better = found.bound < bound
            best, bound = np.where(better, row, best), np.where(better, found.bound, bound)
        subdomains.row, subdomains.bound = best, bound
        safe = self._safe(best, bound)
        return subdomains[~safe], still[~safe]

    def _split(self, subdomains: PhaseSubdomains, replaced: np.ndarray) -> PhaseSubdomains:
        """Both halves of every subdomain, each of which has an open neuron; without those that are safe
        already.
        """
        count, at = len(subdomains), np.arange(len(subdomains))
        relaxations = subdomains.states.relaxations(self.net, len(self.net.nodes))
        is_open = (subdomains.lower < 0) & (subdomains.upper > 0)
        score = np.where(is_open, np.nan_to_num(losses(self.net, replaced, relaxations)), -1.0)
        few = min(CANDIDATES, self.net.count)
        candidates = np.argpartition(-score, few - 1, axis=1)[:, :few]
        bounds, worst = np.zeros((few, 2, count)), np.zeros((few, count))
        objectives = self.rows.objectives(subdomains.row)
        for j in range(few):
            for side in (0, 1):
                half = _half(subdomains, candidates[:, j], side)
                bounds[j, side] = one_bound(self.net, objectives, self.box, half)[0].bound
            best = np.minimum(bounds[j], subdomains.bound)
            worst[j] = np.nan_to_num(best.max(axis=0) + 0.1 * best.min(axis=0), nan=HOPELESS, posinf=HOPELESS)
            worst[j][score[at, candidates[:, j]] < 0] = np.inf
        choice = worst.argmin(axis=0)
        neuron = candidates[at, choice]
        off, on = split_neurons(self.tree, subdomains, neuron)
        off.upper[at, neuron], on.lower[at, neuron] = 0.0, 0.0
        off.bound, on.bound = bounds[choice, 0, at], bounds[choice, 1, at]
        out = PhaseSubdomains.joined([off, on])
        safe = self._safe(out.row, out.bound)
        self._done(out[np.flatnonzero(safe)])
        return out[np.flatnonzero(~safe)] if safe.any() else out


def _half(subdomains: PhaseSubdomains, neuron: np.ndarray, side: int) -> NeuronStates:
    """With each subdomain's neuron off (side 0) or on."""
    at, half = np.arange(len(subdomains)), subdomains.states[np.arange(len(subdomains))]
    (half.lower if side else half.upper)[at, neuron] = 0.0
    half.phase[at, neuron] = 1 if side else -1
    return half
