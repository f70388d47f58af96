"""ONNX operators that are piecewise linear without being a ReLU: maximum, minimum, absolute value, clipping, and sums over axes.

Beside `onnx_ops`.  Everything is made of max(a, b) = b + relu(a - b), which is exact over the rationals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...network.network import dyadic
from ..tensors import (
    FLOATS,
    INTEGER_RANGES,
    Builder,
    Const,
    Lookup,
    Refused,
    Tensor,
    Term,
    Values,
    check_size,
    constant,
    folded,
)
from .call import Call, operator
from .shapes import axis_of


def _values(build: Builder, x: Tensor) -> Values:
    if isinstance(x, Lookup) or x.dtype not in FLOATS:
        raise Refused(f"it takes floats, not {x.dtype}")
    return build.known(x) if isinstance(x, Const) else x


def _ones(x: Values, factor: int = 1) -> Term:
    return Term(np.arange(x.refs.size), x.refs.reshape(-1), np.full(x.refs.size, factor, dtype=np.int64))


def greater(build: Builder, a: Values, b: Values) -> Values:
    """max(a, b), of one shape."""
    above = build.relu(build.affine(a.shape, a.dtype, [_ones(a), _ones(b, -1)]))
    return build.affine(a.shape, a.dtype, [_ones(b), _ones(above)])


def largest(build: Builder, x: Values) -> Values:
    """The maximum along the last axis: a knock-out."""
    refs = x.refs
    if not refs.shape[-1] and math.prod(refs.shape[:-1]):
        raise Refused("it takes the largest of no values")
    if not refs.size:
        return Values(refs.reshape(*refs.shape[:-1]), x.dtype)
    while refs.shape[-1] > 1:
        half = refs.shape[-1] // 2
        first, second, rest = refs[..., :half], refs[..., half : 2 * half], refs[..., 2 * half :]
        winners = greater(
            build, Values(np.ascontiguousarray(first), x.dtype), Values(np.ascontiguousarray(second), x.dtype)
        )
        refs = np.concatenate([winners.refs, rest], axis=-1)
    return Values(refs[..., 0], x.dtype)


def _negated(build: Builder, x: Values) -> Values:
    return build.affine(x.shape, x.dtype, [_ones(x, -1)])


def _on_constants(a: Const, b: Const, choose: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Const:
    common = math.lcm(a.denominator, b.denominator)
    left, right = (c.numerators.astype(object) * (common // c.denominator) for c in (a, b))
    return constant(choose(left, right), common, a.dtype)


def _of_one_shape(call: Call) -> tuple[list[Tensor], tuple[int, ...]]:
    """The operands of an operator that takes any number of them, and the shape that they are brought to."""
    inputs = [call.input(i) for i in range(len(call.inputs))]
    if any(x.dtype != inputs[0].dtype for x in inputs):
        raise Refused("its operands have several types")
    shapes = " and ".join(str(list(x.shape)) for x in inputs)
    if call.opset < 8 and any(x.shape != inputs[0].shape for x in inputs):
        raise Refused(f"shapes {shapes} differ, which opset 8 is the first to allow")
    try:
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
    except ValueError:
        raise Refused(f"shapes {shapes} do not fit") from None
    check_size(max(1, math.prod(shape)))
    return inputs, shape


def _many(call: Call, *, smallest: bool) -> Tensor:
    inputs, shape = _of_one_shape(call)
    found = inputs[0].rearranged(lambda i: np.broadcast_to(i, shape))
    for x in inputs[1:]:
        other = x.rearranged(lambda i: np.broadcast_to(i, shape))
        if isinstance(found, Const) and isinstance(other, Const):
            found = _on_constants(found, other, np.minimum if smallest else np.maximum)
            continue
        a, b = (_values(call.build, v) for v in (found, other))
        if smallest:
            a, b = _negated(call.build, a), _negated(call.build, b)
        found = greater(call.build, a, b)
        found = _negated(call.build, found) if smallest else found
    return found


@operator("Max")
def maximum(call: Call) -> Tensor:
    return _many(call, smallest=False)


@operator("Min")
def minimum(call: Call) -> Tensor:
    return _many(call, smallest=True)


@operator("Abs")
def absolute(call: Call) -> Tensor:
    x = call.input(0)
    if isinstance(x, Const):
        return constant(np.abs(x.numerators.astype(object)), x.denominator, x.dtype)
    x = _values(call.build, x)
    return call.build.affine(x.shape, x.dtype, [_ones(call.build.relu(x), 2), _ones(x, -1)])


@operator("Sign")
def sign(call: Call) -> Tensor:
    x = call.input(0)
    if not isinstance(x, Const):
        raise Refused("it jumps at 0, and its operand depends on the input")
    return constant(np.sign(x.numerators.astype(object)), 1, x.dtype)


@operator("Clip")
def clip(call: Call) -> Tensor:
    x = call.input(0)
    low, high = _limit(call, 1, "min"), _limit(call, 2, "max")
    if low is not None and high is not None and low > high:
        raise Refused("its lower limit is above its upper limit")
    if isinstance(x, Const):
        value = [Fraction(int(v), x.denominator) for v in x.numerators.flat]
        value = [v if low is None else max(v, low) for v in value]
        value = [v if high is None else min(v, high) for v in value]
        numerators, denominator = (
            dyadic(np.array(value, dtype=object).reshape(x.shape)) if value else (x.numerators, 1)
        )
        return constant(numerators, denominator, x.dtype)
    x = _values(call.build, x)
    if low is not None:
        x = greater(call.build, x, _everywhere(call.build, x, low))
    if high is not None:  # min(x, high) = x - relu(x - high)
        over = greater(call.build, x, _everywhere(call.build, x, high))
        terms = [_ones(x), _ones(over, -1)]
        x = call.build.affine(x.shape, x.dtype, terms, _constant(x, high))
    return x


def _limit(call: Call, i: int, name: str) -> Fraction | None:
    if call.opset < 11:
        value = call.attributes.get(name)
        largest_float = float(np.finfo(np.float32).max)
        none = (
            -largest_float if name == "min" else largest_float
        )  # what the operator says where nothing is given
        return None if value is None or value == none else Fraction(value)
    if call.optional(i) is None:
        return None
    limit = call.known(i, f"the limit {name}")
    if limit.numerators.size != 1:
        raise Refused(f"its limit {name} is no scalar")
    return Fraction(int(limit.numerators.reshape(-1)[0]), limit.denominator)


def _constant(x: Values, value: Fraction) -> Const:
    return Const(
        np.broadcast_to(np.array(value.numerator, dtype=object), x.shape), value.denominator, x.dtype
    )


@operator("HardSigmoid")
def hard_sigmoid(call: Call) -> Tensor:
    """min(max(alpha x + beta, 0), 1)."""
    x = _values(call.build, call.input(0))
    alpha, beta = (
        Fraction(call.attributes.get(name, usual))
        for name, usual in (("alpha", float(np.float32(0.2))), ("beta", 0.5))
    )
    sloped = Term(
        np.arange(x.refs.size),
        x.refs.reshape(-1),
        np.full(x.refs.size, alpha.numerator, dtype=object),
        alpha.denominator,
    )
    line = call.build.affine(x.shape, x.dtype, [sloped], _constant(x, beta))
    over = call.build.relu(call.build.affine(x.shape, x.dtype, [_ones(line)], _constant(x, Fraction(-1))))
    return call.build.affine(x.shape, x.dtype, [_ones(call.build.relu(line)), _ones(over, -1)])


def _everywhere(build: Builder, x: Values, value: Fraction) -> Values:
    one = build.known(constant(np.array([value.numerator], dtype=object), value.denominator, x.dtype))
    return Values(np.broadcast_to(one.refs[0], x.shape), x.dtype)


@operator("PRelu")
def prelu(call: Call) -> Tensor:
    x, slope = _values(call.build, call.input(0)), call.known(1, "the slope")
    try:
        factors = np.broadcast_to(slope.numerators, x.shape).reshape(-1).astype(object)
    except ValueError:
        raise Refused(f"a slope of shape {list(slope.shape)} does not fit {list(x.shape)}") from None
    rows, above = np.arange(x.refs.size), call.build.relu(x)
    kept = Term(rows, x.refs.reshape(-1), factors, slope.denominator)
    more = Term(rows, above.refs.reshape(-1), slope.denominator - factors, slope.denominator)
    return call.build.affine(x.shape, x.dtype, [kept, more])


def reduced(call: Call, since: int) -> tuple[Tensor, list[int], bool] | None:
    """The input, the axes that go (sorted) and whether they stay as 1; None where nothing is reduced."""
    x, axes = call.input(0), call.axes(1, since=since)
    if not axes:
        if call.attributes.get("noop_with_empty_axes", 0):
            return None
        axes = list(range(len(x.shape)))
    gone = sorted({axis_of(a, len(x.shape)) for a in axes})
    return x, gone, bool(call.attributes.get("keepdims", 1))


def last_axis(x: Tensor, gone: list[int], keep: bool) -> tuple[Tensor, tuple[int, ...]]:
    """With the axes that go joined as the last one, and the shape of what is left."""
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
    if (np.diff(np.sort(refs, axis=-1), axis=-1) == 0).any():  # a value twice in one sum: keep both apart
        refs = call.build.copied(front).refs
    if count & (count - 1):
        call.build.note("divides, and may round")
    rows = np.repeat(np.arange(math.prod(refs.shape[:-1])), refs.shape[-1])
    return call.build.affine(
        shape, x.dtype, [Term(rows, refs.reshape(-1), np.ones(refs.size, dtype=np.int64), count)]
    )


@operator("ReduceSum")
def reduce_sum(call: Call) -> Tensor:
    return _total(call, 13, mean=False)


@operator("ReduceMean")
def reduce_mean(call: Call) -> Tensor:
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
    best = largest(call.build, _negated(call.build, front) if smallest else front)
    best = _negated(call.build, best) if smallest else best
    return best.rearranged(lambda i: i.reshape(shape))


@operator("ReduceMax")
def reduce_max(call: Call) -> Tensor:
    return _extreme(call, smallest=False)


@operator("ReduceMin")
def reduce_min(call: Call) -> Tensor:
    return _extreme(call, smallest=True)


@operator("Sum")
def sum_of(call: Call) -> Tensor:
    inputs, shape = _of_one_shape(call)
    wide = [_values(call.build, x) if not isinstance(x, Const) else call.build.known(x) for x in inputs]
    return call.build.affine(
        shape, inputs[0].dtype, [_ones(x.rearranged(lambda i: np.broadcast_to(i, shape))) for x in wide]
    )
