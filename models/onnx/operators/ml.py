"""The operators of ai.onnx.ml that are affine: Scaler and LinearRegressor, as scikit-learn exports them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ...network.integers import dyadic
from ..builder import AffineTerm
from ..tensors import Const, Refused, Tensor, Values
from .call import Call
from .elementwise import add_scaled
from .matrices import product
from .registry import operator


def _rows(call: Call) -> Values:
    """Return the features: (rows, features)."""
    x = call.input(0)
    if not isinstance(x, Values) or x.dtype != "float32" or len(x.shape) not in (1, 2):
        raise Refused("it takes rows of float32 that depend on the input")
    return x.rearranged(lambda i: i.reshape(-1, x.shape[-1]))


def _numbers(call: Call, name: str, count: int, usual: float) -> Const:
    """Return a list of numbers from an attribute, one per feature; `usual` is the default."""
    given = call.attributes.get(name) or [usual]
    if len(given) not in (1, count):
        raise Refused(f"its {name} has {len(given)} numbers for {count} features")
    return _constant(given * (count if len(given) == 1 else 1), (count,))


def _constant(values: Sequence[float], shape: tuple[int, ...]) -> Const:
    numerators, denominator = dyadic(np.array(values, dtype=np.float32))
    return Const(numerators.reshape(shape), denominator, "float32")


@operator("ai.onnx.ml.Scaler")
def scaler(call: Call) -> Tensor:
    """Return (x - offset) * scale per feature."""
    x = _rows(call)
    offset, scale = _numbers(call, "offset", x.shape[-1], 0.0), _numbers(call, "scale", x.shape[-1], 1.0)
    shifted = add_scaled(call.build, x, offset, -1)
    assert isinstance(shifted, Values)
    factors = np.broadcast_to(scale.numerators, x.shape).reshape(-1)
    return call.build.affine(
        x.shape,
        x.dtype,
        [AffineTerm(np.arange(factors.size), shifted.refs.reshape(-1), factors, scale.denominator)],
    )


def scores(call: Call, outputs: int) -> Tensor:
    """Return x @ coefficients^T + intercepts: (rows, outputs)."""
    x = _rows(call)
    coefficients = call.attributes.get("coefficients") or []
    intercepts = call.attributes.get("intercepts") or [0.0] * outputs
    if len(coefficients) != outputs * x.shape[-1] or len(intercepts) != outputs:
        raise Refused(
            f"its {len(coefficients)} coefficients and {len(intercepts)} intercepts"
            f" do not fit {outputs} results of {x.shape[-1]} features"
        )
    matrix = _constant(coefficients, (outputs, x.shape[-1])).rearranged(np.transpose)
    bias = Const(
        np.broadcast_to(_constant(intercepts, (outputs,)).numerators, (x.shape[0], outputs)),
        _constant(intercepts, (outputs,)).denominator,
        "float32",
    )
    return product(call.build, x, matrix, Fraction(1), bias)


@operator("ai.onnx.ml.LinearRegressor")
def linear_regressor(call: Call) -> Tensor:
    """Return an affine function of the features."""
    transform = call.attributes.get("post_transform", b"NONE")
    if transform != b"NONE":
        raise Refused(f"post_transform {transform!r} is not supported")
    return scores(call, call.attributes.get("targets", 1))
