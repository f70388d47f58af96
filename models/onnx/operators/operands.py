"""What the operators share about operands: types, broadcasting, and terms of affine nodes.

It registers no operator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ...network.head import Element
from ..builder import AffineTerm, Builder
from ..integer_arrays import times
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, Values, check_size, constant
from .call import Call


def same_type(a: Tensor, b: Tensor) -> str:
    """Return the element type of both.  Raises Refused if they differ."""
    if a.dtype != b.dtype:
        raise Refused(f"its operands are {a.dtype} and {b.dtype}")
    return a.dtype


def common_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that numpy broadcasts the shapes to.  Raises Refused if they do not fit."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused(f"shapes {' and '.join(str(list(s)) for s in shapes)} do not fit") from None
    check_size(max(1, math.prod(shape)))
    return shape


def scaled_term(
    x: Values, shape: tuple[int, ...], numerators: np.ndarray | int = 1, denominator: int = 1
) -> AffineTerm:
    """Return numerators / denominator * x, all broadcast to a shape."""
    refs = np.broadcast_to(x.refs, shape).reshape(-1)
    factors = np.asarray(numerators, dtype=np.int64) if isinstance(numerators, int) else numerators
    return AffineTerm(np.arange(refs.size), refs, np.broadcast_to(factors, shape).reshape(-1), denominator)


def spread(c: Const, shape: tuple[int, ...], sign: int = 1) -> Const:
    """Return sign * c, broadcast to a shape."""
    return Const(times(np.broadcast_to(c.numerators, shape), sign), c.denominator, c.dtype)


def floats(build: Builder, x: Tensor) -> Values:
    """Return a float tensor as values of the network.  Raises Refused for integers."""
    if isinstance(x, Lookup) or x.dtype not in FLOATS:
        raise Refused(f"it takes floats, not {x.dtype}")
    return build.known(x) if isinstance(x, Const) else x


def term(x: Values, factor: int = 1) -> AffineTerm:
    """Return factor * x, element by element."""
    return scaled_term(x, x.shape, factor)


def of_one_shape(call: Call) -> tuple[list[Tensor], tuple[int, ...]]:
    """Return the operands of an operator that takes any number of them, and their common shape."""
    inputs = [call.input(i) for i in range(len(call.inputs))]
    if any(x.dtype != inputs[0].dtype for x in inputs):
        raise Refused("its operands have several types")
    if call.opset < 8 and any(x.shape != inputs[0].shape for x in inputs):
        shapes = " and ".join(str(list(x.shape)) for x in inputs)
        raise Refused(f"shapes {shapes} differ, which opset 8 is the first to allow")
    return inputs, common_shape(*(x.shape for x in inputs))


def filled(x: Values, value: Fraction) -> Const:
    """Return a constant that has one value everywhere, of the type and shape of x."""
    return Const(
        np.broadcast_to(np.array(value.numerator, dtype=object), x.shape), value.denominator, x.dtype
    )


def everywhere(build: Builder, x: Values, value: Fraction) -> Values:
    """Return one value everywhere as values of the network, of the type and shape of x."""
    one = build.known(constant(np.array([value.numerator], dtype=object), value.denominator, x.dtype))
    return Values(np.broadcast_to(one.refs[0], x.shape), x.dtype)


def array_of(shape: tuple[int, ...], elements: Sequence[Element]) -> np.ndarray:
    """Return elements of a head as an array."""
    out = np.empty(len(elements), dtype=object)
    out[:] = elements
    return out.reshape(shape)
