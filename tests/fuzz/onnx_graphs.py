"""Random ONNX graphs with odd attributes: our reader against onnxruntime and against onnx's reference evaluator.

`random_model` builds a graph node by node and runs each node in onnxruntime at once, on one input, so that the next node fits the shape of
what really came out.  Nothing here asks our reader.  `differences` asks all three, and says where ours reads what onnxruntime does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.defs import SchemaError, get_schema, onnx_opset_version
from onnx.reference import ReferenceEvaluator
from relucid.models.errors import InputError
from relucid.models.onnx_agreement import compare
from relucid.models.onnx_reader import trace_onnx
from relucid.models.onnx_reading import Reading

MOST_ELEMENTS = 400  # of one tensor
MOST_NODES = 6
TRIES, RETRIES = 6, 4  # operators that find no place, and attributes of one that onnxruntime refuses, before the graph ends as it is
ODD = ("AveragePool", "Clip", "Conv", "ConvTranspose", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Slice", "Split")  # drawn more often
CUTS, BLIND = ("Gather", "Pad", "Slice", "Split"), ("Concat", "ReduceSum")  # what takes of an axis, and what runs whatever is left of it
SMOOTH = ("Sigmoid", "Softmax")  # drawn at the end of a graph only
KEPT_BROKEN = 0.05  # of the nodes that onnxruntime refuses, how many stay in the graph, as its last
OLDEST_OPSET = 7
SAMPLES = 5
TOLERANCE = 1e-4  # for rounding, of the largest value; all weights are small multiples of 1/4
# By the reference evaluator of onnx 1.23: axes, windows, groups' bias, an epsilon of 0, starts of slices before the axis
MISREAD = {"AveragePool", "BatchNormalization", "ConvTranspose", "GlobalMaxPool", "MaxPool", "Slice"}
HUGE = 1e30  # where floats may overflow, and nothing is compared
EXTREMES = (-(2**63), -(2**31), -1000, 1000, 2**31 - 1, 2**63 - 1)
IR_VERSION = 8


class Unfit(Exception):
    """This operator has nothing to work on in this graph."""


@dataclass(frozen=True)
class Node:
    """What a maker proposes."""

    inputs: Sequence[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    operator: str = ""  # where it is not the one that was asked for


class Sketch:
    """A graph that grows: its nodes, its constants, and the value that every tensor has on one input."""

    def __init__(self, rng: np.random.Generator, opset: int) -> None:
        self.rng, self.opset = rng, opset
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[str, np.ndarray] = {}
        self.varying: set[str] = set()  # what depends on the input
        self.stored: dict[str, np.ndarray] = {}
        self.count = 0
        self.broken = False  # the last node is one that onnxruntime refuses

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def new(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def constant(self, array: object, dtype: Any = None) -> str:
        """A new constant: an initialiser."""
        name = self.new()
        self.values[name] = self.stored[name] = np.asarray(array, dtype=dtype)
        return name

    def ints(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def quarters(self, *shape: int, dtype: Any = np.float32) -> np.ndarray:
        return (self.rng.integers(-12, 13, size=shape) / 4).astype(dtype)

    def like(self, name: str, *shape: int) -> str:
        """A constant of that shape, of the tensor's type."""
        return self.constant(self.quarters(*shape, dtype=self.values[name].dtype))

    def floats(self, lowest: int = 0, highest: int = 5) -> str:
        """A float tensor of so many axes: one that depends on the input, the latest most likely, or now and then a constant."""
        found = [n for n, v in self.values.items() if v.dtype.kind == "f" and lowest <= v.ndim <= highest]
        if self.chance(0.1):
            fixed = [n for n in found if n not in self.varying]
            if fixed:
                return str(self.pick(fixed))
            size = [int(self.rng.integers(0 if self.chance(0.1) else 1, 4)) for _ in range(int(self.rng.integers(lowest, highest + 1)))]
            return self.constant(self.quarters(*size))
        moving = [n for n in found if n in self.varying]
        if not moving:
            raise Unfit
        return moving[-1] if self.chance(0.7) else str(self.pick(moving))

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape

    def axis(self, rank: int) -> int:
        if self.chance(0.02):
            return rank
        if not rank:
            raise Unfit
        return int(self.rng.integers(-rank, rank))

    def axes(self, rank: int) -> list[int]:
        """Some axes, each once, from either end."""
        chosen = [a for a in range(rank) if self.chance(0.5)]
        self.rng.shuffle(chosen)
        return [a - rank if self.chance(0.4) else a for a in chosen]

    def near(self, length: int) -> int:
        """A place in an axis of that length: in it, at its ends, just beyond, far beyond."""
        if self.chance(0.15):
            return int(self.pick(EXTREMES))
        return int(self.rng.integers(-length - 2, length + 3))

    def takes(self, operator: str, attribute: str) -> bool:
        """Whether the operator has this attribute at the graph's opset."""
        return attribute in get_schema(operator, self.opset).attributes

    def fitting(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape that broadcasts with this one."""
        kept = list(shape)[int(self.rng.integers(0, len(shape) + 1)) if self.chance(0.4) else 0 :]
        wide = [1 if self.chance(0.3) else int(self.rng.integers(2, 4)) if d == 1 and self.chance(0.2) else d for d in kept]
        return tuple([1] * int(self.chance(0.1)) + wide)

    def listed(self, operator: str, name: str, values: Sequence[int], since: dict[str, Any]) -> list[str]:
        """`values` as an attribute or as an input, as the opset has it: `since` gets the attribute, the result is the input."""
        if self.takes(operator, name):
            since[name] = list(values)
            return []
        return [self.ints(values)]


Maker = Callable[[Sketch], Node]
MAKERS: dict[str, Maker] = {}


def makes(*operators: str) -> Callable[[Callable[[Sketch, str], Node]], Callable[[Sketch, str], Node]]:
    def enter(function: Callable[[Sketch, str], Node]) -> Callable[[Sketch, str], Node]:
        for name in operators:
            MAKERS[name] = lambda g, name=name: function(g, name)  # type: ignore[misc]
        return function

    return enter


# Arithmetic


@makes("Add", "Sub", "Mul", "Div", "Mod")
def _binary(g: Sketch, operator: str) -> Node:
    x = g.floats()
    if operator in ("Add", "Sub") and g.chance(0.3):
        other = g.floats()
    else:
        other = g.constant(g.quarters(*g.fitting(g.shape(x)), dtype=g.values[x].dtype))
    if operator in ("Div", "Mod"):
        divisor = g.values[other]
        g.stored[other] = g.values[other] = np.where(divisor == 0, divisor.dtype.type(0 if g.chance(0.02) else 0.75), divisor)
        return Node([x, other], {"fmod": 1} if operator == "Mod" else {})
    return Node([x, other] if g.chance(0.7) else [other, x])


@makes("Max", "Min", "Sum")
def _several(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node([x, *(g.floats() if g.chance(0.4) else g.like(x, *g.fitting(g.shape(x))) for _ in range(int(g.rng.integers(0, 3))))])


@makes("Neg", "Abs", "Relu", "Identity", "Sign", "Sqrt", "GlobalMaxPool", "GlobalAveragePool", "Sigmoid")
def _unary(g: Sketch, operator: str) -> Node:
    if operator in ("Sign", "Sqrt"):
        size = [int(g.rng.integers(1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
        values = g.rng.integers(0, 8, size=size) ** 2 / 16 if operator == "Sqrt" else g.quarters(*size)
        return Node([g.constant(values, np.float32)])
    return Node([g.floats(3 if operator.startswith("Global") else 0)])


@makes("LeakyRelu", "HardSigmoid", "Softmax")
def _with_alpha(g: Sketch, operator: str) -> Node:
    if operator == "Softmax":
        x = g.floats(1)
        return Node([x], {"axis": g.axis(len(g.shape(x)))})
    attributes = {"alpha": float(g.pick([-1.5, 0.0, 0.25, 1.0, 3.0]))} if g.chance(0.8) else {}
    if operator == "HardSigmoid" and g.chance(0.7):
        attributes["beta"] = float(g.pick([-0.5, 0.0, 0.25, 2.0]))
    return Node([g.floats()], attributes)


@makes("PRelu")
def _prelu(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node([x, g.like(x, *g.fitting(g.shape(x)))])


@makes("Clip")
def _clip(g: Sketch, operator: str) -> Node:
    x = g.floats()
    largest = float(np.finfo(np.float32).max)
    limits = [float(g.pick([-largest, largest, -2.5, -0.75, 0.0, 0.5, 1.75])) if g.chance(0.7) else None for _ in range(2)]
    if g.takes("Clip", "min"):
        return Node([x], {name: v for name, v in zip(("min", "max"), limits, strict=True) if v is not None})
    return Node([x, *("" if v is None else g.constant(v, g.values[x].dtype) for v in limits)])


@makes("MatMul")
def _matmul(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    shape, n = g.shape(x), int(g.rng.integers(0 if g.chance(0.05) else 1, 4))
    batch = list(g.fitting(shape[:-2])) if g.chance(0.3) else []
    if g.chance(0.5):
        w = [*batch, shape[-1], n] if batch or g.chance(0.8) else [shape[-1]]
        return Node([x, g.like(x, *w)])
    rows = shape[-2] if len(shape) > 1 else shape[-1]
    w = [*batch, n, rows] if batch or g.chance(0.8) else [rows]
    return Node([g.like(x, *w), x])


@makes("Gemm")
def _gemm(g: Sketch, operator: str) -> Node:
    x = g.floats(2, 2)
    attributes: dict[str, Any] = {}
    across, turned = g.chance(0.3), g.chance(0.5)
    rows, inner = g.shape(x)[::-1] if across else g.shape(x)
    columns = int(g.rng.integers(1, 4))
    attributes |= {"transA": 1} if across else {}
    attributes |= {"transB": 1} if turned else {}
    for name in ("alpha", "beta"):
        if g.chance(0.3):
            attributes[name] = float(g.pick([-1.0, 0.0, 0.5, 2.0]))
    inputs = [x, g.like(x, columns, inner) if turned else g.like(x, inner, columns)]
    if g.chance(0.7) or g.opset < 11:
        inputs.append(g.like(x, *g.pick([(), (1,), (columns,), (1, columns), (rows, 1), (rows, columns)])))
    return Node(inputs, attributes)


@makes("Einsum")
def _einsum(g: Sketch, operator: str) -> Node:
    x = g.floats(2, 2)
    a, b = g.shape(x)
    if not a * b:  # onnxruntime 1.32 dies of a division by zero
        raise Unfit
    equation, shape = g.pick([("ij,jk->ik", (b, 2)), ("ij,ij->j", (a, b)), ("ij,kj->ki", (3, b)), ("ij,i", (a,))])
    return Node([x, g.like(x, *shape)], {"equation": equation})


# Shapes


@makes("Flatten")
def _flatten(g: Sketch, operator: str) -> Node:
    x = g.floats()
    rank = len(g.shape(x))
    return Node([x], {"axis": int(g.rng.integers(-rank if g.opset >= 11 else 0, rank + 1))} if g.chance(0.8) else {})


@makes("Reshape")
def _reshape(g: Sketch, operator: str) -> Node:
    x = g.floats()
    shape = list(g.shape(x))
    size = int(np.prod(shape, dtype=np.int64))
    wanted, rest = [], size
    while rest > 1 and len(wanted) < 4:
        factor = int(g.pick([d for d in range(1, rest + 1) if rest % d == 0]))
        wanted, rest = [*wanted, factor], rest // factor
    wanted = [*wanted, rest] if rest != 1 or not size or g.chance(0.3) else wanted
    g.rng.shuffle(wanted)
    for i, d in enumerate(wanted):
        if i < len(shape) and shape[i] == d and g.chance(0.3):
            wanted[i] = 0
    if wanted and g.chance(0.4):
        wanted[int(g.rng.integers(len(wanted)))] = -1
    attributes = {"allowzero": int(g.chance(0.5))} if g.takes("Reshape", "allowzero") and g.chance(0.4) else {}
    return Node([x, g.ints(wanted)], attributes)


@makes("Transpose")
def _transpose(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node([x], {"perm": [int(i) for i in g.rng.permutation(len(g.shape(x)))]} if g.shape(x) and g.chance(0.8) else {})


@makes("Squeeze")
def _squeeze(g: Sketch, operator: str) -> Node:
    x = g.floats()
    rank = len(g.shape(x))
    ones = [i - rank if g.chance(0.4) else i for i, d in enumerate(g.shape(x)) if d == 1 and g.chance(0.7)]
    attributes: dict[str, Any] = {}
    return Node([x, *(g.listed("Squeeze", "axes", ones, attributes) if ones else [])], attributes)


@makes("Unsqueeze")
def _unsqueeze(g: Sketch, operator: str) -> Node:
    x = g.floats(0, 3)
    made = int(g.rng.integers(1, 3))
    rank = len(g.shape(x)) + made
    axes = [int(a) - (rank if g.opset >= 11 and g.chance(0.4) else 0) for a in g.rng.permutation(rank)[:made]]
    attributes: dict[str, Any] = {}
    return Node([x, *g.listed("Unsqueeze", "axes", axes, attributes)], attributes)


@makes("Concat")
def _concat(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    rank = len(g.shape(x))
    axis = g.axis(rank)
    names = [x]
    for _ in range(int(g.rng.integers(0, 3))):
        same = [n for n in g.varying if g.values[n].dtype == g.values[x].dtype and g.values[n].ndim == rank]
        shape = list(g.shape(x))
        shape[axis % rank] = int(g.rng.integers(0 if g.chance(0.2) else 1, 3))
        names.append(str(g.pick(sorted(same))) if same and g.chance(0.5) else g.like(x, *shape))
    g.rng.shuffle(names)
    return Node(names, {"axis": axis})


@makes("Expand")
def _expand(g: Sketch, operator: str) -> Node:
    x = g.floats()
    wide = [int(g.rng.integers(1, 4)) if d == 1 and g.chance(0.5) else 1 if g.chance(0.2) else d for d in g.shape(x)]
    wide = wide[int(g.chance(0.2)) :]
    if wide and g.chance(0.05):
        wide[0] = 0
    return Node([x, g.ints([*([2] if g.chance(0.2) else []), *wide])])


@makes("Tile")
def _tile(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node([x, g.ints([int(g.pick([1, 1, 2, 3, 0] if g.chance(0.2) else [1, 1, 2])) for _ in g.shape(x)])])


@makes("Slice")
def _slice(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    shape = g.shape(x)
    axes = g.axes(len(shape)) or [0]
    if g.chance(0.03):
        axes = [*axes, axes[0]]
    starts, ends = ([g.near(shape[a]) for a in axes] for _ in range(2))
    for k, a in enumerate(axes):  # most of the time, something is left
        if g.chance(0.6):
            starts[k], ends[k] = int(g.rng.integers(0, shape[a] + 1)), int(g.pick([shape[a], 2**63 - 1, g.near(shape[a])]))
    if g.takes("Slice", "starts"):
        return Node([x], {"starts": starts, "ends": ends, "axes": axes})
    inputs = [x, g.ints(starts), g.ints(ends)]
    if g.chance(0.85):
        inputs.append(g.ints(axes))
        if g.chance(0.7):
            steps = [int(g.pick([-1, -1, -2, -3, 1, 2, 3, -(2**40), 2**40] if g.chance(0.7) else [1])) for _ in axes]
            for k in range(len(axes)):
                length = shape[axes[k]]
                if steps[k] < 0 and g.chance(0.4):  # both ends before the axis
                    starts[k], ends[k] = (int(g.pick([-1000, -length - 2, -length - 1, -length, *more])) for more in ((0, -1), (-(2**63),)))
                elif steps[k] < 0 and g.chance(0.6):
                    starts[k], ends[k] = ends[k], starts[k]
            inputs = [x, g.ints(starts), g.ints(ends), g.ints(axes), g.ints(steps)]
    return Node(inputs)


@makes("Split")
def _split(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    axis = g.axis(len(g.shape(x)))
    length = g.shape(x)[axis % len(g.shape(x))]
    outputs = int(g.rng.integers(1, 4))
    attributes: dict[str, Any] = {"axis": axis}
    if g.chance(0.6):
        cuts = sorted(int(c) for c in g.rng.integers(0, length + 1, size=outputs - 1))
        sizes = [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]
        return Node([x, *g.listed("Split", "split", sizes, attributes)], attributes, outputs)
    if g.takes("Split", "num_outputs"):
        attributes["num_outputs"] = outputs
    return Node([x], attributes, outputs)


@makes("Pad")
def _pad(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    rank = len(g.shape(x))
    mode = str(
        g.pick(["constant", "constant", "reflect", "edge", "wrap"] if g.opset >= 19 else ["constant", "constant", "reflect", "edge"])
    )
    axes = g.axes(rank) if g.opset >= 18 and g.chance(0.4) else list(range(rank))
    low = -3 if g.chance(0.5) else 0
    pads = [int(g.rng.integers(low, 4)) if g.chance(0.5) else 0 for _ in range(2 * len(axes))]
    if pads and g.chance(0.1):
        pads[int(g.rng.integers(len(pads)))] = int(g.pick([-7, 7]))
    attributes: dict[str, Any] = {"mode": mode} if mode != "constant" or g.chance(0.5) else {}
    value = float(g.pick([-0.5, 0.0, 1.25]))
    if g.takes("Pad", "pads"):
        return Node([x], {**attributes, "pads": pads, "value": value})
    inputs = [x, g.ints(pads)]
    if g.chance(0.5) or axes != list(range(rank)):
        inputs.append(g.constant(value, g.values[x].dtype) if g.chance(0.8) else "")
    if axes != list(range(rank)):
        inputs.append(g.ints(axes))
    return Node(inputs, attributes)


@makes("Gather")
def _gather(g: Sketch, operator: str) -> Node:
    x = g.floats(1)
    axis = g.axis(len(g.shape(x)))
    length = g.shape(x)[axis % len(g.shape(x))]
    shape = [int(g.rng.integers(0 if g.chance(0.1) else 1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
    if not length:
        shape = [0]
    index = g.rng.integers(-length, max(length, 1 - length), size=shape)
    return Node([x, g.constant(index, np.int32 if g.chance(0.3) else np.int64)], {"axis": axis} if axis or g.chance(0.5) else {})


@makes("Where")
def _where(g: Sketch, operator: str) -> Node:
    x = g.floats()
    condition = g.constant(g.rng.random(g.fitting(g.shape(x))) < 0.5)
    other = g.floats() if g.chance(0.3) else g.like(x, *g.fitting(g.shape(x)))
    return Node([condition, x, other] if g.chance(0.5) else [condition, other, x])


@makes("Cast")
def _cast(g: Sketch, operator: str) -> Node:
    if g.chance(0.7):
        return Node([g.floats()], {"to": int(g.pick([TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.DOUBLE]))})
    values = g.rng.integers(-5, 6, size=3)
    kind = g.pick([np.int64, np.int32, np.int8, np.float64, np.bool_, np.float32])
    to = g.pick([TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.DOUBLE, TensorProto.BOOL, TensorProto.INT8])
    return Node([g.constant(values / 2 if np.dtype(kind).kind == "f" else values, kind)], {"to": int(to)})


@makes("Dropout")
def _dropout(g: Sketch, operator: str) -> Node:
    x = g.floats()
    if g.takes("Dropout", "ratio"):
        return Node([x], {"ratio": 0.25} if g.chance(0.5) else {})
    return Node([x, *([g.constant(0.5, np.float32)] if g.chance(0.6) else [])])


@makes("Resize", "Upsample")
def _resize(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 4)
    if operator == "Upsample":
        scales = [1.0, 1.0, *(float(g.pick([1.0, 1.5, 2.0, 3.0])) for _ in g.shape(x)[2:])]
        return Node([x, g.constant(scales, np.float32)] if g.opset >= 9 else [x], {} if g.opset >= 9 else {"scales": scales})
    shape = g.shape(x)
    scales = [1.0, 1.0, *(float(g.pick([0.5, 1.0, 1.5, 2.0, 3.0])) for _ in shape[2:])]
    if g.opset < 11:
        return Node([x, g.constant(scales, np.float32)], {"mode": "nearest"})
    places = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    attributes = {"mode": g.pick(["nearest", "nearest", "linear"]), "coordinate_transformation_mode": g.pick(places)}
    if attributes["mode"] == "nearest":
        attributes["nearest_mode"] = g.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if g.chance(0.3):
        return Node([x, "", "", g.ints([*shape[:2], *(int(g.rng.integers(1, 6)) for _ in shape[2:])])], attributes)
    return Node([x, "" if g.opset >= 13 else g.constant([], np.float32), g.constant(scales, np.float32)], attributes)


# Constants


@makes("Constant")
def _constant(g: Sketch, operator: str) -> Node:
    size = [int(g.rng.integers(0 if g.chance(0.1) else 1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
    forms: list[dict[str, Any]] = [{"value": numpy_helper.from_array(g.quarters(*size))}]
    if g.opset >= 12:
        forms += [{"value_float": 0.75}, {"value_floats": [0.5, -2.0]}, {"value_int": 2}, {"value_ints": [1, -1, 0]}]
    return Node([], g.pick(forms))


@makes("Shape", "Size")
def _measure(g: Sketch, operator: str) -> Node:
    attributes = {}
    if operator == "Shape" and g.opset >= 15:
        attributes = {name: int(g.rng.integers(-3, 4)) for name in ("start", "end") if g.chance(0.5)}
    return Node([g.floats()], attributes)


@makes("ConstantOfShape")
def _constant_of_shape(g: Sketch, operator: str) -> Node:
    sizes = [n for n, v in g.values.items() if v.dtype == np.int64 and v.ndim == 1 and n not in g.varying and len(v) < 5]
    shape = str(g.pick(sizes)) if sizes and g.chance(0.5) else g.ints([int(g.rng.integers(0 if g.chance(0.2) else 1, 4)) for _ in range(2)])
    return Node([shape], {"value": numpy_helper.from_array(g.quarters(1))} if g.chance(0.7) else {})


@makes("Range")
def _range(g: Sketch, operator: str) -> Node:
    start, limit = (int(v) for v in g.rng.integers(-5, 6, size=2))
    return Node([g.constant(v, np.int64) for v in (start, limit, int(g.pick([-3, -1, 1, 2])))])


@makes("Floor", "Ceil", "Round", "Reciprocal", "Pow", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Not")
def _of_constants(g: Sketch, operator: str) -> Node:
    shape = [int(g.rng.integers(1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
    logical, unary = operator in ("And", "Or", "Not"), operator in ("Floor", "Ceil", "Round", "Reciprocal", "Not")

    def operand(*sizes: int) -> str:
        if logical:
            return g.constant(g.rng.random(sizes) < 0.5)
        return g.constant((g.rng.integers(0, 12, size=sizes) + 1) / 4 * (-1 if operator != "Pow" and g.chance(0.3) else 1), np.float32)

    return Node([operand(*shape)] if unary else [operand(*shape), operand(*g.fitting(shape))])


@makes("DequantizeLinear")
def _dequantize(g: Sketch, operator: str) -> Node:
    stored = g.constant(g.rng.integers(-9, 9, size=(2, 3)), np.int8)
    if g.opset < 13 or g.chance(0.5):
        return Node([stored, g.constant(0.25, np.float32), *([g.constant(3, np.int8)] if g.chance(0.5) else [])])
    return Node([stored, g.constant([0.25, 0.5, 2.0], np.float32)], {"axis": int(g.pick([1, -1]))})


# Reductions


@makes("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd")
def _reduce(g: Sketch, operator: str) -> Node:
    linear = operator in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin")
    x = g.floats() if linear else g.constant([[3.0, 4.0], [-6.0, 8.0]], np.float32)
    attributes: dict[str, Any] = {"keepdims": int(g.chance(0.5))} if g.chance(0.7) else {}
    axes = g.axes(len(g.shape(x)))
    if g.takes(operator, "noop_with_empty_axes") and g.chance(0.3):
        attributes["noop_with_empty_axes"] = int(g.chance(0.7))
    inputs = [x]
    if axes or g.chance(0.1):
        inputs += g.listed(operator, "axes", axes, attributes)
    return Node(inputs, attributes)


# Windows


def _window(g: Sketch, rank: int, lengths: Sequence[int], *, pooled: bool, dilated: bool = True) -> dict[str, Any]:
    """Attributes of a moving window, its strides beyond the kernel now and then."""
    found: dict[str, Any] = {}
    if g.chance(0.7):
        found["strides"] = [int(g.pick([1, 2, 3, 5])) for _ in range(rank)]
    if dilated and g.chance(0.4):
        found["dilations"] = [int(g.pick([1, 1, 2, 3])) for _ in range(rank)]
    if g.chance(0.4):
        found["auto_pad"] = str(g.pick(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))
    if g.chance(0.5) and found.get("auto_pad", "NOTSET") == "NOTSET":
        found["pads"] = [int(g.rng.integers(0, 3)) for _ in range(2 * rank)]
    return found


@makes("Conv")
def _conv(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 5)
    shape = g.shape(x)
    rank, channels = len(shape) - 2, shape[1]
    groups = channels if g.chance(0.25) and channels else 1
    kernel = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    made = int(g.rng.integers(1, 3)) * groups
    attributes = _window(g, rank, shape[2:], pooled=False)
    if groups != 1 or g.chance(0.1):
        attributes["group"] = groups
    if g.chance(0.5):
        attributes["kernel_shape"] = kernel
    return Node([x, g.like(x, made, channels // max(groups, 1), *kernel), *([g.like(x, made)] if g.chance(0.5) else [])], attributes)


@makes("ConvTranspose")
def _conv_transpose(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 4)
    shape = g.shape(x)
    rank, channels = len(shape) - 2, shape[1]
    groups = channels if g.chance(0.25) and channels else 1
    kernel = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    made = int(g.rng.integers(1, 3))
    attributes = _window(g, rank, shape[2:], pooled=False)
    if groups != 1:
        attributes["group"] = groups
    if g.chance(0.3):
        attributes["output_padding"] = [int(g.rng.integers(0, 3)) for _ in range(rank)]
    if g.chance(0.1):
        attributes["output_shape"] = [int(g.rng.integers(1, 8)) for _ in range(rank)]
    return Node([x, g.like(x, channels, made, *kernel), *([g.like(x, made * groups)] if g.chance(0.5) else [])], attributes)


@makes("MaxPool", "AveragePool")
def _pool(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 5)
    rank = len(g.shape(x)) - 2
    attributes = _window(g, rank, g.shape(x)[2:], pooled=True, dilated=g.takes(operator, "dilations"))
    attributes["kernel_shape"] = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    if g.takes(operator, "ceil_mode") and g.chance(0.4):
        attributes["ceil_mode"] = 1
    if operator == "AveragePool" and g.chance(0.4):
        attributes["count_include_pad"] = 1
    return Node([x], attributes)


@makes("BatchNormalization")
def _normalise(g: Sketch, operator: str) -> Node:
    x = g.floats(2)
    channels = g.shape(x)[1]
    kind = g.values[x].dtype
    variance = g.constant(g.pick([np.array([0.25, 4.0, 1.0]), np.array([2.0, 0.3, 7.0])])[np.arange(channels) % 3], kind)
    return Node([x, *(g.like(x, channels) for _ in range(3)), variance], {"epsilon": 0.0} if g.chance(0.5) else {})


# Ids: what may stand first where the input is token ids


def _from_ids(g: Sketch, x: str, alphabet: int) -> Node:
    if g.chance(0.2):
        return Node([x], {"to": TensorProto.FLOAT}, operator="Cast")
    axis = int(g.rng.integers(0, 2))
    shape = [int(g.rng.integers(1, 4)) for _ in range(2)]
    shape[axis] = alphabet + int(g.rng.integers(0, 3))
    return Node([g.constant(g.quarters(*shape)), x], {"axis": axis}, operator="Gather")


# The whole


def random_model(rng: np.random.Generator) -> onnx.ModelProto:
    """A graph of one input and one output, of 1 to `MOST_NODES` nodes; metadata "alphabet" says how many words an id may be."""
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
        if not any(_grown(g, str(g.pick(BLIND if after_cut else operators))) for _ in range(TRIES)) or g.broken:
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


def _add(g: Sketch, proposed: Node, operator: str = "") -> None:
    """The node, where onnxruntime runs it, or now and then, as the last, where it does not.  Raises Unfit where it is not taken."""
    names = [g.new() for _ in range(proposed.outputs)]
    node = helper.make_node(proposed.operator or operator, list(proposed.inputs), names)
    for name, value in proposed.attributes.items():
        node.attribute.append(helper.make_attribute(name, value, attr_type=AttributeProto.INTS if value == [] else None))
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
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in moving.items()]
    stored = [numpy_helper.from_array(g.values[n], n) for n in dict.fromkeys(read) if n not in moving]
    model = _model([node], inputs, [onnx.ValueInfoProto(name=n) for n in node.output], stored, g.opset)
    return [np.asarray(v) for v in _session(model.SerializeToString()).run(None, moving)]


def _model(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[Any], outputs: Sequence[Any], stored: Sequence[onnx.TensorProto], opset: int
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
    for node in reversed(g.nodes):  # what nobody reads goes, most of the time: one node that we refuse there would hide all the others
        if needed & set(node.output) or g.chance(0.05):
            used.append(node)
            needed.update(node.input)
    used.reverse()
    value = g.values.get(output)
    if not used:
        used, value, output = [helper.make_node("Identity", ["x"], ["y"])], g.values["x"], "y"
    found = onnx.ValueInfoProto(name=output)
    if value is not None:
        found = helper.make_tensor_value_info(output, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
    else:
        found.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32 if kind is np.int64 else kind))
    entry = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
    stored = [numpy_helper.from_array(v, n) for n, v in g.stored.items() if any(n in node.input for node in used)]
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
        if "NOT_IMPLEMENTED" in why and (known or not reference):  # for this type: nobody is left whose word counts
            return None
        if not reference:
            return f"we read what nobody runs: onnxruntime says {why}; the reference evaluator says {why_not}"
    for i, (sample, theirs) in enumerate(zip(samples, runtime or reference, strict=False)):
        with np.errstate(all="ignore"):
            ours, largest = _ours(network, sample, ids, alphabet)
            if largest > HUGE:
                continue
            got = np.asarray(theirs, dtype=np.float64).reshape(-1)
        who = "onnxruntime" if runtime else "the reference evaluator (onnxruntime cannot run it)"
        if got.shape != ours.shape:
            return f"sample {i}: we have {ours.size} outputs, {who} has {got.size}"
        if not (np.abs(ours - got) <= TOLERANCE * (1 + largest)).all():
            return f"sample {i}: we say {ours.tolist()}, {who} says {got.tolist()}"
    return _false_alarm(reading, samples, alphabet if ids else None) if runtime else None


def _false_alarm(reading: Reading, samples: Sequence[np.ndarray], alphabet: int | None) -> str | None:
    """The comparison that every command makes has to see it as we do."""
    rows = [np.eye(alphabet, dtype=np.int64)[s.reshape(-1)].reshape(-1) if alphabet else s.reshape(-1) for s in samples]
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
            np.abs(np.array([[float(Fraction(int(v), s)) for v in row] for row in k])) for k, s in zip(values, network.scales, strict=True)
        ]
        exact = np.array([float(Fraction(int(v), network.scale)) for v in values[-1][0]])
        return exact, max(float(p.max(initial=0)) for p in parts)
    from relucid.models.exact_point import exact_outputs

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
