"""Better multipliers for bounds over a box: gradient descent on slopes (alpha) and betas.

After `box_bounds.py`, for `presolve.py` and `engines/boxes/relu_split.py`.  The bound is a function of its
multipliers whose subgradient is the relaxed network run forwards on the corner of the box that attains it (Xu
et al. 2021, Wang et al. 2021).  Steps may be as rough as they like: each bound that comes out is proved by
`box_bounds.py` for the multipliers it was computed with, and the best one is kept.

Its twin for words is `minimise.py`.  They stay two because they do not do the same: here floats take Adam's
steps (Kingma and Ba 2015), often without a goal, and upper slopes stay those of the triangle; there Polyak's
steps aim at a bound just below 0, move upper slopes too, and land on a grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...common.clock import now
from ...models.network.network import Relu
from .box_bounds import LinearBounds, Objectives, upper_bounds
from .floats import FloatNetwork
from .relaxation import ReluRelaxation, first_lower_slopes, triangle
from .subdomains import Arrays, BoxSubdomains

RATE = 0.1
DECAY = 0.97
MOMENTUM, SECOND = 0.9, 0.99


@dataclass(eq=False)
class NeuronStates(Arrays):
    """What is known of all neurons, for each of many functions: bounds, phases of splits, and multipliers;
    (functions, neurons) all.
    """

    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    below: np.ndarray
    beta: np.ndarray

    @classmethod
    def fresh(cls, box: BoxSubdomains, count: int) -> NeuronStates:
        """For `count` functions on the one box, with the first multipliers and no split."""
        lower, upper = (np.repeat(v, count, axis=0) for v in (box.lower, box.upper))
        phase = np.zeros(lower.shape, dtype=np.int8)
        return cls(lower, upper, phase, first_lower_slopes(lower, upper), np.zeros(lower.shape))

    def relaxations(self, net: FloatNetwork, before: int) -> dict[int, ReluRelaxation]:
        """Of the ReLU nodes before a node."""
        out = {}
        for k, c in zip(net.relus, net.columns, strict=True):
            if k > before:
                break
            beta = self.phase[:, c] * self.beta[:, c] if self.phase[:, c].any() else None
            out[k] = triangle(self.lower[:, c], self.upper[:, c], self.below[:, c], beta)
        return out


def one_bound(
    net: FloatNetwork, objectives: Objectives, box: BoxSubdomains, functions: NeuronStates
) -> tuple[LinearBounds, dict[int, ReluRelaxation]]:
    """Bounds with the multipliers as they are, and the relaxations; all functions live on the one box, so
    `objectives.subdomain` is 0 throughout.
    """
    relaxations = functions.relaxations(net, objectives.node)
    return upper_bounds(net, objectives, box, relaxations, trace=True, own_relaxations=True), relaxations


def descend(
    net: FloatNetwork,
    objectives: Objectives,
    box: BoxSubdomains,
    functions: NeuronStates,
    steps: int,
    *,
    goal: float | None = 0.0,
    until: float = math.inf,
) -> tuple[LinearBounds, np.ndarray]:
    """Improve the multipliers in `functions` in place, to the best seen; returns the best bounds, and the
    corners (functions, inputs) of the last step.

    Functions whose bound is below `goal` are left alone; None: all take every step.  Stops at `until`
    (time.monotonic).
    """
    count = len(functions)
    active = np.arange(count)
    first = np.zeros((2, *functions.below.shape))
    second = np.zeros_like(first)
    current_below, current_beta = functions.below.copy(), functions.beta.copy()
    best: LinearBounds | None = None
    corners = np.zeros((count, net.sizes[0]))
    for step in range(steps + 1):
        some = NeuronStates(
            functions.lower[active],
            functions.upper[active],
            functions.phase[active],
            current_below[active],
            current_beta[active],
        )
        found, relaxations = one_bound(net, objectives[active], box, some)
        corner = np.where(found.inputs > 0, box.high, box.low)
        corners[active] = corner
        if best is None:
            best = found
        else:
            better = found.bound < best.bound[active]
            to = active[better]
            for name in ("bound", "inputs", "offset", "replaced"):
                getattr(best, name)[to] = getattr(found, name)[better]
            functions.below[to], functions.beta[to] = current_below[to], current_beta[to]
        if step == steps or now() > until:
            break
        slope_below, slope_beta = _gradient(net, some, relaxations, found, corner)
        scale = np.abs(found.replaced).mean(axis=1, keepdims=True) + 1e-30
        going = np.arange(len(active)) if goal is None else np.flatnonzero(~(best.bound[active] < goal))
        if not len(going):
            break
        rows = active[going]
        gradient = np.stack([slope_below[going], slope_beta[going] * scale[going]])
        size = np.abs(gradient).max(axis=(0, 2), keepdims=True) + 1e-300
        gradient = gradient / size
        first[:, rows] = MOMENTUM * first[:, rows] + (1 - MOMENTUM) * gradient
        second[:, rows] = SECOND * second[:, rows] + (1 - SECOND) * gradient**2
        move = (
            first[:, rows]
            / (1 - MOMENTUM ** (step + 1))
            / (np.sqrt(second[:, rows] / (1 - SECOND ** (step + 1))) + 1e-8)
        )
        pace = RATE * DECAY**step
        current_below[rows] = np.clip(current_below[rows] - pace * move[0], 0, 1)
        current_beta[rows] = np.maximum(current_beta[rows] - pace * move[1] * scale[going], 0) * (
            functions.phase[rows] != 0
        )
        active = rows
    assert best is not None
    return best, corners


def _gradient(
    net: FloatNetwork,
    functions: NeuronStates,
    relaxations: dict[int, ReluRelaxation],
    found: LinearBounds,
    corner: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Of the bound by lower slopes and by betas, (functions, neurons) each: the relaxed network, run forwards
    on the corners.
    """
    by_below, by_beta = np.zeros_like(functions.below), np.zeros_like(functions.below)
    values: list[np.ndarray] = [corner]
    columns = dict(zip(net.relus, net.columns, strict=True))
    last = max(relaxations, default=0)
    for k, node in enumerate(net.nodes[:last], start=1):
        if isinstance(node, Relu):
            c, here = columns[k], relaxations[k]
            x, a = values[node.source], found.replaced[:, c]
            values.append(here.forward(a, x))
            by_below[:, c] = np.where((here.lift > 0) & (a < 0), a * x, 0)
            by_beta[:, c] = functions.phase[:, c] * x
        else:
            total = np.broadcast_to(node.bias, (len(corner), len(node.bias)))
            for s, w in zip(node.sources, node.weights, strict=True):
                total = total + values[s] @ w.T
            values.append(total)
    return by_below, by_beta
