"""The ONNX operators Add, Sub, Neg, Mul, Div and Sum: arithmetic element by element, over the rationals."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...network.integers import dyadic
from ..builder import Builder, folded
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, Values, constant, lookup
from .call import Call
from .operands import common_shape, floats, of_one_shape, same_type, scaled_term, spread, term
from .registry import operator


def _on_integers(a: Tensor, b: Tensor, compute: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Lookup:
    """Compute on integers of which one operand depends on an id.

    The other one is constant, or depends on the same id.
    """
    dtype, shape = same_type(a, b), common_shape(a.shape, b.shape)
    sides = [x for x in (a, b) if isinstance(x, Lookup)]
    positions = [np.broadcast_to(x.position, shape) for x in sides]
    if len(sides) == 2 and not np.array_equal(positions[0], positions[1]):
        raise Refused("it combines the ids of several positions")
    alphabet = sides[0].table.shape[-1]
    tables = []
    for x in (a, b):
        assert not isinstance(x, Values)
        table = x.table if isinstance(x, Lookup) else x.numerators[..., None]
        pad = (1,) * (len(shape) + 1 - table.ndim)
        tables.append(np.broadcast_to(table.reshape(pad + table.shape), (*shape, alphabet)).astype(object))
    return lookup(positions[0], compute(*tables), dtype)


def _sum(call: Call, sign: int) -> Tensor:
    return add_scaled(call.build, call.input(0), call.input(1), sign)


def add_scaled(build: Builder, a: Tensor, b: Tensor, sign: int) -> Tensor:
    """Return a + sign * b."""
    if isinstance(a, Lookup) or isinstance(b, Lookup):
        same_type(a, b)
        return _on_integers(a, b, lambda x, y: x + sign * y)
    dtype, shape = same_type(a, b), common_shape(a.shape, b.shape)
    if isinstance(a, Const) and isinstance(b, Const):
        common = math.lcm(a.denominator, b.denominator)
        left, right = (c.numerators.astype(object) * (common // c.denominator) for c in (a, b))
        return folded(build, left + sign * right, common, dtype)
    terms = [scaled_term(x, shape, s) for x, s in ((a, 1), (b, sign)) if isinstance(x, Values)]
    offset = next((spread(x, shape, s) for x, s in ((a, 1), (b, sign)) if isinstance(x, Const)), None)
    return build.affine(shape, dtype, terms, offset)


@operator("Add")
def add(call: Call) -> Tensor:
    """Return a + b."""
    return _sum(call, 1)


@operator("Sub")
def sub(call: Call) -> Tensor:
    """Return a - b."""
    return _sum(call, -1)


@operator("Neg")
def neg(call: Call) -> Tensor:
    """Return -x."""
    x = call.input(0)
    if isinstance(x, Lookup):
        return lookup(x.position, -x.table.astype(object), x.dtype)
    if isinstance(x, Const):
        return constant(-x.numerators.astype(object), x.denominator, x.dtype)
    return call.build.affine(x.shape, x.dtype, [scaled_term(x, x.shape, -1)])


@operator("Mul")
def mul(call: Call) -> Tensor:
    """Return a * b.  Refuses products of two values that depend on the input."""
    a, b = call.input(0), call.input(1)
    dtype = same_type(a, b)
    if isinstance(a, Lookup) or isinstance(b, Lookup):
        return _on_integers(a, b, lambda x, y: x * y)
    shape = common_shape(a.shape, b.shape)
    if isinstance(a, Const) and isinstance(b, Const):
        product = a.numerators.astype(object) * b.numerators.astype(object)
        return folded(call.build, product, a.denominator * b.denominator, dtype)
    if isinstance(a, Values) and isinstance(b, Values):
        raise Refused("it multiplies two values that depend on the input")
    x, c = (a, b) if isinstance(a, Values) else (b, a)
    assert isinstance(x, Values) and isinstance(c, Const)
    return call.build.affine(
        shape, dtype, [scaled_term(x, shape, np.broadcast_to(c.numerators, shape), c.denominator)]
    )


@operator("Div")
def div(call: Call) -> Tensor:
    """Return a / b for a constant b.  Integers are divided as ONNX says: towards zero."""
    a, b = call.input(0), call.input(1)
    dtype, shape = same_type(a, b), common_shape(a.shape, b.shape)
    if not isinstance(b, Const):
        raise Refused("it divides by a value that depends on the input")
    if not b.numerators.all():
        raise Refused("it divides by zero")
    if isinstance(a, Lookup):
        raise Refused("integer division of ids truncates")
    if dtype not in FLOATS:  # constants: ONNX truncates towards zero
        assert isinstance(a, Const)
        quotient = np.frompyfunc(lambda x, y: abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1), 2, 1)
        return constant(quotient(a.numerators.astype(object), b.numerators.astype(object)), 1, dtype)
    inverse = np.frompyfunc(lambda n: Fraction(b.denominator, int(n)), 1, 1)(b.numerators)
    numerators, denominator = dyadic(np.asarray(inverse, dtype=object).reshape(b.shape))
    if isinstance(a, Const):
        product = a.numerators.astype(object) * numerators.astype(object)
        return folded(call.build, product, a.denominator * denominator, dtype)
    return call.build.affine(
        shape, dtype, [scaled_term(a, shape, np.broadcast_to(numerators, shape), denominator)]
    )


@operator("Sum")
def sum_of(call: Call) -> Tensor:
    """Return the sum of all operands."""
    inputs, shape = of_one_shape(call)
    wide = [floats(call.build, x) if not isinstance(x, Const) else call.build.known(x) for x in inputs]
    return call.build.affine(
        shape,
        inputs[0].dtype,
        [term(x.rearranged(lambda i: np.broadcast_to(i, shape))) for x in wide],
    )
