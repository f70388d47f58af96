"""A quick search for counterexamples in plain floats: corners, random points, gradient ascent.

The first thing that `verifiers/boxes/decide.py` tries; what it proposes is replayed exactly before anyone
believes it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from ....common.clock import now
from ....models.network.network import Relu
from ...bounds.floats import FloatNetwork
from ...bounds.unsafe_rows import UnsafeRows

CORNERS = 10  # free inputs up to which all corners are tried
RANDOM = 400
STARTS = 160  # over all polyhedra, but
LEAST_STARTS, MOST_POLYHEDRA = 4, 80  # so many for each of so many
STEPS = 40
PRODUCTS, ASCENT_PRODUCTS = (
    10**9,
    10**10,
)  # of weights and values that each kind of points may cost, and going up from some


def attack(
    net: FloatNetwork,
    rows: UnsafeRows,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    seed: int,
    *,
    steps: int = STEPS,
) -> bool:
    """`accept` gets points (points, inputs) that look unsafe, best first."""
    rng = np.random.default_rng(seed)
    low, high = net.start_lower, net.start_upper
    random = affordable(net, RANDOM)
    points = [(low + high)[None] / 2, rng.uniform(low, high, (random, len(low)))]
    free = np.flatnonzero(low < high)
    if len(free) <= CORNERS:
        corners = np.tile(low, (2 ** len(free), 1))
        for k, choice in enumerate(product((False, True), repeat=len(free))):
            corners[k, free[list(choice)]] = high[free[list(choice)]]
        points.append(corners)
    else:
        points.append(np.where(rng.random((random, len(low))) < 0.5, low, high))
    tried = np.concatenate(points)
    margin = rows.margin(tried, net.values(tried)[-1])
    if _offer(tried, margin.max(axis=1), accept):
        return True
    starts = max(LEAST_STARTS, ASCENT_PRODUCTS // max(1, 2 * steps * net.products(len(net.nodes))))
    likely = np.argsort(-margin.max(axis=0))[: min(MOST_POLYHEDRA, starts)]
    each = min(
        max(LEAST_STARTS, STARTS // len(likely)), len(tried), max(1, min(random, starts) // len(likely))
    )
    target = np.repeat(likely, each)
    x = tried[np.argsort(-margin, axis=0)[:each].T[likely].reshape(-1)]
    return _ascend(net, rows, x, target, accept, deadline, steps)


def affordable(net: FloatNetwork, points: int) -> int:
    """So many points, or fewer where the network is large."""
    return max(4, min(points, PRODUCTS // max(net.products(len(net.nodes)), 1)))


def nudge(
    net: FloatNetwork, rows: UnsafeRows, points: np.ndarray, width: np.ndarray, steps: int = 8
) -> np.ndarray:
    """Points near `points` that are closer to unsafe: a few short steps, of at most the width, within the
    box.
    """
    target = rows.margin(points, net.values(points)[-1]).argmax(axis=1)
    for step in range(steps):
        up = gradient(net, rows, net.values(points), points, target)
        points = np.clip(points + np.sign(up) * width * 0.5**step, net.start_lower, net.start_upper)
    return points


def _offer(points: np.ndarray, margin: np.ndarray, accept: Callable[[np.ndarray], bool]) -> bool:
    unsafe = np.flatnonzero(margin >= 0)
    return bool(len(unsafe)) and accept(points[unsafe[np.argsort(-margin[unsafe])]])


def _ascend(
    net: FloatNetwork,
    rows: UnsafeRows,
    x: np.ndarray,
    target: np.ndarray,
    accept: Callable[[np.ndarray], bool],
    deadline: float,
    steps: int,
) -> bool:
    """Steps along the gradient's sign that get shorter, each start towards its own polyhedron."""
    low, high = net.start_lower, net.start_upper
    for step in range(steps):
        values = net.values(x)
        margin = rows.margin(x, values[-1])
        if _offer(x, margin.max(axis=1), accept):
            return True
        if now() > deadline:
            return False
        up = gradient(net, rows, values, x, target)
        x = np.clip(x + np.sign(up) * (high - low) * (0.25 * 0.88**step), low, high)
    return _offer(x, rows.margin(x, net.values(x)[-1]).max(axis=1), accept)


def gradient(
    net: FloatNetwork, rows: UnsafeRows, values: list[np.ndarray], x: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Of the smallest row of polyhedron `target`, by the inputs."""
    value = values[-1] @ rows.outputs.T + rows.constant
    if rows.inputs is not None:
        value = value + x @ rows.inputs.T
    lowest = np.where(rows.owner == target[:, None], value, np.inf).argmin(axis=1)
    carried: dict[int, np.ndarray] = {len(net.nodes): rows.outputs[lowest]}
    for k in range(len(net.nodes), 0, -1):
        a = carried.pop(k, None)
        if a is None:
            continue
        node = net.nodes[k - 1]
        if isinstance(node, Relu):
            pieces = [(node.source, a * (values[node.source] > 0))]
        else:
            pieces = [(s, a @ w) for s, w in zip(node.sources, node.weights, strict=True)]
        for s, piece in pieces:
            carried[s] = carried[s] + piece if s in carried else piece
    found = carried.get(0, np.zeros_like(x))
    return found if rows.inputs is None else found + rows.inputs[lowest]
