"""The ONNX operators that only move values around: they rearrange references and make no nodes.

Beside `onnx_ops`, which has all the others and the rules for both.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ...network.network import dyadic
from ..tensors import Const, Lookup, Refused, Tensor, Values, check_size, constant
from .call import Call, operator

FOR_THE_END = (2**31 - 1, 2**63 - 1)  # ends of a Slice that mean the axis's own, forwards


@operator("Identity")
def identity(call: Call) -> Tensor:
    return call.input(0)


@operator("Dropout")
def dropout(call: Call) -> Tensor:
    if call.optional(2) is not None and call.known(2, "training_mode").numerators.any():
        raise Refused("training_mode is on")
    return call.input(0)


def axis_of(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise Refused(f"axis {axis} is outside a tensor of {rank} axes")
    return axis % rank


@operator("Flatten")
def flatten(call: Call) -> Tensor:
    x = call.input(0)
    axis = call.attributes.get("axis", 1)
    if not -len(x.shape) <= axis <= len(x.shape):
        raise Refused(f"axis {axis} is outside a tensor of {len(x.shape)} axes")
    split = axis + len(x.shape) if axis < 0 else axis
    shape = (math.prod(x.shape[:split]), math.prod(x.shape[split:]))
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Reshape")
def reshape(call: Call) -> Tensor:
    x, wanted = call.input(0), call.known(1, "the shape").integers()
    if not call.attributes.get("allowzero", 0):
        if any(d == 0 and i >= len(x.shape) for i, d in enumerate(wanted)):
            raise Refused(f"shape {wanted} copies an axis that {list(x.shape)} does not have")
        wanted = [x.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    known = math.prod(d for d in wanted if d != -1)
    size = math.prod(x.shape)
    if wanted.count(-1) > 1 or any(d < -1 for d in wanted) or (-1 in wanted and (known == 0 or size % known)):
        raise Refused(f"shape {wanted} does not fit {list(x.shape)}")
    shape = tuple(size // known if d == -1 else d for d in wanted)
    if math.prod(shape) != size:
        raise Refused(f"shape {wanted} does not fit {list(x.shape)}")
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Transpose")
def transpose(call: Call) -> Tensor:
    x = call.input(0)
    order = list(call.attributes.get("perm", range(len(x.shape))[::-1]))
    if sorted(order) != list(range(len(x.shape))):
        raise Refused(f"perm {order} does not fit {list(x.shape)}")
    return x.rearranged(lambda i: i.transpose(order))


def _given_axes(call: Call) -> list[int] | None:
    axes = call.axes(1, since=13)
    if call.opset < 11 and axes is not None and any(a < 0 for a in axes):
        raise Refused(f"axes {axes}: opset 11 is the first to count from the end")
    return axes


@operator("Squeeze")
def squeeze(call: Call) -> Tensor:
    x, axes = call.input(0), _given_axes(call)
    wanted = (
        {i for i, d in enumerate(x.shape) if d == 1}
        if axes is None
        else {axis_of(a, len(x.shape)) for a in axes}
    )
    if any(x.shape[i] != 1 for i in wanted):
        raise Refused(f"axes {sorted(wanted)} of {list(x.shape)} are not all 1")
    shape = tuple(d for i, d in enumerate(x.shape) if i not in wanted)
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    x, axes = call.input(0), _given_axes(call)
    if axes is None:
        raise Refused("axes are missing")
    rank = len(x.shape) + len(axes)
    wanted = {axis_of(a, rank) for a in axes}
    if len(wanted) != len(axes):
        raise Refused(f"axes {axes} repeat")
    rest = iter(x.shape)
    shape = tuple(1 if i in wanted else next(rest) for i in range(rank))
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Shape")
def shape_of(call: Call) -> Tensor:
    shape = call.input(0).shape
    start, end = call.attributes.get("start", 0), call.attributes.get("end", len(shape))
    return constant(np.array(shape[start:end], dtype=np.int64), 1, "int64")


@operator("Size")
def size_of(call: Call) -> Tensor:
    return constant(np.array(math.prod(call.input(0).shape), dtype=np.int64), 1, "int64")


@operator("ConstantOfShape")
def constant_of_shape(call: Call) -> Tensor:
    shape = call.known(0, "the shape").integers()
    if any(d < 0 for d in shape):
        raise Refused(f"shape {shape} is negative")
    check_size(max(1, math.prod(shape)))
    value = call.attributes.get("value", Const(np.zeros(1, dtype=np.int64), 1, "float32"))
    if value.numerators.size != 1:
        raise Refused("its value is no single number")
    return Const(np.broadcast_to(value.numerators.reshape(-1)[0], shape), value.denominator, value.dtype)


@operator("Expand")
def expand(call: Call) -> Tensor:
    x, wanted = call.input(0), call.known(1, "the shape").integers()
    try:
        shape = np.broadcast_shapes(x.shape, tuple(wanted))
    except ValueError:
        raise Refused(f"shape {wanted} does not fit {list(x.shape)}") from None
    check_size(max(1, math.prod(shape)))
    return x.rearranged(lambda i: np.broadcast_to(i, shape))


@operator("Tile")
def tile(call: Call) -> Tensor:
    x, repeats = call.input(0), call.known(1, "the repeats").integers()
    if len(repeats) != len(x.shape) or any(r < 0 for r in repeats):
        raise Refused(f"repeats {repeats} do not fit {list(x.shape)}")
    check_size(max(1, math.prod(x.shape) * math.prod(repeats)))
    return x.rearranged(lambda i: np.tile(i, repeats))


@operator("Slice")
def slice_of(call: Call) -> Tensor:
    x = call.input(0)
    if call.opset < 10:
        starts, ends = call.required("starts"), call.required("ends")
        axes, steps = call.attributes.get("axes"), None
    else:
        starts, ends = call.known(1, "the starts").integers(), call.known(2, "the ends").integers()
        axes = None if call.optional(3) is None else call.known(3, "the axes").integers()
        steps = None if call.optional(4) is None else call.known(4, "the steps").integers()
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refused("its starts, ends, axes and steps do not fit")
    taken = [np.arange(d) for d in x.shape]
    if len({axis_of(a, len(x.shape)) for a in axes}) != len(axes):
        raise Refused(f"its axes {list(axes)} repeat")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        a = axis_of(axis, len(x.shape))
        taken[a] = _places(start, end, step, x.shape[a])
    return x.rearranged(lambda i: i[np.ix_(*taken)] if taken else i)


def _places(start: int, end: int, step: int, length: int) -> np.ndarray:
    """The places that a slice takes of an axis, as ONNX clamps its ends: unlike Python's, a negative step starts inside the axis."""
    if step < 0 and end in FOR_THE_END:
        raise Refused(
            f"a negative step with end = {end}: onnxruntime goes to the first element, the ONNX text takes none"
        )
    start, end = (v + length if v < 0 else v for v in (start, end))
    if step > 0:
        return np.arange(length)[max(start, 0) : max(end, 0) : step]
    start, end = min(max(start, 0), length - 1), min(max(end, -1), length - 1)
    return np.array(range(start, end, step), dtype=np.int64)


@operator("Split")
def split(call: Call) -> tuple[Tensor, ...]:
    x = call.input(0)
    axis = axis_of(call.attributes.get("axis", 0), len(x.shape))
    sizes = call.attributes.get("split") if call.opset < 13 else None
    if call.opset >= 13 and call.optional(1) is not None:
        sizes = call.known(1, "the sizes").integers()
    if sizes is None:
        each = -(-x.shape[axis] // call.outputs)
        sizes = [max(0, min(each, x.shape[axis] - k * each)) for k in range(call.outputs)]
    if sum(sizes) != x.shape[axis] or len(sizes) != call.outputs or min(sizes) < 0:
        raise Refused(f"sizes {list(sizes)} do not fit an axis of {x.shape[axis]} and {call.outputs} outputs")
    ends = np.cumsum(sizes)
    ranges = [np.arange(e - s, e) for s, e in zip(sizes, ends, strict=True)]
    return tuple(x.rearranged(partial(np.take, indices=r, axis=axis)) for r in ranges)


@operator("Pad")
def pad(call: Call) -> Tensor:
    x = call.input(0)
    rank = len(x.shape)
    mode = call.attributes.get("mode", b"constant")
    mode = mode.decode(errors="replace") if isinstance(mode, bytes) else mode
    pads = list(call.required("pads")) if call.opset < 11 else call.known(1, "the pads").integers()
    axes = list(range(rank))
    if call.optional(3) is not None:
        axes = [axis_of(a, rank) for a in call.known(3, "the axes").integers()]
    if len(pads) != 2 * len(axes):
        raise Refused(f"pads {pads} do not fit {len(axes)} axes")
    wide = [(0, 0)] * rank
    for k, a in enumerate(axes):
        wide[a] = (pads[k], pads[len(axes) + k])
    if any(max(0, -b) + max(0, -e) > d for d, (b, e) in zip(x.shape, wide, strict=True)):
        raise Refused(f"pads {pads} take away more than there is")
    inner = x.rearranged(
        lambda i: i[tuple(slice(max(0, -b), i.shape[a] - max(0, -e)) for a, (b, e) in enumerate(wide))]
    )
    wide = [(max(0, b), max(0, e)) for b, e in wide]
    check_size(max(1, math.prod(d + b + e for d, (b, e) in zip(inner.shape, wide, strict=True))))
    if mode in ("reflect", "edge", "wrap"):
        if math.prod(inner.shape) == 0:
            raise Refused("it pads an empty tensor")
        if mode == "reflect" and any(
            max(b, e) >= d for d, (b, e) in zip(inner.shape, wide, strict=True) if b or e
        ):
            raise Refused(f"pads {pads} reflect more than there is")
        return inner.rearranged(lambda i: np.pad(i, wide, mode=mode))  # type: ignore[arg-type]
    if mode != "constant":
        raise Refused(f"mode {mode!r} is not supported")
    value = _fill(call, x)
    if isinstance(inner, Lookup):
        raise Refused("it pads integers that depend on the ids")
    if isinstance(inner, Const):
        common = math.lcm(inner.denominator, value.denominator)
        fill = int(value.numerators.reshape(-1)[0]) * (common // value.denominator)
        numerators = inner.numerators.astype(object) * (common // inner.denominator)
        return constant(np.pad(numerators, wide, constant_values=fill), common, inner.dtype)
    if not any(b or e for b, e in wide):
        return inner
    number = int(call.build.known(Const(value.numerators.reshape(1), value.denominator, inner.dtype)).refs[0])
    return inner.rearranged(lambda i: np.pad(i, wide, constant_values=number))


def _fill(call: Call, x: Tensor) -> Const:
    if call.opset < 11:
        numerators, denominator = dyadic(np.array([call.attributes.get("value", 0.0)], dtype=np.float32))
        return Const(numerators, denominator, x.dtype)
    if call.optional(2) is None:
        return Const(np.zeros(1, dtype=np.int64), 1, x.dtype)
    found = call.known(2, "the value")
    if found.numerators.size != 1 or found.dtype != x.dtype:
        raise Refused("its value is no single number of the input's type")
    return found


@operator("Where")
def where(call: Call) -> Tensor:
    condition, a, b = call.known(0, "the condition"), call.input(1), call.input(2)
    if a.dtype != b.dtype or isinstance(a, Lookup) or isinstance(b, Lookup):
        raise Refused(f"its operands are {a.dtype} and {b.dtype}")
    try:
        shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    except ValueError:
        raise Refused("its shapes do not fit") from None
    check_size(max(1, math.prod(shape)))
    chosen = np.broadcast_to(condition.numerators != 0, shape)
    if isinstance(a, Const) and isinstance(b, Const):
        common = math.lcm(a.denominator, b.denominator)
        left, right = (
            np.broadcast_to(c.numerators.astype(object) * (common // c.denominator), shape) for c in (a, b)
        )
        return constant(np.where(chosen, left, right), common, a.dtype)
    left, right = (call.build.known(c).refs if isinstance(c, Const) else c.refs for c in (a, b))
    return Values(np.where(chosen, np.broadcast_to(left, shape), np.broadcast_to(right, shape)), a.dtype)


@operator("Range")
def range_of(call: Call) -> Tensor:
    start, limit, delta = (call.known(i, "a limit") for i in range(3))
    first, last, step = (
        int(c.numerators.reshape(-1)[0]) if c.numerators.size == 1 else None for c in (start, limit, delta)
    )
    if start.dtype not in ("int64", "int32") or first is None or last is None or not step:
        raise Refused("it takes three integers")
    check_size(max(1, -(-abs(last - first) // abs(step))))
    return constant(np.arange(first, last, step, dtype=np.int64), 1, start.dtype)
