"""Branch and bound over the phases of ReLUs where every part is a linear program: few parts, and each of them bounded as well as can be.

Beside `relu_split.py`, whose bounds are rougher and come by the batch.  HiGHS proposes (`lp.py`); a part counts as safe when the multipliers of its
prices prove that (`prices.py`), and its points are replayed like anybody's.  The neuron to split is the one with the best pseudo-costs,
after a look at what the most likely ones would bring ("reliability branching", Achterberg, Koch and Martin 2005).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...models.errors import Unsupported
from .batch import Weighed
from .bounds import losses
from .cuts import Cuts, joined, layers_of
from .floats import FloatNetwork
from .leaves import Settled, Shown
from .lp import Relaxation, Solved
from .prices import proved_bounds
from .program import TOO_LARGE, Program, cut_units, program, with_cuts
from .root import Root, fresh, root_of, share_of, shown
from .rows import Rows
from .slopes import one_bound
from .work import Searched, branch_and_bound

BATCH = 8
LIKELY, RELIABLE = 8, 4  # neurons that are looked at, and how often before it is known what splits of them bring
BROKEN = 1e-7  # of a neuron's range: the point of the program is wrong about it by more than that
LEAST = 1e-9  # that a split is expected to bring
ROUNDS, CUT_POLYHEDRA, CUT_SHARE, LEAST_GAIN = 10, 8, 0.1, 0.005
MOST_ROWS = 64  # that say what neurons cost on the whole box


@dataclass(eq=False)
class _Nodes(Weighed):
    """Parts: `phase` (parts, open); `parent`: the margin before the last split, of neuron `split` (-1: none), which took `share` of its range away."""

    phase: np.ndarray
    polyhedron: np.ndarray
    weight: np.ndarray
    parent: np.ndarray
    split: np.ndarray
    share: np.ndarray


def search(
    net: FloatNetwork,
    rows: Rows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
    settled: Settled | None = None,
    root: Root | None = None,
) -> Searched:
    """As `relu_split.search`; "stuck" with a reason where the program would be too large."""
    root = root or root_of(net, rows, deadline, progress, threads)
    if settled is not None and root.refuted.any():
        settled(shown(net, rows, root))
    left = np.flatnonzero(~root.refuted)
    if not len(left):
        return Searched("safe", 1)
    progress("writing the linear program")
    try:
        written = program(net, root.box, rows, np.flatnonzero(np.isin(rows.owner, left)))
        if settled is None:  # the format of proofs has no such lines
            written = _strengthened(net, rows, root, written, left, deadline, progress)
    except (Unsupported, MemoryError):
        return Searched("stuck", 0, TOO_LARGE)
    tree = _Tree(net, rows, root, written, accept, deadline, settled)
    count = len(left)
    first = _Nodes(
        np.zeros((count, len(written.neuron)), dtype=np.int8),
        left,
        np.full(count, 1 / count),
        np.full(count, np.inf),
        np.full(count, -1),
        np.ones(count),
    )
    return branch_and_bound(
        first,
        tree.step,
        batch=BATCH,
        threads=threads,
        deadline=deadline,
        progress=progress,
    )


def _relaxation(net: FloatNetwork, rows: Rows, written: Program) -> Relaxation:
    return Relaxation(written, rows.owner[written.rows], cut_units(net, written))


def _strengthened(
    net: FloatNetwork, rows: Rows, root: Root, written: Program, left: np.ndarray, deadline: float, progress: Callable[[str], None]
) -> Program:
    """With cuts that the solutions of the program on the whole box violate, round by round, while they bring something."""
    layers = layers_of(net, root.box)
    columns = dict(zip(net.relus, net.columns, strict=True))
    none = np.zeros(len(written.neuron), dtype=np.int8)
    until = share_of(deadline, CUT_SHARE)
    margins = np.full(len(left), np.inf)
    for number in range(ROUNDS):
        progress(f"cuts, round {number + 1}")
        relaxation = _relaxation(net, rows, written)
        new: list[dict[int, Cuts]] = []
        gained = False
        for i, polyhedron in enumerate(left[:CUT_POLYHEDRA]):
            solved = relaxation.solve(none, int(polyhedron), until)
            if solved.values is None:
                continue
            gained |= solved.margin < margins[i] - LEAST_GAIN * abs(margins[i]) if np.isfinite(margins[i]) else True
            margins[i] = solved.margin
            for k, layer in layers.items():
                place = np.flatnonzero(np.isin(np.arange(columns[k].start, columns[k].stop), written.neuron))
                values, outputs = (m @ solved.values + c for m, c in (written.forms[layer.source], written.forms[k]))
                found, slopes = layer.violated(place, values, outputs[place])
                if len(found):
                    new.append({k: layer.cuts(found, slopes)})
        if not new or not gained or time.monotonic() > until:
            break
        written = with_cuts(net, written, joined([written.cuts, *new]))
    return written


@dataclass(eq=False)
class _Tree:
    net: FloatNetwork
    rows: Rows
    root: Root
    program: Program
    accept: Callable[[np.ndarray], bool]
    deadline: float
    settled: Settled | None
    own: threading.local = field(default_factory=threading.local)
    alone: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        shape = (2, len(self.program.neuron))  # off, on
        self.gained, self.tried = np.zeros(shape), np.zeros(shape)  # per share of a neuron's range; threads may lose a count
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
            self.own.relaxation = _relaxation(self.net, self.rows, self.program)
        return self.own.relaxation

    def step(self, nodes: _Nodes) -> tuple[_Nodes | None, str]:
        solved = []
        for n in range(len(nodes)):
            solved.append(self.relaxation.solve(nodes.phase[n], int(nodes.polyhedron[n]), self.deadline))
            self._learn(nodes, n, solved[-1].margin)
            if nodes.split[n] < 0 and solved[-1].factors is None:  # nothing is known of the whole box: nothing will be of parts
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
            split = self._split(nodes, n, solved[n])
            if split is None:
                return None, "stuck"
            halves.append(split)
        return (_Nodes.joined(halves) if halves else None), ""

    def _refuted(self, nodes: _Nodes, solved: list[Solved]) -> np.ndarray:
        """(nodes,): which are proved to be safe."""
        factors, prices, phase = (np.zeros((len(nodes), size)) for size in (len(self.rows), self.net.count, self.net.count))
        factors[:, self.program.rows] = [s.factors for s in solved]
        prices[:, self.program.neuron] = [s.prices for s in solved]
        phase[:, self.program.neuron] = nodes.phase
        weights = np.array([s.cuts for s in solved])
        wide, first = {}, 0
        for k, cuts in self.program.cuts.items():
            wide[k] = cuts.weighed(weights[:, first : first + len(cuts)])
            first += len(cuts)
        found, functions = proved_bounds(self.net, self.rows, self.root.box, factors, prices, phase.astype(np.int8), wide)
        safe = np.asarray(found.bound < 0)
        done = np.flatnonzero(safe)
        if self.settled is not None and len(done):
            f = functions[done]
            self.settled(Shown(nodes.polyhedron[done], self.rows.within(factors[done], nodes.polyhedron[done]), f.phase, f.below, f.beta))
        return safe

    def _found(self, solved: list[Solved]) -> bool:
        points = np.array([s.inputs for s in solved if s.inputs is not None])
        if not len(points):
            return False
        margin = self.rows.margin(points, self.net.values(points)[-1]).max(axis=1)
        unsafe = np.flatnonzero(margin >= 0)
        if not len(unsafe):
            return False
        with self.alone:
            return self.accept(points[unsafe[np.argsort(-margin[unsafe])]])

    def _learn(self, nodes: _Nodes, n: int, margin: float) -> None:
        neuron = int(nodes.split[n])
        if neuron < 0 or not np.isfinite([margin, nodes.parent[n]]).all():
            return
        side = int(nodes.phase[n, neuron] > 0)
        self.gained[side, neuron] += max(nodes.parent[n] - margin, 0) / nodes.share[n]
        self.tried[side, neuron] += 1

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
                chosen = int(broken[self._best(nodes, n, solved.margin, opened[broken], shares[:, broken])])
            else:
                chosen = int(self.usual_loss[opened].argmax())
            first = int(on[chosen] > off[chosen])
        pieces = []
        for side in (1 - first, first):
            half = phase.copy()
            half[opened[chosen]] = 1 if side else -1
            pieces.append(
                _Nodes(
                    half[None],
                    nodes.polyhedron[n : n + 1],
                    nodes.weight[n : n + 1] / 2,
                    np.array([solved.margin]),
                    opened[chosen : chosen + 1],
                    shares[side, chosen : chosen + 1],
                )
            )
        return _Nodes.joined(pieces)

    def _best(self, nodes: _Nodes, n: int, margin: float, neurons: np.ndarray, shares: np.ndarray) -> int:
        """Which of the neurons brings most on both sides; `shares` (2, neurons)."""
        tried = self.tried[:, neurons]
        usual = self.gained.sum(axis=1) / np.maximum(self.tried.sum(axis=1), 1)
        rate = np.where(tried > 0, self.gained[:, neurons] / np.maximum(tried, 1), usual[:, None])
        score = np.maximum(rate * shares, LEAST).prod(axis=0)
        if not self.tried.any():
            score = shares.min(axis=0)
        looked = {}
        for j in np.argsort(-score)[:LIKELY].tolist():
            neuron = int(neurons[j])
            if self.tried[:, neuron].min() >= RELIABLE:
                continue
            gains = []
            for side in (0, 1):
                phase = nodes.phase[n].copy()
                phase[neuron] = 1 if side else -1
                found = self.relaxation.look(phase, int(nodes.polyhedron[n]), self.deadline)
                gain = max(margin - found, 0.0) if np.isfinite(found) else (2 * abs(margin) if found < 0 else 0.0)
                gains.append(gain)
                self.gained[side, neuron] += gain / shares[side, j]
                self.tried[side, neuron] += 1
            if min(gains) > margin:  # both halves are over then
                return j
            looked[j] = max(gains[0], LEAST) * max(gains[1], LEAST)
        for j, value in looked.items():
            score[j] = value
        return int(score.argmax())
