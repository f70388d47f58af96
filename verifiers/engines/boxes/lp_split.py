"""Branch and bound over the phases of ReLUs where every subdomain is a linear program.

There are few subdomains, each bounded as well as can be.  Beside `relu_split.py`, whose bounds are rougher
and come by the batch.  HiGHS proposes (`lp.py`); a subdomain counts as safe when the multipliers from the
program's dual values prove that (`bounds/dual_bounds.py`), and its points are replayed like anybody's.
`pseudo_costs.py` says which neuron is split.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....common.errors import Unsupported
from ...bounds.box_bounds import losses
from ...bounds.descend import NeuronStates, one_bound
from ...bounds.dual_bounds import proved_bounds
from ...bounds.presolve import Presolved, presolve, presolve_leaves
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.subdomains import Subdomains
from ...evidence import How
from ..exact.ties import TIE, Ties
from .depth_first import depth_first
from .halves import split_neurons
from .linear_program import TOO_LARGE, LinearProgram, linear_program
from .lp import LpSolver, Solved
from .pseudo_costs import PseudoCosts
from .request import Searched, SearchRequest
from .strengthen import solver_of, strengthened
from .tree import Tree

BATCH = 8
BROKEN = 1e-7  # of a neuron's range: the point of the program is wrong about it by more than that
MOST_ROWS = 64  # that say what neurons cost on the whole box


@dataclass(eq=False)
class LpSubdomains(Subdomains):
    """BoxSubdomains: `phase` (subdomains, open); `parent`: the margin before the last split, of neuron
    `split` (-1: none), which took `share` of its range away.
    """

    phase: np.ndarray
    polyhedron: np.ndarray
    weight: np.ndarray
    node: np.ndarray
    parent: np.ndarray
    split: np.ndarray
    share: np.ndarray


def search(
    asked: SearchRequest, tree: Tree, *, presolved: Presolved | None = None, ties: Ties | None = None
) -> Searched:
    """Search by splitting ReLUs, with a tree for every polyhedron; "stuck" with a reason where the linear
    program would be too large.

    `presolved`: what is known on the whole box, where that was found already.  `ties` are asked where the
    margin is nearly 0.
    """
    net, rows = asked.net, asked.rows
    presolved = presolved or presolve(net, rows, asked.deadline, asked.progress, asked.threads)
    if asked.on_refuted is not None and presolved.refuted.any():
        asked.on_refuted(presolve_leaves(net, rows, presolved))
    tree.settle(tree.roots[presolved.refuted], How.BOUNDS)
    left = np.flatnonzero(~presolved.refuted)
    if not len(left):
        return Searched("done", 1)
    asked.progress("writing the linear program")
    try:
        written = linear_program(net, presolved.box, rows, np.flatnonzero(np.isin(rows.owner, left)))
        if asked.on_refuted is None:  # the format of proofs has no cuts
            written = strengthened(net, rows, presolved.box, written, left, asked.deadline, asked.progress)
    except (Unsupported, MemoryError):
        return Searched("stuck", 0, TOO_LARGE)
    count = len(left)
    first = LpSubdomains(
        np.zeros((count, len(written.neuron)), dtype=np.int8),
        left,
        np.full(count, 1 / count),
        tree.roots[left],
        np.full(count, np.inf),
        np.full(count, -1),
        np.ones(count),
    )
    return depth_first(asked, first, _LpSplitting(asked, tree, presolved, written, ties).step, batch=BATCH)


class _LpSplitting:
    def __init__(
        self,
        asked: SearchRequest,
        tree: Tree,
        presolved: Presolved,
        program: LinearProgram,
        ties: Ties | None,
    ) -> None:
        self.asked, self.presolved, self.program, self.ties = asked, presolved, program, ties
        self.net, self.rows, self.tree, self.deadline = asked.net, asked.rows, tree, asked.deadline
        self.own = threading.local()
        self.costs = PseudoCosts(len(program.neuron))
        self.usual_loss = self._usual_loss()

    def _usual_loss(self) -> np.ndarray:
        """What every open neuron costs on the whole box, (open,): for subdomains about which HiGHS has
        nothing to say.
        """
        some = self.program.rows[:MOST_ROWS]
        objectives, functions = self.rows.objectives(some), NeuronStates.fresh(self.presolved.box, len(some))
        found, relaxations = one_bound(self.net, objectives, self.presolved.box, functions)
        result: np.ndarray = losses(self.net, found.replaced, relaxations).max(axis=0)[self.program.neuron]
        return result

    @property
    def solver(self) -> LpSolver:
        """The thread's own."""
        if not hasattr(self.own, "solver"):
            self.own.solver = solver_of(self.net, self.rows, self.program)
        result: LpSolver = self.own.solver
        return result

    def step(self, nodes: LpSubdomains) -> tuple[LpSubdomains | None, str]:
        solved = []
        if self.ties is not None:
            self.ties.earn(len(nodes))
        for n in range(len(nodes)):
            solved.append(self.solver.solve(nodes.phase[n], int(nodes.polyhedron[n]), self.deadline))
            self._learn(nodes, n, solved[-1].margin)
            if (
                nodes.split[n] < 0 and solved[-1].factors is None
            ):  # nothing is known of the whole box: nothing will be of subdomains
                return None, "stuck"
        negative = np.array([s.factors is not None and s.margin < 0 for s in solved])
        open_ = np.ones(len(nodes), dtype=bool)
        if negative.any():
            some = np.flatnonzero(negative)
            open_[some] = ~self._refuted(nodes[some], [solved[n] for n in some])
        left = np.flatnonzero(open_)
        if self._found([solved[n] for n in left]):
            return None, "found"
        halves = []
        for n in left.tolist():
            said = self._last_word(nodes, n, solved[n])
            if said == "found":
                return None, said
            if said == "safe":
                continue
            split = self._split(nodes, n, solved[n])
            if split is None:
                return None, "stuck"
            halves.append(split)
        return (LpSubdomains.joined(halves) if halves else None), ""

    def _refuted(self, nodes: LpSubdomains, solved: list[Solved]) -> np.ndarray:
        """(nodes,): which are proved to be safe."""
        factors, duals, phase = (
            np.zeros((len(nodes), size)) for size in (len(self.rows), self.net.count, self.net.count)
        )
        factors[:, self.program.rows] = [s.factors for s in solved]
        duals[:, self.program.neuron] = [s.duals for s in solved]
        phase[:, self.program.neuron] = nodes.phase
        weights = np.array([s.cuts for s in solved])
        planes, first = {}, 0
        for k, cuts in self.program.cuts.items():
            planes[k] = cuts.weighed(weights[:, first : first + len(cuts)])
            first += len(cuts)
        found, functions = proved_bounds(
            self.net, self.rows, self.presolved.box, factors, duals, phase.astype(np.int8), planes
        )
        safe = np.asarray(found.bound < 0)
        done = np.flatnonzero(safe)
        self.tree.settle(nodes.node[done], How.BOUNDS)
        if self.asked.on_refuted is not None and len(done):
            f = functions[done]
            self.asked.on_refuted(
                RefutedLeaves(
                    nodes.polyhedron[done],
                    self.rows.within(factors[done], nodes.polyhedron[done]),
                    f.phase,
                    f.below,
                    f.beta,
                )
            )
        return safe

    def _last_word(self, nodes: LpSubdomains, n: int, solved: Solved) -> str:
        """What `ties` say of a subdomain whose margin is nearly 0, or that has no open neuron; else ""."""
        if self.ties is None or (
            abs(solved.margin) > TIE * self.program.size and (nodes.phase[n] == 0).any()
        ):
            return ""
        phase, box = np.zeros(self.net.count, dtype=np.int8), self.presolved.box
        phase[self.program.neuron] = nodes.phase[n]
        said = self.ties.ask(None, (phase, box.lower[0], box.upper[0]), [int(nodes.polyhedron[n])])
        if said == "safe":
            self.tree.settle(nodes.node[n : n + 1], How.EXACT)
        return said

    def _found(self, solved: list[Solved]) -> bool:
        points = np.array([s.inputs for s in solved if s.inputs is not None])
        if not len(points):
            return False
        margin = self.rows.margin(points, self.net.values(points)[-1]).max(axis=1)
        unsafe = np.flatnonzero(margin >= 0)
        if not len(unsafe):
            return False
        return self.asked.accept(points[unsafe[np.argsort(-margin[unsafe])]])

    def _learn(self, nodes: LpSubdomains, n: int, margin: float) -> None:
        neuron = int(nodes.split[n])
        if neuron < 0 or not np.isfinite([margin, nodes.parent[n]]).all():
            return
        side = int(nodes.phase[n, neuron] > 0)
        self.costs.learn(neuron, side, max(float(nodes.parent[n]) - margin, 0.0), float(nodes.share[n]))

    def _look(self, phase: np.ndarray, polyhedron: int) -> Callable[[int, int], float]:
        def look(neuron: int, side: int) -> float:
            return self.solver.look(_with(phase, neuron, side), polyhedron, self.deadline)

        return look

    def _split(self, nodes: LpSubdomains, n: int, solved: Solved) -> LpSubdomains | None:
        """Both halves, the likelier one last; None where no neuron is open."""
        phase = nodes.phase[n]
        opened = np.flatnonzero(phase == 0)
        if not len(opened):
            return None
        shares = np.ones((2, len(opened)))
        if solved.y is None or solved.s is None:
            chosen = int(self.usual_loss[opened].argmax())
            first = 0
        else:
            on, off = solved.y[opened], solved.s[opened]
            broken = np.flatnonzero(np.minimum(on, off) > BROKEN)
            shares = np.maximum(np.stack([on, off]), BROKEN)  # switching off takes y away, on takes s
            if len(broken):
                look = self._look(phase, int(nodes.polyhedron[n]))
                chosen = int(broken[self.costs.best(opened[broken], shares[:, broken], solved.margin, look)])
            else:
                chosen = int(self.usual_loss[opened].argmax())
            first = int(on[chosen] > off[chosen])
        neuron = opened[chosen : chosen + 1]
        halves = split_neurons(self.tree, nodes[n : n + 1], neuron)
        for side, half in enumerate(halves):
            half.parent, half.split, half.share = (
                np.array([solved.margin]),
                neuron,
                shares[side, chosen : chosen + 1],
            )
        return LpSubdomains.joined([halves[1 - first], halves[first]])


def _with(phase: np.ndarray, neuron: int, side: int) -> np.ndarray:
    found = phase.copy()
    found[neuron] = 1 if side else -1
    return found
