"""Two networks of one shape on one box: by how much can their outputs differ?  Bounds on the difference itself.

Beside `box_bounds.py`, for a pruned or quantised copy.  With a and b the values of the two networks, d = a - b goes through an affine
node as W_a d + (W_a - W_b) b + (c_a - c_b), and through a ReLU as relu(a) - relu(b), which lies between min(0, d) and max(0, d): so a
small difference of weights stays a small difference of outputs, however loose the bounds of either network are (Paulsen et al. 2020).
Coefficients of d and of b are carried backwards together; at the input d is 0.  Rounding is bounded as in `floats.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...common.errors import Unsupported
from ...models.network.network import Affine, Network, Relu, SparseMatrix
from .box_bounds import BoxSubdomains, ReluRelaxation, middle_and_radius, relax, tightened
from .floats import (
    ABSOLUTE,
    FLOOR,
    HOPELESS,
    SAFE,
    UNIT,
    FloatAffine,
    FloatNetwork,
    exact_floats,
    float_network,
    gamma,
)
from .matrices import Matrix, SparseFloats, magnitudes

ROWS = 4096  # functions that are carried at once


@dataclass(frozen=True, eq=False)
class Pair:
    """`delta[k]`: W_a - W_b per source, and c_a - c_b; `slack[k]`: what carrying d backwards through node k may lose, per unit."""

    a: FloatNetwork
    b: FloatNetwork
    delta: dict[int, tuple[tuple[Matrix, ...], np.ndarray]]
    largest: tuple[np.ndarray, ...]
    slack: tuple[np.ndarray, ...]

    def bounds(self, subdomains: BoxSubdomains) -> tuple[np.ndarray, np.ndarray]:
        return difference_bounds(self, subdomains)


def paired(a: Network, b: Network) -> bool:
    """Whether every layer of one has its counterpart in the other."""
    return a.sizes == b.sizes and all(_form(m) == _form(n) for m, n in zip(a.nodes, b.nodes, strict=True))


def pair(a: Network, b: Network, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Pair:
    """Of two networks that are `paired`.  Raises Unsupported where numbers are far beyond float64."""
    if not paired(a, b):
        raise ValueError("the two networks are not of one shape, layer by layer")
    fa, fb = float_network(a, lower, upper), float_network(b, lower, upper)
    delta: dict[int, tuple[tuple[Matrix, ...], np.ndarray]] = {}
    largest, slack = [np.zeros(a.input_size)], [np.zeros(a.input_size)]
    for k, (m, n) in enumerate(zip(a.nodes, b.nodes, strict=True), start=1):
        if isinstance(m, Relu) or isinstance(n, Relu):
            before = largest[m.source if isinstance(m, Relu) else 0]
            largest.append(before)
            slack.append(gamma(len(before)) * 4 * before * SAFE + FLOOR)
            continue
        weights = tuple(
            _minus(u, m.denominator, v, n.denominator) for u, v in zip(m.matrices, n.matrices, strict=True)
        )
        bias = _difference(m.bias, m.denominator, n.bias, n.denominator)
        delta[k] = weights, bias
        node = fa.nodes[k - 1]
        assert isinstance(node, FloatAffine)
        total, terms = np.abs(bias), 1 + len(bias)
        for s, w, d in zip(node.sources, node.weights, weights, strict=True):
            total = total + magnitudes(w) @ largest[s] + magnitudes(d) @ fb.largest[s]
            terms += 2 * w.shape[1]
        error = gamma(terms) * 4 * total * SAFE + FLOOR
        largest.append(total * SAFE + error)
        slack.append(error)
        if not (largest[-1] < HOPELESS).all():
            raise Unsupported("differences may be far beyond float64")
    return Pair(fa, fb, delta, tuple(largest), tuple(slack))


def _form(node: Affine | Relu) -> object:
    return node if isinstance(node, Relu) else node.sources


def _minus(x: np.ndarray | SparseMatrix, dx: int, y: np.ndarray | SparseMatrix, dy: int) -> Matrix:
    if not isinstance(x, SparseMatrix) or not isinstance(y, SparseMatrix):
        x, y = (m.dense() if isinstance(m, SparseMatrix) else m for m in (x, y))
        return np.ascontiguousarray(_difference(x, dx, y, dy))
    places = [m.rows.astype(np.int64) * m.shape[1] + m.columns for m in (x, y)]
    at = np.union1d(*places)
    both = np.zeros((2, len(at)), dtype=object)
    for row, place, m in zip(both, places, (x, y), strict=True):
        row[np.searchsorted(at, place)] = m.numerators
    return SparseFloats.of(x.shape, at // x.shape[1], at % x.shape[1], _difference(both[0], dx, both[1], dy))


def _difference(x: np.ndarray, dx: int, y: np.ndarray, dy: int) -> np.ndarray:
    common = math.lcm(dx, dy)
    return exact_floats(x.astype(object) * (common // dx) - y.astype(object) * (common // dy), common)


@dataclass(frozen=True, eq=False)
class _DifferenceLines:
    """relu(a) - relu(b) <= above d + lift, >= below d - drop; all (subdomains, neurons)."""

    above: np.ndarray
    lift: np.ndarray
    below: np.ndarray
    drop: np.ndarray


def _difference_lines(low: np.ndarray, high: np.ndarray, a: _Settled, b: _Settled) -> _DifferenceLines:
    """For d in [low, high]: relu(a) - relu(b) lies between min(0, d) and max(0, d).

    Above it lies at most at d where a is active and at 0 where a is dead (relu(b) >= b and >= 0); below, at d and 0 by the phase of b.
    """
    positive, negative = low >= 0, high <= 0
    mixed = ~(positive | negative)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(mixed, np.clip(high / (high - low), 0, 1), positive)
    grown = 1 + 16 * UNIT
    lift = np.where(mixed, np.maximum(-share * low, (1 - share) * high) * grown + FLOOR, 0.0)
    other = np.where(mixed, 1 - share, negative)
    drop = np.where(mixed, np.maximum(other * high, (1 - other) * -low) * grown + FLOOR, 0.0)
    above, below = (
        np.where(n.active, 1.0, np.where(n.dead, 0.0, slope)) for n, slope in ((a, share), (b, other))
    )
    lift, drop = (np.where(n.active | n.dead, 0.0, offset) for n, offset in ((a, lift), (b, drop)))
    return _DifferenceLines(above, lift, below, drop)


@dataclass(frozen=True, eq=False)
class _Settled:
    """Where one network's ReLUs are: (subdomains, neurons)."""

    active: np.ndarray
    dead: np.ndarray

    @classmethod
    def of(cls, known: BoxSubdomains, columns: slice) -> _Settled:
        return cls(known.lower[:, columns] >= 0, known.upper[:, columns] <= 0)


def _carried(
    both: Pair,
    node: int,
    start: np.ndarray,
    subdomain: np.ndarray,
    subdomains: BoxSubdomains,
    of_b: dict[int, ReluRelaxation],
    of_d: dict[int, _DifferenceLines],
) -> tuple[np.ndarray, np.ndarray]:
    """Proved upper bounds of start . d at `node` on each function's subdomain, and what is left at the inputs."""
    count = len(subdomain)
    on_d: dict[int, np.ndarray] = {node: start}
    on_b: dict[int, np.ndarray] = {}
    constant, size, error = np.zeros(count), np.zeros(count), np.zeros(count)

    def add(to: dict[int, np.ndarray], k: int, value: np.ndarray) -> None:
        to[k] = to[k] + value if k in to else value

    for k in range(node, 0, -1):
        c, e = on_d.pop(k, None), on_b.pop(k, None)
        step, other = both.a.nodes[k - 1], both.b.nodes[k - 1]
        added = np.zeros(count)
        if c is not None:
            error += np.abs(c) @ both.slack[k]
            if isinstance(step, Relu):
                line = of_d[k]
                plus, minus = np.maximum(c, 0), np.minimum(c, 0)
                added += np.einsum("ij,ij->i", plus, line.lift[subdomain]) - np.einsum(
                    "ij,ij->i", minus, line.drop[subdomain]
                )
                add(on_d, step.source, plus * line.above[subdomain] + minus * line.below[subdomain])
            else:
                weights, bias = both.delta[k]
                added += c @ bias
                size += np.abs(c) @ np.abs(bias)
                for s, w, d in zip(step.sources, step.weights, weights, strict=True):
                    add(on_d, s, c @ w)
                    add(on_b, s, c @ d)
        if e is not None:
            error += np.abs(e) @ both.b.slack[k]
            if isinstance(other, Relu):
                found = of_b[k]
                plus = np.maximum(e, 0)
                added += np.einsum("ij,ij->i", plus, found.lift[subdomain])
                add(on_b, other.source, plus * found.above[subdomain] + (e - plus) * found.below[subdomain])
            else:
                added += e @ other.bias
                size += np.abs(e) @ np.abs(other.bias)
                for s, w in zip(other.sources, other.weights, strict=True):
                    add(on_b, s, e @ w)
        constant += added
        size += np.abs(added)
    left = on_b.get(0, np.zeros((count, len(both.largest[0]))))
    middle, radius = middle_and_radius(subdomains.low, subdomains.high)
    error += np.abs(left) @ both.b.slack[0]
    own, spread = (
        np.einsum("ij,ij->i", left, middle[subdomain]),
        np.einsum("ij,ij->i", np.abs(left), radius[subdomain]),
    )
    rounding = (64 + 8 * len(both.a.nodes)) * UNIT * (size + np.abs(own) + spread + error)
    return own + spread + constant + (error * SAFE + rounding) * SAFE + ABSOLUTE, left


def difference_bounds(both: Pair, subdomains: BoxSubdomains) -> tuple[np.ndarray, np.ndarray]:
    """Per subdomain and output: a proved bound on |difference|, (subdomains, outputs); and (subdomains, inputs) how much each input matters."""
    of_a, of_b = (known(net, subdomains) for net in (both.a, both.b))
    tightened(both.a, of_a)
    tightened(both.b, of_b)
    lines_b: dict[int, ReluRelaxation] = {}
    lines_d: dict[int, _DifferenceLines] = {}
    for k, c in zip(both.a.relus, both.a.columns, strict=True):
        source = both.a.nodes[k - 1].source  # type: ignore[union-attr]
        a, b = _Settled.of(of_a, c), _Settled.of(of_b, c)
        subdomain, neuron = np.nonzero(
            ~((a.active | a.dead) & (b.active | b.dead))
        )  # elsewhere the bounds do not matter
        low, high = (
            sign * _both(both, source, subdomain, neuron, sign, subdomains, lines_b, lines_d)
            for sign in (-1, 1)
        )
        lines_d[k] = _difference_lines(low, high, a, b)
        lines_b[k] = relax(of_b.lower[:, c], of_b.upper[:, c])
    last, outputs = len(both.a.nodes), both.a.sizes[-1]
    subdomain = np.repeat(np.arange(len(subdomains)), outputs)
    eye = np.tile(np.eye(outputs), (len(subdomains), 1))
    up, left = _carried(both, last, eye, subdomain, subdomains, lines_b, lines_d)
    down, _ = _carried(both, last, -eye, subdomain, subdomains, lines_b, lines_d)
    bound = np.maximum(up, down).reshape(len(subdomains), outputs)
    return bound, np.abs(left).reshape(len(subdomains), outputs, -1).max(axis=1)


def known(net: FloatNetwork, subdomains: BoxSubdomains) -> BoxSubdomains:
    """The subdomains with what the network's whole box says about its neurons."""
    lower, upper = (np.repeat(v[None], len(subdomains), axis=0) for v in (net.lower, net.upper))
    return BoxSubdomains(
        subdomains.low, subdomains.high, lower, upper, subdomains.phase, subdomains.weight, subdomains.node
    )


def _both(
    both: Pair,
    node: int,
    subdomain: np.ndarray,
    neuron: np.ndarray,
    sign: int,
    subdomains: BoxSubdomains,
    of_b: dict[int, ReluRelaxation],
    of_d: dict[int, _DifferenceLines],
) -> np.ndarray:
    """Proved upper bounds (subdomains, size) of sign * d at the node; good ones for `subdomain` and `neuron`."""
    bound = np.repeat(both.largest[node][None], len(subdomains), axis=0)
    for a in range(0, len(subdomain), ROWS):
        some, at = subdomain[a : a + ROWS], neuron[a : a + ROWS]
        start = np.zeros((len(some), both.a.sizes[node]))
        start[np.arange(len(some)), at] = sign
        found, _ = _carried(both, node, start, some, subdomains, of_b, of_d)
        bound[some, at] = np.fmin(bound[some, at], found)
    return bound
