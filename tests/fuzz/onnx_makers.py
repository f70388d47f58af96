"""Random nodes of operators that compute or move element by element, make constants, or reduce: with odd
attributes now and then.

Beside `windows.py`.  A maker proposes inputs and attributes; whether that is a node at all, onnxruntime says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from .onnx_sketch import Node, Sketch, Unfit, makes

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
        g.stored[other] = g.values[other] = np.where(
            divisor == 0, divisor.dtype.type(0 if g.chance(0.02) else 0.75), divisor
        )
        return Node([x, other], {"fmod": 1} if operator == "Mod" else {})
    return Node([x, other] if g.chance(0.7) else [other, x])


@makes("Max", "Min", "Sum")
def _several(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node(
        [
            x,
            *(
                g.floats() if g.chance(0.4) else g.like(x, *g.fitting(g.shape(x)))
                for _ in range(int(g.rng.integers(0, 3)))
            ),
        ]
    )


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
    limits = [
        float(g.pick([-largest, largest, -2.5, -0.75, 0.0, 0.5, 1.75])) if g.chance(0.7) else None
        for _ in range(2)
    ]
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
    equation, shape = g.pick(
        [("ij,jk->ik", (b, 2)), ("ij,ij->j", (a, b)), ("ij,kj->ki", (3, b)), ("ij,i", (a,))]
    )
    return Node([x, g.like(x, *shape)], {"equation": equation})


# Shapes


@makes("Flatten")
def _flatten(g: Sketch, operator: str) -> Node:
    x = g.floats()
    rank = len(g.shape(x))
    return Node(
        [x], {"axis": int(g.rng.integers(-rank if g.opset >= 11 else 0, rank + 1))} if g.chance(0.8) else {}
    )


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
    attributes = (
        {"allowzero": int(g.chance(0.5))} if g.takes("Reshape", "allowzero") and g.chance(0.4) else {}
    )
    return Node([x, g.ints(wanted)], attributes)


@makes("Transpose")
def _transpose(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node(
        [x],
        {"perm": [int(i) for i in g.rng.permutation(len(g.shape(x)))]}
        if g.shape(x) and g.chance(0.8)
        else {},
    )


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
    wide = [
        int(g.rng.integers(1, 4)) if d == 1 and g.chance(0.5) else 1 if g.chance(0.2) else d
        for d in g.shape(x)
    ]
    wide = wide[int(g.chance(0.2)) :]
    if wide and g.chance(0.05):
        wide[0] = 0
    return Node([x, g.ints([*([2] if g.chance(0.2) else []), *wide])])


@makes("Tile")
def _tile(g: Sketch, operator: str) -> Node:
    x = g.floats()
    return Node(
        [x, g.ints([int(g.pick([1, 1, 2, 3, 0] if g.chance(0.2) else [1, 1, 2])) for _ in g.shape(x)])]
    )


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
            starts[k], ends[k] = (
                int(g.rng.integers(0, shape[a] + 1)),
                int(g.pick([shape[a], 2**63 - 1, g.near(shape[a])])),
            )
    if g.takes("Slice", "starts"):
        return Node([x], {"starts": starts, "ends": ends, "axes": axes})
    inputs = [x, g.ints(starts), g.ints(ends)]
    if g.chance(0.85):
        inputs.append(g.ints(axes))
        if g.chance(0.7):
            steps = [
                int(g.pick([-1, -1, -2, -3, 1, 2, 3, -(2**40), 2**40] if g.chance(0.7) else [1]))
                for _ in axes
            ]
            for k in range(len(axes)):
                length = shape[axes[k]]
                if steps[k] < 0 and g.chance(0.4):  # both ends before the axis
                    starts[k], ends[k] = (
                        int(g.pick([-1000, -length - 2, -length - 1, -length, *more]))
                        for more in ((0, -1), (-(2**63),))
                    )
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
        g.pick(
            ["constant", "constant", "reflect", "edge", "wrap"]
            if g.opset >= 19
            else ["constant", "constant", "reflect", "edge"]
        )
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
    return Node(
        [x, g.constant(index, np.int32 if g.chance(0.3) else np.int64)],
        {"axis": axis} if axis or g.chance(0.5) else {},
    )


@makes("Where")
def _where(g: Sketch, operator: str) -> Node:
    x = g.floats()
    condition = g.constant(g.rng.random(g.fitting(g.shape(x))) < 0.5)
    other = g.floats() if g.chance(0.3) else g.like(x, *g.fitting(g.shape(x)))
    return Node([condition, x, other] if g.chance(0.5) else [condition, other, x])


@makes("Cast")
def _cast(g: Sketch, operator: str) -> Node:
    if g.chance(0.7):
        return Node(
            [g.floats()], {"to": int(g.pick([TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.DOUBLE]))}
        )
    values = g.rng.integers(-5, 6, size=3)
    kind = g.pick([np.int64, np.int32, np.int8, np.float64, np.bool_, np.float32])
    to = g.pick(
        [
            TensorProto.FLOAT,
            TensorProto.INT64,
            TensorProto.INT32,
            TensorProto.DOUBLE,
            TensorProto.BOOL,
            TensorProto.INT8,
        ]
    )
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
        return Node(
            [x, g.constant(scales, np.float32)] if g.opset >= 9 else [x],
            {} if g.opset >= 9 else {"scales": scales},
        )
    shape = g.shape(x)
    scales = [1.0, 1.0, *(float(g.pick([0.5, 1.0, 1.5, 2.0, 3.0])) for _ in shape[2:])]
    if g.opset < 11:
        return Node([x, g.constant(scales, np.float32)], {"mode": "nearest"})
    places = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    attributes = {
        "mode": g.pick(["nearest", "nearest", "linear"]),
        "coordinate_transformation_mode": g.pick(places),
    }
    if attributes["mode"] == "nearest":
        attributes["nearest_mode"] = g.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if g.chance(0.3):
        return Node(
            [x, "", "", g.ints([*shape[:2], *(int(g.rng.integers(1, 6)) for _ in shape[2:])])], attributes
        )
    return Node(
        [x, "" if g.opset >= 13 else g.constant([], np.float32), g.constant(scales, np.float32)], attributes
    )


# Constants


@makes("Constant")
def _constant(g: Sketch, operator: str) -> Node:
    size = [int(g.rng.integers(0 if g.chance(0.1) else 1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
    forms: list[dict[str, Any]] = [{"value": numpy_helper.from_array(g.quarters(*size))}]
    if g.opset >= 12:
        forms += [
            {"value_float": 0.75},
            {"value_floats": [0.5, -2.0]},
            {"value_int": 2},
            {"value_ints": [1, -1, 0]},
        ]
    return Node([], g.pick(forms))


@makes("Shape", "Size")
def _measure(g: Sketch, operator: str) -> Node:
    attributes = {}
    if operator == "Shape" and g.opset >= 15:
        attributes = {name: int(g.rng.integers(-3, 4)) for name in ("start", "end") if g.chance(0.5)}
    return Node([g.floats()], attributes)


@makes("ConstantOfShape")
def _constant_of_shape(g: Sketch, operator: str) -> Node:
    sizes = [
        n
        for n, v in g.values.items()
        if v.dtype == np.int64 and v.ndim == 1 and n not in g.varying and len(v) < 5
    ]
    shape = (
        str(g.pick(sizes))
        if sizes and g.chance(0.5)
        else g.ints([int(g.rng.integers(0 if g.chance(0.2) else 1, 4)) for _ in range(2)])
    )
    return Node([shape], {"value": numpy_helper.from_array(g.quarters(1))} if g.chance(0.7) else {})


@makes("Range")
def _range(g: Sketch, operator: str) -> Node:
    start, limit = (int(v) for v in g.rng.integers(-5, 6, size=2))
    return Node([g.constant(v, np.int64) for v in (start, limit, int(g.pick([-3, -1, 1, 2])))])


@makes(
    "Floor",
    "Ceil",
    "Round",
    "Reciprocal",
    "Pow",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "And",
    "Or",
    "Not",
)
def _of_constants(g: Sketch, operator: str) -> Node:
    shape = [int(g.rng.integers(1, 4)) for _ in range(int(g.rng.integers(0, 3)))]
    logical, unary = (
        operator in ("And", "Or", "Not"),
        operator in ("Floor", "Ceil", "Round", "Reciprocal", "Not"),
    )

    def operand(*sizes: int) -> str:
        if logical:
            return g.constant(g.rng.random(sizes) < 0.5)
        return g.constant(
            (g.rng.integers(0, 12, size=sizes) + 1) / 4 * (-1 if operator != "Pow" and g.chance(0.3) else 1),
            np.float32,
        )

    return Node([operand(*shape)] if unary else [operand(*shape), operand(*g.fitting(shape))])


@makes("DequantizeLinear")
def _dequantize(g: Sketch, operator: str) -> Node:
    stored = g.constant(g.rng.integers(-9, 9, size=(2, 3)), np.int8)
    if g.opset < 13 or g.chance(0.5):
        return Node(
            [stored, g.constant(0.25, np.float32), *([g.constant(3, np.int8)] if g.chance(0.5) else [])]
        )
    return Node([stored, g.constant([0.25, 0.5, 2.0], np.float32)], {"axis": int(g.pick([1, -1]))})


# Reductions


@makes(
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceProd",
)
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
