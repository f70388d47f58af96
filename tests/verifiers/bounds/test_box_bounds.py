"""Every bound against exact arithmetic: on networks of any scale, any slopes, any split, at many rational
points.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from box_truth import floats, random_network
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.claims.property import Case, Row
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.network import Network, Relu
from relucid.verifiers.bounds.box_bounds import Objectives, upper_bounds
from relucid.verifiers.bounds.clip import clipped
from relucid.verifiers.bounds.descend import NeuronStates, descend
from relucid.verifiers.bounds.floats import above, below, float_network
from relucid.verifiers.bounds.subdomains import BoxSubdomains
from relucid.verifiers.bounds.support import middle_and_radius
from relucid.verifiers.bounds.tighten import tightened
from relucid.verifiers.bounds.unsafe_rows import UnsafeRows


def exact_values(network: Network, point: list[Fraction]) -> list[list[Fraction]]:
    """Of all nodes: the network cut off after each."""
    out = [list(point)]
    for k in range(1, len(network.nodes) + 1):
        out.append(list(exact_outputs(Network(network.input_size, network.nodes[:k], "real"), point)))
    return out


def wild_network(rng: np.random.Generator, inputs: int) -> Network:
    """Weights of magnitudes from 2**-120 to 2**100, so that rounding and cancellation are everywhere."""

    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(0, 1, shape) * 2.0 ** rng.integers(-30, 20, shape) * 2.0 ** rng.integers(-90, 80)

    sizes = [inputs, *rng.integers(1, 5, 3)]
    return floats(*((matrix(b, a), matrix(b)) for a, b in pairwise(sizes)))


def inside(
    rng: np.random.Generator, low: np.ndarray, high: np.ndarray, count: int = 12
) -> list[list[Fraction]]:
    """Corners and inner points, as rationals."""
    points = []
    for k in range(count):
        t = rng.integers(0, 2, len(low)) if k % 2 else rng.integers(0, 65, len(low)) / 64
        points.append(
            [
                Fraction(a) + Fraction(float(s)) * (Fraction(b) - Fraction(a))
                for a, b, s in zip(low.tolist(), high.tolist(), t, strict=True)
            ]
        )
    return points


@given(st.integers(0, 10**6), st.booleans())
def test_neuron_and_output_bounds_hold(seed, wild):
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 4))
    network = wild_network(rng, inputs) if wild else random_network(rng, inputs)
    lower = [Fraction(int(v), 7) for v in rng.integers(-20, 10, inputs)]
    upper = [a + Fraction(int(v), 7) for a, v in zip(lower, rng.integers(0, 30, inputs), strict=True)]
    net = float_network(network, lower, upper)
    parts = BoxSubdomains.whole(net)
    known = tightened(net, parts)
    layers = {k: v for k, v in known.relaxations.items()}
    for k in layers:  # any slopes in [0, 1] are sound
        some = rng.random(layers[k].below.shape)
        layers[k] = replace(layers[k], below=np.where(layers[k].lift > 0, some, layers[k].below))
    outputs = network.output_size
    weights = rng.normal(0, 1, (4, outputs))
    start = Objectives(len(net.nodes), weights, np.zeros(4, dtype=np.int64), np.zeros(4))
    found = upper_bounds(net, start, parts, layers)
    for point in inside(rng, net.start_lower, net.start_upper):
        point = [min(max(x, a), b) for x, a, b in zip(point, lower, upper, strict=True)]
        values = exact_values(network, point)
        for k, columns in zip(net.relus, net.columns, strict=True):
            before = values[network.nodes[k - 1].source]
            for v, low, high in zip(
                before, parts.lower[0, columns].tolist(), parts.upper[0, columns].tolist(), strict=True
            ):
                assert Fraction(low) <= v <= Fraction(high)
        for row in range(4):
            total = sum(
                (Fraction(float(w)) * v for w, v in zip(weights[row], values[-1], strict=True)), Fraction(0)
            )
            assert total <= Fraction(float(found.bound[row]))
            linear = sum(
                (Fraction(float(a)) * x for a, x in zip(found.inputs[row], point, strict=True)),
                Fraction(float(found.offset[row])),
            )
            assert total <= linear


@given(st.integers(0, 10**6))
def test_split_multipliers_and_optimised_slopes_stay_sound(seed):
    """A bound holds at every point that satisfies the splits, whatever the multipliers."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2)
    lower, upper = [Fraction(-1), Fraction(-1)], [Fraction(1), Fraction(1)]
    net = float_network(network, lower, upper)
    box = BoxSubdomains.whole(net)
    tightened(net, box)
    phase = np.where((box.lower < 0) & (box.upper > 0), rng.integers(-1, 2, box.lower.shape), 0).astype(
        np.int8
    )
    low, high = np.where(phase > 0, 0.0, box.lower), np.where(phase < 0, 0.0, box.upper)
    functions = NeuronStates(
        low, high, phase, rng.random(low.shape), rng.random(low.shape) * 3 * (phase != 0)
    )
    weights = rng.normal(0, 1, (1, network.output_size))
    start = Objectives(len(net.nodes), weights, np.zeros(1, dtype=np.int64), np.zeros(1))
    found, _ = descend(net, start, box, functions, 5, goal=None)
    for point in inside(rng, net.start_lower, net.start_upper, 30):
        values = exact_values(network, point)
        before = [v for k in net.relus for v in values[network.nodes[k - 1].source]]
        if all(s * v >= 0 for s, v in zip(phase[0].tolist(), before, strict=True)):
            total = sum(
                (Fraction(float(w)) * v for w, v in zip(weights[0], values[-1], strict=True)), Fraction(0)
            )
            assert total <= Fraction(float(found.bound[0]))


@given(st.integers(0, 10**6))
def test_clipping_loses_no_unsafe_point(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2)
    lower, upper = [Fraction(-1), Fraction(-2)], [Fraction(1), Fraction(1)]
    net = float_network(network, lower, upper)
    parts = BoxSubdomains.whole(net)
    points = inside(rng, net.start_lower, net.start_upper, 40)
    outputs = [exact_outputs(network, p) for p in points]
    chosen = int(rng.integers(0, len(points)))
    unsafe = []
    for _ in range(2):  # polyhedra that a known point satisfies, on the border now and then
        rows = []
        for _ in range(int(rng.integers(1, 4))):
            y = tuple(
                (j, Fraction(int(c))) for j, c in enumerate(rng.integers(-2, 3, network.output_size)) if c
            )
            row = Row((), y)
            rows.append(
                Row((), y, -row.value(points[chosen], outputs[chosen]) + Fraction(int(rng.integers(0, 3)), 8))
            )
        unsafe.append(tuple(rows))
    case = Case(tuple(lower), tuple(upper), tuple(unsafe))
    rows = UnsafeRows.of(net, case.unsafe)
    known = tightened(net, parts, share=True)
    bound, found = rows.bound(net, parts, known.relaxations)
    forms = [(rows.by_subdomain(found.inputs), rows.by_subdomain(found.offset))]
    refuted = clipped(rows, parts, rows.refuted(bound), forms, known.cuts, known.cut_offsets)
    for point, out in zip(points, outputs, strict=True):
        for p, polyhedron in enumerate(unsafe):
            if all(r.holds(point, out) for r in polyhedron):
                assert not refuted[0, p]
                box = zip(parts.low[0].tolist(), point, parts.high[0].tolist(), strict=True)
                assert all(Fraction(a) <= x <= Fraction(b) for a, x, b in box)


@given(st.fractions(), st.sampled_from([1, 10**30, Fraction(1, 10**330)]))
def test_boxes_are_rounded_outwards(value, scale):
    assert Fraction(below(value * scale)) <= value * scale <= Fraction(above(value * scale))


@pytest.mark.parametrize("source", ["input", "residual"])
def test_relus_on_the_input_and_on_sums(source):
    """Graphs that the one-step selection does not fit."""
    network = random_network(np.random.default_rng(1), 2)
    if source == "input":
        network = Network(2, (Relu(0), *(_moved(n, 1) for n in network.nodes)), "real")
    net = float_network(network, [Fraction(-1)] * 2, [Fraction(1)] * 2)
    parts = BoxSubdomains.whole(net)
    tightened(net, parts)
    for point in inside(np.random.default_rng(2), net.start_lower, net.start_upper):
        values = exact_values(network, point)
        before = [v for k in net.relus for v in values[network.nodes[k - 1].source]]
        assert all(
            Fraction(a) <= v <= Fraction(b)
            for a, v, b in zip(parts.lower[0].tolist(), before, parts.upper[0].tolist(), strict=True)
        )


def _moved(node, by):
    if isinstance(node, Relu):
        return Relu(node.source + by)
    return type(node)(tuple(s + by for s in node.sources), node.weights, node.bias, node.denominator)


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
)
def test_the_middle_and_the_radius_cover_the_part(x, y):
    low, high = sorted((x / 4, y / 4))
    middle, radius = (
        Fraction(float(v[0, 0])) for v in middle_and_radius(np.array([[low]]), np.array([[high]]))
    )
    assert middle - radius <= Fraction(low) and Fraction(high) <= middle + radius


def test_polyhedra_without_rows_are_not_bounded():
    """Nothing is below 0 everywhere there: what its neighbours' rows say would be taken for its own."""
    net = float_network(floats(([[1.0]], [0.0])), [Fraction(0)], [Fraction(1)])
    never = Row((), ((0, Fraction(-1)),), Fraction(-1))
    for unsafe in ([()], [(never,), ()], [(), (never,)], [(never,), (), (never, never)], []):
        with pytest.raises(ValueError, match="has rows to bound"):
            UnsafeRows.of(net, unsafe)
