"""The ONNX operators that only move elements: Reshape, Transpose, Slice, Split and others.

They make no nodes.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ..tensors import Refused, Tensor, check_size
from .call import Call, axis_of
from .registry import operator

FOR_THE_END = (2**31 - 1, 2**63 - 1)  # ends of a Slice that mean the end of the axis, for positive steps


@operator("Identity", rearranges=True)
def identity(call: Call) -> Tensor:
    """Return the input."""
    return call.input(0)


@operator("Dropout", rearranges=True)
def dropout(call: Call) -> Tensor:
    """Return the input: outside of training, nothing is dropped."""
    if call.optional(2) is not None and call.known(2, "training_mode").numerators.any():
        raise Refused("training_mode is on")
    return call.input(0)


@operator("Flatten", rearranges=True)
def flatten(call: Call) -> Tensor:
    """Return the tensor as a matrix."""
    x = call.input(0)
    axis = call.attributes.get("axis", 1)
    if not -len(x.shape) <= axis <= len(x.shape):
        raise Refused(f"axis {axis} is outside a tensor of {len(x.shape)} axes")
    split = axis + len(x.shape) if axis < 0 else axis
    shape = (math.prod(x.shape[:split]), math.prod(x.shape[split:]))
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Reshape", rearranges=True)
def reshape(call: Call) -> Tensor:
    """Return the tensor in another shape."""
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


@operator("Transpose", rearranges=True)
def transpose(call: Call) -> Tensor:
    """Return the tensor with its axes in another order."""
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


@operator("Squeeze", rearranges=True)
def squeeze(call: Call) -> Tensor:
    """Return the tensor without axes of length 1."""
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


@operator("Unsqueeze", rearranges=True)
def unsqueeze(call: Call) -> Tensor:
    """Return the tensor with new axes of length 1."""
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


@operator("Expand")
def expand(call: Call) -> Tensor:
    """Return the tensor broadcast to a shape."""
    x, wanted = call.input(0), call.known(1, "the shape").integers()
    try:
        shape = np.broadcast_shapes(x.shape, tuple(wanted))
    except ValueError:
        raise Refused(f"shape {wanted} does not fit {list(x.shape)}") from None
    check_size(max(1, math.prod(shape)))
    return x.rearranged(lambda i: np.broadcast_to(i, shape))


@operator("Tile")
def tile(call: Call) -> Tensor:
    """Return the tensor repeated along its axes."""
    x, repeats = call.input(0), call.known(1, "the repeats").integers()
    if len(repeats) != len(x.shape) or any(r < 0 for r in repeats):
        raise Refused(f"repeats {repeats} do not fit {list(x.shape)}")
    check_size(max(1, math.prod(x.shape) * math.prod(repeats)))
    return x.rearranged(lambda i: np.tile(i, repeats))


@operator("Slice", rearranges=True)
def slice_of(call: Call) -> Tensor:
    """Return every step-th element between start and end, along some axes."""
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
    """Return the places that a slice takes of an axis, with its ends clamped as ONNX says.

    Unlike in Python, a negative step starts inside the axis.
    """
    if step < 0 and end in FOR_THE_END:
        raise Refused(
            f"a negative step with end = {end}: onnxruntime goes to the first element,"
            " the ONNX text takes none"
        )
    start, end = (v + length if v < 0 else v for v in (start, end))
    if step > 0:
        return np.arange(length)[max(start, 0) : max(end, 0) : step]
    start, end = min(max(start, 0), length - 1), min(max(end, -1), length - 1)
    return np.array(range(start, end, step), dtype=np.int64)


@operator("Split", rearranges=True)
def split(call: Call) -> tuple[Tensor, ...]:
    """Return the parts of the tensor along an axis."""
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
