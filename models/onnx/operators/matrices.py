"""The ONNX operators MatMul and Gemm: products of matrices of which one is constant."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ..builder import AffineTerm, Builder, folded
from ..integer_arrays import times
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, Values, check_size
from .call import Call
from .elementwise import add_scaled
from .operands import common_shape, same_type, scaled_term
from .registry import operator


def product(
    build: Builder, a: Tensor, b: Tensor, factor: Fraction = Fraction(1), bias: Const | None = None
) -> Tensor:
    """Return factor * (a @ b) + bias, as numpy's matmul shapes it.  One side must be constant."""
    dtype = same_type(a, b)
    if dtype not in FLOATS or isinstance(a, Lookup) or isinstance(b, Lookup):
        raise Refused("it multiplies integer matrices")
    if not a.shape or not b.shape:
        raise Refused("a factor is a scalar")
    left = a.rearranged(lambda i: i[None, :]) if len(a.shape) == 1 else a
    right = b.rearranged(lambda i: i[:, None]) if len(b.shape) == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise Refused(f"shapes {list(a.shape)} and {list(b.shape)} do not fit")
    batch = common_shape(left.shape[:-2], right.shape[:-2])
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
    if (in_order[..., 1:, :] == in_order[..., :-1, :]).any():  # a value occurs twice in one sum: keep both
        x = build.copied(x)
    rows = np.broadcast_to(np.arange(math.prod(shape)).reshape(*batch, m, 1, n), full).reshape(-1)
    refs = np.broadcast_to(x.refs, full).reshape(-1)
    numerators = times(np.broadcast_to(c.numerators, full).reshape(-1), factor.numerator)
    return build.affine(
        shape, dtype, [AffineTerm(rows, refs, numerators, c.denominator * factor.denominator)], bias
    )


@operator("MatMul")
def matmul(call: Call) -> Tensor:
    """Return a @ b."""
    return product(call.build, call.input(0), call.input(1))


@operator("Gemm")
def gemm(call: Call) -> Tensor:
    """Return alpha * a @ b + beta * c, with a and b transposed if the attributes say so."""
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
    same_type(a, c)
    shape = (a.shape[0], b.shape[1])
    if isinstance(c, Lookup) or common_shape(c.shape, shape) != shape:
        raise Refused(f"C of shape {list(c.shape)} does not fit {list(shape)}")
    c = c.rearranged(lambda i: np.broadcast_to(i, shape))
    if isinstance(c, Const):
        bias = Const(times(c.numerators, beta.numerator), c.denominator * beta.denominator, c.dtype)
        return product(call.build, a, b, alpha, bias)
    if beta != 1:
        c = call.build.affine(
            shape,
            c.dtype,
            [scaled_term(c, shape, np.full(shape, beta.numerator, dtype=object), beta.denominator)],
        )
    return add_scaled(call.build, product(call.build, a, b, alpha), c, 1)
