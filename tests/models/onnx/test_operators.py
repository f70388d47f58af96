"""Every ONNX operator against onnxruntime, on random inputs with dyadic weights, and the values that
onnxruntime cannot tell.
"""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser, shape_inference
from onnx_cases import MORE_CASES, MORE_REFUSED
from onnx_linear_cases import LINEAR_CASES, LINEAR_REFUSED
from relucid.common.errors import InputError
from relucid.models.network.float32 import exact_in_float32
from relucid.models.network.network import Relu
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.operators import registry
from relucid.models.onnx.reader import REGISTRY, read_onnx

rng = np.random.default_rng(7)


def quarters(*shape):
    """Random multiples of 1/4, exact in any float format."""
    return (rng.integers(-12, 13, size=shape) / 4).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def model_bytes(body, consts=None, *, shape=(1, 6), dtype=TensorProto.FLOAT, opset=13, out=TensorProto.FLOAT):
    nodes = [parser.parse_node(line.strip()) for line in body.strip().splitlines()]
    tensors = [
        v if isinstance(v, onnx.TensorProto) else numpy_helper.from_array(np.asarray(v), k)
        for k, v in (consts or {}).items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", out, None)],
        tensors,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    return shape_inference.infer_shapes(model).SerializeToString()


def check_against_runtime(data, *, positions=None, alphabet=None, samples=20):
    """The network's exact outputs equal onnxruntime's, on random quarters (or on ids)."""
    net = read_onnx(data, origin="test.onnx", positions=positions, alphabet=alphabet)
    runtime = OnnxRuntime(net)
    if net.encoding == "ids":
        ids = rng.integers(0, alphabet, size=(samples, positions))
        exact = net.evaluate(np.eye(alphabet, dtype=np.int64)[ids].reshape(samples, -1))
        got, scale = runtime.run(ids), net.scale
        want = np.array([[float(Fraction(int(v), scale)) for v in row] for row in exact])
    else:
        quartered = rng.integers(-8, 9, size=(samples, net.input_size))
        got = runtime.run((quartered / 4).astype(np.float32))
        want = np.array(
            [
                [float(v) for v in evaluate_fractions(net, [Fraction(int(q), 4) for q in row])]
                for row in quartered
            ]
        )
    assert got.shape == want.shape
    dyadic = net.scale & (net.scale - 1) == 0 and net.scale < 2**14
    if dyadic:  # small dyadic weights: float32 does not round
        np.testing.assert_array_equal(got.astype(np.float64), want)
    else:
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    return net


def evaluate_fractions(net, x):
    """The network straight from its definition, in Fractions."""
    values = [list(x)]
    for node in net.nodes:
        if isinstance(node, Relu):
            values.append([max(Fraction(0), v) for v in values[node.source]])
            continue
        out = [Fraction(int(b)) for b in node.bias]
        for s, w in zip(node.sources, node.weights, strict=True):
            out = [
                o + sum((int(c) * v for c, v in zip(row, values[s], strict=True)), Fraction(0))
                for o, row in zip(out, w, strict=True)
            ]
        values.append([o / node.denominator for o in out])
    return values[-1]


CASES = {
    "Gemm": [
        ("y = Gemm(x, w)", {"w": quarters(6, 3)}, {}),
        ("y = Gemm<transB=1>(x, w, b)", {"w": quarters(3, 6), "b": quarters(3)}, {}),
        ("y = Gemm<alpha=0.5, beta=2.0>(x, w, b)", {"w": quarters(6, 3), "b": quarters(1, 3)}, {}),
        ("y = Gemm<alpha=0.0>(x, w, b)", {"w": quarters(6, 3), "b": quarters(1, 3)}, {}),
        ("y = Gemm<alpha=0.3, beta=0.0>(x, w, b)", {"w": quarters(6, 3), "b": quarters(1, 1)}, {}),
        (
            "y = Gemm<transA=1, transB=1>(x, w, b)",
            {"w": quarters(2, 3), "b": quarters(4, 1)},
            {"shape": (3, 4)},
        ),
        ("y = Gemm<transB=1>(w, x, b)", {"w": quarters(2, 6), "b": np.float32(0.5)}, {}),
        ("y = Gemm<beta=-0.5>(x, w, x)", {"w": quarters(6, 6)}, {}),
        ("r = Relu(x)\ny = Gemm(x, w, r)", {"w": quarters(6, 6)}, {}),
        ("y = Gemm(x, w, b)", {"w": quarters(6, 3), "b": quarters(3)}, {"opset": 9}),
    ],
    "MatMul": [
        ("y = MatMul(x, w)", {"w": quarters(6, 3)}, {}),
        ("y = MatMul(w, x)", {"w": quarters(2, 3)}, {"shape": (3, 2)}),
        ("y = MatMul(x, w)", {"w": quarters(6)}, {}),
        ("y = MatMul(w, x)", {"w": quarters(3)}, {"shape": (3, 2)}),
        ("y = MatMul(x, w)", {"w": quarters(2, 3, 2)}, {"shape": (1, 2, 3)}),
        ("y = MatMul(w, x)", {"w": quarters(2, 1, 4, 2)}, {"shape": (3, 2, 3)}),
        ("c = Concat<axis=1>(x, x)\ny = MatMul(c, w)", {"w": quarters(12, 2)}, {}),
    ],
    "Add": [
        ("y = Add(x, b)", {"b": quarters(6)}, {}),
        ("y = Add(b, x)", {"b": quarters(3, 1)}, {}),
        ("y = Add(x, x)", {}, {}),
        ("m = MatMul(x, w)\nr = Relu(m)\ny = Add(m, r)", {"w": quarters(6, 3)}, {}),
        ("r = Relu(x)\ny = Add(r, x)", {}, {}),
        ("m = MatMul(x, w)\ny = Add(m, b)", {"w": quarters(6, 3), "b": quarters(3)}, {"opset": 7}),
        ("s = Add(a, b)\ny = Add(x, s)", {"a": quarters(6), "b": quarters(1, 1)}, {}),
    ],
    "Sub": [
        ("y = Sub(x, b)", {"b": quarters(6)}, {}),
        ("y = Sub(b, x)", {"b": quarters(1)}, {}),
        ("r = Relu(x)\ny = Sub(x, r)", {}, {}),
        ("y = Sub(x, x)", {}, {}),
    ],
    "Mul": [
        ("y = Mul(x, b)", {"b": quarters(6)}, {}),
        ("y = Mul(b, x)", {"b": quarters(2, 1)}, {}),
        ("s = Mul(a, b)\ny = Mul(x, s)", {"a": quarters(6), "b": quarters(6)}, {}),
    ],
    "Div": [
        ("y = Div(x, b)", {"b": np.float32([0.5, -2, 4, 1, -0.25, 8])}, {}),
        ("y = Div(x, b)", {"b": np.float32([3, -5, 0.1, 7, 11, 1.5])}, {}),
        ("s = Div(a, b)\ny = Mul(x, s)", {"a": quarters(6), "b": np.float32(3)}, {}),
        ("k = Div(a, b)\ny = Reshape(x, k)", {"a": ints(4, -7), "b": ints(2, 4)}, {"shape": (2, 3)}),  # 2, -1
    ],
    "Neg": [("y = Neg(x)", {}, {}), ("n = Neg(a)\ny = Add(x, n)", {"a": quarters(6)}, {})],
    "Relu": [
        ("y = Relu(x)", {}, {}),
        (
            "m = MatMul(x, w)\nr = Relu(m)\nt = Transpose(r)\nu = Relu(t)\ny = MatMul(v, u)",
            {"w": quarters(6, 3), "v": quarters(2, 3)},
            {},
        ),
        ("g = Gather<axis=1>(x, i)\nr = Relu(g)\ny = Neg(r)", {"i": ints(0, 3, 3)}, {}),
        ("r = Relu(a)\ny = Add(x, r)", {"a": quarters(6)}, {}),
    ],
    "LeakyRelu": [
        ("y = LeakyRelu<alpha=0.25>(x)", {}, {}),
        ("y = LeakyRelu(x)", {}, {}),
        ("l = LeakyRelu<alpha=-1.5>(a)\ny = Add(x, l)", {"a": quarters(6)}, {}),
        (
            "m = MatMul(x, w)\nl = LeakyRelu<alpha=0.5>(m)\ny = MatMul(l, v)",
            {"w": quarters(6, 3), "v": quarters(3, 2)},
            {},
        ),
    ],
    "Identity": [
        ("y = Identity(x)", {}, {}),
        ("i = Identity(w)\ny = MatMul(x, i)", {"w": quarters(6, 3)}, {}),
    ],
    "Dropout": [
        ("y = Dropout(x)", {}, {}),
        ("y, mask = Dropout(x, r, t)", {"r": np.float32(0.5), "t": np.bool_(False)}, {}),
        ("y = Dropout<ratio=0.25>(x)", {}, {"opset": 10}),
    ],
    "Flatten": [
        ("y = Flatten(x)", {}, {"shape": (2, 3, 2)}),
        ("y = Flatten<axis=0>(x)", {}, {"shape": (2, 3, 2)}),
        ("y = Flatten<axis=-1>(x)", {}, {"shape": (2, 3, 2)}),
        ("y = Flatten<axis=3>(x)", {}, {"shape": (2, 3, 2)}),
    ],
    "Reshape": [
        ("y = Reshape(x, s)", {"s": ints(0, -1, 2)}, {"shape": (2, 6)}),
        ("y = Reshape(x, s)", {"s": ints(3, 4)}, {"shape": (2, 6)}),
        ("y = Reshape<allowzero=1>(x, s)", {"s": ints(4, -1)}, {"shape": (2, 6), "opset": 14}),
        ("r = Reshape(w, s)\ny = MatMul(x, r)", {"w": quarters(18), "s": ints(6, -1)}, {}),
    ],
    "Transpose": [
        ("y = Transpose(x)", {}, {"shape": (2, 3, 2)}),
        ("y = Transpose<perm=[1,0,2]>(x)", {}, {"shape": (2, 3, 2)}),
        ("t = Transpose(w)\ny = MatMul(x, t)", {"w": quarters(3, 6)}, {}),
    ],
    "Squeeze": [
        ("y = Squeeze(x)", {}, {"shape": (1, 3, 1, 2)}),
        ("y = Squeeze(x, a)", {"a": ints(-2)}, {"shape": (1, 3, 1, 2)}),
        ("y = Squeeze<axes=[0,2]>(x)", {}, {"shape": (1, 3, 1, 2), "opset": 11}),
    ],
    "Unsqueeze": [
        ("y = Unsqueeze(x, a)", {"a": ints(-1, 0)}, {"shape": (2, 3)}),
        ("y = Unsqueeze<axes=[0,3]>(x)", {}, {"shape": (2, 3), "opset": 11}),
    ],
    "Concat": [
        ("r = Relu(x)\ny = Concat<axis=1>(r, x)", {}, {"shape": (2, 3)}),
        (
            "r = Relu(x)\nc = Concat<axis=0>(r, w, x)\ny = MatMul(v, c)",
            {"w": quarters(1, 3), "v": quarters(2, 5)},
            {"shape": (2, 3)},
        ),
        ("c = Concat<axis=-1>(a, b)\ny = MatMul(x, c)", {"a": quarters(6, 1), "b": quarters(6, 2)}, {}),
        ("c = Concat<axis=1>(w, x)\ny = Relu(c)", {"w": quarters(1, 2)}, {}),
    ],
    "Constant": [
        ("c = Constant<value_float=0.75>()\ny = Add(x, c)", {}, {}),
        ("c = Constant<value_floats=[1.0,2.0,3.0,-0.5,0.25,0.0]>()\ny = Mul(x, c)", {}, {}),
        ("c = Constant<value_ints=[3,-1]>()\ny = Reshape(x, c)", {}, {}),
        ("c = Constant<value_int=1>()\ny = Gather<axis=1>(x, c)", {}, {}),
        ("c = Constant<value = float[2] {1.5, -2}>()\ny = Add(x, c)", {}, {"shape": (3, 2)}),
    ],
    "Cast": [
        ("f = Cast<to=1>(i)\ny = Mul(x, f)", {"i": ints(1, -2, 3, 4, 0, 7)}, {}),
        ("i = Cast<to=7>(f)\ny = Reshape(x, i)", {"f": np.float32([2.9, -1.9])}, {}),
        ("f = Cast<to=1>(d)\ny = Mul(x, f)", {"d": np.float64([0.5, 2, 0.25, 1, 1, 3])}, {}),
        ("f = Cast<to=1>(b)\ny = Mul(x, f)", {"b": np.array([True, False, True, True, False, True])}, {}),
        ("d = Cast<to=11>(x)\nm = Mul(d, c)\ny = Cast<to=1>(m)", {"c": np.float64(0.375)}, {}),
    ],
    "Gather": [
        ("y = Gather<axis=1>(x, i)", {"i": ints(5, 0, -1)}, {}),
        ("y = Gather(x, i)", {"i": np.array([[1, 0], [1, 1]])}, {"shape": (2, 3)}),
        ("g = Gather<axis=1>(w, i)\ny = MatMul(x, g)", {"w": quarters(6, 4), "i": ints(3, 1)}, {}),
    ],
}
CASES |= MORE_CASES | LINEAR_CASES


@pytest.mark.parametrize(("name", "case"), [(n, i) for n, cases in CASES.items() for i in range(len(cases))])
def test_operator_equals_onnxruntime(name, case):
    body, consts, options = CASES[name][case]
    assert name in body
    check_against_runtime(model_bytes(body, consts, **options))


def test_every_registered_operator_has_a_case():
    assert set(CASES) == set(REGISTRY.plain)


IDS = {
    "embedding": (
        "g = Gather(t, x)\nf = Flatten(g)\ny = MatMul(f, w)",
        {"t": quarters(3, 2), "w": quarters(8, 3)},
    ),
    "larger table": ("g = Gather(t, x)\ny = Flatten(g)", {"t": quarters(9, 2)}),
    "embedding along axis 1": ("g = Gather<axis=1>(t, x)\ny = Flatten(g)", {"t": quarters(2, 3, 2)}),
    "as numbers": ("f = Cast<to=1>(x)\ny = MatMul(f, w)", {"w": quarters(4, 2)}),
    "position-dependent": (
        "o = Add(x, k)\ng = Gather(t, o)\ny = Flatten(g)",
        {"k": ints(0, 3, 6, 9), "t": quarters(12, 2)},
    ),
    "reversed": ("i = Sub(k, x)\ng = Gather(t, i)\ny = Flatten(g)", {"k": ints(2), "t": quarters(3, 2)}),
    "negative ids": ("i = Neg(x)\ng = Gather(t, i)\ny = Flatten(g)", {"t": quarters(3, 2)}),
    "doubled": ("i = Mul(x, k)\ng = Gather(t, i)\ny = Flatten(g)", {"k": ints(2), "t": quarters(5, 2)}),
    "table of integers": (
        "i = Gather(k, x)\ng = Gather(t, i)\ny = Flatten(g)",
        {"k": ints(4, 1, 3), "t": quarters(5, 2)},
    ),
    "one position": (
        "p = Gather<axis=1>(x, k)\ng = Gather(t, p)\ny = Flatten(g)",
        {"k": ints(2), "t": quarters(3, 2)},
    ),
    "with a fixed word": (
        "c = Concat<axis=1>(k, x)\nt2 = Transpose(c)\ng = Gather(t, t2)\nr = Reshape(g, s)\ny = Relu(r)",
        {"k": np.array([[2]]), "t": quarters(3, 2), "s": ints(1, -1)},
    ),
    "int32 ids": ("i = Cast<to=6>(x)\ng = Gather(t, i)\ny = Flatten(g)", {"t": quarters(3, 2)}),
    "is not the pad": ("b = Cast<to=9>(x)\ny = Cast<to=1>(b)", {}),
}


@pytest.mark.parametrize("name", IDS)
def test_ids_equal_onnxruntime(name):
    body, consts = IDS[name]
    data = model_bytes(body, consts, shape=(1, 4), dtype=TensorProto.INT64)
    net = check_against_runtime(data, positions=4, alphabet=3, samples=81)
    assert net.encoding == "ids" and net.input_size == 12
    assert exact_in_float32(net, 4).ok


REFUSED = {
    "unknown operator": ("y = Sigmoid(x)", {}, {}, "node 0 (Sigmoid): the operator is not supported"),
    "product of values": ("y = Mul(x, x)", {}, {}, "it multiplies two values that depend on the input"),
    "matrix product of values": (
        "t = Transpose(x)\ny = MatMul(x, t)",
        {},
        {},
        "it multiplies two values that depend on the input",
    ),
    "division by a value": (
        "y = Div(b, x)",
        {"b": quarters(6)},
        {},
        "it divides by a value that depends on the input",
    ),
    "division by zero": ("y = Div(x, b)", {"b": np.float32(0)}, {}, "it divides by zero"),
    "truncation": ("i = Cast<to=7>(x)\ny = Cast<to=1>(i)", {}, {}, "it truncates float32 to int64"),
    "rounding cast": ("h = Cast<to=10>(x)\ny = Cast<to=1>(h)", {}, {}, "it rounds float32 to float16"),
    "rounding cast of constants": (
        "f = Cast<to=1>(d)\ny = Mul(x, f)",
        {"d": np.float64(0.1)},
        {},
        "it rounds constants to float32",
    ),
    "big integer to float": (
        "f = Cast<to=1>(d)\ny = Mul(x, f)",
        {"d": ints(2**24 + 1)},
        {},
        "it rounds constants to float32",
    ),
    "overflow": (
        "i = Mul(a, a)\nf = Cast<to=1>(i)\ny = Mul(x, f)",
        {"a": ints(2**40)},
        {},
        "integers overflow int64",
    ),
    "open shape": ("i = Cast<to=7>(x)\ny = Reshape(x, i)", {}, {}, "it truncates float32 to int64"),
    "training": (
        "y = Dropout(x, r, t)",
        {"r": np.float32(0.5), "t": np.bool_(True)},
        {},
        "training_mode is on",
    ),
    "two types": ("y = Add(x, d)", {"d": np.float64(1)}, {}, "its operands are float32 and float64"),
    "shapes": ("y = Add(x, b)", {"b": quarters(4)}, {}, "shapes [1, 6] and [4] do not fit"),
    "matrix shapes": ("y = MatMul(x, w)", {"w": quarters(5, 2)}, {}, "shapes [1, 6] and [5, 2] do not fit"),
    "reshape": ("y = Reshape(x, s)", {"s": ints(4, 2)}, {}, "shape [4, 2] does not fit [1, 6]"),
    "squeeze": ("y = Squeeze(x, a)", {"a": ints(1)}, {}, "axes [1] of [1, 6] are not all 1"),
    "gather range": ("y = Gather<axis=1>(x, i)", {"i": ints(6)}, {}, "index 6 into 6 entries: out of range"),
    "huge": (
        "y = Add(x, b)",
        {"b": np.zeros((2**13, 1), dtype=np.float32)},
        {"shape": (1, 2**12)},
        "over the limit of 16777216",
    ),
    "mask": (
        "a, m = Dropout(x)\nn = Cast<to=1>(m)\ny = Add(x, n)",
        {},
        {},
        "it reads a secondary output of a node",
    ),
}
REFUSED |= MORE_REFUSED | LINEAR_REFUSED


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_reason(name):
    body, consts, options, reason = REFUSED[name]
    with pytest.raises(InputError) as error:
        read_onnx(model_bytes(body, consts, **options), origin="net.onnx")
    assert str(error.value).startswith("net.onnx: cannot take 1 node: node ") and reason in str(error.value)
    assert "\n" not in str(error.value)


def test_all_unsupported_nodes_are_reported_at_once():
    body = "a = Sigmoid(x)\nb = Relu(a)\nc = Tanh(x)\nd = Mul(x, x)\ny = Add(b, c)"
    with pytest.raises(InputError) as error:
        read_onnx(model_bytes(body), origin="net.onnx")
    assert str(error.value) == (
        "net.onnx: cannot take 3 nodes: node 0 (Sigmoid): the operator is not supported, node 2 (Tanh): the operator is not supported, "
        "node 3 (Mul): it multiplies two values that depend on the input; see docs/reference/semantics.md for the operators"
    )


def test_ids_of_several_positions_do_not_mix():
    body = "t = Transpose(x)\no = Add(x, t)\ny = Cast<to=1>(o)"
    with pytest.raises(InputError, match="it combines the ids of several positions"):
        read_onnx(
            model_bytes(body, shape=(1, 4), dtype=TensorProto.INT64), origin="n", positions=4, alphabet=3
        )


def test_a_table_smaller_than_the_alphabet_is_refused():
    data = model_bytes(
        "g = Gather(t, x)\ny = Flatten(g)", {"t": quarters(3, 2)}, shape=(1, 4), dtype=TensorProto.INT64
    )
    with pytest.raises(
        InputError, match="index 3 into 3 entries: the alphabet has more words than the table has rows"
    ):
        read_onnx(data, origin="n", positions=4, alphabet=4)


def test_parameters_of_any_size():
    """Subnormal and huge floats force integers beyond int64 everywhere."""
    tiny, huge = np.float32(2.0**-149), np.float32(2.0**127)
    w = np.float32([tiny, huge, -tiny, 0, 1, -huge])
    x = [Fraction(v) for v in (1, 0, 3, -1, 2, 1)]
    net = read_onnx(
        model_bytes("m = Mul(x, w)\na = Add(m, w)\nl = LeakyRelu<alpha=1.5>(a)\ny = MatMul(l, w)", {"w": w}),
        origin="n",
    )
    exact = [Fraction(float(v)) for v in w]
    middle = [v * f + f for v, f in zip(x, exact, strict=True)]
    leaky = [v if v >= 0 else v * Fraction(3, 2) for v in middle]
    assert evaluate_fractions(net, x) == [sum(a * b for a, b in zip(leaky, exact, strict=True))]
    zeros = read_onnx(
        model_bytes("m = Mul(x, w)\ny = Mul(m, z)", {"w": w, "z": np.zeros(6, dtype=np.float32)}), origin="n"
    )
    assert evaluate_fractions(zeros, x) == [0] * 6


def test_division_gives_rationals():
    net = read_onnx(model_bytes("y = Div(x, b)", {"b": np.float32([3, 7, 1, 1, 1, 1])}), origin="n")
    exact = evaluate_fractions(net, [Fraction(1)] * 6)
    assert exact[:2] == [Fraction(1, 3), Fraction(1, 7)]


def test_leaky_slope_is_the_float32_of_the_file():
    net = read_onnx(model_bytes("y = LeakyRelu(x)"), origin="n")
    assert evaluate_fractions(net, [Fraction(-1)] * 6)[0] == -Fraction(float(np.float32(0.01)))
    assert evaluate_fractions(net, [Fraction(5)] * 6)[0] == 5


def test_sums_are_merged_and_shapes_cost_nothing():
    body = "m = MatMul(x, w)\na = Add(m, b)\nr = Relu(a)\nt = Reshape(r, s)\nn = Transpose(t)\nu = MatMul(n, v)\ny = Sub(u, c)"
    consts = {"w": quarters(6, 3), "b": quarters(3), "s": ints(3, 1), "v": quarters(3, 2), "c": quarters(2)}
    net = check_against_runtime(model_bytes(body, consts))
    assert [type(n).__name__ for n in net.nodes] == ["Affine", "Relu", "Affine"]


def test_a_sum_that_cancels_is_not_merged():
    """x@W + x@V may round where (W + V) would not: exact_in_float32 must see both."""
    big = np.float32([[2**24 + 2], [0], [0], [0], [0], [0]])
    body = "a = MatMul(x, w)\nb = MatMul(x, v)\ny = Add(a, b)"
    net = read_onnx(model_bytes(body, {"w": big, "v": 1 - big}), origin="n", positions=1, alphabet=6)
    assert not exact_in_float32(net, 1).ok
    assert all(len(set(n.sources)) == len(n.sources) for n in net.nodes)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_float_formats_are_exact_too(dtype):
    kind = TensorProto.DOUBLE if dtype == np.float64 else TensorProto.FLOAT16
    weight = np.array([[0.1], [3], [-0.7], [1], [2], [5]], dtype=dtype)
    net = read_onnx(model_bytes("y = MatMul(x, w)", {"w": weight}, dtype=kind, out=kind), origin="n")
    assert evaluate_fractions(net, [Fraction(1)] + [Fraction(0)] * 5) == [Fraction(float(weight[0, 0]))]
    assert bool(net.rounding) == (dtype == np.float16)


def test_bfloat16_weights_are_exact():
    weight = helper.make_tensor("w", TensorProto.BFLOAT16, (6, 1), [0.1, 1, 2, 3, 4, 5])
    net = read_onnx(model_bytes("f = Cast<to=1>(w)\ny = MatMul(x, f)", {"w": weight}), origin="n")
    value = evaluate_fractions(net, [Fraction(1)] + [Fraction(0)] * 5)[0]
    assert value == Fraction(float(numpy_helper.to_array(weight).astype(np.float64)[0, 0]))
    assert not net.rounding


def test_constants_that_the_runtime_rounds_are_noted():
    exact = read_onnx(
        model_bytes("s = Add(a, a)\ny = Add(x, s)", {"a": quarters(6)}), origin="n", positions=2, alphabet=3
    )
    assert not exact.rounding
    lossy = model_bytes(
        "s = Div(a, b)\nt = Mul(s, b)\ny = Add(x, t)", {"a": np.float32(1), "b": np.float32(3)}
    )
    net = read_onnx(lossy, origin="n", positions=2, alphabet=3)
    assert "computes on constants and may round" in net.rounding[0]
    assert not exact_in_float32(net, 2).ok


@pytest.mark.parametrize(
    ("attributes", "noted"), [("", False), ("<beta=0.0>", False), ("<alpha=0.5>", True), ("<beta=2.0>", True)]
)
def test_alpha_and_beta_are_noted(attributes, noted):
    data = model_bytes(f"y = Gemm{attributes}(x, w, b)", {"w": quarters(6, 3), "b": quarters(3)})
    assert bool(read_onnx(data, origin="n", positions=2, alphabet=3).rounding) == noted


def test_sparse_constants():
    values = numpy_helper.from_array(np.float32([2, -3]), "v")
    indices = numpy_helper.from_array(ints(1, 4), "i")
    sparse = helper.make_sparse_tensor(values, indices, [6])
    node = helper.make_node("Constant", [], ["c"], sparse_value=sparse)
    model = onnx.load_from_string(model_bytes("y = Mul(x, c)", {"c": quarters(6)}))
    del model.graph.initializer[:]
    model.graph.node.insert(0, node)
    net = read_onnx(model.SerializeToString(), origin="n")
    assert evaluate_fractions(net, [Fraction(1)] * 6) == [0, 2, 0, 0, -3, 0]


def test_constants_that_grow_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of products of constants: each has twice as many bits as the one before."""
    monkeypatch.setattr("relucid.models.onnx.tensors.MAX_BITS", 4000)
    squares = "\n".join(f"c{k + 1} = Mul(c{k}, c{k})" for k in range(9))
    consts = {"c0": np.full((1, 6), 1.1, dtype=np.float32)}
    model = model_bytes(f"{squares}\ny = Add(x, c9)", consts)
    with pytest.raises(InputError, match=r"6 numbers of 7\d\d bits: no floats are as wide"):
        read_onnx(model, origin="net", real_size=6)
    read_onnx(
        model_bytes("c1 = Mul(c0, c0)\nc2 = Mul(c1, c1)\ny = Add(x, c2)", consts), origin="net", real_size=6
    )


def test_a_name_belongs_to_one_function() -> None:
    before = dict(registry.REGISTRY.plain)
    with pytest.raises(ValueError, match=r"^Gemm is registered twice, in .*\.operators\..* and "):
        registry.operator("Gemm")(lambda call: call.inputs[0])
    assert before == registry.REGISTRY.plain
