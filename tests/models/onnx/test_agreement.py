"""The network that is read is the one that runs: whatever the reader gets wrong, onnxruntime shows, and
rounding is no alarm.
"""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from onnx_cases import MORE_CASES, ints, quarters
from relucid.common.errors import InputError, TooLarge
from relucid.models.onnx import agreement as onnx_agreement
from relucid.models.onnx.agreement import compare
from relucid.models.onnx.reader import REGISTRY, trace_onnx
from relucid.models.onnx.tensors import Const, Values, constant

rng = np.random.default_rng(3)
MOVING = {
    "Concat": ("r = Relu(x)\ny = Concat<axis=1>(r, x)", {}, {}),
    "Reshape": ("y = Reshape(x, s)", {"s": ints(3, 2)}, {}),
    "Transpose": ("y = Transpose(x)", {}, {"shape": (2, 3)}),
    "Gather": ("y = Gather<axis=1>(x, i)", {"i": ints(5, 0)}, {}),
    "MatMul": ("m = MatMul(x, w)\ny = Relu(m)", {"w": quarters(6, 3)}, {}),
    "Gemm": ("y = Gemm(x, w, b)", {"w": quarters(6, 3), "b": quarters(3)}, {}),
    "Add": ("y = Add(x, b)", {"b": quarters(6)}, {}),
    "Relu": ("y = Relu(x)", {}, {}),
}
CASES = MOVING | {name: cases[0] for name, cases in MORE_CASES.items()}


def model(body, consts=None, *, shape=(1, 6), kind=TensorProto.FLOAT, opset=13):
    nodes = [parser.parse_node(line.strip()) for line in body.strip().splitlines()]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in (consts or {}).items()]
    ends = [helper.make_tensor_value_info("x", kind, shape)], [helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph(nodes, "g", *ends, tensors)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    ).SerializeToString()


def points(size, count=9, scale=1.0):
    return (rng.normal(size=(count, size)) * scale).astype(np.float32)


def checked(data, inputs=None, **size):
    reading = trace_onnx(data, origin="net.onnx", **size)
    return compare(reading, points(reading.network.input_size) if inputs is None else inputs)


def shifted(tensor, build):
    """The same with 1 more in one element."""
    if isinstance(tensor, Const):
        first = np.zeros(tensor.shape, dtype=object)
        first[(0,) * len(tensor.shape)] = 1
        return constant(
            tensor.numerators.astype(object) + first * tensor.denominator, tensor.denominator, tensor.dtype
        )
    assert isinstance(tensor, Values)
    more = np.zeros(tensor.shape, dtype=np.int64)
    more[(0,) * len(tensor.shape)] = 1
    from relucid.models.onnx.operators.elementwise import add_scaled

    return add_scaled(build, tensor, Const(more, 1, tensor.dtype), 1)


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_reading_of_any_operator_is_refused_and_its_node_named(name, monkeypatch):
    body, consts, options = CASES[name]
    assert checked(model(body, consts, **options)) == ""
    right = REGISTRY.plain[name]

    def wrong(call):
        found = right(call)
        return (
            (shifted(found[0], call.build), *found[1:])
            if isinstance(found, tuple)
            else shifted(found, call.build)
        )

    monkeypatch.setitem(REGISTRY.plain, name, wrong)
    line = next(i for i, line in enumerate(body.splitlines()) if f"{name}(" in line or f"{name}<" in line)
    with pytest.raises(
        InputError, match=rf"net.onnx: (node {line} \({name}\): onnxruntime gives|cannot take)"
    ):
        checked(model(body, consts, **options))


def python_slice(call):
    """How a slice was read before: as Python does, whose negative steps may start outside."""
    x, starts, ends, axes, steps = call.input(0), *(call.known(i, "them").integers() for i in range(1, 5))
    cut = [slice(None)] * len(x.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x.rearranged(lambda i: i[tuple(cut)])


def test_a_slice_that_gives_another_shape_is_refused(monkeypatch):
    consts = {"a": ints(-100), "b": ints(-1000), "c": ints(1), "d": ints(-1)}
    data = model("z = Slice(x, a, b, c, d)\ny = Concat<axis=1>(z, x)", consts)
    assert checked(data) == ""
    monkeypatch.setitem(REGISTRY.plain, "Slice", python_slice)
    with pytest.raises(
        InputError, match=r"node 0 \(Slice\): onnxruntime gives shape \[1, 1\] where the reader has \[1, 0\]"
    ):
        checked(data)


def test_the_first_node_that_differs_is_named_in_a_deep_network(monkeypatch):
    """Rounding of thirty layers does not hide a small error in one of them."""
    consts = {f"w{i}": rng.normal(size=(6, 6)).astype(np.float32) * 2 for i in range(30)}
    body = "\n".join(
        f"m{i} = MatMul({'x' if i == 0 else f'r{i - 1}'}, w{i})\n{'y' if i == 29 else f'r{i}'} = LeakyRelu<alpha=0.5>(m{i})"
        for i in range(30)
    )
    assert checked(model(body, consts)) == ""
    right = REGISTRY.plain["MatMul"]

    def wrong(call):
        w = call.input(1)
        off = np.frompyfunc(lambda n: n * 1001 // 1000, 1, 1)(w.numerators.astype(object))
        return (
            right(dataclasses.replace(call, inputs=(call.input(0), constant(off, w.denominator, w.dtype))))
            if "node 20 " in call.build.label
            else right(call)
        )

    monkeypatch.setitem(REGISTRY.plain, "MatMul", wrong)
    with pytest.raises(
        InputError,
        match=r"node 20 \(MatMul\): onnxruntime gives .* where the reader has .*, and rounding explains",
    ):
        checked(model(body, consts))


FLOATY = {
    "sums that cancel": (
        "m = MatMul(x, w)\nn = MatMul(x, v)\ny = Sub(m, n)",
        lambda: {"w": rng.normal(size=(6, 4)) * 1e4, "v": rng.normal(size=(6, 4)) * 1e4},
    ),
    "thirds": ("d = Div(x, b)\ny = ReduceMean<axes=[1]>(d)", lambda: {"b": rng.normal(size=6) + 3}),
    "constants that are rounded": (
        "s = Div(a, b)\nt = MatMul(s, c)\ny = MatMul(x, t)",
        lambda: {"a": rng.normal(size=(6, 5)), "b": rng.normal(size=5), "c": rng.normal(size=(5, 3))},
    ),
    "constants that cancel": (
        "d = Div(a, b)\nm = Mul(d, b)\ns = Sub(m, a)\nz = Mul(x, s)\ny = Add(z, x)",
        lambda: {"a": np.ones(6), "b": np.full(6, 49.0)},
    ),
    "a norm whose shifts cancel": (
        "r = Reshape(x, s)\ny = BatchNormalization(r, g, b, m, v)",
        lambda: {
            "s": ints(1, 2, 3),
            "g": np.full(2, 1.0),
            "b": np.full(2, 1e5),
            "m": np.full(2, 1e5),
            "v": np.full(2, 0.9999900),
        },
    ),
    "alpha and beta": (
        "y = Gemm<alpha=0.3, beta=-7.7>(x, w, b)",
        lambda: {"w": rng.normal(size=(6, 3)), "b": rng.normal(size=3)},
    ),
    "a maximum of large and small": (
        "m = Max(x, b)\nc = Clip(m, l, h)\ny = Abs(c)",
        lambda: {"b": rng.normal(size=6) * 1e-6, "l": np.float64(-1e-7), "h": np.float64(1e3)},
    ),
    "overflow": ("m = Mul(x, h)\nn = Mul(m, h)\ny = Relu(n)", lambda: {"h": np.float64(1e30)}),
    "underflow": ("m = Mul(x, h)\nn = Mul(m, h)\ny = Relu(n)", lambda: {"h": np.float64(1e-30)}),
    "subnormal constants": (
        "m = Mul(x, h)\ny = Mul(m, b)",
        lambda: {"h": np.float64(1e-44), "b": np.float64(1e38)},
    ),
}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", FLOATY)
def test_rounding_is_no_difference(name, kind):
    body, consts = FLOATY[name]
    typed = {
        k: v if np.asarray(v).dtype == np.int64 else np.asarray(v).astype(kind) for k, v in consts().items()
    }
    data = model(body, typed, kind=TensorProto.FLOAT if kind is np.float32 else TensorProto.DOUBLE)
    for scale in (1e-3, 1.0, 1e6):
        assert checked(data, (rng.normal(size=(20, 6)) * scale).astype(kind)) == ""


@pytest.mark.parametrize(("factor", "refused"), [(1 + 2.0**-23, False), (1 + 2.0**-16, True)])
def test_the_bound_is_a_few_units_in_the_last_place(factor, refused, monkeypatch):
    class Off(onnx_agreement.Session):
        def run(self, value, outputs=None):
            return [v * np.float32(factor) for v in super().run(value, outputs)]

    monkeypatch.setattr(onnx_agreement, "Session", Off)
    data = model("y = MatMul(x, w)", {"w": np.abs(quarters(6, 3)) + 1})
    inputs = np.abs(points(6)) + 1
    if refused:
        with pytest.raises(InputError, match=r"node 0 \(MatMul\)"):
            checked(data, inputs)
    else:
        assert checked(data, inputs) == ""


def test_moved_numbers_and_integers_are_the_same(monkeypatch):
    class Off(onnx_agreement.Session):
        def run(self, value, outputs=None):
            return [v + 1 if v.dtype == np.int64 else v for v in super().run(value, outputs)]

    data = model(
        "i = Add(x, k)\ng = Gather(t, i)\ny = Flatten(g)",
        {"k": ints(0, 3), "t": quarters(6, 2)},
        shape=(1, 2),
        kind=TensorProto.INT64,
    )
    data = onnx.load_from_string(data)
    data.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    words = np.eye(3, dtype=np.int64)[[[0, 1], [2, 2]]].reshape(2, -1)
    assert checked(data.SerializeToString(), words, positions=2, alphabet=3) == ""
    monkeypatch.setattr(onnx_agreement, "Session", Off)
    with pytest.raises(
        InputError,
        match=r"node 0 \(Add\): onnxruntime gives 1 where the reader has 0 \(network input 1 0 0 0 1 0\)",
    ):
        checked(data.SerializeToString(), words, positions=2, alphabet=3)


def test_what_onnxruntime_cannot_load_is_said_and_not_refused():
    data = onnx.load_from_string(model("y = Relu(x)"))
    data.graph.input[0].type.tensor_type.elem_type = data.graph.output[0].type.tensor_type.elem_type = (
        TensorProto.BFLOAT16
    )
    assert "onnxruntime cannot load net.onnx" in checked(data.SerializeToString())


def test_after_the_deadline_no_further_batch_is_run(monkeypatch):
    ran = []

    class Counted(onnx_agreement.Session):
        def run(self, value, outputs=None):
            ran.append(len(value))
            return super().run(value, outputs)

    monkeypatch.setattr(onnx_agreement, "Session", Counted)
    monkeypatch.setattr(onnx_agreement, "MOST_VALUES", 24)
    reading = trace_onnx(model("y = Relu(x)"), origin="net.onnx")
    clock = iter([10.0] * 5)
    monkeypatch.setattr(
        "time.monotonic", lambda: next(clock)
    )  # once at the start, and before each batch of two but the first
    assert compare(reading, points(6, 9), 20.0) == "" and len(ran) == 9
    clock = iter([10.0, 10.0, 21.0])
    assert compare(reading, points(6, 9), 20.0) == "" and len(ran) == 9 + 4
    clock = iter([21.0])
    assert (
        compare(reading, points(6, 9), 20.0) == "there was no time to run net.onnx in onnxruntime"
        and len(ran) == 9 + 4
    )


def test_networks_of_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr(onnx_agreement, "LARGEST", 11)
    with pytest.raises(TooLarge, match=r"net.onnx: has 12 inner values, too many to compare them"):
        checked(model("y = Relu(x)"))
