"""From the dual values of a linear program to a proved bound: dual bounds.

After `engines/boxes/lp.py`.  Going backwards through the network, a neuron's dual value is what its
coefficient becomes when the ReLU is replaced: divided by the coefficient it is the lower slope (alpha) where
the neuron is open, and what is left over is the multiplier of its split (beta).  So duality makes the bound
of these multipliers what the program's was, up to rounding, and `box_bounds.py` proves it.  (Salman et al.
2019 show that the program's dual is this family of bounds.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ...models.network.network import Relu
from .box_bounds import LinearBounds, Objectives, add_to, upper_bounds
from .descend import NeuronStates
from .floats import FLOOR, SAFE, FloatNetwork, check_subnormals
from .relaxation import CutPlanes, first_lower_slopes, triangle
from .subdomains import BoxSubdomains
from .unsafe_rows import UnsafeRows


def proved_bounds(
    net: FloatNetwork,
    rows: UnsafeRows,
    box: BoxSubdomains,
    factors: np.ndarray,
    duals: np.ndarray,
    phase: np.ndarray,
    planes: Mapping[int, CutPlanes] = MappingProxyType({}),
) -> tuple[LinearBounds, NeuronStates]:
    """Bounds of the sums of rows by `factors` (functions, rows) where neurons have the phases `phase`;
    `duals`, `phase` (functions, neurons).

    `planes`: cuts of ReLU nodes, with what each function takes of them.  A negative one refutes the sum;
    where all factors are 0, it shows that no input of the box has these phases.
    """
    check_subnormals()
    lower, upper = (np.repeat(v, len(phase), axis=0) for v in (box.lower, box.upper))
    upper[phase < 0] = np.minimum(upper[phase < 0], 0)
    lower[phase > 0] = np.maximum(lower[phase > 0], 0)
    functions = NeuronStates(lower, upper, phase, first_lower_slopes(lower, upper), np.zeros(phase.shape))
    objectives = _sums(net, rows, factors)
    _fill(net, objectives, functions, duals, planes)
    relaxations = functions.relaxations(net, objectives.node)
    relaxations |= {k: replace(relaxations[k], planes=some) for k, some in planes.items()}
    return upper_bounds(net, objectives, box, relaxations, own_relaxations=True), functions


def _sums(net: FloatNetwork, rows: UnsafeRows, factors: np.ndarray) -> Objectives:
    # a row may be off by its error, which is 8 u of its size; a sum of r products by at most r u of the
    # sizes' sum more
    error = (factors @ rows.error) * (1 + (factors.shape[1] + 2) / 4) * SAFE + FLOOR
    inputs = None if rows.inputs is None else factors @ rows.inputs
    subdomain = np.zeros(len(factors), dtype=np.int64)
    return Objectives(
        len(net.nodes), factors @ rows.outputs, subdomain, factors @ rows.constant, inputs, error
    )


def _fill(
    net: FloatNetwork,
    objectives: Objectives,
    functions: NeuronStates,
    duals: np.ndarray,
    planes: Mapping[int, CutPlanes],
) -> None:
    """Set slopes and betas on the way backwards; roughly, as any will do."""
    columns = dict(zip(net.relus, net.columns, strict=True))
    carried: dict[int, np.ndarray] = {objectives.node: objectives.coefficients}
    for k in range(objectives.node, 0, -1):
        a = carried.pop(k, None)
        if a is None:
            continue
        node = net.nodes[k - 1]
        if not isinstance(node, Relu):
            for source, w in zip(node.sources, node.weights, strict=True):
                add_to(carried, source, a @ w)
            continue
        plus, minus = np.maximum(a, 0), np.minimum(a, 0)
        if k in planes:
            taken, plus = planes[k].taken(plus)
            add_to(carried, planes[k].source, taken @ planes[k].slopes)
        c = columns[k]
        lower, upper, phase, dual = (
            v[:, c] for v in (functions.lower, functions.upper, functions.phase, duals)
        )
        with np.errstate(all="ignore"):
            ratio = np.clip(np.nan_to_num(dual / a), 0, 1)
        functions.below[:, c] = np.where((lower < 0) & (upper > 0) & (a < 0), ratio, functions.below[:, c])
        replaced = triangle(lower, upper, functions.below[:, c]).backward(plus, minus)
        functions.beta[:, c] = np.where(phase != 0, np.maximum(phase * (dual - replaced), 0), 0.0)
        add_to(carried, node.source, replaced + phase * functions.beta[:, c])
