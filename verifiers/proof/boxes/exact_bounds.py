"""The bound of `bounds.py` in rational numbers, never rounded: for leaves that hold with nothing to spare.

Part of the trusted base of proofs about real inputs.  `checker.py` calls it where rounding may be the reason
that a leaf fails.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ....models.network.integers import exact_matmul, integer_array
from ....models.network.network import Relu
from .bounds import BoxFunctions, BoxRegion
from .rounded_network import GRID, ONE, SCALE, BoxNetwork


def exact_bound(net: BoxNetwork, region: BoxRegion, asked: BoxFunctions, f: int) -> Fraction:
    """Bound function `f` from above at every point of the region that has the phases, without rounding."""
    bound = Fraction(int(asked.constant[f]))
    carried: dict[int, tuple[np.ndarray, int]] = {}  # numbers (size,) over a denominator

    def add(node: int, numbers: np.ndarray, denominator: int) -> None:
        other, theirs = carried.get(node, (np.zeros_like(numbers), 1))
        common = math.lcm(denominator, theirs)
        numbers = numbers.astype(object) * (common // denominator) + other.astype(object) * (common // theirs)
        shared = math.gcd(common, *map(int, numbers))
        carried[node] = integer_array(numbers // shared), common // shared

    for node, coefficients in asked.coefficients.items():
        add(node, coefficients[f], 1)
    for k in range(len(net.nodes), 0, -1):
        if k not in carried:
            continue
        numbers, denominator = carried.pop(k)
        step = net.network.nodes[k - 1]
        if isinstance(step, Relu):
            c = net.columns[k]
            lower, upper = region.lower[c].astype(object), region.upper[c].astype(object)
            phase, below, above, beta = (
                m[f if len(m) > 1 else 0, c].astype(object)
                for m in (asked.phase, asked.below, asked.above, asked.beta)
            )
            plus, minus = np.maximum(numbers, 0).astype(object), np.minimum(numbers, 0).astype(object)
            lift = np.where(phase == 0, np.maximum(-above * lower, (ONE - above) * upper), 0)
            bound += Fraction(int((plus * lift).sum()), denominator << (GRID + SCALE))
            passed = np.where(
                phase == 0, plus * above + minus * below, np.where(phase > 0, (plus + minus) * ONE, 0)
            )
            add(step.source, passed + phase * beta * denominator, denominator << GRID)
        else:
            bound += Fraction(
                int(exact_matmul(numbers[None], step.bias[:, None])[0, 0]), denominator * step.denominator
            )
            for source, weights in zip(step.sources, step.weights, strict=True):
                add(source, exact_matmul(numbers[None], weights)[0], denominator * step.denominator)
    numbers, denominator = carried.get(0, (np.zeros(0, dtype=np.int64), 1))
    for n, low, high in zip(numbers.tolist(), *region.ends, strict=False):
        bound += Fraction(n, denominator) * (high if n > 0 else low)
    return bound
