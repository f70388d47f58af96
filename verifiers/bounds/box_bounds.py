"""Proved upper bounds of linear functions of a network over many boxes at once (CROWN).

The backward pass of the searches over boxes, beside `floats.py`, which bounds the rounding.  A function is
carried backwards from node to node as coefficients.  A ReLU is replaced by its relaxation (`relaxation.py`);
what is left at the end is linear in the inputs, and its maximum over the subdomain's box is asked of
`support.py`.  Bounds are sound whatever the slopes are, and a NaN never passes for a bound: it compares
false.

Its twin for words is `word_bounds.py`, which says why they are two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...models.network.network import Relu
from .floats import ABSOLUTE, SAFE, UNIT, FloatNetwork
from .relaxation import Index, ReluRelaxation
from .subdomains import Arrays, BoxSubdomains
from .support import BoxSupport

CHUNK = 1 << 18  # coefficients that are carried at once: they stay in the cache


@dataclass(frozen=True, eq=False)
class LinearBounds(Arrays):
    """function(x) <= inputs . x + offset for every x of the subdomain, and that is at most `bound`.

    `bound`, `offset` (functions,); `inputs` (functions, inputs); `replaced` (functions, neurons): every
    neuron's coefficient when its ReLU was replaced, of width 0 where that was not traced.
    """

    bound: np.ndarray
    inputs: np.ndarray
    offset: np.ndarray
    replaced: np.ndarray


@dataclass(eq=False)
class Objectives:
    """Linear functions of the values of one node, each on one subdomain: coefficients . values + inputs . x +
    constant.

    `coefficients` (functions, size of the node); `subdomain` (functions,): its number in the batch,
    ascending; `inputs` (functions, inputs) or None; `error` (functions,): what the coefficients themselves
    may be off by, already multiplied out.
    """

    node: int
    coefficients: np.ndarray
    subdomain: np.ndarray
    constant: np.ndarray
    inputs: np.ndarray | None = None
    error: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.subdomain)

    def __getitem__(self, functions: Index) -> Objectives:
        inputs, error = (None if v is None else v[functions] for v in (self.inputs, self.error))
        return Objectives(
            self.node,
            self.coefficients[functions],
            self.subdomain[functions],
            self.constant[functions],
            inputs,
            error,
        )


def upper_bounds(
    net: FloatNetwork,
    objectives: Objectives,
    subdomains: BoxSubdomains,
    relaxations: dict[int, ReluRelaxation],
    *,
    trace: bool = False,
    own_relaxations: bool = False,
) -> LinearBounds:
    """Bound the objectives from above; `relaxations` has every ReLU node before the objectives' node.

    They have a row for each subdomain or, with `own_relaxations`, for each function.
    """
    rows = max(64, CHUNK // max(net.sizes))
    count = len(objectives)
    if count <= rows:
        return _backward(net, objectives, subdomains, relaxations, trace, own_relaxations)
    pieces = []
    for a in range(0, count, rows):
        b = min(count, a + rows)
        piece = objectives[a:b]
        first, last = int(piece.subdomain[0]), int(piece.subdomain[-1]) + 1
        piece.subdomain = piece.subdomain - first
        cut = {k: v[a:b] if own_relaxations else v[first:last] for k, v in relaxations.items()}
        pieces.append(_backward(net, piece, subdomains[first:last], cut, trace, own_relaxations))
    return LinearBounds.joined(pieces)


def _backward(
    net: FloatNetwork,
    objectives: Objectives,
    subdomains: BoxSubdomains,
    relaxations: dict[int, ReluRelaxation],
    trace: bool,
    own_relaxations: bool,
) -> LinearBounds:
    count = len(objectives)
    constant = objectives.constant.astype(np.float64)
    error = np.zeros(count) if objectives.error is None else objectives.error.copy()
    carried: dict[int, np.ndarray] = {objectives.node: objectives.coefficients}
    if objectives.inputs is not None:
        add_to(carried, 0, objectives.inputs)
    replaced = np.zeros((count, net.count if trace else 0))
    size = np.abs(constant)  # of the partial sums of the constant
    for k in range(objectives.node, 0, -1):
        a = carried.pop(k, None)
        if a is None:
            continue
        node = net.nodes[k - 1]
        if isinstance(node, Relu):
            plus, minus = np.maximum(a, 0), np.minimum(a, 0)
            error += plus @ net.slack[k] - minus @ net.slack[k]
            here = relaxations[k] if own_relaxations else relaxations[k].for_functions(objectives.subdomain)
            if here.planes is not None:
                taken, plus = here.planes.taken(plus)
                added = taken @ here.planes.offset
                constant += added
                size += np.abs(added)
                error += taken @ here.planes.error
                add_to(carried, here.planes.source, taken @ here.planes.slopes)
            added = np.einsum("ij,ij->i", plus, here.lift)
            constant += added
            size += added
            if trace:
                replaced[:, net.columns[net.relus.index(k)]] = plus + minus
            if here.signed_beta is not None:
                error += np.abs(here.signed_beta) @ net.slack[k]
            add_to(carried, node.source, here.backward(plus, minus))
            continue
        if k not in net.merged:
            error += np.abs(a) @ net.slack[k]
        added = a @ node.bias
        constant += added
        size += np.abs(added)
        for s, w in zip(node.sources, node.weights, strict=True):
            add_to(carried, s, a @ w)
    left = carried.get(0)
    if left is None:
        left = np.zeros((count, net.sizes[0]))
    error += np.abs(left) @ net.slack[0]
    most = BoxSupport.between(subdomains.low, subdomains.high, objectives.subdomain).support(left)
    rounding = (64 + 4 * len(net.nodes)) * UNIT * (size + most.size + error)
    offset = constant + (error * SAFE + rounding) * SAFE + ABSOLUTE
    return LinearBounds(most.value + offset, left, offset, replaced)


def add_to(carried: dict[int, np.ndarray], node: int, coefficients: np.ndarray) -> None:
    """Add coefficients of a node's values to those that are there."""
    carried[node] = carried[node] + coefficients if node in carried else coefficients


def losses(net: FloatNetwork, replaced: np.ndarray, relaxations: dict[int, ReluRelaxation]) -> np.ndarray:
    """What replacing each neuron may have cost, (functions, neurons); relaxations are the functions' own.

    For branching only.
    """
    out = np.zeros_like(replaced)
    for k, columns in zip(net.relus, net.columns, strict=True):
        out[:, columns] = relaxations[k].losses(replaced[:, columns])
    return out
