"""Branch and bound over the phases of ReLUs where every part is a linear program: few parts, and each of them bounded as well as can be.

Beside `relu_split.py`, whose bounds are rougher and come by the batch.  HiGHS proposes (`lp.py`); a part counts as safe when the multipliers of its
prices prove that (`dual_bounds.py`), and its points are replayed like anybody's.  `pseudo_costs.py` says which neuron is split.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ....common.errors import Unsupported
from ...bounds.batch import Weighed
from ...bounds.box_bounds import losses
from ...bounds.dual_bounds import proved_bounds
from ...bounds.floats import FloatNetwork
from ...bounds.multipliers import Settled, Shown
from ...bounds.presolve import Root, fresh, root_of, shown
from ...bounds.rows import Rows
from ...bounds.slopes import one_bound
from ...evidence import How
from ..exact.ties import TIE, Ties
from .halves import split_neurons
from .linear_program import TOO_LARGE, Program, program
from .lp import Relaxation, Solved
from .pseudo_costs import PseudoCosts
from .strengthen import relaxation_of, strengthened
from .tree import Tree
from .work import Searched, branch_and_bound

BATCH = 8
BROKEN = 1e-7  # of a neuron's range: the point of the program is wrong about it by more than that
MOST_ROWS = 64  # that say what neurons cost on the whole box


@dataclass(eq=False)
class _Nodes(Weighed):
    """Parts: `phase` (parts, open); `parent`: the margin before the last split, of neuron `split` (-1: none), which took `share` of its range away."""

    phase: np.ndarray
    polyhedron: np.ndarray
    weight: np.ndarray
    node: np.ndarray
    parent: np.ndarray
    split: np.ndarray
    share: np.ndarray


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
    ties: Ties | None = None,
) -> Searched:
    """As `relu_split.search`; "stuck" with a reason where the program would be too large.  `ties` are asked where the margin is nearly 0."""
    root = root or root_of(net, rows, deadline, progress, threads)
    if settled is not None and root.refuted.any():
        settled(shown(net, rows, root))
    tree.settle(tree.roots[root.refuted], How.BOUNDS)
    left = np.flatnonzero(~root.refuted)
    if not len(left):
        return Searched("done", 1)
    progress("writing the linear program")
    try:
        written = program(net, root.box, rows, np.flatnonzero(np.isin(rows.owner, left)))
        if settled is None:  # the format of proofs has no such lines
            written = strengthened(net, rows, root.box, written, left, deadline, progress)
    except (Unsupported, MemoryError):
        return Searched("stuck", 0, TOO_LARGE)
    programs = _Programs(net, rows, root, written, accept, deadline, tree, settled, ties)
    count = len(left)
    first = _Nodes(
        np.zeros((count, len(written.neuron)), dtype=np.int8),
        left,
        np.full(count, 1 / count),
        tree.roots[left],
        np.full(count, np.inf),
        np.full(count, -1),
        np.ones(count),
    )
    return branch_and_bound(
        first,
        programs.step,
        batch=BATCH,
        threads=threads,
        deadline=deadline,
        progress=progress,
    )


@dataclass(eq=False)
class _Programs:
    net: FloatNetwork
    rows: Rows
    root: Root
    program: Program
    accept: Callable[[np.ndarray], bool]
    deadline: float
    tree: Tree
    settled: Settled | None
    ties: Ties | None
    own: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        self.costs = PseudoCosts(len(self.program.neuron))
        self.usual_loss = self._usual_loss()

    def _usual_loss(self) -> np.ndarray:
        """(open,): what every neuron costs on the whole box, for parts about which HiGHS has nothing to say."""
        some = self.program.rows[:MOST_ROWS]
        start, functions = self.rows.start(some), fresh(self.net, self.root.box, len(some))
        found, layers = one_bound(self.net, start, self.root.box, functions)
        return losses(self.net, found.replaced, layers).max(axis=0)[self.program.neuron]

    @property
    def relaxation(self) -> Relaxation:
        """The thread's own."""
        if not hasattr(self.own, "relaxation"):
            self.own.relaxation = relaxation_of(self.net, self.rows, self.program)
        return self.own.relaxation

    def step(self, nodes: _Nodes) -> tuple[_Nodes | None, str]:
        solved = []
        if self.ties is not None:
            self.ties.earn(len(nodes))
        for n in range(len(nodes)):
            solved.append(self.relaxation.solve(nodes.phase[n], int(nodes.polyhedron[n]), self.deadline))
            self._learn(nodes, n, solved[-1].margin)
            if (
                nodes.split[n] < 0 and solved[-1].factors is None
            ):  # nothing is known of the whole box: nothing will be of parts
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
        return (_Nodes.joined(halves) if halves else None), ""

    def _refuted(self, nodes: _Nodes, solved: list[Solved]) -> np.ndarray:
        """(nodes,): which are proved to be safe."""
        factors, prices, phase = (
            np.zeros((len(nodes), size)) for size in (len(self.rows), self.net.count, self.net.count)
        )
        factors[:, self.program.rows] = [s.factors for s in solved]
        prices[:, self.program.neuron] = [s.prices for s in solved]
        phase[:, self.program.neuron] = nodes.phase
        weights = np.array([s.cuts for s in solved])
        wide, first = {}, 0
        for k, cuts in self.program.cuts.items():
            wide[k] = cuts.weighed(weights[:, first : first + len(cuts)])
            first += len(cuts)
        found, functions = proved_bounds(
            self.net, self.rows, self.root.box, factors, prices, phase.astype(np.int8), wide
        )
        safe = np.asarray(found.bound < 0)
        done = np.flatnonzero(safe)
        self.tree.settle(nodes.node[done], How.BOUNDS)
        if self.settled is not None and len(done):
            f = functions[done]
            self.settled(
                Shown(
                    nodes.polyhedron[done],
                    self.rows.within(factors[done], nodes.polyhedron[done]),
                    f.phase,
                    f.below,
                    f.beta,
                )
            )
        return safe

    def _last_word(self, nodes: _Nodes, n: int, solved: Solved) -> str:
        """What is said of a node where the margin is nearly 0, or where no neuron is open."""
        if self.ties is None or (
            abs(solved.margin) > TIE * self.program.size and (nodes.phase[n] == 0).any()
        ):
            return ""
        phase, box = np.zeros(self.net.count, dtype=np.int8), self.root.box
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
        return self.accept(points[unsafe[np.argsort(-margin[unsafe])]])

    def _learn(self, nodes: _Nodes, n: int, margin: float) -> None:
        neuron = int(nodes.split[n])
        if neuron < 0 or not np.isfinite([margin, nodes.parent[n]]).all():
            return
        side = int(nodes.phase[n, neuron] > 0)
        self.costs.learn(neuron, side, max(float(nodes.parent[n]) - margin, 0.0), float(nodes.share[n]))

    def _look(self, phase: np.ndarray, polyhedron: int) -> Callable[[int, int], float]:
        def look(neuron: int, side: int) -> float:
            return self.relaxation.look(_with(phase, neuron, side), polyhedron, self.deadline)

        return look

    def _split(self, nodes: _Nodes, n: int, solved: Solved) -> _Nodes | None:
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
        return _Nodes.joined([halves[1 - first], halves[first]])


def _with(phase: np.ndarray, neuron: int, side: int) -> np.ndarray:
    found = phase.copy()
    found[neuron] = 1 if side else -1
    return found
