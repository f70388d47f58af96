"""The ONNX operator BatchNormalization: an affine function of each channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ...network.roots import nearest_float_root
from ..builder import AffineTerm
from ..tensors import Const, Refused, Tensor, Values
from .call import Call
from .registry import operator


@operator("BatchNormalization")
def batch_normalization(call: Call) -> Tensor:
    """Return (x - mean) * factor + bias per channel.

    The factor is the float64 nearest to scale / sqrt(variance + epsilon).  It is fixed when the file is read,
    and part of the network's digest.
    """
    x = call.input(0)
    if call.attributes.get("training_mode", 0):
        raise Refused("training_mode is on")
    if call.attributes.get("spatial", 1) != 1:
        raise Refused("spatial = 0 is not supported")
    if not isinstance(x, Values) or len(x.shape) < 2:
        raise Refused("it takes floats with a channel axis")
    scale, bias, mean, variance = (call.known(i, "a parameter") for i in range(1, 5))
    if any(p.shape != (x.shape[1],) for p in (scale, bias, mean, variance)):
        raise Refused(f"its parameters do not fit {x.shape[1]} channels")
    epsilon = Fraction(call.attributes.get("epsilon", float(np.float32(1e-5))))
    factors, offsets, amounts = [], [], []
    for c in range(x.shape[1]):
        gamma, beta, mu, var = (
            Fraction(int(p.numerators[c]), p.denominator) for p in (scale, bias, mean, variance)
        )
        if var + epsilon <= 0:
            raise Refused(f"variance + epsilon of channel {c} is not positive")
        factor = _over_root(gamma, var + epsilon)
        factors.append(factor)
        offsets.append(beta - mu * factor)
        amounts.append(abs(beta) + abs(mu * factor))
    call.build.note("scales by a rounded factor")
    shape = x.shape
    form = (1, -1, *(1,) * (len(shape) - 2))
    numerators, denominator = _over_common(factors)
    shift, below = _over_common(offsets)
    term = AffineTerm(
        np.arange(x.refs.size),
        x.refs.reshape(-1),
        np.broadcast_to(numerators.reshape(form), shape).reshape(-1),
        denominator,
    )
    call.build.hides(np.broadcast_to(np.array([float(a) for a in amounts]).reshape(form), shape))
    return call.build.affine(
        shape, x.dtype, [term], Const(np.broadcast_to(shift.reshape(form), shape), below, x.dtype)
    )


def _over_root(gamma: Fraction, value: Fraction) -> Fraction:
    """Return the float64 nearest to gamma / sqrt(value)."""
    near = nearest_float_root(gamma * gamma / value)
    return near if gamma > 0 else -near


def _over_common(values: Sequence[Fraction]) -> tuple[np.ndarray, int]:
    """Return rationals as integers over a common denominator."""
    common = math.lcm(1, *(v.denominator for v in values))
    out = np.empty(len(values), dtype=object)
    out[:] = [v.numerator * (common // v.denominator) for v in values]
    return out, common
