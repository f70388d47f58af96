"""Random ONNX graphs with odd attributes: our reader against onnxruntime and against onnx's reference
evaluator.

`random_model` builds a graph node by node and runs each node in onnxruntime at once, on one input, so that
the next node fits the shape of what really came out.  Nothing here asks our reader.  `differences` asks all
three, and says where ours reads what onnxruntime does not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.defs import SchemaError, onnx_opset_version
from onnx.reference import ReferenceEvaluator
from relucid.common.errors import InputError
from relucid.models.onnx.agreement import compare
from relucid.models.onnx.reader import trace_onnx
from relucid.models.onnx.reading import OnnxReading

from . import onnx_makers, onnx_windows  # noqa: F401  (they enter their makers)
from .onnx_sketch import MAKERS, Node, Sketch, Unfit

MOST_ELEMENTS = 400  # of one tensor
MOST_NODES = 6
TRIES, RETRIES = (
    6,
    4,
    # operators that find no place, and attributes of one that onnxruntime refuses, before the graph ends as
    # it is
)
ODD = (
    "AveragePool",
    "Clip",
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "Slice",
    "Split",
)  # drawn more often
CUTS, BLIND = (
    ("Gather", "Pad", "Slice", "Split"),
    ("Concat", "ReduceSum"),
)  # what takes of an axis, and what runs whatever is left of it
SMOOTH = ("Sigmoid", "Softmax")  # drawn at the end of a graph only
KEPT_BROKEN = 0.05  # of the nodes that onnxruntime refuses, how many stay in the graph, as its last
OLDEST_OPSET = 7
SAMPLES = 5
TOLERANCE = 1e-4  # for rounding, of the largest value; all weights are small multiples of 1/4
# By the reference evaluator of onnx 1.23: axes, windows, groups' bias, an epsilon of 0, corners, starts of
# slices before the axis
MISREAD = {
    "AveragePool",
    "BatchNormalization",
    "Conv",  # of doubles, which onnxruntime cannot run: no outputs where a stride is larger than the input
    "ConvTranspose",
    "GlobalMaxPool",
    "MaxPool",
    "Resize",
    "Slice",
}
NOBODY = "we read what nobody runs"
HUGE = 1e30  # where floats may overflow, and nothing is compared
IR_VERSION = 8


def random_model(rng: np.random.Generator) -> onnx.ModelProto:
    """A graph of one input and one output, of 1 to `MOST_NODES` nodes; metadata "alphabet" says how many
    words an id may be.
    """
    g = Sketch(rng, int(rng.integers(OLDEST_OPSET, onnx_opset_version() + 1)))
    kind = g.pick([np.float32] * 8 + [np.float64] + [np.int64] * 2)
    alphabet = int(rng.integers(2, 5))
    if kind is np.int64:
        shape = (1, int(rng.integers(1, 4)))
        value = rng.integers(0, alphabet, size=shape)
    else:
        shape = tuple(int(rng.integers(1, 6)) for _ in range(int(g.pick([1, 2, 2, 3, 3, 4, 4, 4, 5]))))
        shape = (1, *shape[1:]) if g.chance(0.7) else shape
        while np.prod(shape) > MOST_ELEMENTS // 4:
            shape = tuple(max(1, d - 1) for d in shape)
        value = g.quarters(*shape, dtype=kind)
    g.values["x"] = value
    g.varying.add("x")
    if kind is np.int64:
        _add(g, _from_ids(g, "x", alphabet))
    operators = [name for name in MAKERS if name not in SMOOTH] + [*ODD, *ODD]
    for _ in range(int(rng.integers(1, MOST_NODES + 1))):
        after_cut = g.nodes and g.nodes[-1].op_type in CUTS and g.chance(0.4)
        if (
            not any(_grown(g, str(g.pick(BLIND if after_cut else operators))) for _ in range(TRIES))
            or g.broken
        ):
            break
    if g.chance(0.05) and not g.broken:
        _grown(g, str(g.pick(SMOOTH)))
    return _finished(g, kind, shape, alphabet)


def _grown(g: Sketch, operator: str) -> bool:
    """Whether a node of this operator was added."""
    for _ in range(RETRIES):
        try:
            _add(g, MAKERS[operator](g), operator)
            return True
        except Unfit:
            continue
        except SchemaError:  # not at this opset
            return False
    return False


def _from_ids(g: Sketch, x: str, alphabet: int) -> Node:
    if g.chance(0.2):
        return Node([x], {"to": TensorProto.FLOAT}, operator="Cast")
    axis = int(g.rng.integers(0, 2))
    shape = [int(g.rng.integers(1, 4)) for _ in range(2)]
    shape[axis] = alphabet + int(g.rng.integers(0, 3))
    return Node([g.constant(g.quarters(*shape)), x], {"axis": axis}, operator="Gather")


def _add(g: Sketch, proposed: Node, operator: str = "") -> None:
    """The node, where onnxruntime runs it, or now and then, as the last, where it does not.  Raises Unfit
    where it is not taken.
    """
    names = [g.new() for _ in range(proposed.outputs)]
    node = helper.make_node(proposed.operator or operator, list(proposed.inputs), names)
    for name, value in proposed.attributes.items():
        node.attribute.append(
            helper.make_attribute(name, value, attr_type=AttributeProto.INTS if value == [] else None)
        )
    read = [n for n in proposed.inputs if n]
    try:
        made = _run_node(g, node, read)
        if any(v.size > MOST_ELEMENTS for v in made):
            raise Unfit
    except Unfit:
        raise
    except Exception:
        if not g.chance(KEPT_BROKEN):
            raise Unfit from None
        made, g.broken = [], True
    g.nodes.append(node)
    for name, value in zip(names, made, strict=False):
        g.values[name] = value
    if any(n in g.varying for n in read) and operator not in ("Shape", "Size"):
        g.varying.update(names)


def _run_node(g: Sketch, node: onnx.NodeProto, read: Sequence[str]) -> list[np.ndarray]:
    moving = {n: g.values[n] for n in read if n in g.varying}
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in moving.items()
    ]
    stored = [numpy_helper.from_array(g.values[n], n) for n in dict.fromkeys(read) if n not in moving]
    model = _model([node], inputs, [onnx.ValueInfoProto(name=n) for n in node.output], stored, g.opset)
    return [np.asarray(v) for v in _session(model.SerializeToString()).run(None, moving)]


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    stored: Sequence[onnx.TensorProto],
    opset: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(stored))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def _session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _finished(g: Sketch, kind: Any, shape: tuple[int, ...], alphabet: int) -> onnx.ModelProto:
    """The output is the last tensor that depends on the input, of the type that it has."""
    last = [n for node in g.nodes for n in node.output if n in g.varying]
    output = last[-1] if last else "x"
    needed, used = {output}, []
    for node in reversed(
        g.nodes
    ):  # what nobody reads goes, most of the time: one node that we refuse there would hide all the others
        if needed & set(node.output) or g.chance(0.05):
            used.append(node)
            needed.update(node.input)
    used.reverse()
    value = g.values.get(output)
    if not used:
        used, value, output = [helper.make_node("Identity", ["x"], ["y"])], g.values["x"], "y"
    found = onnx.ValueInfoProto(name=output)
    if value is not None:
        found = helper.make_tensor_value_info(
            output, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
    else:
        found.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(
            np.dtype(np.float32 if kind is np.int64 else kind)
        )
    entry = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
    stored = [
        numpy_helper.from_array(v, n) for n, v in g.stored.items() if any(n in node.input for node in used)
    ]
    model = _model(used, [entry], [found], stored, g.opset)
    helper.set_model_props(model, {"alphabet": str(alphabet)})
    return model


# The comparison


def differences(model: onnx.ModelProto, rng: np.random.Generator) -> str | None:
    """What is wrong with our reading of the graph; None where it agrees with onnxruntime, or refuses."""
    data = model.SerializeToString()
    entry = model.graph.input[0].type.tensor_type
    shape = tuple(d.dim_value for d in entry.shape.dim)
    ids = entry.elem_type == TensorProto.INT64
    alphabet = next((int(p.value) for p in model.metadata_props if p.key == "alphabet"), 2)
    size = {"positions": int(np.prod(shape)), "alphabet": alphabet} if ids else {}
    try:
        reading = trace_onnx(data, origin="graph.onnx", **size)
        network = reading.network
    except InputError as error:
        return None if "\n" not in str(error) else f"the refusal has several lines: {error}"
    except Exception as error:
        return f"the reader fails: {type(error).__name__}: {error}"
    samples = [_sample(rng, shape, entry.elem_type, alphabet, i) for i in range(SAMPLES)]
    runtime, why = _in_onnxruntime(data, samples)
    reference: list[np.ndarray] = []
    if not runtime:
        reference, why_not = _in_reference(model, samples)
        known = MISREAD & {node.op_type for node in model.graph.node}
        if "NOT_IMPLEMENTED" in why and (
            known or not reference
        ):  # for this type: nobody is left whose word counts
            return None
        if known and reference:
            return None
        if not reference:
            return f"{NOBODY}: onnxruntime says {why}; the reference evaluator says {why_not}"
    for i, (sample, theirs) in enumerate(zip(samples, runtime or reference, strict=False)):
        with np.errstate(all="ignore"):
            ours, largest = _ours(network, sample, ids, alphabet)
            if largest > HUGE:
                continue
            got = np.asarray(theirs, dtype=np.float64).reshape(-1)
        if (
            got.shape == ours.shape and not np.isfinite(got).all()
        ):  # a float overflowed on the way; our numbers do not
            continue
        who = "onnxruntime" if runtime else "the reference evaluator (onnxruntime cannot run it)"
        if got.shape != ours.shape:
            return f"sample {i}: we have {ours.size} outputs, {who} has {got.size}"
        if not (np.abs(ours - got) <= TOLERANCE * (1 + largest)).all():
            return f"sample {i}: we say {ours.tolist()}, {who} says {got.tolist()}"
    return _false_alarm(reading, samples, alphabet if ids else None) if runtime else None


def _false_alarm(reading: OnnxReading, samples: Sequence[np.ndarray], alphabet: int | None) -> str | None:
    """The comparison that every command makes has to see it as we do."""
    rows = [
        np.eye(alphabet, dtype=np.int64)[s.reshape(-1)].reshape(-1) if alphabet else s.reshape(-1)
        for s in samples
    ]
    try:
        missing = compare(reading, np.stack(rows))
    except InputError as error:
        return f"the outputs agree, but: {error}"
    return f"onnxruntime runs the file, but: {missing}" if missing else None


def _sample(rng: np.random.Generator, shape: tuple[int, ...], kind: int, alphabet: int, i: int) -> np.ndarray:
    if kind == TensorProto.INT64:
        return rng.integers(0, alphabet, size=shape)
    if i == 0:
        return np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind))
    reach = (8, 8, 100, 4000)[i - 1]
    return (rng.integers(-reach, reach + 1, size=shape) / 4).astype(helper.tensor_dtype_to_np_dtype(kind))


def _ours(network: Any, sample: np.ndarray, ids: bool, alphabet: int) -> tuple[np.ndarray, float]:
    """The exact outputs, rounded to float64 at the end, and the largest value on the way."""
    flat = sample.reshape(-1)
    if ids:
        values = network.values(np.eye(alphabet, dtype=np.int64)[flat].reshape(1, -1))
        parts = [
            np.abs(np.array([[float(Fraction(int(v), s)) for v in row] for row in k]))
            for k, s in zip(values, network.scales, strict=True)
        ]
        exact = np.array([float(Fraction(int(v), network.scale)) for v in values[-1][0]])
        return exact, max(float(p.max(initial=0)) for p in parts)
    from relucid.models.network.exact_point import exact_outputs

    outputs = exact_outputs(network, [Fraction(float(v)) for v in flat])
    exact = np.array([float(v) for v in outputs])
    return exact, float(max(np.abs(exact).max(initial=0), np.abs(flat).max(initial=0)))


def _in_onnxruntime(data: bytes, samples: Sequence[np.ndarray]) -> tuple[list[np.ndarray], str]:
    try:
        session = _session(data)
        return [np.asarray(session.run(None, {"x": sample})[0]) for sample in samples], ""
    except Exception as error:
        return [], str(error).strip().splitlines()[0][:300]


def _in_reference(model: onnx.ModelProto, samples: Sequence[np.ndarray]) -> tuple[list[np.ndarray], str]:
    try:
        evaluator = ReferenceEvaluator(model)
        with np.errstate(all="ignore"):
            return [np.asarray(evaluator.run(None, {"x": sample})[0]) for sample in samples], ""
    except Exception as error:
        return [], f"{type(error).__name__}: {str(error).strip()[:300]}"
