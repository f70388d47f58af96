"""Writing and reading back gives the same function and digest, onnxruntime agrees, and what no float32 holds
is refused.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import pytest
from relucid.common.errors import InputError
from relucid.models.claims.domain import Domain
from relucid.models.network.float32 import exact_in_float32
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward
from relucid.models.network.runtime import OnnxRuntime, RuntimeMismatch, RuntimeUnavailable
from relucid.models.onnx.reader import read_onnx
from relucid.models.onnx.writer import with_source, write_onnx

rng = np.random.default_rng(11)


def quarters(*shape):
    return rng.integers(-12, 13, size=shape) / 4


def deep(encoding="one_hot"):
    return feed_forward(
        [(quarters(5, 12), quarters(5)), (quarters(4, 5), quarters(4)), (quarters(2, 4), quarters(2))],
        encoding=encoding,
    )


def branched():
    """Reads the input three times, joins several nodes, and has nodes of its own between."""
    first = Affine((0,), (integer_array(rng.integers(-3, 4, (3, 12))),), integer_array([1, -2, 0]), 4)
    wide, narrow = (integer_array(rng.integers(1, 4, (2, n))) for n in (12, 3))
    second = Affine((0, 2), (wide, narrow), integer_array([5, 3]), 4)
    third = Affine(
        (0, 2, 4),
        tuple(integer_array(rng.integers(1, 5, (2, n))) for n in (12, 3, 2)),
        integer_array([-7, 1]),
    )
    return Network(12, (first, Relu(1), second, Relu(3), third))


def same_function(a, b, n=50):
    inputs = rng.integers(-3, 4, size=(n, a.input_size))
    left, right = a.evaluate(inputs).astype(object) * b.scale, b.evaluate(inputs).astype(object) * a.scale
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "make",
    [deep, branched, lambda: deep("ids"), lambda: replace(branched(), encoding="ids"), lambda: deep("real")],
)
def test_round_trip(make):
    net = make()
    shape = {"positions": 4, "alphabet": 3} if net.encoding != "real" else {}
    data = write_onnx(net, **shape)
    back = read_onnx(data, origin="back", **shape)
    assert back.digest == net.digest and back.encoding == net.encoding and not back.rounding
    same_function(net, back)
    assert data == write_onnx(net, **shape)


def test_round_trip_of_odd_networks():
    """Forms that reading simplifies: an identity, a constant, a ReLU last, sources out of order or twice,
    3/3.
    """
    eye = integer_array(np.eye(3, dtype=np.int64))
    odd = [
        Network(3, (Affine((0,), (eye,), integer_array([0, 0, 0])),)),
        Network(3, (Affine((), (), integer_array([1, 2]), 4),)),
        Network(3, (Relu(0),)),
        Network(
            3, (Relu(0), Affine((1, 0), (eye, integer_array(-2 * np.asarray(eye))), integer_array([0, 1, 0])))
        ),
        Network(3, (Affine((0, 0), (eye, eye), integer_array([0, 1, 0])), Relu(1))),
        Network(3, (Affine((0,), (integer_array([[3, 6, 0]]),), integer_array([9]), 3),)),
        Network(3, (Relu(0), Relu(1), Affine((2,), (eye,), integer_array([0, 0, 0])), Relu(3))),
    ]
    for net in odd:
        same_function(net, read_onnx(write_onnx(net), origin="odd"))


def test_the_file_is_what_other_tools_expect():
    model = onnx.load_from_string(write_onnx(deep()))
    onnx.checker.check_model(model, full_check=True)
    assert [v.name for v in model.graph.input] == ["input"] and [v.name for v in model.graph.output] == [
        "output"
    ]
    assert model.opset_import[0].version >= 13 and len(model.graph.value_info) == 4
    assert {n.op_type for n in model.graph.node} == {"Gemm", "Relu"}


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(2**24 + 1), Fraction(1, 2**150), Fraction(2**128)]
)
def test_what_no_float32_holds_is_refused(value):
    net = Network(
        1,
        (Affine((0,), (integer_array([[value.numerator]]),), integer_array([0]), value.denominator),),
        name="wide",
    )
    with pytest.raises(
        InputError,
        match=r"^wide: node 1 has the parameter .* which is not a float32; round the network's parameters first$",
    ):
        write_onnx(net)


@pytest.mark.parametrize(
    "value", [Fraction(1, 2**149), Fraction(2**24 - 1) * 2**104, Fraction(-(2**24) + 1, 2**30)]
)
def test_float32_at_its_ends_is_written(value):
    net = Network(
        1, (Affine((0,), (integer_array([[value.numerator]]),), integer_array([0]), value.denominator),)
    )
    assert read_onnx(write_onnx(net), origin="n", positions=1, alphabet=1).digest == net.digest


def test_ids_need_the_alphabet():
    with pytest.raises(InputError, match="12 inputs are not None positions x None tokens"):
        write_onnx(deep("ids"))
    with pytest.raises(InputError, match="12 inputs are not 5 positions x 3 tokens"):
        write_onnx(deep("ids"), positions=5, alphabet=3)


@pytest.mark.parametrize("encoding", ["one_hot", "ids"])
def test_runtime_on_words(encoding):
    """With exact_in_float32, onnxruntime's outputs are the exact ones, on words of a domain with padding and
    context.
    """
    domain = Domain(("a",), 0, 2, pad="_", prefix=("p",), suffix=("p",))
    net = with_source(deep(encoding), positions=4, alphabet=3)
    assert exact_in_float32(net, 4).ok
    words = np.array([[0, 0], [0, 1], [1, 1]])
    got = OnnxRuntime(net).run_words(domain, words)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(
        got.astype(np.float64) * net.scale, net.evaluate(domain.one_hot(words)).astype(np.float64)
    )


def test_runtime_without_a_file_or_with_a_bad_one():
    with pytest.raises(RuntimeUnavailable, match="has no ONNX bytes"):
        OnnxRuntime(deep())
    with pytest.raises(RuntimeUnavailable, match="onnxruntime cannot load") as error:
        OnnxRuntime(replace(deep(), source=b"not a model"))
    assert "\n" not in str(error.value)


def test_runtime_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(RuntimeUnavailable, match="onnxruntime cannot be imported"):
        OnnxRuntime(with_source(deep()))


def test_runtime_that_does_not_fit_the_network():
    other = replace(deep(), source=write_onnx(branched()))
    assert OnnxRuntime(other).run(np.zeros((1, 12))).shape == (1, 2)
    short = replace(feed_forward([(quarters(3, 12), quarters(3))]), source=write_onnx(deep()))
    with pytest.raises(RuntimeMismatch, match="gives 2 outputs, the network has 3"):
        OnnxRuntime(short).run(np.zeros((1, 12)))
    with pytest.raises(ValueError, match="inputs have 5 values"):
        OnnxRuntime(short).run(np.zeros((1, 5)))


def test_runtime_overflow_is_a_mismatch():
    big = with_source(
        feed_forward([(np.array([[2.0**100]]), np.array([0])), (np.array([[2.0**100]]), np.array([0]))])
    )
    with pytest.raises(RuntimeMismatch, match="NaN or infinity"):
        OnnxRuntime(big).run(np.ones((1, 1)))


def test_runtime_inputs_are_taken_exactly():
    runtime = OnnxRuntime(with_source(feed_forward([(np.array([[1.0]]), np.array([0]))])))
    with pytest.raises(ValueError, match="not exact"):
        runtime.run(np.array([[0.1]]))
    assert runtime.run(np.zeros((0, 1))).shape == (0, 1)
