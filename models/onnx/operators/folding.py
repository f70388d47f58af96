"""ONNX operators that are supported for constants only.

Exporters leave them in shape computations, weight norms and quantised weights.  Results are exact if they are
rational.  A root is the float64 nearest to it, fixed when the file is read and part of the network's digest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from ...network.integers import dyadic
from ...network.roots import nearest_root
from ..builder import Builder, folded
from ..tensors import FLOATS, INTEGER_RANGES, Const, Refused, Tensor, constant
from .call import Call, axis_of
from .operands import common_shape
from .reductions import last_axis, reduced
from .registry import operator

Entries = list[Fraction]


def _known(call: Call, i: int) -> Const:
    """Return input i, which must be constant.  Raises Refused."""
    x = call.input(i)
    if not isinstance(x, Const):
        raise Refused("it is supported for constants only, and its operand depends on the input")
    return x


def _entries(x: Const) -> Entries:
    return [Fraction(int(n), x.denominator) for n in x.numerators.flat]


def _made(
    build: Builder,
    values: Sequence[Fraction],
    shape: tuple[int, ...],
    dtype: str,
    *,
    single_step: bool = True,
) -> Const:
    """Return a constant with the given values, and note it if a run may round."""
    numerators, denominator = dyadic(np.array(values, dtype=object))
    return folded(build, numerators.reshape(shape), denominator, dtype, single_step=single_step)


def _pairs(call: Call) -> tuple[Const, Const, list[tuple[Fraction, Fraction]], tuple[int, ...]]:
    """Return both operands, pairs of their elements after broadcasting, and the common shape."""
    a, b = _known(call, 0), _known(call, 1)
    shape = common_shape(a.shape, b.shape)
    wide = [Const(np.broadcast_to(x.numerators, shape), x.denominator, x.dtype) for x in (a, b)]
    return a, b, list(zip(_entries(wide[0]), _entries(wide[1]), strict=True)), shape


@operator("Mod")
def mod(call: Call) -> Tensor:
    """Return the remainder, with the sign of the divisor.

    With the attribute fmod, which floats require, it has the sign of the dividend.
    """
    a, b, pairs, shape = _pairs(call)
    towards_zero = bool(call.attributes.get("fmod", 0))
    if a.dtype != b.dtype or (a.dtype in FLOATS and not towards_zero):
        raise Refused(f"its operands are {a.dtype} and {b.dtype}, and fmod is {int(towards_zero)}")
    if any(y == 0 for _, y in pairs):
        raise Refused("it divides by zero")
    values = [x - y * (math.trunc(x / y) if towards_zero else math.floor(x / y)) for x, y in pairs]
    return _made(call.build, values, shape, a.dtype)


@operator("Pow")
def power(call: Call) -> Tensor:
    """Return x ** y for whole exponents and for roots (exponents that are multiples of 1/2)."""
    a, _, pairs, shape = _pairs(call)
    values, exact = [], True
    for x, y in pairs:
        if abs(y) > 64 or y.denominator not in (1, 2) or (x == 0 and y < 0) or (x < 0 and y.denominator == 2):
            raise Refused(f"{_told(x)} to the power of {_told(y)} is not supported")
        whole = x ** math.floor(y)
        root = nearest_root(x) if y.denominator == 2 else Fraction(1)
        exact &= y in (0, 1)
        values.append(whole * root)
    if a.dtype in INTEGER_RANGES and any(v.denominator != 1 for v in values):
        raise Refused(f"its result is no {a.dtype}")
    return _made(call.build, values, shape, a.dtype, single_step=exact)


def _told(x: Fraction) -> str:
    """Return a number for a message."""
    return f"{float(x):.6g}" if abs(x) < 10**300 else "a huge number"


@operator("Reciprocal")
def reciprocal(call: Call) -> Tensor:
    """Return 1 / x."""
    x = _known(call, 0)
    if not x.numerators.all():
        raise Refused("it divides by zero")
    return _made(call.build, [1 / v for v in _entries(x)], x.shape, x.dtype)


@operator("Sqrt")
def square_root(call: Call) -> Tensor:
    """Return the square root, or the float64 nearest to it."""
    x = _known(call, 0)
    if (x.numerators < 0).any():
        raise Refused("a root of a negative number")
    return _made(call.build, list(map(nearest_root, _entries(x))), x.shape, x.dtype)


def _rounding(call: Call, how: Callable[[Fraction], int]) -> Tensor:
    x = _known(call, 0)
    return constant(np.array(list(map(how, _entries(x))), dtype=object).reshape(x.shape), 1, x.dtype)


@operator("Floor")
def floor(call: Call) -> Tensor:
    """Return the largest integer that is not above x."""
    return _rounding(call, math.floor)


@operator("Ceil")
def ceil(call: Call) -> Tensor:
    """Return the smallest integer that is not below x."""
    return _rounding(call, math.ceil)


@operator("Round")
def round_even(call: Call) -> Tensor:
    """Return the nearest integer.  Halves go to the even neighbour, as in Python."""
    return _rounding(call, round)


def _compared(call: Call, holds: Callable[[Fraction, Fraction], bool]) -> Tensor:
    a, b, pairs, shape = _pairs(call)
    if a.dtype != b.dtype:
        raise Refused(f"its operands are {a.dtype} and {b.dtype}")
    return constant(np.array([holds(x, y) for x, y in pairs], dtype=bool).reshape(shape), 1, "bool")


@operator("Equal")
def equal(call: Call) -> Tensor:
    """Return x == y."""
    return _compared(call, lambda x, y: x == y)


@operator("Less")
def less(call: Call) -> Tensor:
    """Return x < y."""
    return _compared(call, lambda x, y: x < y)


@operator("LessOrEqual")
def less_or_equal(call: Call) -> Tensor:
    """Return x <= y."""
    return _compared(call, lambda x, y: x <= y)


@operator("Greater")
def greater_than(call: Call) -> Tensor:
    """Return x > y."""
    return _compared(call, lambda x, y: x > y)


@operator("GreaterOrEqual")
def greater_or_equal(call: Call) -> Tensor:
    """Return x >= y."""
    return _compared(call, lambda x, y: x >= y)


@operator("And")
def both(call: Call) -> Tensor:
    """Return x and y."""
    return _compared(call, lambda x, y: bool(x and y))


@operator("Or")
def either(call: Call) -> Tensor:
    """Return x or y."""
    return _compared(call, lambda x, y: bool(x or y))


@operator("Not")
def negation(call: Call) -> Tensor:
    """Return not x."""
    x = _known(call, 0)
    return constant(x.numerators == 0, 1, "bool")


# Reductions


def _over_axes(call: Call, since: int, combine: Callable[[Entries], Fraction]) -> Tensor:
    """Return what `combine` makes of the elements along the reduced axes.

    `since`: the opset from which axes are an input.
    """
    _known(call, 0)
    asked = reduced(call, since)
    if asked is None:
        raise Refused("nothing is reduced, where onnxruntime and the ONNX text differ")
    x, gone, keep = asked
    front, shape = last_axis(x, gone, keep)
    assert isinstance(front, Const)
    groups = front.numerators.reshape(-1, front.shape[-1])
    values = [combine([Fraction(int(n), front.denominator) for n in group]) for group in groups]
    return _made(call.build, values, shape, x.dtype, single_step=False)


@operator("ReduceL1")
def reduce_l1(call: Call) -> Tensor:
    """Return sums of absolute values over axes."""
    return _over_axes(call, 18, lambda values: sum(map(abs, values), Fraction(0)))


@operator("ReduceL2")
def reduce_l2(call: Call) -> Tensor:
    """Return roots of the sums of squares over axes."""
    return _over_axes(call, 18, lambda values: nearest_root(sum((v * v for v in values), Fraction(0))))


@operator("ReduceSumSquare")
def reduce_sum_square(call: Call) -> Tensor:
    """Return sums of squares over axes."""
    return _over_axes(call, 18, lambda values: sum((v * v for v in values), Fraction(0)))


@operator("ReduceProd")
def reduce_prod(call: Call) -> Tensor:
    """Return products over axes."""
    return _over_axes(call, 18, lambda values: math.prod(values, start=Fraction(1)))


# Quantised weights


@operator("DequantizeLinear")
def dequantize_linear(call: Call) -> Tensor:
    """Return (x - zero point) * scale.

    There is one scale per tensor, per place of an axis, or per block of an axis.
    """
    x, scale = _known(call, 0), _known(call, 1)
    zero = None if call.optional(2) is None else _known(call, 2)
    if x.dtype not in INTEGER_RANGES or scale.dtype not in FLOATS:
        raise Refused(f"its weights are {x.dtype} and its scale {scale.dtype}")
    if zero is not None and (zero.dtype != x.dtype or zero.shape != scale.shape):
        raise Refused(f"its zero point of {zero.dtype} {list(zero.shape)} does not fit its scale and weights")
    spread = _spread(call, x.shape, scale.shape)
    shifted = x.numerators.astype(object)
    if zero is not None:
        shifted = shifted - spread(zero.numerators.astype(object))
    dtype = call.attributes.get("output_dtype", "undefined")
    dtype = scale.dtype if dtype == "undefined" else dtype
    if dtype not in FLOATS:
        raise Refused(f"its result is {dtype}")
    return folded(call.build, shifted * spread(scale.numerators.astype(object)), scale.denominator, dtype)


def _spread(call: Call, shape: tuple[int, ...], given: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that takes arrays from the scale's shape to the weights'."""
    block = call.attributes.get("block_size", 0)
    if math.prod(given) == 1 and len(given) < 2 and not block:
        return lambda values: np.broadcast_to(values.reshape(()), shape)
    axis = axis_of(call.attributes.get("axis", 1), len(shape))
    if not block:
        if given != (shape[axis],):
            raise Refused(f"a scale of shape {list(given)} does not fit axis {axis} of {list(shape)}")
        return lambda values: np.broadcast_to(
            values.reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape
        )
    if block < 1 or given != tuple(-(-n // block) if k == axis else n for k, n in enumerate(shape)):
        raise Refused(
            f"a scale of shape {list(given)} does not fit blocks of {block}"
            f" along axis {axis} of {list(shape)}"
        )
    return lambda values: np.take(np.repeat(values, block, axis=axis), range(shape[axis]), axis=axis)
