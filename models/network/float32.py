"""exact_in_float32: does every float32 run of a network give exactly the rational result?

That is, in any order of summation.  After `onnx/reader.py`; replay, surrogates and certificates ask it.
Everything is decided in integers.  Per neuron, all products and the bias are multiples of 2**e, and sum |w| *
max|x| + |b| <= 2**(24 + e), so every partial sum is a float32.  No value is subnormal or overflows, and every
parameter is itself a float32 (docs/reference/semantics.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from .integers import integer_array
from .network import Affine, Network, Node

# Precision in bits, exponent of the smallest positive value, exponent that no value reaches.
FORMATS = {
    "float32": (24, -149, 128),
    "float64": (53, -1074, 1024),
    "float16": (11, -24, 16),
    "bfloat16": (8, -133, 128),
}
PRECISION, SMALLEST_NORMAL, OVERFLOW = 24, -126, 128
ZERO = 10**9  # "a multiple of 2**ZERO" means: always zero


def low_bits(numerators: np.ndarray) -> np.ndarray:
    """Return the exponent of the lowest set bit of each integer, ZERO for 0."""
    if numerators.dtype == object:
        flat = [((int(v) & -int(v)).bit_length() - 1) if v else ZERO for v in numerators.flat]
        return np.array(flat, dtype=np.int64).reshape(numerators.shape)
    lowest = (numerators & -numerators).astype(np.float64)  # a power of two: exact
    return np.where(numerators == 0, ZERO, np.frexp(np.abs(lowest))[1].astype(np.int64) - 1)


def high_bits(numerators: np.ndarray) -> np.ndarray:
    """Return the bit length of each integer's magnitude."""
    flat = [abs(int(v)).bit_length() for v in numerators.flat]
    return np.array(flat, dtype=np.int64).reshape(numerators.shape)


def representable(
    numerators: np.ndarray, denominator: int, precision: int, smallest: int, overflow: int
) -> np.ndarray:
    """Return which values numerators / denominator a binary floating-point format holds exactly.

    `precision`, `smallest` and `overflow` are as in FORMATS.
    """
    numerators = np.asarray(numerators)
    if denominator & (denominator - 1):
        flat = []
        for v in numerators.flat:
            f = Fraction(int(v), denominator)
            flat.append(_one_representable(f, precision, smallest, overflow))
        return np.array(flat, dtype=bool).reshape(numerators.shape)
    shift = denominator.bit_length() - 1
    low, high = low_bits(numerators), high_bits(numerators)
    result: np.ndarray = (low == ZERO) | (
        (high - low <= precision) & (low - shift >= smallest) & (high - shift <= overflow)
    )
    return result


def _one_representable(f: Fraction, precision: int, smallest: int, overflow: int) -> bool:
    if f.denominator & (f.denominator - 1):
        return False
    return bool(
        representable(np.array([f.numerator], dtype=object), f.denominator, precision, smallest, overflow)[0]
    )


@dataclass(frozen=True)
class Float32Report:
    """Whether float32 is exact, and if not, where and why.

    - `bits`: the precision that the widest sum needs (float32 has 24); None if that has no answer.
    - `node` and `neuron`: the place, the node counted from 1 as in `Network.nodes`, the neuron from 0.
    """

    ok: bool
    bits: int | None
    node: int | None = None
    neuron: int | None = None
    reason: str = ""


def exact_in_float32(network: Network, positions: int | None = None) -> Float32Report:
    """Return whether float32 computes the network exactly on every one-hot input.

    With `positions`, exactly one input per position is 1, which is tighter.  Without, any inputs may be 0 or
    1.  Raises ValueError if the inputs are not so many positions.
    """
    if network.encoding == "real":
        return Float32Report(False, None, reason="the inputs are real numbers, which float32 rounds")
    if network.rounding:
        return Float32Report(False, None, reason=f"the file rounds on the way: {network.rounding[0]}")
    if positions is not None and (positions < 1 or network.input_size % positions):
        raise ValueError(f"{network.input_size} inputs are not {positions} positions")
    network = _in_lowest_terms(network)
    walk = _Float32Walk(network, positions)
    problems = []
    for k, node in enumerate(network.nodes, start=1):
        if isinstance(node, Affine):
            problem = walk.affine(k, node)
            if problem is not None:
                problems.append(problem)
                if problem.bits is None:
                    return problem
        else:
            walk.relu(node.source)
    if problems:
        return Float32Report(False, walk.bits, problems[0].node, problems[0].neuron, problems[0].reason)
    return Float32Report(True, walk.bits)


def _in_lowest_terms(network: Network) -> Network:
    """Reduce all fractions, so that a parameter is dyadic iff its denominator is a power of two."""
    if not any(isinstance(n, Affine) and n.denominator & (n.denominator - 1) for n in network.nodes):
        return network
    nodes: list[Node] = []
    for node in network.nodes:
        if isinstance(node, Affine):
            common = math.gcd(
                node.denominator, *(int(v) for array in (*node.weights, node.bias) for v in array.flat)
            )
            weights = tuple(integer_array(w.astype(object) // common) for w in node.weights)
            node = Affine(
                node.sources,
                weights,
                integer_array(node.bias.astype(object) // common),
                node.denominator // common,
            )
        nodes.append(node)
    return replace(network, nodes=tuple(nodes))


class _Float32Walk:
    """Per node, what float32 has to hold.

    That is an interval of each neuron (integers over the node's scale), and the power of two that divides its
    values.
    """

    def __init__(self, network: Network, positions: int | None) -> None:
        self.network, self.positions, self.bits = network, positions, 0
        n = network.input_size
        self.low = [np.zeros(n, dtype=object)]
        self.high = [np.ones(n, dtype=object)]
        self.grain = [np.zeros(n, dtype=np.int64)]

    def relu(self, source: int) -> None:
        self.low.append(np.maximum(self.low[source], 0))
        self.high.append(np.maximum(self.high[source], 0))
        self.grain.append(np.where(self.high[-1] == 0, ZERO, self.grain[source]))

    def affine(self, k: int, node: Affine) -> Float32Report | None:
        for array in (node.bias, *node.weights):
            bad = ~representable(
                array, node.denominator, PRECISION, SMALLEST_NORMAL - PRECISION + 1, OVERFLOW
            )
            bad |= (array != 0) & (high_bits(array) - node.denominator.bit_length() < SMALLEST_NORMAL)
            if bad.any():
                at = tuple(int(i[0]) for i in np.nonzero(bad))
                value = Fraction(int(array[at]), node.denominator)
                return Float32Report(
                    False,
                    None,
                    k,
                    at[0],
                    f"node {k}, neuron {at[0]}: the parameter {_short(value)} is not a normal float32",
                )
        weights, bias = self.network.integer_form(k)
        low = bias.astype(object)
        high = low.copy()
        total = np.abs(low)
        shift = node.denominator.bit_length() - 1
        grain = np.where(node.bias == 0, ZERO, low_bits(node.bias) - shift)
        for s, raw, acting in zip(node.sources, node.weights, weights, strict=True):
            if not acting.size:
                continue
            a, b, t = self._spread(s, acting.astype(object))
            low, high, total = low + a, high + b, total + t
            moves = (raw != 0) & ((self.low[s] != 0) | (self.high[s] != 0))[None, :]
            product_grain = low_bits(raw) - shift + np.minimum(self.grain[s], ZERO // 2)[None, :]
            grain = np.minimum(grain, np.where(moves, product_grain, ZERO).min(axis=1))
        self.low.append(low)
        self.high.append(high)
        self.grain.append(grain)
        return self._judge(k, total, grain)

    def _spread(self, source: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the least, the greatest, and the greatest absolute sum of the products with a source."""
        if source == 0 and self.positions is not None:
            grouped = weights.reshape(len(weights), self.positions, -1)
            return (
                grouped.min(axis=2).sum(axis=1),
                grouped.max(axis=2).sum(axis=1),
                np.abs(grouped).max(axis=2).sum(axis=1),
            )
        low, high = self.low[source], self.high[source]
        plus, minus = np.maximum(weights, 0), np.minimum(weights, 0)
        reach = np.maximum(np.abs(low), np.abs(high))
        return plus @ low + minus @ high, plus @ high + minus @ low, np.abs(weights) @ reach

    def _judge(self, k: int, total: np.ndarray, grain: np.ndarray) -> Float32Report | None:
        """Return the first neuron that float32 may not compute exactly.

        `total` is over scale[k], a power of two here, because every parameter so far is dyadic.
        """
        shift = self.network.scales[k].bit_length() - 1
        first = None
        for i, (t, e) in enumerate(zip(total, grain, strict=True)):
            if t == 0 or e >= ZERO // 4:
                continue
            e = int(e)
            units = t >> (shift + e) if shift + e >= 0 else t << -(shift + e)
            bits = max(1, (units - 1).bit_length())
            self.bits = max(self.bits, bits)
            why = ""
            if bits > PRECISION:
                why = f"sums need {bits} bits, float32 has {PRECISION}"
            elif e < SMALLEST_NORMAL:
                why = "values may be subnormal"
            elif units.bit_length() + e > OVERFLOW:
                why = "sums may overflow"
            if why and first is None:
                first = Float32Report(False, bits, k, i, f"node {k}, neuron {i}: {why}")
        return first


def _short(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{float(value):.9g}" if abs(value) < 10**300 else "(huge)"
