"""The ONNX operators Conv and ConvTranspose: one affine node over windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..builder import AffineTerm
from ..tensors import Const, Refused, Tensor, Values, check_size
from .call import Call
from .registry import operator
from .windows import OUTSIDE, images, text, window_of, windows


def _weights(call: Call, x: Values) -> tuple[Const, Const | None, int]:
    """Return the weights, the bias (None if there is none) and the number of groups.  Raises Refused."""
    w, b = call.known(1, "the weights"), None if call.optional(2) is None else call.known(2, "the bias")
    groups = call.attributes.get("group", 1)
    if len(w.shape) != len(x.shape) or w.dtype != x.dtype or groups < 1 or x.shape[1] % groups:
        raise Refused(f"weights of shape {list(w.shape)} and {groups} groups do not fit {list(x.shape)}")
    size = call.attributes.get("kernel_shape", w.shape[2:])
    if tuple(size) != w.shape[2:]:
        raise Refused(f"kernel_shape {list(size)} does not fit weights of shape {list(w.shape)}")
    return w, b, groups


def _channel_bias(b: Const | None, shape: tuple[int, ...]) -> Const | None:
    """Return a bias per channel, broadcast to the shape of the result."""
    if b is None:
        return None
    if b.shape != (shape[1],):
        raise Refused(f"a bias of shape {list(b.shape)} does not fit {shape[1]} channels")
    spread = np.broadcast_to(b.numerators.reshape(-1, *(1,) * (len(shape) - 2)), shape)
    return Const(spread, b.denominator, b.dtype)


@operator("Conv")
def conv(call: Call) -> Tensor:
    """Return the convolution of images with constant weights."""
    x = images(call)
    w, b, groups = _weights(call, x)
    if w.shape[1] * groups != x.shape[1] or w.shape[0] % groups:
        raise Refused(f"weights of shape {list(w.shape)} and {groups} groups do not fit {list(x.shape)}")
    seen = windows(x.refs, window_of(call, x.shape[2:], w.shape[2:]))
    rank = len(x.shape) - 2
    batch, places, made = seen.shape[0], seen.shape[2 : 2 + rank], w.shape[0]
    shape = (batch, made, *places)
    rows = np.arange(math.prod(shape)).reshape(shape)
    terms = []
    for g in range(groups):
        channels, makers = (
            slice(g * w.shape[1], (g + 1) * w.shape[1]),
            slice(g * made // groups, (g + 1) * made // groups),
        )
        # (batch, made, *places, channels, *size)
        inner = np.moveaxis(seen[:, channels], 1, 1 + rank)[:, None]
        kernel = w.numerators[makers].reshape(1, -1, *(1,) * rank, *w.shape[1:])
        full = np.broadcast_shapes(inner.shape, kernel.shape)
        check_size(math.prod(full))
        there = np.broadcast_to(inner, full) != OUTSIDE
        row = np.broadcast_to(rows[:, makers].reshape(*full[: 2 + rank], *(1,) * (1 + rank)), full)
        terms.append(
            AffineTerm(
                row[there],
                np.broadcast_to(inner, full)[there],
                np.broadcast_to(kernel, full)[there],
                w.denominator,
            )
        )
    return call.build.affine(shape, x.dtype, [_joined(terms)], _channel_bias(b, shape))


def _joined(terms: Sequence[AffineTerm]) -> AffineTerm:
    """Return one term made of terms of one denominator that share no row."""
    if len(terms) == 1:
        return terms[0]
    rows, refs, numerators = (
        np.concatenate([getattr(t, name) for t in terms]) for name in ("rows", "refs", "numerators")
    )
    return AffineTerm(rows, refs, numerators, terms[0].denominator)


@dataclass(frozen=True)
class _Scatter:
    """Where a transposed convolution adds to, per spatial axis: `places` of them, after `before`
    are cut off.
    """

    strides: list[int]
    dilations: list[int]
    before: list[int]
    places: list[int]

    def targets(self, d: int, length: int, size: int) -> np.ndarray:
        """Return where element i and kernel entry k add to along axis d: (length, size); it may
        lie outside.
        """
        starts = np.arange(length)[:, None] * self.strides[d]
        return starts + np.arange(size) * self.dilations[d] - self.before[d]


@operator("ConvTranspose")
def conv_transpose(call: Call) -> Tensor:
    """Return the transposed convolution of images with constant weights."""
    x = images(call)
    w, b, groups = _weights(call, x)
    if w.shape[0] != x.shape[1]:
        raise Refused(f"weights of shape {list(w.shape)} do not fit {list(x.shape)}")
    scatter = _scatter(call, x.shape[2:], w.shape[2:], groups)
    per_group = w.shape[1]
    shape = (x.shape[0], per_group * groups, *scatter.places)
    check_size(math.prod(shape))
    rows = np.arange(math.prod(shape)).reshape(shape)
    terms = []
    for g in range(groups):
        taken = slice(g * x.shape[1] // groups, (g + 1) * x.shape[1] // groups)
        made = rows[:, g * per_group : (g + 1) * per_group]
        kernel = Const(w.numerators[taken], w.denominator, w.dtype)
        terms.append(_scattered(x.refs[:, taken], kernel, made, scatter))
    return call.build.affine(shape, x.dtype, [_joined(terms)], _channel_bias(b, shape))


def _scatter(call: Call, lengths: Sequence[int], size: Sequence[int], groups: int) -> _Scatter:
    """Return what a node's attributes describe, for images of these lengths.  Raises Refused."""
    rank = len(lengths)
    strides = list(call.attributes.get("strides", [1] * rank))
    dilations = list(call.attributes.get("dilations", [1] * rank))
    more = list(call.attributes.get("output_padding", [0] * rank))
    pads = list(call.attributes.get("pads", [0] * (2 * rank)))
    auto = text(call.attributes.get("auto_pad", "NOTSET"))
    fits = len(strides) == len(dilations) == len(more) == rank and len(pads) == 2 * rank
    if not fits or min([*strides, *dilations]) < 1:
        raise Refused("its strides, dilations or pads do not fit")
    spread = [strides[d] * (lengths[d] - 1) + more[d] + (size[d] - 1) * dilations[d] + 1 for d in range(rank)]
    wanted = list(call.attributes.get("output_shape", ()))[-rank:]
    if wanted and auto == "VALID":
        raise Refused("output_shape contradicts auto_pad VALID")
    if wanted and groups > 1:
        raise Refused(
            "output_shape with groups: onnxruntime's shape inference takes it for the channels of one group"
        )
    if wanted or auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = wanted or [strides[d] * lengths[d] for d in range(rank)]
        pads = _pads_for(wanted, lengths, spread, auto)
    elif auto == "VALID":
        pads = [0] * (2 * rank)
    elif auto != "NOTSET":
        raise Refused(f"auto_pad {auto!r} is not known")
    places = [spread[d] - pads[d] - pads[rank + d] for d in range(rank)]
    if min(places) < 1 or min(pads) < 0 or min(more) < 0:
        raise Refused("its pads leave nothing")
    if any(m >= s for m, s in zip(more, strides, strict=True)):
        raise Refused(f"output_padding {more} is not below strides {strides}")
    return _Scatter(strides, dilations, pads[:rank], places)


def _pads_for(wanted: Sequence[int], lengths: Sequence[int], spread: Sequence[int], auto: str) -> list[int]:
    """Return the pads that cut what the kernel reaches (`spread`) to the wanted lengths.  Raises Refused."""
    if len(wanted) == len(lengths) and any(w < n for w, n in zip(wanted, lengths, strict=True)):
        raise Refused(
            f"output_shape {wanted} is smaller than what it is made of,"
            " which onnxruntime's shape inference refuses"
        )
    if len(wanted) != len(lengths) or any(s < w for s, w in zip(spread, wanted, strict=True)):
        raise Refused(f"output_shape {wanted} is larger than the kernel reaches, or does not fit")
    cut = [s - w for s, w in zip(spread, wanted, strict=True)]
    before = [c // 2 if auto == "SAME_UPPER" else c - c // 2 for c in cut]
    return [*before, *(c - b for c, b in zip(cut, before, strict=True))]


def _scattered(refs: np.ndarray, kernel: Const, rows: np.ndarray, scatter: _Scatter) -> AffineTerm:
    """Return the term of one group.

    `refs`: (batch, channels, *lengths); `kernel`: (channels, made, *size); `rows`: (batch, made, *places).
    """
    rank, lengths, size = refs.ndim - 2, refs.shape[2:], kernel.shape[2:]
    # (batch, channels, made, *lengths, *size)
    values = refs.reshape(refs.shape[0], -1, 1, *lengths, *(1,) * rank)
    factors = kernel.numerators.reshape(1, -1, kernel.shape[1], *(1,) * rank, *size)
    full = np.broadcast_shapes(values.shape, factors.shape)
    check_size(math.prod(full))
    inside = np.ones(full, dtype=bool)
    at = []
    for d in range(rank):
        to = scatter.targets(d, lengths[d], size[d])
        form = [1] * len(full)
        form[3 + d], form[3 + rank + d] = to.shape
        inside &= np.broadcast_to(((to >= 0) & (to < scatter.places[d])).reshape(form), full)
        at.append(np.clip(to, 0, scatter.places[d] - 1).reshape(form))
    n = np.arange(refs.shape[0]).reshape(-1, *(1,) * (len(full) - 1))
    m = np.arange(kernel.shape[1]).reshape(1, 1, -1, *(1,) * (2 * rank))
    row = np.broadcast_to(rows[(n, m, *at)], full)
    return AffineTerm(
        rows=row[inside],
        refs=np.broadcast_to(values, full)[inside],
        numerators=np.broadcast_to(factors, full)[inside],
        denominator=kernel.denominator,
    )
