"""Whole files: real ones from outside, the golden claims, input shapes, and every kind of damage with its
message.
"""

import gzip
import json
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from clocks import calls
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from relucid.common.errors import InputError
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.network import Relu
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.reader import load_onnx, read_onnx

SHARED = Path(__file__).parents[4] / "shared"
ZOO = sorted((SHARED / "data" / "onnx_zoo").glob("*.onnx"))
NETS = sorted((SHARED / "data").glob("*/onnx/*.onnx.gz"))
GOLDEN = sorted((SHARED / "golden").glob("*/claim.toml"))
rng = np.random.default_rng(3)

needs_data = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is absent")
needs_golden = pytest.mark.skipif(not GOLDEN, reason="../shared/golden is absent")

REFUSED_ZOO = {
    "dropout_training_mode_true.onnx": "node 0 (Dropout): training_mode is on",
    "multiInput_add.onnx": "the graph has 2 outputs (Y, relu1)",
    "oneInput_twoBranches.onnx": "the graph has 2 outputs (Y, add1)",
    "sigmoid.onnx": "node 0 (Sigmoid): the operator is not supported",
    "tanh.onnx": "node 0 (Tanh): the operator is not supported",
}


def agrees_with_runtime(net, samples):
    """On small integers: exact for us, and within 1e-5 of what float32 makes of it."""
    inputs = rng.integers(-2, 3, size=(samples, net.input_size))
    got = OnnxRuntime(net).run(inputs)
    exact = [[float(Fraction(int(v), net.scale)) for v in row] for row in net.evaluate(inputs)]
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(exact).max())))


@needs_data
@pytest.mark.parametrize("path", ZOO, ids=lambda p: p.name)
def test_zoo(path):
    if path.name in REFUSED_ZOO:
        with pytest.raises(InputError) as error:
            load_onnx(path)
        assert REFUSED_ZOO[path.name] in str(error.value)
    else:
        net = load_onnx(path)
        agrees_with_runtime(net, 5)
        runtime = OnnxRuntime(net)
        for inputs in rng.uniform(-2, 2, (5, net.input_size)).astype(runtime.input_type):
            exact = [float(v) for v in exact_outputs(net, [Fraction(float(x)) for x in inputs])]
            np.testing.assert_allclose(
                runtime.run(inputs[None])[0].astype(np.float64), exact, rtol=1e-5, atol=1e-5
            )


@needs_data
def test_tiny_taxi_net_in_float64():
    """onnxruntime is up to 1.3e-5 off on it, whose sums cancel: that is float32's rounding, and without it no
    difference is left.
    """
    path = SHARED / "data" / "onnx_zoo" / "KJ_TinyTaxiNet.onnx"
    net, model = load_onnx(path), onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
            )
    evaluator = ReferenceEvaluator(model)
    for inputs in np.random.default_rng(0).normal(0, 1, (10, net.input_size)):
        exact = [float(v) for v in exact_outputs(net, [Fraction(float(x)) for x in inputs])]
        (found,) = evaluator.run(None, {"X_place:0": inputs.reshape(1, 8, 16, 1)})
        np.testing.assert_allclose(np.ravel(found), exact, rtol=1e-12, atol=1e-12)


@needs_data
def test_zoo_is_covered():
    assert len(ZOO) >= 30 and set(REFUSED_ZOO) <= {p.name for p in ZOO}


@needs_data
@pytest.mark.parametrize("path", NETS, ids=lambda p: p.name[:24])
def test_vnncomp_networks(path):
    net = None

    def load():
        nonlocal net
        net = load_onnx(path)

    assert calls(load) < 50_000
    assert net.encoding == "real" and net.source == gzip.decompress(path.read_bytes())
    agrees_with_runtime(net, 2)


@needs_golden
@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.parent.name)
def test_golden_networks(path):
    claim = tomllib.loads(path.read_text())
    domain = claim["domain"]
    context = [*domain.get("prefix", []), *domain.get("suffix", [])]
    alphabet = len(
        dict.fromkeys([*domain["tokens"], *([domain["pad"]] if "pad" in domain else []), *context])
    )
    longest = domain["length"] if isinstance(domain["length"], int) else domain["length"][1]
    positions = longest + len(context)
    net = load_onnx(path.parent / claim["network"], positions=positions, alphabet=alphabet)
    assert net.encoding == claim.get("input", {}).get("encoding", "one_hot")
    assert net.input_size == positions * alphabet
    ids = rng.integers(0, alphabet, size=(30, positions))
    vectors = np.eye(alphabet, dtype=np.int64)[ids].reshape(30, -1)
    got = OnnxRuntime(net).run(ids if net.encoding == "ids" else vectors)
    np.testing.assert_array_equal(
        got.astype(np.float64) * net.scale, net.evaluate(vectors).astype(np.float64)
    )
    assert json.loads((path.parent / "expected.json").read_text())  # the folder is a golden claim


# Input shapes


def gemm(shape=(1, 6), dtype=TensorProto.FLOAT, *, out=2, opset=13, body="y = Gemm(x, w)", **changes):
    tensors = changes.pop("tensors", {"w": np.arange(6 * out, dtype=np.float32).reshape(6, out)})
    graph = helper.make_graph(
        [parser.parse_node(line) for line in body.splitlines()],
        "g",
        changes.pop("inputs", [helper.make_tensor_value_info("x", dtype, shape)]),
        changes.pop("outputs", [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, out])]),
        [v if isinstance(v, onnx.TensorProto) else numpy_helper.from_array(v, k) for k, v in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


FLAT = "f = Flatten(x)\ny = Gemm(f, w)"
ROW = "s = Constant<value_ints=[1,6]>()\nf = Reshape(x, s)\ny = Gemm(f, w)"


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ((1, 6), FLAT),
        (("N", 6), FLAT),
        ((1, 3, 2), FLAT),
        (("N", 3, 2), FLAT),
        ((6,), ROW),
        (("N",), ROW),
        (("N", "k"), FLAT),
        (("N", "p", 2), FLAT),
    ],
)
def test_one_hot_shapes(shape, body):
    model = gemm(shape, body=body)
    net = read_onnx(model.SerializeToString(), origin="n", positions=3, alphabet=2)
    assert (net.encoding, net.input_size, net.output_size) == ("one_hot", 6, 2)
    one = OnnxRuntime(net).run(np.eye(6))
    np.testing.assert_array_equal(one, net.evaluate(np.eye(6)))


def test_without_a_domain_the_input_is_real():
    assert read_onnx(gemm().SerializeToString(), origin="n").encoding == "real"


def test_words_before_positions_are_refused():
    with pytest.raises(
        InputError, match=r"the input's shape \[1, 2, 3\] is neither \[1, 6\] nor \[1, 3, 2\]"
    ):
        read_onnx(gemm((1, 2, 3), body=FLAT).SerializeToString(), origin="n", positions=3, alphabet=2)


def test_another_size_is_left_to_the_claim():
    net = read_onnx(gemm().SerializeToString(), origin="n", positions=4, alphabet=2)
    assert net.input_size == 6 and net.encoding == "one_hot"


IDS = "g = Gather(t, x)\nf = Flatten(g)\ny = Gemm(f, w)"
ID_TENSORS = {"t": np.eye(2, dtype=np.float32), "w": np.arange(12, dtype=np.float32).reshape(6, 2)}


@pytest.mark.parametrize("shape", [(1, 3), ("N", 3), ("N", "k")])
def test_ids_shapes(shape):
    net = read_onnx(
        gemm(shape, TensorProto.INT64, body=IDS, tensors=ID_TENSORS).SerializeToString(),
        origin="n",
        positions=3,
        alphabet=2,
    )
    assert (net.encoding, net.input_size) == ("ids", 6)
    ids = np.array([[0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(
        OnnxRuntime(net).run(ids), net.evaluate(np.eye(2, dtype=int)[ids].reshape(2, 6))
    )


# Damage


def changed(change):
    model = gemm()
    change(model)
    return model.SerializeToString()


def set_external(m):
    t = m.graph.initializer[0]
    t.data_location = TensorProto.EXTERNAL
    t.external_data.add(key="location", value="/etc/passwd")


def add_function(m):
    inner = helper.make_node("Neg", ["a"], ["b"])
    m.functions.append(helper.make_function("", "Relu", ["a"], ["b"], [inner], [helper.make_opsetid("", 13)]))


def two_inputs(m):
    m.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 6]))


def control_flow(m):
    end = helper.make_tensor_value_info("q", TensorProto.FLOAT, [1, 2])
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["q"])], "b", [], [end])
    m.graph.node[0].CopyFrom(helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body))


def custom_domain(m):
    m.graph.node[0].domain = "com.example"
    m.opset_import.append(helper.make_opsetid("com.example", 1))


def weight(value, dtype=np.float32):
    w = np.zeros((6, 2), dtype=dtype)
    w[3, 1] = value
    return {"w": w}


def cycle(m):
    m.graph.node[0].CopyFrom(helper.make_node("Gemm", ["z", "w"], ["y"], name="first"))
    m.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))


def short_data(m):
    m.graph.initializer[0].raw_data = b"\0" * 5


def opset(version):
    def change(m):
        m.opset_import[0].version = version

    return change


NEWEST = onnx.defs.onnx_opset_version()
REPAIR = "the file is damaged: export it again"
NONFINITE = "n.onnx: tensor 'w' holds NaN or infinity; retrain or repair the weights"
DAMAGED = {
    "empty": (b"", "n.onnx: the file is empty; give an ONNX file"),
    "garbage": (
        b"\xff\xfe garbage, not protobuf",
        "n.onnx: is not an ONNX file, or is truncated; export it again",
    ),
    "text": (b"hello world\n", "n.onnx: is not an ONNX file, or is truncated; export it again"),
    "truncated": (
        gemm().SerializeToString()[:-20],
        "n.onnx: is not an ONNX file, or is truncated; export it again",
    ),
    "no graph": (
        onnx.ModelProto(ir_version=8).SerializeToString(),
        "n.onnx: is not an ONNX file: it holds no graph; export it again",
    ),
    "no opset": (
        changed(lambda m: m.ClearField("opset_import")),
        "n.onnx: the file names no ONNX opset; export it again as a complete ONNX model",
    ),
    "old opset": (
        changed(opset(6)),
        f"n.onnx: opset 6 is not known (known: 7 to {NEWEST}); export with opset 13",
    ),
    "new opset": (
        changed(opset(999)),
        f"n.onnx: opset 999 is not known (known: 7 to {NEWEST}); export with opset 13",
    ),
    "external": (
        changed(set_external),
        "n.onnx: tensor 'w' lies in another file; save the model with its weights inside",
    ),
    "functions": (
        changed(add_function),
        "n.onnx: the file defines functions of its own; export with functions inlined",
    ),
    "two inputs": (changed(two_inputs), "n.onnx: the graph has 2 inputs (x, z); keep one input"),
    "no input": (
        changed(lambda m: m.graph.ClearField("input")),
        f"n.onnx: node 0 (Gemm): its input 'x' is not defined; {REPAIR}",
    ),
    "missing initialiser": (
        changed(lambda m: m.graph.ClearField("initializer")),
        "n.onnx: node 0 (Gemm): its input 'w' is not defined; the file is damaged: export it again",
    ),
    "two outputs": (
        changed(
            lambda m: m.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6]))
        ),
        "n.onnx: the graph has 2 outputs (y, x); keep one output",
    ),
    "no output": (
        changed(lambda m: m.graph.ClearField("output")),
        "n.onnx: the graph has 0 outputs; keep one output",
    ),
    "output from nowhere": (
        changed(lambda m: m.graph.ClearField("node")),
        "n.onnx: the output 'y' is not computed by any node; the file is damaged: export it again",
    ),
    "cycle": (
        changed(cycle),
        "n.onnx: node 0 first (Gemm): it depends on its own output (a cycle); the file is damaged: export it again",
    ),
    "defined twice": (
        changed(lambda m: m.graph.node.append(helper.make_node("Neg", ["x"], ["y"]))),
        "n.onnx: node 1 (Neg): its output 'y' is defined twice; the file is damaged: export it again",
    ),
    "control flow": (
        changed(control_flow),
        "n.onnx: cannot take 1 node: node 0 (If): the operator is not supported; see docs/reference/semantics.md for the operators",
    ),
    "custom domain": (
        changed(custom_domain),
        "n.onnx: cannot take 1 node: node 0 (Gemm): operators of the domain 'com.example' are not supported; "
        "see docs/reference/semantics.md for the operators",
    ),
    "nan": (gemm(tensors=weight(np.nan)).SerializeToString(), NONFINITE),
    "infinity": (gemm(tensors=weight(-np.inf)).SerializeToString(), NONFINITE),
    "short data": (changed(short_data), "n.onnx: tensor 'w' does not hold what its shape [6, 2] says"),
    "open shape": (
        gemm((1, "k")).SerializeToString(),
        "n.onnx: the input 'x' has the open shape [1, ?]; export with a fixed input shape",
    ),
    "no shape": (
        gemm(None).SerializeToString(),
        "n.onnx: the input 'x' has no shape; export with a fixed input shape",
    ),
    "string input": (
        gemm((1, 6), TensorProto.STRING).SerializeToString(),
        "n.onnx: the input 'x' has type string; use float32",
    ),
    "int32 input": (
        gemm((1, 6), TensorProto.INT32).SerializeToString(),
        "n.onnx: the input 'x' has type int32; use int64 ids or a float32 one-hot vector",
    ),
    "ids without a domain": (
        gemm((1, 3), TensorProto.INT64, body=IDS, tensors=ID_TENSORS).SerializeToString(),
        "n.onnx: the input 'x' is token ids (int64); give the domain (a claim file): it says how many words there are",
    ),
    "huge input": (
        gemm((1, 2**40)).SerializeToString(),
        "n.onnx: the input has 1099511627776 values, the limit is 16777216",
    ),
    "empty input": (
        gemm((1, 0)).SerializeToString(),
        "n.onnx: the input has 0 values, the limit is 16777216",
    ),
    "unknown attribute": (
        changed(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("gamma", 2.0))),
        "n.onnx: cannot take 1 node: node 0 (Gemm): opset 13 knows no attribute 'gamma'; see docs/reference/semantics.md for the operators",
    ),
    "attribute of the wrong type": (
        changed(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("alpha", 2))),
        "n.onnx: cannot take 1 node: node 0 (Gemm): attribute 'alpha' has the wrong type; see docs/reference/semantics.md for the operators",
    ),
    "attribute nan": (
        changed(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("alpha", float("nan")))),
        "n.onnx: cannot take 1 node: node 0 (Gemm): attribute 'alpha' holds NaN or infinity; see docs/reference/semantics.md for the operators",
    ),
    "too few inputs": (
        changed(lambda m: m.graph.node[0].input.pop()),
        "n.onnx: cannot take 1 node: node 0 (Gemm): it has 1 inputs; see docs/reference/semantics.md for the operators",
    ),
    "output of another type than declared": (
        changed(lambda m: m.graph.output[0].type.tensor_type.ClearField("elem_type")),
        "n.onnx: is not a valid ONNX model (Field 'elem_type' of 'type' is required but missing.)",
    ),
    "integer output": (
        gemm((1, 3), TensorProto.INT64, body="y = Identity(x)", tensors={}).SerializeToString(),
        "n.onnx: output 'y': the output is an integer; export a network with float outputs in one row",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_has_its_message(name):
    data, message = DAMAGED[name]
    domain = {"positions": 3, "alphabet": 2} if name == "integer output" else {}
    with pytest.raises(InputError) as error:
        read_onnx(data, origin="n.onnx", **domain)
    text = str(error.value)
    assert text.startswith(message) if name == "short data" else text == message
    assert "\n" not in text


def test_ids_of_the_wrong_length():
    data = gemm((1, 3), TensorProto.INT64, body=IDS, tensors=ID_TENSORS).SerializeToString()
    with pytest.raises(InputError, match="the input takes 3 ids, the domain has 5 positions"):
        read_onnx(data, origin="n", positions=5, alphabet=2)


def test_every_truncation_is_refused_or_whole():
    """Cut anywhere: an InputError or, where only what follows the graph is lost, never another exception."""
    data = gemm().SerializeToString()
    for end in range(0, len(data), 3):
        with pytest.raises(InputError):
            read_onnx(data[:end], origin="n")


def test_flipped_bytes_never_crash():
    data = bytearray(gemm(body=FLAT).SerializeToString())
    for _ in range(400):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), size=int(rng.integers(1, 4))):
            broken[at] = int(rng.integers(0, 256))
        try:
            read_onnx(bytes(broken), origin="n")
        except InputError as error:
            assert "\n" not in str(error)


def test_files(tmp_path):
    data = gemm().SerializeToString()
    plain, packed, damaged = tmp_path / "a.onnx", tmp_path / "a.onnx.gz", tmp_path / "b.onnx.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    damaged.write_bytes(gzip.compress(data)[:-9])
    assert load_onnx(plain).digest == load_onnx(packed).digest and load_onnx(packed).source == data
    for path, what in (
        (tmp_path / "none.onnx", "there is no such file"),
        (tmp_path, "cannot be read"),
        (damaged, "cannot be read"),
    ):
        with pytest.raises(InputError, match=what):
            load_onnx(path)


def test_nodes_in_any_order():
    model = gemm(body="y = Relu(h)\nh = Gemm(x, w)")
    net = read_onnx(model.SerializeToString(), origin="n")
    assert isinstance(net.nodes[1], Relu)
    agrees_with_runtime(net, 3)


def test_unused_parts_are_dropped():
    model = gemm(body="y = Gemm(x, w)\nd = Relu(y)\ne = Sub(d, x)", out=6)
    assert len(read_onnx(model.SerializeToString(), origin="n").nodes) == 1


def test_reading_is_the_same_twice():
    data = gemm().SerializeToString()
    a, b = (read_onnx(data, origin=o, positions=3, alphabet=2) for o in ("a", "b"))
    assert a.digest == b.digest and a.source == data
    other = read_onnx(gemm(tensors=weight(1)).SerializeToString(), origin="a", positions=3, alphabet=2)
    assert other.digest != a.digest
