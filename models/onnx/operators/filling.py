"""The ONNX operators that make or fill tensors: Shape, Size, ConstantOfShape, Range, Where and Pad."""

from __future__ import annotations

import math

import numpy as np

from ...network.integers import dyadic
from ..tensors import Const, Lookup, Refused, Tensor, Values, check_size, constant
from .call import Call, axis_of
from .registry import operator


@operator("Shape")
def shape_of(call: Call) -> Tensor:
    """Return the input's shape, or a part of it."""
    shape = call.input(0).shape
    start, end = call.attributes.get("start", 0), call.attributes.get("end", len(shape))
    return constant(np.array(shape[start:end], dtype=np.int64), 1, "int64")


@operator("Size")
def size_of(call: Call) -> Tensor:
    """Return how many elements the input has."""
    return constant(np.array(math.prod(call.input(0).shape), dtype=np.int64), 1, "int64")


@operator("ConstantOfShape")
def constant_of_shape(call: Call) -> Tensor:
    """Return a tensor of a given shape that has one value everywhere."""
    shape = call.known(0, "the shape").integers()
    if any(d < 0 for d in shape):
        raise Refused(f"shape {shape} is negative")
    check_size(max(1, math.prod(shape)))
    value = call.attributes.get("value", Const(np.zeros(1, dtype=np.int64), 1, "float32"))
    if value.numerators.size != 1:
        raise Refused("its value is not a single number")
    return Const(np.broadcast_to(value.numerators.reshape(-1)[0], shape), value.denominator, value.dtype)


@operator("Range")
def range_of(call: Call) -> Tensor:
    """Return the integers from start to before limit, in steps of delta."""
    start, limit, delta = (call.known(i, "a limit") for i in range(3))
    first, last, step = (
        int(c.numerators.reshape(-1)[0]) if c.numerators.size == 1 else None for c in (start, limit, delta)
    )
    if start.dtype not in ("int64", "int32") or first is None or last is None or not step:
        raise Refused("it takes three integers")
    check_size(max(1, -(-abs(last - first) // abs(step))))
    return constant(np.arange(first, last, step, dtype=np.int64), 1, start.dtype)


@operator("Where")
def where(call: Call) -> Tensor:
    """Return elements of one tensor or the other, as a constant condition says."""
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


@operator("Pad")
def pad(call: Call) -> Tensor:
    """Return the tensor padded, or cropped where pads are negative."""
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
    """Return the value that Pad fills with."""
    if call.opset < 11:
        numerators, denominator = dyadic(np.array([call.attributes.get("value", 0.0)], dtype=np.float32))
        return Const(numerators, denominator, x.dtype)
    if call.optional(2) is None:
        return Const(np.zeros(1, dtype=np.int64), 1, x.dtype)
    found = call.known(2, "the value")
    if found.numerators.size != 1 or found.dtype != x.dtype:
        raise Refused("its value is not a single number of the input's type")
    return found
