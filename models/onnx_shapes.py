"""The ONNX operators that only move values around: they rearrange references and make no nodes.

Beside `onnx_ops`, which has all the others and the rules for both.
"""

from __future__ import annotations

import math

from .onnx_call import Call, operator
from .onnx_tensors import Refused, Tensor


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


@operator("Squeeze")
def squeeze(call: Call) -> Tensor:
    x, axes = call.input(0), call.axes(1, since=13)
    wanted = {i for i, d in enumerate(x.shape) if d == 1} if axes is None else {axis_of(a, len(x.shape)) for a in axes}
    if any(x.shape[i] != 1 for i in wanted):
        raise Refused(f"axes {sorted(wanted)} of {list(x.shape)} are not all 1")
    shape = tuple(d for i, d in enumerate(x.shape) if i not in wanted)
    return x.rearranged(lambda i: i.reshape(shape))


@operator("Unsqueeze")
def unsqueeze(call: Call) -> Tensor:
    x, axes = call.input(0), call.axes(1, since=13)
    if axes is None:
        raise Refused("axes are missing")
    rank = len(x.shape) + len(axes)
    wanted = {axis_of(a, rank) for a in axes}
    if len(wanted) != len(axes):
        raise Refused(f"axes {axes} repeat")
    rest = iter(x.shape)
    shape = tuple(1 if i in wanted else next(rest) for i in range(rank))
    return x.rearranged(lambda i: i.reshape(shape))
