"""exact_in_float32: sound (float32 in any order agrees where it says so), exact at its edges, and clear about
why not.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from relucid.models.network.float32 import FORMATS, exact_in_float32, representable
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward
from relucid.models.onnx.reader import read_onnx


def one_layer(weights, bias=0.0):
    return feed_forward([(np.array([weights], dtype=np.float64), np.array([bias]))])


def test_edge_of_the_precision():
    assert exact_in_float32(one_layer([2**23 - 1, 2**23 + 1])).bits == 24
    assert exact_in_float32(one_layer([2**23 - 1, 2**23 + 1])).ok
    report = exact_in_float32(one_layer([2**23 - 1, 2**23 + 1], 1.0))
    assert (report.ok, report.bits, report.node, report.neuron) == (False, 25, 1, 0)
    assert report.reason == "node 1, neuron 0: sums need 25 bits, float32 has 24"


def test_the_grain_counts_not_the_size():
    assert exact_in_float32(one_layer([2.0**100, 2.0**80])).bits == 21
    assert exact_in_float32(one_layer([2.0**-20, 8.0])).bits == 24
    assert not exact_in_float32(one_layer([2.0**-21, 8.0])).ok


def test_positions_tighten_the_first_layer():
    net = one_layer([2**23, 2**23 - 1, 2**22, 2**23])
    assert exact_in_float32(net, positions=2).ok
    assert not exact_in_float32(net).ok
    with pytest.raises(ValueError, match="not 3 positions"):
        exact_in_float32(net, positions=3)


def test_positions_tighten_the_next_layer_too():
    """Per position one of 1, -1: the sum is between -2 and 2, not -4 and 4."""
    net = feed_forward([(np.array([[1, -1, 1, -1]]), np.array([0])), (np.array([[2.0**23]]), np.array([0]))])
    assert exact_in_float32(net, positions=2).ok
    free = feed_forward(
        [(np.array([[1, 1, 1, 1]]), np.array([0])), (np.array([[2.0**22 + 1]]), np.array([0]))]
    )
    assert exact_in_float32(free, positions=2).ok and not exact_in_float32(free).ok


def test_relu_cuts_the_negative_side():
    layers = [(np.array([[-1000, 1]]), np.array([0])), (np.array([[2.0**23 + 2]]), np.array([0]))]
    assert exact_in_float32(feed_forward(layers)).ok
    without = Network(
        2,
        (
            feed_forward(layers[:1]).nodes[0],
            Affine((1,), (integer_array([[2**23 + 2]]),), integer_array([0])),
        ),
    )
    assert not exact_in_float32(without).ok


@pytest.mark.parametrize(
    ("value", "ok"),
    [
        (Fraction(1, 3), False),
        (Fraction(2**24 + 1), False),
        (Fraction(1, 2**126), True),
        (Fraction(1, 2**127), False),
        (Fraction(2**127), True),
        (Fraction(2**128), False),
        (Fraction(2**24 - 1) * 2**104, True),
    ],
)
def test_parameters_must_be_normal_float32(value, ok):
    net = Network(
        1, (Affine((0,), (integer_array([[value.numerator]]),), integer_array([0]), value.denominator),)
    )
    report = exact_in_float32(net)
    assert report.ok == ok
    assert ok or report.node == 1


def test_sums_may_overflow():
    assert exact_in_float32(one_layer([2.0**127, 2.0**126])).ok
    assert "sums may overflow" in exact_in_float32(one_layer([2.0**127, 2.0**127])).reason


def test_products_may_be_subnormal():
    net = feed_forward([(np.array([[2.0**-70]]), np.array([0])), (np.array([[2.0**-70]]), np.array([0]))])
    assert "values may be subnormal" in exact_in_float32(net).reason


def test_sums_that_cancel_count_in_full():
    net = feed_forward([(np.eye(2), np.zeros(2)), (np.array([[2.0**23 + 1, -(2.0**23) - 1]]), np.array([0]))])
    assert exact_in_float32(net).bits == 25


def test_hidden_denominators():
    """3/3 is 1: a denominator that cancels is no reason."""
    report = exact_in_float32(Network(1, (Affine((0,), (integer_array([[15]]),), integer_array([6]), 3),)))
    assert (report.ok, report.bits) == (True, 3)


def test_real_inputs_and_rounding_files_are_never_exact():
    net = one_layer([1, 2])
    assert exact_in_float32(net).ok
    assert "real numbers" in exact_in_float32(replace(net, encoding="real")).reason
    assert "node 3 scales" in exact_in_float32(replace(net, rounding=("node 3 scales",))).reason


def test_dead_neurons_do_not_matter():
    net = feed_forward(
        [(np.array([[-1.0]]), np.array([-5])), (np.array([[1 + 2.0**-23]]), np.array([2.0**60]))]
    )
    assert exact_in_float32(net).bits == 3
    net = feed_forward(
        [(np.array([[-1.0]]), np.array([0])), (np.array([[1 + 2.0**-23]]), np.array([2.0**60]))]
    )
    assert exact_in_float32(net).bits == 1


@pytest.mark.parametrize("format", ["float32", "float16", "float64"])
@settings(max_examples=200, deadline=None)
@given(n=st.integers(-(2**60), 2**60), up=st.integers(-120, 90), d=st.sampled_from([1, 3]))
def test_representable_agrees_with_numpy(format, n, up, d):
    value = Fraction(n) * Fraction(2) ** up / d
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.dtype(format).type(
            float(value)
        )  # float() rounds once more, but never onto the value itself
    same = bool(np.isfinite(rounded)) and Fraction(float(rounded)) == value
    array = np.array([value.numerator], dtype=object)
    assert bool(representable(array, value.denominator, *FORMATS[format])[0]) == same
    if abs(value.numerator) < 2**63:
        assert bool(representable(integer_array(array), value.denominator, *FORMATS[format])[0]) == same


def run_float32(net, x, order):
    """The network in float32, summing products and bias in the given order."""
    values = [np.asarray(x, dtype=np.float32)]
    for node in net.nodes:
        if isinstance(node, Relu):
            values.append(np.maximum(values[node.source], np.float32(0)))
            continue
        out = []
        for i in range(node.size):
            parts = [np.float32(node.bias[i] / node.denominator)]
            for s, w in zip(node.sources, node.weights, strict=True):
                parts += [np.float32(c / node.denominator) * v for c, v in zip(w[i], values[s], strict=True)]
            total = np.float32(0)
            for j in order(len(parts)):
                total = np.float32(total + parts[j])
            out.append(total)
        values.append(np.array(out, dtype=np.float32))
    return values[-1]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_where_it_says_ok_float32_is_exact_in_any_order(data):
    positions, words = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    sizes = [positions * words, data.draw(st.integers(1, 3)), 1]
    entry = st.builds(lambda m, e: m * 2.0**e, st.integers(-300, 300), st.integers(-6, 6))
    layers = [
        (
            np.array([[data.draw(entry) for _ in range(a)] for _ in range(b)]),
            np.array([data.draw(entry) for _ in range(b)]),
        )
        for a, b in pairwise(sizes)
    ]
    net = feed_forward(layers)
    if not exact_in_float32(net, positions).ok:
        return
    ids = data.draw(st.lists(st.integers(0, words - 1), min_size=positions, max_size=positions))
    x = np.eye(words, dtype=np.int64)[ids].reshape(1, -1)
    exact = Fraction(int(net.evaluate(x)[0, 0]), net.scale)
    shuffle = data.draw(st.randoms(use_true_random=False))
    for order in (range, lambda n: range(n)[::-1], lambda n: shuffle.sample(range(n), n)):
        assert Fraction(float(run_float32(net, x[0], order)[0])) == exact


def test_biases_that_cancel_are_two_steps():
    """x + 2^24 - 2^24 is 0 in float32 where x is 1; merged into one sum it would look exact."""
    big = numpy_helper.from_array(np.full((1, 2), 2**24, dtype=np.float32), "c")
    small = numpy_helper.from_array(np.ones((1, 2), dtype=np.float32), "c")
    for constant, ok in ((big, False), (small, True)):
        nodes = [helper.make_node("Add", ["x", "c"], ["a"]), helper.make_node("Sub", ["a", "c"], ["y"])]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [constant])
        data = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
        ).SerializeToString()
        net = read_onnx(data, origin="o", positions=1, alphabet=2)
        assert net.evaluate(np.array([[1, 0]])).tolist() == [[net.scale, 0]]
        assert exact_in_float32(net, 1).ok is ok
