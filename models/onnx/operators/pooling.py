"""The ONNX operators MaxPool, GlobalMaxPool, AveragePool and GlobalAveragePool."""

from __future__ import annotations

import math

import numpy as np

from ..builder import AffineTerm
from ..integer_arrays import times
from ..tensors import Refused, Tensor, Values
from .call import Call
from .maxima import largest
from .registry import operator
from .windows import OUTSIDE, Window, images, text, window_of, windows


def _pooled(call: Call) -> tuple[Values, np.ndarray, Window, bool]:
    """Return the input, its windows, the window itself, and whether places round up.

    The elements of a window are in the last axis.
    """
    x = images(call)
    window = window_of(call, x.shape[2:], call.required("kernel_shape"))
    if any(max(window.before[d], window.after[d]) >= window.reach(d) for d in range(len(window.size))):
        raise Refused("pads as large as the window leave windows without a value")
    ceil = bool(call.attributes.get("ceil_mode", 0))
    auto = text(call.attributes.get("auto_pad", "NOTSET"))
    if auto.startswith("SAME") and ceil:
        raise Refused(f"{auto} with ceil_mode: onnxruntime and the ONNX text take different windows")
    seen = windows(x.refs, window, ceil=ceil)
    return x, seen.reshape(*seen.shape[: len(x.shape)], -1), window, ceil


@operator("MaxPool")
def max_pool(call: Call) -> Tensor:
    """Return the maximum of each window."""
    x, seen, _, _ = _pooled(call)
    first = np.take_along_axis(seen, (seen != OUTSIDE).argmax(axis=-1)[..., None], axis=-1)
    if (first == OUTSIDE).any():
        raise Refused("a window lies outside of the input")
    filled = np.where(seen == OUTSIDE, first, seen)  # repeating a value changes no maximum
    return largest(call.build, Values(filled, x.dtype))


@operator("GlobalMaxPool")
def global_max_pool(call: Call) -> Tensor:
    """Return the maximum of each channel."""
    x = images(call)
    found = largest(call.build, Values(x.refs.reshape(*x.shape[:2], -1), x.dtype))
    return found.rearranged(lambda i: i.reshape(*x.shape[:2], *(1,) * (len(x.shape) - 2)))


@operator("AveragePool")
def average_pool(call: Call) -> Tensor:
    """Return the mean of each window."""
    x, seen, window, ceil = _pooled(call)
    whole = bool(call.attributes.get("count_include_pad", 0))
    if whole and ceil:
        raise Refused("count_include_pad together with ceil_mode is not supported")
    there = seen != OUTSIDE
    counts = np.full(seen.shape[:-1], math.prod(window.size)) if whole else there.sum(axis=-1)
    if not counts.all():
        raise Refused("a window lies outside of the input")
    return _mean(call, x, seen, counts)


@operator("GlobalAveragePool")
def global_average_pool(call: Call) -> Tensor:
    """Return the mean of each channel."""
    x = images(call)
    seen = x.refs.reshape(*x.shape[:2], *(1,) * (len(x.shape) - 2), -1)
    return _mean(call, x, seen, np.full(seen.shape[:-1], seen.shape[-1]))


def _mean(call: Call, x: Values, seen: np.ndarray, counts: np.ndarray) -> Tensor:
    """Return the means of windows, whose sizes are `counts`."""
    there = seen != OUTSIDE
    rows = np.broadcast_to(np.arange(counts.size).reshape(counts.shape)[..., None], seen.shape)
    common = math.lcm(*(int(c) for c in np.unique(counts)))
    shares = np.broadcast_to((common // counts)[..., None], seen.shape)
    if common & (common - 1):
        call.build.note("divides, and may round")
    return call.build.affine(
        counts.shape, x.dtype, [AffineTerm(rows[there], seen[there], times(shares[there], 1), common)]
    )
