"""`relucid verify --backend milp`: the whole question as one mixed-integer program for every polyhedron, for HiGHS (through scipy).

Beside `input_split.py` and `relu_split.py`, with the bounds of `bounds.py` on every neuron.  HiGHS works with tolerances: its points are
replayed like anybody's, and its "infeasible" is its word only, which counts at trust `float` (docs/the-race.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...models.network import Relu
from .bounds import Parts, tightened
from .floats import FloatNetwork
from .matrices import SparseFloats
from .rows import Rows
from .work import Searched

BOUNDS_SHARE = 0.3  # of the time, for the neurons' bounds
ENOUGH = 0.5  # of the best possible margin: the first good point will do


def search(
    net: FloatNetwork,
    rows: Rows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
) -> Searched:
    """ "safe" is HiGHS's word here, and no proof."""
    box = Parts.whole(net)
    now = time.monotonic()
    known = tightened(net, box, until=now + BOUNDS_SHARE * max(0.0, deadline - now), threads=threads)
    bound, _ = rows.bound(net, box, known.layers)
    left = np.flatnonzero(~rows.refuted(bound)[0])
    status = "safe"
    for done, polyhedron in enumerate(left):
        progress(f"HiGHS: {done} of {len(left)} polyhedra")
        if time.monotonic() > deadline:
            return Searched("timeout", done)
        found = _Program(net, box).solve(rows, int(polyhedron), deadline - time.monotonic())
        if found.x is not None:
            if accept(found.x[None, : net.sizes[0]]):
                return Searched("found", done + 1)
            status = "stuck"
        elif found.status == 1:
            return Searched("timeout", done)
        elif found.status != 2:
            status = "stuck"
    return Searched(status, len(left))


@dataclass(eq=False)
class _Program:
    """Variables: the margin, behind the values of all nodes, behind one binary for every open neuron."""

    net: FloatNetwork
    box: Parts
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)  # rows, columns, values
    low: list[np.ndarray] = field(default_factory=list)
    high: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        net, box = self.net, self.box
        self.count = 0
        starts = np.cumsum([0, *net.sizes])
        self.value_low, self.value_high = (np.full(starts[-1], v) for v in (-np.inf, np.inf))
        self.value_low[: net.sizes[0]], self.value_high[: net.sizes[0]] = box.low[0], box.high[0]
        columns = dict(zip(net.relus, net.columns, strict=True))
        self.open = np.flatnonzero((box.lower[0] < 0) & (box.upper[0] > 0))
        binary = dict(zip(self.open.tolist(), range(starts[-1], starts[-1] + len(self.open)), strict=True))
        self.starts, self.size = starts, int(starts[-1]) + len(self.open)
        for k, node in enumerate(net.nodes, start=1):
            own = starts[k] + np.arange(net.sizes[k])
            if not isinstance(node, Relu):
                terms = [(own, -np.ones(len(own)))]
                self._affine(terms, [(starts[s], w) for s, w in zip(node.sources, node.weights, strict=True)], -node.bias)
                continue
            c = columns[k]
            lower, upper, before = box.lower[0, c], box.upper[0, c], starts[node.source] + np.arange(net.sizes[k])
            self.value_low[own] = 0.0
            self.value_high[own] = np.maximum(upper, 0.0)
            on = np.flatnonzero(lower >= 0)
            self._rows([(own[on], 1.0), (before[on], -1.0)], 0.0, 0.0)
            unsure = np.flatnonzero((lower < 0) & (upper > 0))
            switch = np.array([binary[c.start + int(i)] for i in unsure], dtype=np.int64)
            y, x, low, high = own[unsure], before[unsure], lower[unsure], upper[unsure]
            self._rows([(y, 1.0), (x, -1.0)], 0.0, np.inf)
            self._rows([(y, 1.0), (x, -1.0), (switch, -low)], -np.inf, -low)
            self._rows([(y, 1.0), (switch, -high)], -np.inf, 0.0)

    def _rows(self, terms: list[tuple[np.ndarray, Any]], low: Any, high: Any) -> None:
        count = len(terms[0][0])
        at = self.count + np.arange(count)
        self.entries += [(at, columns, np.broadcast_to(values, count).astype(np.float64)) for columns, values in terms]
        self.low.append(np.broadcast_to(low, count).astype(np.float64))
        self.high.append(np.broadcast_to(high, count).astype(np.float64))
        self.count += count

    def _affine(self, own: list[tuple[np.ndarray, np.ndarray]], products: list[tuple[int, Any]], constant: np.ndarray) -> None:
        first = self.count
        self._rows(own, constant, constant)
        for start, w in products:
            rows, columns, values = w.entries() if isinstance(w, SparseFloats) else (*np.nonzero(w), w[np.nonzero(w)])
            self.entries.append((first + rows, start + columns, values))

    def solve(self, rows: Rows, polyhedron: int, seconds: float) -> Any:
        """scipy's result for the largest margin by which all rows of the polyhedron hold, at least 0."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        entries, low, high, count = list(self.entries), list(self.low), list(self.high), self.count
        for r in np.flatnonzero(rows.owner == polyhedron):
            for start, coefficients in ((self.starts[-2], rows.outputs[r]), (0, None if rows.inputs is None else rows.inputs[r])):
                if coefficients is not None:
                    used = np.flatnonzero(coefficients)
                    entries.append((np.full(len(used), count), start + used, coefficients[used]))
            entries.append((np.array([count]), np.array([self.size]), np.array([-1.0])))
            low.append(-rows.constant[r : r + 1])
            high.append(np.array([np.inf]))
            count += 1
        at, columns, values = (np.concatenate([e[k] for e in entries]) for k in range(3))
        matrix = csr_array((values, (at, columns)), shape=(count, self.size + 1))
        goal = np.zeros(self.size + 1)
        goal[-1] = -1.0
        binaries = self.size - int(self.starts[-1])
        least = np.concatenate([self.value_low, np.zeros(binaries + 1)])
        most = np.concatenate([self.value_high, np.ones(binaries), [np.inf]])
        whole = np.concatenate([np.zeros(self.starts[-1]), np.ones(binaries), [0]])
        return milp(
            goal,
            integrality=whole,
            bounds=Bounds(least, most),
            constraints=LinearConstraint(matrix, np.concatenate(low), np.concatenate(high)),
            options={"time_limit": max(seconds, 0.1), "mip_rel_gap": ENOUGH},
        )
