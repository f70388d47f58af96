"""Files that end in Softmax, Sigmoid, Tanh, ArgMax and what scikit-learn puts after them: read as a network
and a head, against onnxruntime.
"""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from relucid.common.errors import InputError
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.head import Choice, SoftmaxShare, Wanted
from relucid.models.network.head_result import result
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.reader import REGISTRY, load_onnx, read_onnx

CASES = Path(__file__).parents[4] / "shared" / "cases"
rng = np.random.default_rng(3)


def quarters(*shape):
    return (rng.integers(-12, 13, size=shape) / 4).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def model_bytes(body, consts=None, *, shape=(1, 6), opset=13, outputs=("y",), ml=3):
    nodes = [parser.parse_node(line.strip()) for line in body.strip().splitlines()]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in (consts or {}).items()]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    kinds = {"label": TensorProto.INT64, "classes": TensorProto.INT64}
    for value in made:
        value.type.CopyFrom(helper.make_tensor_type_proto(kinds.get(value.name, TensorProto.FLOAT), None))
        if value.name == "maps":
            floats = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
            value.type.CopyFrom(
                helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, floats))
            )
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], made, tensors
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def check_against_runtime(network, samples=12):
    assert network.head is not None
    runtime = OnnxRuntime(network)
    for _ in range(samples):
        x = rng.integers(-8, 9, size=network.input_size) / 4
        got = runtime.run(x[None].astype(np.float32))[0]
        logits = exact_outputs(network, [Fraction(v) for v in x])
        want = [float(result(e, logits)) for e in network.head.elements]
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


W = {"w": quarters(6, 3), "b": quarters(3)}
LAYER = "h = Relu(x)\nz = Gemm(h, w, b)\n"
ENDINGS = {
    "Softmax": [
        (LAYER + "y = Softmax(z)", W, {}),
        (LAYER + "y = Softmax<axis=0>(z)", W, {"shape": (3, 6)}),
        ("y = Softmax<axis=1>(x)", {}, {"shape": (2, 3, 2)}),
        ("y = Softmax<axis=1>(x)", {}, {"shape": (2, 3, 2), "opset": 11}),
        ("y = Softmax<axis=-1>(x)", {}, {"shape": (2, 3), "opset": 7}),
        ("c = Concat<axis=1>(x, x)\ny = Softmax(c)", {}, {"shape": (1, 2)}),
    ],
    "LogSoftmax": [(LAYER + "y = LogSoftmax(z)", W, {}), ("y = LogSoftmax(x)", {}, {"shape": (2, 3, 2), "opset": 11})],
    "Sigmoid": [
        (LAYER + "y = Sigmoid(z)", W, {}),
        ("s = Sigmoid(x)\na = Mul(s, k)\nm = Add(a, k)\nd = Div(m, k)\ny = Sub(k, d)", {"k": np.float32([0.5, -2, 3])}, {"shape": (2, 3)}),
    ],
    "Tanh": [(LAYER + "y = Tanh(z)", W, {}), ("t = Tanh(x)\ny = Sub(t, k)", {"k": np.float32(0.25)}, {})],
    "ArgMax": [
        (LAYER + "label = ArgMax<axis=1>(z)", W, {"outputs": ("label",)}),
        ("s = Softmax(x)\nlabel = ArgMax<axis=-1, keepdims=0>(s)", {}, {"outputs": ("label",), "shape": (2, 3)}),
        ("s = LogSoftmax(x)\nl = ArgMax<axis=-1>(s)\ny = Cast<to=1>(l)", {}, {}),
        ("s = Sigmoid(x)\nlabel = ArgMax<axis=1>(s)", {}, {"outputs": ("label",)}),
        ("label = ArgMax(x)", {}, {"outputs": ("label",), "shape": (3, 2)}),
    ],
    "moved": [
        (LAYER + "s = Softmax(z)\nt = Transpose(s)\nq = Squeeze(t)\nu = Unsqueeze(q, a)\ny = Flatten(u)", W | {"a": ints(0)}, {}),
        (LAYER + "s = Softmax(z)\ni = Identity(s)\nd = Dropout(i)\ng = Gather<axis=1>(d, k)\ny = Reshape(g, n)", W | {"k": ints(2, 0), "n": ints(-1)}, {}),
        (LAYER + "s = Softmax(z)\na, y = Split<axis=1>(s, n)", W | {"n": ints(1, 2)}, {}),
        (LAYER + "s = Softmax(z)\ny = Slice(s, a, e, i)", W | {"a": ints(1), "e": ints(3), "i": ints(1)}, {}),
        (LAYER + "s = Softmax(z)\nq = Squeeze(s)\ny = Gather(q, k)", W | {"k": np.int64(1)}, {}),
        (LAYER + "s = Softmax(z)\nc = Cast<to=11>(s)\ny = Cast<to=1>(c)", W, {}),
    ],
    "two classes, as scikit-learn exports them": [
        (
            "z = Gemm(x, w)\np = Sigmoid(z)\nq = Sub(one, p)\nprobabilities = Concat<axis=1>(q, p)\na = ArgMax<axis=1>(probabilities)\n"
            "f = ai.onnx.ml.ArrayFeatureExtractor(classes, a)\nr = Reshape(f, n)\nlabel = Cast<to=7>(r)",
            {"w": quarters(6, 1), "one": np.float32(1), "classes": np.int32([3, 8]), "n": ints(-1)},
            {"outputs": outputs},
        )
        for outputs in (("label",), ("probabilities",), ("label", "probabilities"))
    ],
    "ai.onnx.ml.ZipMap": [
        ("s = Softmax(x)\nmaps = ai.onnx.ml.ZipMap<classlabels_int64s=[1,5,7]>(s)", {}, {"shape": (1, 3), "outputs": ("maps",)}),
        (
            'z = Gemm(x, w)\ns = Softmax(z)\nlabel = ArgMax<axis=1>(s)\nmaps = ai.onnx.ml.ZipMap<classlabels_int64s=[1,5,7]>(s)',
            {"w": quarters(6, 3)},
            {"outputs": ("label", "maps")},
        ),
    ],
    "ai.onnx.ml.LinearClassifier": [
        (
            f"label, y = ai.onnx.ml.LinearClassifier<classlabels_ints=[1,4,6], coefficients=[1.0,0.5,-0.25,2.0,0.0,-1.0], intercepts=[0.5,0.25,0.0]{more}>(x)",
            {},
            {"shape": (1, 2), "outputs": outputs},
        )
        for more, outputs in (
            (', post_transform="SOFTMAX"', ("label", "y")),
            (', post_transform="LOGISTIC"', ("y",)),
            (', post_transform="SOFTMAX"', ("label",)),
            ("", ("label",)),
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "case"), [(n, i) for n, cases in ENDINGS.items() for i in range(len(cases))]
)
def test_endings_equal_onnxruntime(name, case):
    body, consts, options = ENDINGS[name][case]
    check_against_runtime(read_onnx(model_bytes(body, consts, **options), origin="n", wanted=Wanted()))


def test_every_operator_has_a_case():
    text = "\n".join(body for cases in ENDINGS.values() for body, _, _ in cases)
    names = {*REGISTRY.heads, *REGISTRY.after_heads}
    assert not [name for name in names if f"= {name}(" not in text and f"= {name}<" not in text]


def test_random_softmaxes_equal_onnxruntime():
    some = random.Random(2)
    for _ in range(60):
        shape = tuple(some.randint(1, 4) for _ in range(some.randint(1, 4)))
        axis, opset = some.randint(-len(shape), len(shape) - 1), some.choice([7, 11, 12, 13, 21])
        axis = axis % len(shape) if opset < 11 else axis
        body = f"y = {some.choice(['Softmax', 'LogSoftmax'])}<axis={axis}>(x)"
        check_against_runtime(
            read_onnx(model_bytes(body, shape=shape, opset=opset), origin="n", wanted=Wanted()), samples=3
        )


REFUSED = {
    "a hidden sigmoid": (LAYER + "s = Sigmoid(z)\ny = Relu(s)", W, {}, "node 3 (Relu): it reads the result of Sigmoid, which is not piecewise linear"),
    "attention": ("s = Softmax(x)\ny = MatMul(s, w)", {"w": quarters(6, 3)}, {}, "(MatMul): it reads the result of Softmax"),
    "two in a row": ("s = Softmax(x)\ny = Softmax(s)", {}, {}, "(Softmax): it reads the result of Softmax"),
    "a constant": ("s = Sigmoid(k)\ny = Add(x, s)", {"k": quarters(6)}, {}, "it takes floats that depend on the input"),
    "a sum of both": ("s = Softmax(x)\ny = Add(s, x)", {}, {}, "it combines the result of Softmax or the like with other values"),
    "one beside the other": ("s = Softmax(x)\ny = Concat<axis=1>(s, x)", {}, {}, "it joins the result of Softmax or the like"),
    "an inverse": ("s = Sigmoid(x)\ny = Div(k, s)", {"k": quarters(6)}, {}, "it divides by the result of Softmax or the like"),
    "nothing": ("s = Sigmoid(x)\ny = Mul(s, k)", {"k": np.float32(0)}, {}, "it multiplies by 0"),
    "logarithms that are scaled": ("s = LogSoftmax(x)\ny = Mul(s, k)", {"k": np.float32(2)}, {}, "it computes with the result of LogSoftmax or ArgMax"),
    "several softmaxes": ("s = Softmax<axis=0>(x)\nl = ArgMax<axis=1>(s)\ny = Cast<to=1>(l)", {}, {"shape": (2, 3)}, "among shares of several softmaxes"),
    "the last of the largest": ("l = ArgMax<axis=1, select_last_index=1>(x)\ny = Cast<to=1>(l)", {}, {}, "select_last_index"),
    "a narrow cast": ("l = ArgMax<axis=1>(x)\ny = Cast<to=9>(l)", {}, {"outputs": ("y",)}, "does not hold all of its values"),
    "a rounding cast": ("s = Softmax(x)\nh = Cast<to=10>(s)\ny = Cast<to=1>(h)", {}, {}, "it casts float32 to float16"),
    "classes in disorder": (
        "s = Softmax(x)\nmaps = ai.onnx.ml.ZipMap<classlabels_int64s=[5,1,7]>(s)", {}, {"shape": (1, 3), "outputs": ("maps",)}, "are not in ascending order",
    ),
    "an embedding by a choice": ("l = ArgMax<axis=1>(x)\ny = Gather(w, l)", {"w": quarters(6, 2)}, {}, "it takes places from the result of Softmax"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_reason(name):
    body, consts, options, reason = REFUSED[name]
    with pytest.raises(InputError) as error:
        read_onnx(model_bytes(body, consts, **options), origin="net.onnx", wanted=Wanted())
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_who_asks_for_no_head_gets_none():
    for body in ("y = Softmax(x)", "y = Sigmoid(x)", "l = ArgMax<axis=1>(x)\ny = Cast<to=1>(l)"):
        with pytest.raises(InputError, match="the operator is not supported"):
            read_onnx(model_bytes(body), origin="n")


def test_of_several_outputs_the_one_that_is_wanted():
    data = model_bytes("z = Relu(x)\ny = Softmax(z)\nclasses = ArgMax<axis=1>(y)", outputs=("classes", "y"))
    assert read_onnx(data, origin="n", wanted=Wanted()).output == "y", "the only one of floats"
    for wanted, output in (
        (Wanted("classes"), "classes"),
        (Wanted("Y", 0, 2), "classes"),
        (Wanted("Y", 1, 2), "y"),
        (Wanted("Y", 0, 1), "y"),
    ):
        assert read_onnx(data, origin="n", wanted=wanted).output == output
    several = model_bytes("y = Relu(x)\nz = Neg(x)", outputs=("y", "z"))
    with pytest.raises(InputError, match=r"the graph has 2 outputs \(y, z\)"):
        read_onnx(several, origin="n", wanted=Wanted())
    named = read_onnx(several, origin="n", wanted=Wanted("z"))
    assert named.head is None and OnnxRuntime(named).run(np.float32([[1, 2, 3, -1, 0, 5]])).tolist() == [
        [-1, -2, -3, 1, 0, -5]
    ]


def test_nodes_that_the_output_does_not_need_are_not_read():
    data = model_bytes("y = Relu(x)\nz = Erf(x)", outputs=("y", "z"))
    assert read_onnx(data, origin="n", wanted=Wanted("y")).head is None
    with pytest.raises(InputError, match="Erf"):
        read_onnx(data, origin="n", wanted=Wanted("z"))


def test_the_digest_covers_the_head():
    digests = {
        read_onnx(model_bytes(f"y = {name}(x)"), origin="n", wanted=Wanted()).digest
        for name in ("Relu", "Softmax", "LogSoftmax", "Sigmoid")
    }
    assert len(digests) == 4


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
@pytest.mark.parametrize("name", ["skl_clf3", "skl_clf3_nozip"])
def test_classifiers_of_scikit_learn(name):
    path = CASES / "sklearn" / f"{name}.onnx"
    shares, label = load_onnx(path, wanted=Wanted()), load_onnx(path, wanted=Wanted("Y", 0, 2))
    assert [type(e) for e in shares.head.elements] == [SoftmaxShare] * 3 and [
        type(e) for e in label.head.elements
    ] == [Choice]
    check_against_runtime(shares)
    check_against_runtime(label)
