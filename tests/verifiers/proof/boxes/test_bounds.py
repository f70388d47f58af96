"""The arithmetic of proofs about boxes against exact values at points, for every multiplier."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from box_proof_cases import accepted, proof_of
from box_truth import above, floats, random_network
from relucid.common.errors import Unsupported
from relucid.models.claims.property import Case, Row
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.verifiers.proof.boxes import checker as box_checker
from relucid.verifiers.proof.boxes.bounds import BoxFunctions, start, tightened, upper_bounds
from relucid.verifiers.proof.boxes.exact_bounds import exact_bound
from relucid.verifiers.proof.boxes.rounded_network import ONE, SCALE, box_network
from relucid.verifiers.proof.tree import ProofLeaf


def wild_network(rng: np.random.Generator, inputs: int) -> Network:
    """Weights of any size, thirds and denominators that are no powers of two among them; a sum of two
    branches.
    """

    def matrix(*shape: int) -> np.ndarray:
        values = np.frompyfunc(lambda m, e: int(m * 2**40) << int(e), 2, 1)(
            rng.normal(0, 1, shape), rng.integers(0, 60, shape)
        )
        return integer_array(np.asarray(values, dtype=object))

    a, b = (int(v) for v in rng.integers(2, 6, 2))
    scale = int(rng.choice([1, 2**40, 3 * 2**50, 10**17, 2**90]))
    nodes = (
        Affine((0,), (matrix(a, inputs),), matrix(a), scale),
        Relu(1),
        Affine((2,), (matrix(b, a),), matrix(b), scale),
        Relu(3),
        Affine((2, 4), (matrix(2, a), matrix(2, b)), matrix(2), scale),
        Relu(0),
        Affine((5, 6, 0), (matrix(2, 2), matrix(2, inputs), matrix(2, inputs)), matrix(2), scale),
    )
    return Network(inputs, nodes, "real")


def node_values(network: Network, point: list[Fraction]) -> list[list[Fraction]]:
    values = [list(point)]
    for node in network.nodes:
        if isinstance(node, Relu):
            values.append([max(v, Fraction(0)) for v in values[node.source]])
        else:
            out = [Fraction(int(v)) for v in node.bias]
            for s, w in zip(node.sources, node.weights, strict=True):
                out = [
                    o + sum(int(x) * v for x, v in zip(row, values[s], strict=True))
                    for o, row in zip(out, w, strict=True)
                ]
            values.append([v / node.denominator for v in out])
    return values


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_bounds_hold_for_every_multiplier(seed: int, wild: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 4))
    network = wild_network(rng, inputs) if wild else random_network(rng, inputs)
    net = box_network(network)
    low = [Fraction(int(v), 7) for v in rng.integers(-9, 5, inputs)]
    high = [v + Fraction(int(w), 9) for v, w in zip(low, rng.integers(0, 9, inputs), strict=True)]
    case = Case(tuple(low), tuple(high), ())
    region = box_checker.BoxArithmetic(net, case).root()
    if seed % 2:
        region = tightened(net, region)
    points = [
        [
            a + (b - a) * Fraction(int(t), 4)
            for a, b, t in zip(low, high, rng.integers(0, 5, inputs), strict=True)
        ]
        for _ in range(8)
    ]
    values = [node_values(network, p) for p in points]
    arguments = [[v for k in net.columns for v in found[network.nodes[k - 1].source]] for found in values]
    for found in arguments:
        for j, v in enumerate(found):
            assert int(region.lower[j]) <= v * 2**SCALE <= int(region.upper[j])
    count, last = net.count, len(network.nodes)
    for size in (1, 1, 1, 2**61 - 1, 2**62 - 1, 2**63 - 1):
        below, above_, beta = (
            integer_array(rng.integers(0, most, (3, count))) for most in (ONE + 1, ONE + 1, 3 * ONE)
        )
        phase = np.tile(region.phase, (3, 1))
        point = int(rng.integers(len(points)))
        for f, j in zip(rng.integers(0, 3, 4), rng.integers(0, count, 4), strict=True):
            phase[f, j] = 1 if arguments[point][j] >= 0 else -1
        some = int(rng.integers(0, last + 1))
        coefficients = {
            n: integer_array(rng.integers(-3, 4, (3, network.sizes[n])).astype(object) * size)
            for n in {0, some, last}
        }
        if size > 1:
            coefficients = {n: integer_array(np.clip(m, -size, size)) for n, m in coefficients.items()}
        constant = integer_array(rng.integers(-5, 6, 3))
        asked = BoxFunctions(coefficients, constant, below, above_, beta, phase)
        bounds, not_rounded = (
            upper_bounds(net, region, asked),
            [exact_bound(net, region, asked, f) for f in range(3)],
        )
        for found, reached in zip(values, arguments, strict=True):
            for f in range(3):
                if all(p == 0 or reached[j] * int(p) >= 0 for j, p in enumerate(phase[f])):
                    exact = int(constant[f]) + sum(
                        int(c) * v
                        for n, m in coefficients.items()
                        for c, v in zip(m[f], found[n], strict=True)
                    )
                    assert exact * 2**SCALE <= int(bounds[f]) and exact <= not_rounded[f]


def test_only_what_is_close_is_bounded_without_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """x / 3 on [0, 1 / 7] is at most 1 / 21, strictly more is refuted; a limit well below that is not looked
    at again.
    """
    network = Network(1, (Affine((0,), (integer_array([[1]]),), integer_array([0]), 3),), "real")
    net, asked = box_network(network), []
    monkeypatch.setattr(box_checker, "exact_bound", lambda *a: asked.append(a) or exact_bound(*a))
    for limit, strict, holds, close in (
        (21, True, True, True),
        (21, False, False, True),
        (22, True, False, False),
    ):
        (case,) = above(Fraction(1, limit), low=0, high=Fraction(1, 7), strict=strict).cases
        arithmetic = box_checker.BoxArithmetic(net, case)
        leaf = ProofLeaf(
            0, (), integer_array([1]), *(integer_array(np.zeros(0, dtype=np.int64)) for _ in range(3))
        )
        asked.clear()
        assert arithmetic.holds(arithmetic.root(), [leaf]) == [holds]
        assert bool(asked) is close


@pytest.mark.parametrize("bits", range(80))
def test_ties_of_all_sizes_are_bounded_without_rounding(bits: int) -> None:
    """x / 3 on [0, 2^bits / 7] is not above 2^bits / 21, however much rounding loses there; and it is at
    least that.
    """
    network = Network(1, (Affine((0,), (integer_array([[1]]),), integer_array([0]), 3),), "real")
    net, size = box_network(network), Fraction(2) ** bits
    for strict in (True, False):
        (case,) = above(size / 21, low=0, high=size / 7, strict=strict).cases
        arithmetic = box_checker.BoxArithmetic(net, case)
        leaf = ProofLeaf(
            0, (), integer_array([1]), *(integer_array(np.zeros(0, dtype=np.int64)) for _ in range(3))
        )
        assert arithmetic.holds(arithmetic.root(), [leaf] * 2) == [strict] * 2


EDGES = [2**k + d for k in (31, 52, 53, 61, 62, 63, 64, 65, 127) for d in (-1, 0, 1)] + [
    2**63 - 2**40,
    2**63 - 2**46,
    2**62 + 2**61,
]


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("sign", [1, -1])
def test_coefficients_at_the_edge_of_64_bits_are_bounded(size: int, sign: int) -> None:
    """size * x on [0, 1] reaches its size, whether the property or the network brings it; a proof that it
    stays below a half of that is none.
    """
    leaf = ProofLeaf(
        0, (), integer_array([1]), *(integer_array(np.zeros(0, dtype=np.int64)) for _ in range(3))
    )
    for weight, factor in ((sign, size), (sign * size, 1)):
        net = box_network(
            Network(1, (Affine((0,), (integer_array([[weight]]),), integer_array([0])),), "real")
        )
        for asked in (1, -1):
            (case,) = above(0, low=0, high=1).cases
            rows = (
                Row((), ((0, Fraction(asked * factor)),), Fraction(-(size // 2))),
                Row((), ((0, Fraction(asked * factor)),), Fraction(-2 * size)),
            )
            each = [box_checker.BoxArithmetic(net, replace(case, unsafe=((row,),))) for row in rows]
            holds = [arithmetic.holds(arithmetic.root(), [leaf])[0] for arithmetic in each]
            assert holds == [asked != sign, True]


def test_small_numbers_are_not_rounded() -> None:
    """Integers and short fractions of two come out exactly, so that a property that holds with equality can
    be shown.
    """
    network = floats(([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))  # |x|
    net = box_network(network)
    region = tightened(net, start(net, ((Fraction(-1),), (Fraction(3),))))
    assert list(region.lower) == [-1 << SCALE, -3 << SCALE] and list(region.upper) == [3 << SCALE, 1 << SCALE]
    for stated in (above(3, low=-1, high=3, strict=True), above(Fraction(3001, 1000), low=-1, high=3)):
        assert accepted(network, stated, proof_of(network, stated))
    with pytest.raises((Unsupported, TimeoutError)):
        proof_of(network, above(3, low=-1, high=3), 3)
