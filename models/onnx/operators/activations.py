"""The ONNX operators Relu, LeakyRelu, PRelu and HardSigmoid: piecewise linear functions of each element.

LeakyRelu and PRelu need no node of their own: leaky(x) = a * x + (1 - a) * relu(x), exactly.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..builder import AffineTerm, folded
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, lookup
from .call import Call
from .operands import filled, floats, scaled_term, term
from .registry import operator


@operator("Relu")
def relu(call: Call) -> Tensor:
    """Return max(x, 0)."""
    x = call.input(0)
    if isinstance(x, Lookup):
        return lookup(x.position, np.maximum(x.table, 0), x.dtype)
    return x.rearranged(lambda i: np.maximum(i, 0)) if isinstance(x, Const) else call.build.relu(x)


@operator("LeakyRelu")
def leaky_relu(call: Call) -> Tensor:
    """Return x where x >= 0, else alpha * x."""
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
    kept = scaled_term(x, x.shape, np.full(x.shape, n, dtype=object), d)
    above = scaled_term(call.build.relu(x), x.shape, np.full(x.shape, d - n, dtype=object), d)
    return call.build.affine(x.shape, x.dtype, [kept, above])


@operator("PRelu")
def prelu(call: Call) -> Tensor:
    """Return x where x >= 0, else slope * x, for a constant slope per element."""
    x, slope = floats(call.build, call.input(0)), call.known(1, "the slope")
    try:
        factors = np.broadcast_to(slope.numerators, x.shape).reshape(-1).astype(object)
    except ValueError:
        raise Refused(f"a slope of shape {list(slope.shape)} does not fit {list(x.shape)}") from None
    rows, above = np.arange(x.refs.size), call.build.relu(x)
    kept = AffineTerm(rows, x.refs.reshape(-1), factors, slope.denominator)
    more = AffineTerm(rows, above.refs.reshape(-1), slope.denominator - factors, slope.denominator)
    return call.build.affine(x.shape, x.dtype, [kept, more])


@operator("HardSigmoid")
def hard_sigmoid(call: Call) -> Tensor:
    """Return min(max(alpha * x + beta, 0), 1)."""
    x = floats(call.build, call.input(0))
    alpha, beta = (
        Fraction(call.attributes.get(name, usual))
        for name, usual in (("alpha", float(np.float32(0.2))), ("beta", 0.5))
    )
    sloped = AffineTerm(
        np.arange(x.refs.size),
        x.refs.reshape(-1),
        np.full(x.refs.size, alpha.numerator, dtype=object),
        alpha.denominator,
    )
    line = call.build.affine(x.shape, x.dtype, [sloped], filled(x, beta))
    over = call.build.relu(call.build.affine(x.shape, x.dtype, [term(line)], filled(x, Fraction(-1))))
    return call.build.affine(x.shape, x.dtype, [term(call.build.relu(line)), term(over, -1)])
