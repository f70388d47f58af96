"""Two networks of one shape on one box: by how much can their outputs differ?

Bounds on the difference itself.

Beside `box_bounds.py`, for a pruned or quantised copy.  With a and b the values of the two networks, d = a -
b goes through an affine node as W_a d + (W_a - W_b) b + (c_a - c_b), and through a ReLU as relu(a) - relu(b),
which lies between min(0, d) and max(0, d): so a small difference of weights stays a small difference of
outputs, however loose the bounds of either network are (Paulsen et al. 2020). Coefficients of d and of b are
carried backwards together; at the input d is 0.  Rounding is bounded as in `floats.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from ...common.errors import Unsupported
from ...models.network.network import Affine, Network, Relu, SparseMatrix
from .box_bounds import Objectives, add_to
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
from .relaxation import ReluRelaxation, lift_of, triangle
from .subdomains import BoxSubdomains
from .support import BoxSupport
from .tighten import tightened

ROWS = 4096  # functions that are carried at once


@dataclass(frozen=True, eq=False)
class Pair:
    """Two networks a and b, and what is known of their difference on the whole box.

    `delta[k]`: W_a - W_b per source, and c_a - c_b; `largest[k]`: |a - b| at node k; `slack[k]`: what
    carrying d backwards through node k may lose, per unit.
    """

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
class _DifferenceRelaxation:
    """relu(a) - relu(b) <= above * d + lift, and >= below * d - drop, for d = a - b; all (subdomains,
    neurons).
    """

    lines: ReluRelaxation
    drop: np.ndarray

    @classmethod
    def of(cls, low: np.ndarray, high: np.ndarray, a: _Settled, b: _Settled) -> _DifferenceRelaxation:
        """For d in [low, high]: relu(a) - relu(b) lies between min(0, d) and max(0, d).

        Above it lies at most at d where a is active and at 0 where a is dead (relu(b) >= b and >= 0); below,
        at d and 0 by the phase of b.
        """
        positive, negative = low >= 0, high <= 0
        mixed = ~(positive | negative)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(mixed, np.clip(high / (high - low), 0, 1), positive)
        other = np.where(mixed, 1 - share, negative)
        lift, drop = (
            np.where(mixed & ~(n.active | n.dead), lift_of(*line) * (1 + 16 * UNIT) + FLOOR, 0.0)
            for n, line in ((a, (share, low, high)), (b, (other, -high, -low)))
        )
        above, below = (
            np.where(n.active, 1.0, np.where(n.dead, 0.0, slope)) for n, slope in ((a, share), (b, other))
        )
        return cls(ReluRelaxation(above, below, lift), drop)


@dataclass(frozen=True, eq=False)
class _Settled:
    """Where one network's ReLUs are: (subdomains, neurons)."""

    active: np.ndarray
    dead: np.ndarray

    @classmethod
    def of(cls, known: BoxSubdomains, columns: slice) -> _Settled:
        return cls(known.lower[:, columns] >= 0, known.upper[:, columns] <= 0)


@dataclass(eq=False)
class _Pass:
    """Backward passes on `subdomains`, with the relaxations of b and of the difference d, by node, as far as
    they are known.
    """

    both: Pair
    subdomains: BoxSubdomains
    of_b: dict[int, ReluRelaxation] = field(default_factory=dict)
    of_d: dict[int, _DifferenceRelaxation] = field(default_factory=dict)

    def upper(self, objectives: Objectives) -> tuple[np.ndarray, np.ndarray]:
        """Proved upper bounds (functions,) of objectives on d, and the coefficients (functions, inputs) that
        are left at the inputs.
        """
        count, which = len(objectives), objectives.subdomain
        on_d: dict[int, np.ndarray] = {objectives.node: objectives.coefficients}
        on_b: dict[int, np.ndarray] = {}
        constant, size, error = np.zeros(count), np.zeros(count), np.zeros(count)
        for k in range(objectives.node, 0, -1):
            c, e = on_d.pop(k, None), on_b.pop(k, None)
            node, other = self.both.a.nodes[k - 1], self.both.b.nodes[k - 1]
            added = np.zeros(count)
            if c is not None:
                error += np.abs(c) @ self.both.slack[k]
                if isinstance(node, Relu):
                    plus, minus = np.maximum(c, 0), np.minimum(c, 0)
                    lines, drop = self.of_d[k].lines.for_functions(which), self.of_d[k].drop[which]
                    added += np.einsum("ij,ij->i", plus, lines.lift) - np.einsum("ij,ij->i", minus, drop)
                    add_to(on_d, node.source, lines.backward(plus, minus))
                else:
                    weights, bias = self.both.delta[k]
                    added += c @ bias
                    size += np.abs(c) @ np.abs(bias)
                    for s, w, d in zip(node.sources, node.weights, weights, strict=True):
                        add_to(on_d, s, c @ w)
                        add_to(on_b, s, c @ d)
            if e is not None:
                error += np.abs(e) @ self.both.b.slack[k]
                if isinstance(other, Relu):
                    plus, minus = np.maximum(e, 0), np.minimum(e, 0)
                    relaxed = self.of_b[k].for_functions(which)
                    added += np.einsum("ij,ij->i", plus, relaxed.lift)
                    add_to(on_b, other.source, relaxed.backward(plus, minus))
                else:
                    added += e @ other.bias
                    size += np.abs(e) @ np.abs(other.bias)
                    for s, w in zip(other.sources, other.weights, strict=True):
                        add_to(on_b, s, e @ w)
            constant += added
            size += np.abs(added)
        left = on_b.get(0, np.zeros((count, len(self.both.largest[0]))))  # at the inputs d is 0
        error += np.abs(left) @ self.both.b.slack[0]
        most = BoxSupport.between(self.subdomains.low, self.subdomains.high, which).support(left)
        rounding = (64 + 8 * len(self.both.a.nodes)) * UNIT * (size + most.size + error)
        return most.value + constant + (error * SAFE + rounding) * SAFE + ABSOLUTE, left

    def of_neurons(self, node: int, subdomain: np.ndarray, neuron: np.ndarray, sign: int) -> np.ndarray:
        """Proved upper bounds (subdomains, size) of sign * d at the node; good ones for `subdomain` and
        `neuron`.
        """
        bound = np.repeat(self.both.largest[node][None], len(self.subdomains), axis=0)
        for a in range(0, len(subdomain), ROWS):
            some, at = subdomain[a : a + ROWS], neuron[a : a + ROWS]
            chosen = np.zeros((len(some), self.both.a.sizes[node]))
            chosen[np.arange(len(some)), at] = sign
            found, _ = self.upper(Objectives(node, chosen, some, np.zeros(len(some))))
            bound[some, at] = np.fmin(bound[some, at], found)
        return bound


def difference_bounds(both: Pair, subdomains: BoxSubdomains) -> tuple[np.ndarray, np.ndarray]:
    """Per subdomain and output: a proved bound on |difference|, (subdomains, outputs); and (subdomains,
    inputs) how much each input matters.
    """
    of_a, of_b = (known(net, subdomains) for net in (both.a, both.b))
    tightened(both.a, of_a)
    tightened(both.b, of_b)
    backward = _Pass(both, subdomains)
    for k, c in zip(both.a.relus, both.a.columns, strict=True):
        source = both.a.nodes[k - 1].source  # type: ignore[union-attr]
        a, b = _Settled.of(of_a, c), _Settled.of(of_b, c)
        # where both networks' neurons are settled, bounds of the difference do not matter
        subdomain, neuron = np.nonzero(~((a.active | a.dead) & (b.active | b.dead)))
        low, high = (sign * backward.of_neurons(source, subdomain, neuron, sign) for sign in (-1, 1))
        backward.of_d[k] = _DifferenceRelaxation.of(low, high, a, b)
        backward.of_b[k] = triangle(of_b.lower[:, c], of_b.upper[:, c])
    last, outputs = len(both.a.nodes), both.a.sizes[-1]
    which = np.repeat(np.arange(len(subdomains)), outputs)
    eye, none = np.tile(np.eye(outputs), (len(subdomains), 1)), np.zeros(len(which))
    up, left = backward.upper(Objectives(last, eye, which, none))
    down, _ = backward.upper(Objectives(last, -eye, which, none))
    bound = np.maximum(up, down).reshape(len(subdomains), outputs)
    return bound, np.abs(left).reshape(len(subdomains), outputs, -1).max(axis=1)


def known(net: FloatNetwork, subdomains: BoxSubdomains) -> BoxSubdomains:
    """The subdomains with what the network's whole box says about its neurons."""
    lower, upper = (np.repeat(v[None], len(subdomains), axis=0) for v in (net.lower, net.upper))
    return replace(subdomains, lower=lower, upper=upper)
