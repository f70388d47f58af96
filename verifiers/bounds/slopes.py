"""Better multipliers: gradient descent on the bound over lower slopes (alpha), split multipliers (beta) and row weights.

After `box_bounds.py`, for `relu_split.py`.  The bound is a function of its multipliers whose subgradient is the relaxed network
run forwards on the corner of the box that attains it (Xu et al. 2021, Wang et al. 2021).  Steps may be as rough as they like: each
bound that comes out is proved by `box_bounds.py` for the multipliers it was computed with, and the best one is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...common.clock import now
from ...models.network.network import Relu
from .box_bounds import BoxSubdomains, LinearBounds, Objectives, ReluRelaxation, relax, upper_bounds
from .floats import FloatNetwork
from .subdomains import Arrays

RATE = 0.1
DECAY = 0.97
MOMENTUM, SECOND = 0.9, 0.99


@dataclass(eq=False)
class NeuronStates(Arrays):
    """NeuronStates with what is known for each: neuron bounds, phases of splits, and multipliers; (functions, neurons) all."""

    lower: np.ndarray
    upper: np.ndarray
    phase: np.ndarray
    below: np.ndarray
    beta: np.ndarray

    def relaxations(self, net: FloatNetwork, before: int) -> dict[int, ReluRelaxation]:
        """ReluRelaxation of the ReLU nodes before a node."""
        out = {}
        for k, c in zip(net.relus, net.columns, strict=True):
            if k > before:
                break
            found = relax(self.lower[:, c], self.upper[:, c], self.below[:, c])
            split = self.phase[:, c]
            signed_beta = split * self.beta[:, c] if split.any() else None
            out[k] = ReluRelaxation(found.above, found.below, found.lift, found.gap, signed_beta)
        return out


def usual_slopes(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return (upper > -lower).astype(np.float64)


def one_bound(
    net: FloatNetwork, start: Objectives, box: BoxSubdomains, functions: NeuronStates
) -> tuple[LinearBounds, dict[int, ReluRelaxation]]:
    """With the multipliers as they are; `start.subdomain` is 0 throughout: all functions live on the one box."""
    relaxations = functions.relaxations(net, start.node)
    return upper_bounds(net, start, box, relaxations, trace=True, own_relaxations=True), relaxations


def descend(
    net: FloatNetwork,
    start: Objectives,
    box: BoxSubdomains,
    functions: NeuronStates,
    steps: int,
    *,
    goal: float | None = 0.0,
    rate: float = RATE,
    until: float = math.inf,
) -> tuple[LinearBounds, np.ndarray]:
    """Improve the multipliers in `functions` (in place, to the best seen); the best bounds, and the corners of the last step.

    NeuronStates whose bound is below `goal` are left alone; None: all go on to the end.  `until`: time.monotonic's seconds.
    """
    count = len(functions)
    active = np.arange(count)
    first = np.zeros((2, *functions.below.shape))
    second = np.zeros_like(first)
    current_below, current_beta = functions.below.copy(), functions.beta.copy()
    best: LinearBounds | None = None
    corners = np.zeros((count, net.sizes[0]))
    for step in range(steps + 1):
        subdomain = NeuronStates(
            functions.lower[active],
            functions.upper[active],
            functions.phase[active],
            current_below[active],
            current_beta[active],
        )
        here = _some(start, active)
        found, relaxations = one_bound(net, here, box, subdomain)
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
        slope_below, slope_beta = _gradient(net, start.node, subdomain, relaxations, found, corner)
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
        pace = rate * DECAY**step
        current_below[rows] = np.clip(current_below[rows] - pace * move[0], 0, 1)
        current_beta[rows] = np.maximum(current_beta[rows] - pace * move[1] * scale[going], 0) * (
            functions.phase[rows] != 0
        )
        active = rows
    assert best is not None
    return best, corners


def _some(start: Objectives, rows: np.ndarray) -> Objectives:
    return Objectives(
        start.node,
        start.coefficients[rows],
        start.subdomain[rows],
        start.constant[rows],
        None if start.inputs is None else start.inputs[rows],
        None if start.error is None else start.error[rows],
    )


def _gradient(
    net: FloatNetwork,
    node: int,
    functions: NeuronStates,
    relaxations: dict[int, ReluRelaxation],
    found: LinearBounds,
    corner: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Of the bound, by lower slopes and by betas: the relaxed network, run forwards on the corners."""
    by_below, by_beta = np.zeros_like(functions.below), np.zeros_like(functions.below)
    values: list[np.ndarray | None] = [corner]
    columns = dict(zip(net.relus, net.columns, strict=True))
    for k, step in enumerate(net.nodes[:node], start=1):
        if isinstance(step, Relu):
            c, line = columns[k], relaxations[k]
            x, a = values[step.source], found.replaced[:, c]
            assert x is not None
            values.append(np.where(a >= 0, line.above * x + line.lift, line.below * x))
            is_open = line.lift > 0
            by_below[:, c] = np.where(is_open & (a < 0), a * x, 0)
            by_beta[:, c] = functions.phase[:, c] * x
        else:
            total = np.broadcast_to(step.bias, (len(corner), len(step.bias)))
            for s, w in zip(step.sources, step.weights, strict=True):
                total = total + values[s] @ w.T  # type: ignore[operator]
            values.append(total)
    return by_below, by_beta
