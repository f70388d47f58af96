"""The ONNX operators: one function each, over exact rationals.

Called by `onnx_reader` node by node.  A function gets a `Call` and returns the node's first output; `Refused` says in a
few words why a node cannot be taken.  Operators that only move values are in `onnx_shapes`.  To add an operator, write one
function here: docs/reference/add-an-onnx-operator.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...network.float32 import FORMATS, representable
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
    lookup,
    times,
)
from .call import Call, operator
from .shapes import axis_of

# Arithmetic, element by element


def _same_type(a: Tensor, b: Tensor) -> str:
    if a.dtype != b.dtype:
        raise Refused(f"its operands are {a.dtype} and {b.dtype}")
    return a.dtype


def _common_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused(f"shapes {' and '.join(str(list(s)) for s in shapes)} do not fit") from None
    check_size(max(1, math.prod(shape)))
    return shape


def _term(x: Values, shape: tuple[int, ...], numerators: np.ndarray | int = 1, denominator: int = 1) -> Term:
    refs = np.broadcast_to(x.refs, shape).reshape(-1)
    factors = np.asarray(numerators, dtype=np.int64) if isinstance(numerators, int) else numerators
    return Term(np.arange(refs.size), refs, np.broadcast_to(factors, shape).reshape(-1), denominator)


def _spread(c: Const, shape: tuple[int, ...], sign: int = 1) -> Const:
    return Const(times(np.broadcast_to(c.numerators, shape), sign), c.denominator, c.dtype)


def _on_integers(a: Tensor, b: Tensor, compute: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Lookup:
    """Integer arithmetic where one side depends on an id and the other is constant (or depends on the same id)."""
    dtype, shape = _same_type(a, b), _common_shape(a.shape, b.shape)
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
    """a + sign * b."""
    if isinstance(a, Lookup) or isinstance(b, Lookup):
        _same_type(a, b)
        return _on_integers(a, b, lambda x, y: x + sign * y)
    dtype, shape = _same_type(a, b), _common_shape(a.shape, b.shape)
    if isinstance(a, Const) and isinstance(b, Const):
        common = math.lcm(a.denominator, b.denominator)
        left, right = (c.numerators.astype(object) * (common // c.denominator) for c in (a, b))
        return folded(build, left + sign * right, common, dtype)
    terms = [_term(x, shape, s) for x, s in ((a, 1), (b, sign)) if isinstance(x, Values)]
    offset = next((_spread(x, shape, s) for x, s in ((a, 1), (b, sign)) if isinstance(x, Const)), None)
    return build.affine(shape, dtype, terms, offset)


@operator("Add")
def add(call: Call) -> Tensor:
    return _sum(call, 1)


@operator("Sub")
def sub(call: Call) -> Tensor:
    return _sum(call, -1)


@operator("Neg")
def neg(call: Call) -> Tensor:
    x = call.input(0)
    if isinstance(x, Lookup):
        return lookup(x.position, -x.table.astype(object), x.dtype)
    if isinstance(x, Const):
        return constant(-x.numerators.astype(object), x.denominator, x.dtype)
    return call.build.affine(x.shape, x.dtype, [_term(x, x.shape, -1)])


@operator("Mul")
def mul(call: Call) -> Tensor:
    a, b = call.input(0), call.input(1)
    dtype = _same_type(a, b)
    if isinstance(a, Lookup) or isinstance(b, Lookup):
        return _on_integers(a, b, lambda x, y: x * y)
    shape = _common_shape(a.shape, b.shape)
    if isinstance(a, Const) and isinstance(b, Const):
        product = a.numerators.astype(object) * b.numerators.astype(object)
        return folded(call.build, product, a.denominator * b.denominator, dtype)
    if isinstance(a, Values) and isinstance(b, Values):
        raise Refused("it multiplies two values that depend on the input")
    x, c = (a, b) if isinstance(a, Values) else (b, a)
    assert isinstance(x, Values) and isinstance(c, Const)
    return call.build.affine(
        shape, dtype, [_term(x, shape, np.broadcast_to(c.numerators, shape), c.denominator)]
    )


@operator("Div")
def div(call: Call) -> Tensor:
    a, b = call.input(0), call.input(1)
    dtype, shape = _same_type(a, b), _common_shape(a.shape, b.shape)
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
    return call.build.affine(shape, dtype, [_term(a, shape, np.broadcast_to(numerators, shape), denominator)])


# Matrices


def product(
    build: Builder, a: Tensor, b: Tensor, factor: Fraction = Fraction(1), bias: Const | None = None
) -> Tensor:
    """factor * (a @ b) + bias as numpy's matmul shapes it, one side constant."""
    dtype = _same_type(a, b)
    if dtype not in FLOATS or isinstance(a, Lookup) or isinstance(b, Lookup):
        raise Refused("it multiplies integer matrices")
    if not a.shape or not b.shape:
        raise Refused("a factor is a scalar")
    left = a.rearranged(lambda i: i[None, :]) if len(a.shape) == 1 else a
    right = b.rearranged(lambda i: i[:, None]) if len(b.shape) == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise Refused(f"shapes {list(a.shape)} and {list(b.shape)} do not fit")
    batch = _common_shape(left.shape[:-2], right.shape[:-2])
    m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
    check_size(math.prod(batch) * m * k * n)
    left = left.rearranged(lambda i: np.broadcast_to(i, (*batch, m, k))[..., :, :, None])
    right = right.rearranged(lambda i: np.broadcast_to(i, (*batch, k, n))[..., None, :, :])
    shape = (*batch, *((m,) if len(a.shape) > 1 else ()), *((n,) if len(b.shape) > 1 else ()))
    if isinstance(left, Const) and isinstance(right, Const):
        total = (left.numerators.astype(object) * right.numerators.astype(object)).sum(
            axis=-2
        ) * factor.numerator
        denominator = left.denominator * right.denominator * factor.denominator
        result = folded(build, total.reshape(shape), denominator, dtype, single_step=False)
        return result if bias is None else add_scaled(build, result, bias, 1)
    if isinstance(left, Values) and isinstance(right, Values):
        raise Refused("it multiplies two values that depend on the input")
    full = (*batch, m, k, n)
    x, c = (left, right) if isinstance(left, Values) else (right, left)
    assert isinstance(x, Values) and isinstance(c, Const)
    in_order = np.sort(x.refs, axis=-2)
    if (
        in_order[..., 1:, :] == in_order[..., :-1, :]
    ).any():  # a value twice in one sum: keep both products apart
        x = build.copied(x)
    rows = np.broadcast_to(np.arange(math.prod(shape)).reshape(*batch, m, 1, n), full).reshape(-1)
    refs = np.broadcast_to(x.refs, full).reshape(-1)
    numerators = times(np.broadcast_to(c.numerators, full).reshape(-1), factor.numerator)
    return build.affine(
        shape, dtype, [Term(rows, refs, numerators, c.denominator * factor.denominator)], bias
    )


@operator("MatMul")
def matmul(call: Call) -> Tensor:
    return product(call.build, call.input(0), call.input(1))


@operator("Gemm")
def gemm(call: Call) -> Tensor:
    a, b, c = call.input(0), call.input(1), call.optional(2)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise Refused(f"it takes matrices, not shapes {list(a.shape)} and {list(b.shape)}")
    alpha, beta = (Fraction(call.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    a = a.rearranged(np.transpose) if call.attributes.get("transA", 0) else a
    b = b.rearranged(np.transpose) if call.attributes.get("transB", 0) else b
    if alpha != 1 or (c is not None and beta not in (0, 1)):
        call.build.note("scales by alpha or beta, in an order of the runtime's choice")
    if c is None or beta == 0:
        return product(call.build, a, b, alpha)
    _same_type(a, c)
    shape = (a.shape[0], b.shape[1])
    if isinstance(c, Lookup) or _common_shape(c.shape, shape) != shape:
        raise Refused(f"C of shape {list(c.shape)} does not fit {list(shape)}")
    c = c.rearranged(lambda i: np.broadcast_to(i, shape))
    if isinstance(c, Const):
        bias = Const(times(c.numerators, beta.numerator), c.denominator * beta.denominator, c.dtype)
        return product(call.build, a, b, alpha, bias)
    if beta != 1:
        c = call.build.affine(
            shape, c.dtype, [_term(c, shape, np.full(shape, beta.numerator, dtype=object), beta.denominator)]
        )
    return add_scaled(call.build, product(call.build, a, b, alpha), c, 1)


# Piecewise linear


@operator("Relu")
def relu(call: Call) -> Tensor:
    x = call.input(0)
    if isinstance(x, Lookup):
        return lookup(x.position, np.maximum(x.table, 0), x.dtype)
    return x.rearranged(lambda i: np.maximum(i, 0)) if isinstance(x, Const) else call.build.relu(x)


@operator("LeakyRelu")
def leaky_relu(call: Call) -> Tensor:
    x = call.input(0)
    slope = Fraction(call.attributes.get("alpha", float(np.float32(0.01))))
    if x.dtype not in FLOATS or isinstance(x, Lookup):
        raise Refused(f"it takes floats, not {x.dtype}")
    if isinstance(x, Const):
        below, above_zero = (np.array(f, dtype=object) for f in (slope.numerator, slope.denominator))
        factors = np.where((x.numerators < 0).astype(bool), below, above_zero)
        return folded(
            call.build, x.numerators.astype(object) * factors, x.denominator * slope.denominator, x.dtype
        )
    d, n = slope.denominator, slope.numerator
    kept = _term(x, x.shape, np.full(x.shape, n, dtype=object), d)
    above = _term(call.build.relu(x), x.shape, np.full(x.shape, d - n, dtype=object), d)
    return call.build.affine(x.shape, x.dtype, [kept, above])


# Constants, types, lookups


@operator("Concat")
def concat(call: Call) -> Tensor:
    parts = [call.input(i) for i in range(len(call.inputs))]
    axis = axis_of(call.required("axis"), len(parts[0].shape))
    for p in parts[1:]:
        _same_type(parts[0], p)
        if (
            p.shape[:axis] != parts[0].shape[:axis]
            or p.shape[axis + 1 :] != parts[0].shape[axis + 1 :]
            or len(p.shape) <= axis
        ):
            raise Refused(f"shapes {', '.join(str(list(q.shape)) for q in parts)} do not fit")
    dtype = parts[0].dtype
    check_size(max(1, sum(math.prod(p.shape) for p in parts)))
    if any(isinstance(p, Lookup) for p in parts):
        alphabet = next(p.table.shape[-1] for p in parts if isinstance(p, Lookup))
        looked = [p if isinstance(p, Lookup) else _as_lookup(p, alphabet) for p in parts]
        return lookup(
            np.concatenate([p.position for p in looked], axis),
            np.concatenate([p.table.astype(object) for p in looked], axis),
            dtype,
        )
    if all(isinstance(p, Const) for p in parts):
        common = math.lcm(*(p.denominator for p in parts if isinstance(p, Const)))
        scaled = [times(p.numerators, common // p.denominator) for p in parts if isinstance(p, Const)]
        return constant(np.concatenate(scaled, axis), common, dtype)
    values = [call.build.known(p) if isinstance(p, Const) else p for p in parts if p.shape[axis]]
    if not values:
        return parts[0]
    return Values(np.concatenate([v.refs for v in values if isinstance(v, Values)], axis), dtype)


def _as_lookup(p: Tensor, alphabet: int) -> Lookup:
    if not isinstance(p, Const):
        raise Refused("it joins integers and floats")
    return lookup(
        np.zeros(p.shape, dtype=np.int64), np.repeat(p.numerators[..., None], alphabet, axis=-1), p.dtype
    )


@operator("Constant")
def constant_of(call: Call) -> Tensor:
    if len(call.attributes) != 1:
        raise Refused("it needs exactly one value")
    ((name, value),) = call.attributes.items()
    if isinstance(value, Const):  # value and sparse_value, already read
        return value
    if name in ("value_float", "value_floats"):
        numerators, denominator = dyadic(np.array(value, dtype=np.float32))
        return constant(numerators, denominator, "float32")
    if name in ("value_int", "value_ints"):
        return constant(np.array(value, dtype=object), 1, "int64")
    raise Refused(f"{name} is not supported")


@operator("Cast")
def cast(call: Call) -> Tensor:
    x, to = call.input(0), call.required("to")
    if to not in FLOATS and to not in INTEGER_RANGES:
        raise Refused(f"it casts to {to}")
    if isinstance(x, Const):
        return _cast_constant(x, to)
    if isinstance(x, Lookup):
        if to not in FLOATS:
            return lookup(x.position, x.table != 0 if to == "bool" else x.table, to)
        return _looked_up(call.build, x.position, x.table, 1, to)
    if to not in FLOATS:
        raise Refused(f"it truncates {x.dtype} to {to}")
    if FORMATS[to][0] < 24 and to != x.dtype:
        raise Refused(f"it rounds {x.dtype} to {to}")
    return Values(x.refs, to)


def _cast_constant(x: Const, to: str) -> Const:
    if to == "bool":
        return constant(x.numerators != 0, 1, to)
    if to in FLOATS:
        if not representable(x.numerators, x.denominator, *FORMATS[to]).all():
            raise Refused(f"it rounds constants to {to}; store them as {to}")
        return constant(x.numerators, x.denominator, to)
    towards_zero = np.frompyfunc(lambda n: abs(n) // x.denominator * (-1 if n < 0 else 1), 1, 1)
    return constant(towards_zero(x.numerators.astype(object)), 1, to)


def _looked_up(
    build: Builder, position: np.ndarray, table: np.ndarray, denominator: int, dtype: str
) -> Values:
    """Element e is table[e, id at position[e]] / denominator: linear in the one-hot input."""
    alphabet = table.shape[-1]
    check_size(table.size)
    rows = np.repeat(np.arange(position.size), alphabet)
    refs = (position.reshape(-1, 1) * alphabet + np.arange(alphabet)).reshape(-1)
    return build.affine(position.shape, dtype, [Term(rows, refs, table.reshape(-1), denominator)])


@operator("Gather")
def gather(call: Call) -> Tensor:
    data, index = call.input(0), call.input(1)
    axis = axis_of(call.attributes.get("axis", 0), len(data.shape))
    entries = data.shape[axis]
    if isinstance(index, Values) or index.dtype not in ("int64", "int32"):
        raise Refused(f"its indices are {index.dtype}")
    numbers = index.numerators if isinstance(index, Const) else index.table
    outside = numbers[(numbers < -entries) | (numbers >= entries)]
    if outside.size:
        what = (
            "the alphabet has more words than the table has rows"
            if isinstance(index, Lookup)
            else "out of range"
        )
        raise Refused(f"index {int(outside.flat[0])} into {entries} entries: {what}")
    numbers = numbers.astype(np.int64) % max(entries, 1)
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    if isinstance(index, Const):
        check_size(max(1, math.prod(shape)))
        return data.rearranged(lambda i: np.take(i, numbers, axis=axis))
    if not isinstance(data, Const):
        raise Refused("it looks up ids in a table that depends on the input")
    check_size(math.prod(shape) * numbers.shape[-1])
    table = np.moveaxis(np.take(data.numerators, numbers, axis=axis), axis + len(index.shape), -1)
    after = (1,) * (len(data.shape) - axis - 1)
    position = np.broadcast_to(index.position.reshape(*index.shape, *after), shape)
    if data.dtype in FLOATS:
        return _looked_up(call.build, position, table, data.denominator, data.dtype)
    return lookup(position, table, data.dtype)
