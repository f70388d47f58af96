"""Two networks: every bound on their difference against exact arithmetic, and the command line."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from box_truth import floats, random_network
from hypothesis import given
from hypothesis import strategies as st
from in_process import relucid
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.bounds.difference import difference_bounds, pair
from relucid.verifiers.bounds.subdomains import BoxSubdomains
from relucid.verifiers.boxes.compare import _halved, compare
from relucid.verifiers.engines.boxes.tree import Tree


def changed(rng: np.random.Generator, network: Network, most: int = 2) -> Network:
    """The same shape with other weights: every numerator moved by up to `most`."""
    nodes = []
    for node in network.nodes:
        if isinstance(node, Affine):
            weights = tuple(integer_array(w + rng.integers(-most, most + 1, w.shape)) for w in node.weights)
            node = Affine(
                node.sources,
                weights,
                integer_array(node.bias + rng.integers(-most, most + 1, node.bias.shape)),
                node.denominator,
            )
        nodes.append(node)
    return Network(network.input_size, tuple(nodes), "real")


@given(st.integers(0, 10**6))
def test_no_point_differs_by_more_than_the_bound(seed):
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 4))
    a = random_network(rng, inputs)
    b = changed(rng, a, int(rng.integers(0, 4)))
    lower = [Fraction(int(v), 7) for v in rng.integers(-14, 7, inputs)]
    upper = [x + Fraction(int(v), 7) for x, v in zip(lower, rng.integers(0, 15, inputs), strict=True)]
    both = pair(a, b, lower, upper)
    whole = BoxSubdomains.whole(both.a)
    bound, _ = difference_bounds(both, whole)
    found = compare(a, b, lower, upper, deadline=time.monotonic() + 0.05)
    assert exact_difference(a, b, found.point) >= found.seen and found.seen <= Fraction(found.bound)
    for k in range(25):
        t = rng.integers(0, 2, inputs) if k % 2 else rng.integers(0, 65, inputs)
        point = [
            x + Fraction(int(s), 1 if k % 2 else 64) * (y - x)
            for x, y, s in zip(lower, upper, t, strict=True)
        ]
        for u, v, most in zip(
            exact_outputs(a, point), exact_outputs(b, point), bound[0].tolist(), strict=True
        ):
            assert abs(u - v) <= Fraction(most)
            assert abs(u - v) <= Fraction(found.bound)


def exact_difference(a, b, point):
    return max(abs(u - v) for u, v in zip(exact_outputs(a, point), exact_outputs(b, point), strict=True))


def test_equal_networks_differ_by_nothing_but_rounding():
    network = random_network(np.random.default_rng(2), 2)
    found = compare(network, network, [Fraction(-1)] * 2, [Fraction(1)] * 2, deadline=time.monotonic() + 5)
    assert found.seen == 0 and 0 <= found.bound < 1e-10


def test_small_changes_have_small_bounds_where_each_network_alone_is_loose():
    rng = np.random.default_rng(0)
    sizes = [4, 30, 30, 30, 1]
    layers = [(rng.normal(0, 1, (b, a)) / np.sqrt(a), rng.normal(0, 1, b)) for a, b in pairwise(sizes)]
    a = floats(*layers)
    b = floats(*((w + rng.normal(0, 1e-6, w.shape), c) for w, c in layers))
    both = pair(a, b, [Fraction(-1)] * 4, [Fraction(1)] * 4)
    bound, _ = difference_bounds(both, BoxSubdomains.whole(both.a))
    assert bound.max() < 1e-3


def test_cancellation_is_no_equality():
    """The copies differ by one although float64 cannot tell big from big + 1."""
    big = 2**60
    a, b = floats(([[1]], [big]), ([[1]], [0])), floats(([[1]], [big + 1]), ([[1]], [0]))
    found = compare(a, b, [Fraction(0)], [Fraction(1)], deadline=time.monotonic() + 1)
    assert found.seen == 1 and found.bound >= 1


def test_other_shapes_are_bounded_too():
    a, b = floats(([[1]], [0]), ([[1]], [0])), floats(([[1], [1]], [0, 0]), ([[1, 1]], [0]))
    with pytest.raises(ValueError, match="not of one shape"):
        pair(a, b, [Fraction(0)], [Fraction(1)])
    found = compare(a, b, [Fraction(0)], [Fraction(1)], deadline=time.monotonic() + 1)
    assert 1 <= found.bound < 1.001 and found.seen > Fraction(99, 100)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(4)
    layers = [
        (rng.normal(0, 1, (b, a)).astype(np.float32), rng.normal(0, 1, b).astype(np.float32))
        for a, b in ((2, 6), (6, 2))
    ]
    rounded = [
        ((np.rint(w * 64) / 64).astype(np.float32), (np.rint(c * 64) / 64).astype(np.float32))
        for w, c in layers
    ]
    for name, net in (("a", layers), ("b", rounded)):
        (tmp_path / f"{name}.onnx").write_bytes(write_onnx(feed_forward(net, encoding="real")))
    box = "".join(f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(2))
    (tmp_path / "box.vnnlib").write_text(box + "(declare-const Y_0 Real)(declare-const Y_1 Real)")
    return tmp_path


def verify(folder, *more):
    return relucid("verify", "a.onnx", "box.vnnlib", "--timeout", "10", *more, cwd=folder)


def test_the_command_line(files):
    free = json.loads(verify(files, "--against", "b.onnx", "--json").stdout)
    assert free["verdict"] == "proved"
    bound, seen = float(free["epsilon"]), Fraction(free["seen"])
    assert 0 < seen <= bound <= 2 * seen
    assert verify(files, "--against", "b.onnx", "--epsilon", str(bound * 1.01)).returncode == 0
    refuted = verify(files, "--against", "b.onnx", "--epsilon", f"{float(seen) / 2:.9f}")
    assert refuted.returncode == 1 and refuted.stdout.startswith("sat\n((X_0 ")
    assert verify(files, "--against", "b.onnx").stdout.startswith("at most ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epsilon", "0.1"], "--epsilon: is about two networks; give the second one with --against"),
        (["--against", "b.onnx", "--epsilon", "x"], "--epsilon: 'x' is no number; give a decimal number"),
        (
            ["--against", "b.onnx", "--epsilon", "-1"],
            "--epsilon: -1 is negative; give a decimal number of at least 0",
        ),
        (["--against", "c.onnx"], "c.onnx: there is no such file; check the path"),
    ],
)
def test_bad_options(files, options, message):
    result = verify(files, *options)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"relucid: {message}\n")


def test_halves_share_the_cut():
    parts = BoxSubdomains(
        np.array([[-1.0, 0.5]]),
        np.array([[2.0, 0.75]]),
        *(np.zeros((1, 0)),) * 2,
        np.zeros((1, 0), dtype=np.int8),
        np.ones(1),
        np.zeros(1, dtype=int),
    )
    halves = _halved(Tree(1), parts, np.array([[1.0, 1.0]]))
    assert halves.low.tolist() == [[-1.0, 0.5], [0.5, 0.5]] and halves.high.tolist() == [
        [0.5, 0.75],
        [2.0, 0.75],
    ]
    point = BoxSubdomains(
        parts.low, parts.low, parts.lower, parts.upper, parts.phase, parts.weight, parts.node
    )
    assert _halved(Tree(1), point, np.array([[1.0, 1.0]])) is None
