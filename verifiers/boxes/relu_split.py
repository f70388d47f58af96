"""Branch and bound over the phases of ReLUs, for networks with many inputs (images).

The neurons' bounds are optimised once, on the whole box (`slopes.py`); after that a part is a set of fixed phases, one polyhedron
that is not refuted yet, and the multipliers of the bound on one of its rows.  The neuron to split is the one of a few
likely ones whose two halves have the best bounds ("filtered smart branching", De Palma et al. 2021).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .bounds import Parts, Start, losses, tightened
from .floats import FloatNetwork
from .rows import Rows
from .slopes import Functions, descend, one_bound, usual_slopes
from .work import Searched, branch_and_bound

BATCH = 64
BATCH_BYTES = 1 << 26
WAITING_BYTES = 1 << 30
NEURON_STEPS, ROOT_STEPS, STEPS, LAST_STEPS = 20, 60, 16, 400
CANDIDATES = 4
NEURON_SHARE, OPTIMISED_SHARE = 0.7, 0.2  # of the time that is left, for the neurons' bounds
OPTIMISED_PRODUCTS, GROUP_PRODUCTS = 10**11, 10**10  # that the neurons of one layer, and those of them that go together, may cost
FIELDS = ("lower", "upper", "phase", "below", "beta", "row", "weight", "bound")


@dataclass(eq=False)
class Phases:
    """Parts: (parts, neurons) for neuron bounds, phases, multipliers; `row`: the row that is bounded; `bound`: the parent's."""

    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    below: np.ndarray
    beta: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    bound: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, rows: slice | np.ndarray) -> Phases:
        return Phases(*(getattr(self, name)[rows] for name in FIELDS))

    @classmethod
    def joined(cls, items: list[Phases]) -> Phases:
        return items[0] if len(items) == 1 else cls(*(np.concatenate([getattr(p, name) for p in items]) for name in FIELDS))

    @property
    def functions(self) -> Functions:
        return Functions(self.lower, self.upper, self.phase, self.below, self.beta)


Settled = Callable[[Phases], None]
Optimised = Callable[[np.ndarray, int, np.ndarray], None]


def search(
    net: FloatNetwork,
    rows: Rows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    progress: Callable[[str], None] = lambda text: None,
    threads: int = 1,
    settled: Settled = lambda parts: None,
    optimised: Optimised = lambda neurons, sign, below: None,
) -> Searched:
    """`accept` gets points (points, inputs) that look unsafe and says whether one of them is; one call at a time.

    `settled` gets every part that is found safe, with the multipliers and the row that show it: together they are the leaves of the
    tree of splits.  `optimised`: see `optimise_neurons`.
    """
    box = Parts.whole(net)
    progress("bounding all neurons")
    known = tightened(net, box, until=_share(deadline, NEURON_SHARE), threads=threads)
    bound, _ = rows.bound(net, box, known.layers)
    refuted = rows.refuted(bound)[0]
    settled(_unsplit(net, rows, box, bound[0])[np.flatnonzero(refuted)])
    if refuted.all():
        return Searched("safe", 1)
    if not net.count:
        return Searched("stuck", 1)
    optimise_neurons(net, box, deadline, progress, optimised)
    alone = threading.Lock()

    def judge(points: np.ndarray) -> bool:
        with alone:
            return accept(points)

    left = _root(net, rows, box, refuted, settled, _share(deadline, NEURON_SHARE))
    if left is None:
        return Searched("safe", 1)
    each = 8 * (net.count * 16 + 4 * net.sizes[0])
    return branch_and_bound(
        left,
        lambda parts: _step(net, rows, box, parts, judge, settled),
        cut=Phases.__getitem__,
        joined=Phases.joined,
        batch=max(1, min(BATCH, BATCH_BYTES // each)),
        most_waiting=max(1, WAITING_BYTES // (net.count * 40)),
        threads=threads,
        deadline=deadline,
        progress=progress,
    )


def optimise_neurons(
    net: FloatNetwork,
    box: Parts,
    deadline: float,
    progress: Callable[[str], None],
    optimised: Optimised = lambda neurons, sign, below: None,
) -> None:
    """Tighten the bounds of open neurons on the whole box, layer by layer, for as long as that is worth it.

    `optimised` gets neurons whose bounds above (sign 1) or below (-1) became better, and the lower slopes (neurons, all neurons) that did it.
    """
    until = _share(deadline, OPTIMISED_SHARE)
    group = max(1, BATCH_BYTES // (8 * 8 * max(net.count, *net.sizes)))
    for k, c in list(zip(net.relus, net.columns, strict=True))[1:]:
        source = net.nodes[k - 1].source  # type: ignore[union-attr]
        neurons = np.flatnonzero((box.lower[0, c] < 0) & (box.upper[0, c] > 0))
        each = NEURON_STEPS * 4 * net.products(source)  # up and down, forwards and backwards
        if len(neurons) * each > OPTIMISED_PRODUCTS:
            continue
        group = max(1, min(group, GROUP_PRODUCTS // max(each, 1)))
        for a in range(0, len(neurons), group):
            if time.monotonic() > until:
                return
            progress(f"bounding the neurons of node {k}")
            some = neurons[a : a + group]
            count = len(some)
            chosen = np.zeros((2 * count, net.sizes[source]))
            chosen[np.arange(count), some] = 1
            chosen[count + np.arange(count), some] = -1
            start = Start(source, chosen, np.zeros(2 * count, dtype=np.int64), np.zeros(2 * count))
            functions = _fresh(net, box, 2 * count)
            found, _ = descend(net, start, box, functions, NEURON_STEPS, goal=None, until=until)
            up, down = found.bound[:count], found.bound[count:]
            for sign, better, slopes in (
                (1, up < box.upper[0, c][some], functions.below[:count]),
                (-1, -down > box.lower[0, c][some], functions.below[count:]),
            ):
                optimised(c.start + some[better], sign, slopes[better])
            box.upper[0, c][some] = np.fmin(box.upper[0, c][some], up)
            box.lower[0, c][some] = np.fmax(box.lower[0, c][some], -down)


def _share(deadline: float, share: float) -> float:
    now = time.monotonic()
    return now + share * max(0.0, deadline - now)


def _fresh(net: FloatNetwork, box: Parts, count: int) -> Functions:
    lower, upper = (np.repeat(v, count, axis=0) for v in (box.lower, box.upper))
    return Functions(lower, upper, np.zeros((count, net.count), dtype=np.int8), usual_slopes(lower, upper), np.zeros((count, net.count)))


def start_of(net: FloatNetwork, rows: Rows, row: np.ndarray) -> Start:
    inputs = None if rows.inputs is None else rows.inputs[row]
    part = np.zeros(len(row), dtype=np.int64)
    return Start(len(net.nodes), rows.outputs[row], part, rows.constant[row], inputs, rows.error[row])


def _unsplit(net: FloatNetwork, rows: Rows, box: Parts, bound: np.ndarray) -> Phases:
    """The whole box once for each polyhedron, with the usual multipliers and its row of the lowest `bound` (rows,)."""
    ends = [*rows.first[1:], len(rows)]
    row = np.array([a + bound[a:b].argmin() for a, b in zip(rows.first, ends, strict=True)], dtype=np.int64)
    f = _fresh(net, box, len(row))
    return Phases(f.lower, f.upper, f.phase, f.below, f.beta, row, np.ones(len(row)), bound[row])


def _root(net: FloatNetwork, rows: Rows, box: Parts, refuted: np.ndarray, settled: Settled, until: float) -> Phases | None:
    """One part for each polyhedron that is not refuted on the whole box, with its most promising row."""
    row = np.flatnonzero(~refuted[rows.owner])
    functions = _fresh(net, box, len(row))
    found, _ = descend(net, start_of(net, rows, row), box, functions, ROOT_STEPS, goal=0.0, until=until)
    safe = (found.bound < 0) | (rows.strict[row] & (found.bound <= 0))
    best = []
    for p in np.unique(rows.owner[row]):
        own = np.flatnonzero(rows.owner[row] == p)
        best.append(own[safe[own].argmax()] if safe[own].any() else own[found.bound[own].argmin()])
    chosen = np.array(best)
    f = functions[chosen]
    weight = np.full(len(chosen), 1.0 / max(1, int((~safe[chosen]).sum())))
    parts = Phases(f.lower, f.upper, f.phase, f.below, f.beta, row[chosen], weight, found.bound[chosen])
    settled(parts[np.flatnonzero(safe[chosen])])
    left = np.flatnonzero(~safe[chosen])
    return parts[left] if len(left) else None


def _step(
    net: FloatNetwork, rows: Rows, box: Parts, parts: Phases, judge: Callable[[np.ndarray], bool], settled: Settled
) -> tuple[Phases | None, str]:
    functions = parts.functions
    found, corners = descend(net, start_of(net, rows, parts.row), box, functions, STEPS if (parts.phase != 0).any() else 0)
    # other rows of the same polyhedron may be the ones that fail there: each is tried with these multipliers
    safe = (found.bound < 0) | (rows.strict[parts.row] & (found.bound <= 0))
    left = np.flatnonzero(~safe)
    settled(parts[np.flatnonzero(safe)])
    if not len(left):
        return None, ""
    parts = parts[left]
    parts.bound = found.bound[left]
    points = corners[left]
    margin = rows.margin(points, net.values(points)[-1]).max(axis=1)
    unsafe = np.flatnonzero(margin >= 0)
    if len(unsafe) and judge(points[unsafe[np.argsort(-margin[unsafe])]]):
        return None, "found"
    going = parts
    parts, still = _other_rows(net, rows, box, parts)
    settled(going[np.delete(np.arange(len(going)), still)])
    if not len(parts):
        return None, ""
    replaced = found.replaced[left][still]
    closed = ~((parts.lower < 0) & (parts.upper > 0)).any(axis=1)
    if closed.any():  # linear on the part: only the multipliers of the splits can still help
        last = parts[np.flatnonzero(closed)]
        found, _ = descend(net, start_of(net, rows, last.row), box, last.functions, LAST_STEPS)
        if not ((found.bound < 0) | (rows.strict[last.row] & (found.bound <= 0))).all():
            return None, "stuck"
        settled(last)
        parts, replaced = parts[np.flatnonzero(~closed)], replaced[~closed]
    halves = _split(net, rows, box, parts, replaced, settled) if len(parts) else None
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
        found, _ = one_bound(net, start_of(net, rows, row), box, parts.functions)
        better = found.bound < bound
        best, bound = np.where(better, row, best), np.where(better, found.bound, bound)
    parts.row, parts.bound = best, bound
    safe = (bound < 0) | (rows.strict[best] & (bound <= 0))
    return parts[~safe], still[~safe]


def _split(net: FloatNetwork, rows: Rows, box: Parts, parts: Phases, replaced: np.ndarray, settled: Settled) -> Phases:
    """Both halves of every part, each of which has an open neuron; without those that are safe already."""
    count = len(parts)
    layers = parts.functions.layers(net, len(net.nodes))
    score = np.where((parts.lower < 0) & (parts.upper > 0), losses(net, replaced, layers), -1.0)
    few = min(CANDIDATES, net.count)
    candidates = np.argpartition(-score, few - 1, axis=1)[:, :few]
    tried: list[tuple[np.ndarray, Phases, Phases]] = []
    at = np.arange(count)
    for j in range(few):
        halves = _halves(parts, at, candidates[:, j])
        bounds = []
        for half in halves:
            found, _ = one_bound(net, start_of(net, rows, half.row), box, half.functions)
            half.bound = found.bound
            bounds.append(np.minimum(found.bound, parts.bound))
        worst = np.maximum(bounds[0], bounds[1]) + 0.1 * np.minimum(bounds[0], bounds[1])
        worst = np.where(score[at, candidates[:, j]] < 0, np.inf, worst)
        tried.append((worst, *halves))
    choice = np.argmin(np.stack([t[0] for t in tried]), axis=0)
    pieces = []
    for j, (_, left, right) in enumerate(tried):
        mine = np.flatnonzero(choice == j)
        pieces += [left[mine], right[mine]]
    out = Phases.joined(pieces)
    safe = (out.bound < 0) | (rows.strict[out.row] & (out.bound <= 0))
    settled(out[np.flatnonzero(safe)])
    return out[np.flatnonzero(~safe)] if safe.any() else out


def _halves(parts: Phases, at: np.ndarray, neuron: np.ndarray) -> tuple[Phases, Phases]:
    off, on = parts[at], parts[at]
    off.weight, on.weight = parts.weight / 2, parts.weight / 2
    off.upper[at, neuron], off.phase[at, neuron] = 0.0, -1
    on.lower[at, neuron], on.phase[at, neuron] = 0.0, 1
    return off, on
