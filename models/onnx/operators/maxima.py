"""The ONNX operators Max, Min, Abs, Sign and Clip.

All are made of max(a, b) = b + relu(a - b), which is exact over the rationals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...network.integers import dyadic
from ..builder import Builder
from ..tensors import Const, Refused, Tensor, Values, constant
from .call import Call
from .operands import everywhere, filled, floats, of_one_shape, term
from .registry import operator


def greater(build: Builder, a: Values, b: Values) -> Values:
    """Return max(a, b) of two tensors of one shape."""
    above = build.relu(build.affine(a.shape, a.dtype, [term(a), term(b, -1)]))
    return build.affine(a.shape, a.dtype, [term(b), term(above)])


def largest(build: Builder, x: Values) -> Values:
    """Return the maximum along the last axis, by comparing in pairs."""
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


def negated(build: Builder, x: Values) -> Values:
    """Return -x."""
    return build.affine(x.shape, x.dtype, [term(x, -1)])


def _on_constants(a: Const, b: Const, choose: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Const:
    common = math.lcm(a.denominator, b.denominator)
    left, right = (c.numerators.astype(object) * (common // c.denominator) for c in (a, b))
    return constant(choose(left, right), common, a.dtype)


def _many(call: Call, *, smallest: bool) -> Tensor:
    inputs, shape = of_one_shape(call)
    found = inputs[0].rearranged(lambda i: np.broadcast_to(i, shape))
    for x in inputs[1:]:
        other = x.rearranged(lambda i: np.broadcast_to(i, shape))
        if isinstance(found, Const) and isinstance(other, Const):
            found = _on_constants(found, other, np.minimum if smallest else np.maximum)
            continue
        a, b = (floats(call.build, v) for v in (found, other))
        if smallest:
            a, b = negated(call.build, a), negated(call.build, b)
        found = greater(call.build, a, b)
        found = negated(call.build, found) if smallest else found
    return found


@operator("Max")
def maximum(call: Call) -> Tensor:
    """Return the largest of all operands, element by element."""
    return _many(call, smallest=False)


@operator("Min")
def minimum(call: Call) -> Tensor:
    """Return the smallest of all operands, element by element."""
    return _many(call, smallest=True)


@operator("Abs")
def absolute(call: Call) -> Tensor:
    """Return |x| = 2 * relu(x) - x."""
    x = call.input(0)
    if isinstance(x, Const):
        return constant(np.abs(x.numerators.astype(object)), x.denominator, x.dtype)
    x = floats(call.build, x)
    return call.build.affine(x.shape, x.dtype, [term(call.build.relu(x), 2), term(x, -1)])


@operator("Sign")
def sign(call: Call) -> Tensor:
    """Return the sign of a constant."""
    x = call.input(0)
    if not isinstance(x, Const):
        raise Refused("it jumps at 0, and its operand depends on the input")
    return constant(np.sign(x.numerators.astype(object)), 1, x.dtype)


@operator("Clip")
def clip(call: Call) -> Tensor:
    """Return min(max(x, low), high)."""
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
    x = floats(call.build, x)
    if low is not None:
        x = greater(call.build, x, everywhere(call.build, x, low))
    if high is not None:  # min(x, high) = x - relu(x - high)
        over = greater(call.build, x, everywhere(call.build, x, high))
        terms = [term(x), term(over, -1)]
        x = call.build.affine(x.shape, x.dtype, terms, filled(x, high))
    return x


def _limit(call: Call, i: int, name: str) -> Fraction | None:
    """Return a limit of Clip; None if there is none."""
    if call.opset < 11:
        value = call.attributes.get(name)
        largest_float = float(np.finfo(np.float32).max)
        none = -largest_float if name == "min" else largest_float  # the default of the operator
        return None if value is None or value == none else Fraction(value)
    if call.optional(i) is None:
        return None
    limit = call.known(i, f"the limit {name}")
    if limit.numerators.size != 1:
        raise Refused(f"its limit {name} is not a scalar")
    return Fraction(int(limit.numerators.reshape(-1)[0]), limit.denominator)
