"""The ONNX operators ReduceSum, ReduceMean, ReduceMax and ReduceMin."""

from __future__ import annotations

import math

import numpy as np

from ..builder import AffineTerm, folded
from ..tensors import INTEGER_RANGES, Const, Lookup, Refused, Tensor, Values, constant
from .call import Call, axis_of
from .maxima import largest, negated
from .registry import operator


def reduced(call: Call, since: int) -> tuple[Tensor, list[int], bool] | None:
    """Return the input, the axes that are reduced (sorted), and whether they stay as 1.

    Returns None if nothing is reduced.  `since`: the opset from which axes are an input.
    """
    x, axes = call.input(0), call.axes(1, since=since)
    if not axes:
        if call.attributes.get("noop_with_empty_axes", 0):
            return None
        axes = list(range(len(x.shape)))
    gone = sorted({axis_of(a, len(x.shape)) for a in axes})
    return x, gone, bool(call.attributes.get("keepdims", 1))


def last_axis(x: Tensor, gone: list[int], keep: bool) -> tuple[Tensor, tuple[int, ...]]:
    """Return the tensor with the reduced axes joined as its last one, and the shape of the result."""
    stay = [a for a in range(len(x.shape)) if a not in gone]
    size = math.prod(x.shape[a] for a in gone)
    front = x.rearranged(lambda i: i.transpose([*stay, *gone]).reshape(*(x.shape[a] for a in stay), size))
    shape = tuple(1 if a in gone else d for a, d in enumerate(x.shape) if keep or a not in gone)
    return front, shape


def _total(call: Call, since: int, *, mean: bool) -> Tensor:
    asked = reduced(call, since)
    if asked is None:
        return call.input(0)
    x, gone, keep = asked
    if isinstance(x, Lookup):
        raise Refused("it sums integers of several ids")
    front, shape = last_axis(x, gone, keep)
    count = front.shape[-1] if mean else 1
    if not count:
        raise Refused("it takes the mean of no values")
    if isinstance(front, Const):
        if mean and front.dtype in INTEGER_RANGES:
            raise Refused("the mean of integers truncates")
        total = front.numerators.astype(object).sum(axis=-1)
        return folded(
            call.build,
            np.asarray(total, dtype=object).reshape(shape),
            front.denominator * count,
            x.dtype,
            single_step=False,
        )
    assert isinstance(front, Values)
    refs = front.refs
    if (np.diff(np.sort(refs, axis=-1), axis=-1) == 0).any():  # a value occurs twice in one sum: keep both
        refs = call.build.copied(front).refs
    if count & (count - 1):
        call.build.note("divides, and may round")
    rows = np.repeat(np.arange(math.prod(refs.shape[:-1])), refs.shape[-1])
    return call.build.affine(
        shape, x.dtype, [AffineTerm(rows, refs.reshape(-1), np.ones(refs.size, dtype=np.int64), count)]
    )


@operator("ReduceSum")
def reduce_sum(call: Call) -> Tensor:
    """Return sums over axes."""
    return _total(call, 13, mean=False)


@operator("ReduceMean")
def reduce_mean(call: Call) -> Tensor:
    """Return means over axes."""
    return _total(call, 18, mean=True)


def _extreme(call: Call, *, smallest: bool) -> Tensor:
    asked = reduced(call, 18)
    if asked is None:
        return call.input(0)
    x, gone, keep = asked
    if isinstance(x, Lookup):
        raise Refused("it compares integers of several ids")
    front, shape = last_axis(x, gone, keep)
    if isinstance(front, Const):
        if not front.shape[-1]:
            raise Refused("it compares no values")
        found = (front.numerators.min if smallest else front.numerators.max)(axis=-1)
        return constant(np.asarray(found).reshape(shape), front.denominator, x.dtype)
    assert isinstance(front, Values)
    best = largest(call.build, negated(call.build, front) if smallest else front)
    best = negated(call.build, best) if smallest else best
    return best.rearranged(lambda i: i.reshape(shape))


@operator("ReduceMax")
def reduce_max(call: Call) -> Tensor:
    """Return maxima over axes."""
    return _extreme(call, smallest=False)


@operator("ReduceMin")
def reduce_min(call: Call) -> Tensor:
    """Return minima over axes."""
    return _extreme(call, smallest=True)
