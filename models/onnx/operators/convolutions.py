"""The ONNX operators Conv and ConvTranspose: one affine node over windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


@operator("ConvTranspose")
def conv_transpose(call: Call) -> Tensor:
    """Return the transposed convolution of images with constant weights."""
    x = images(call)
    w, b, groups = _weights(call, x)
    if w.shape[0] != x.shape[1]:
        raise Refused(f"weights of shape {list(w.shape)} do not fit {list(x.shape)}")
    rank, lengths = len(x.shape) - 2, x.shape[2:]
    strides = list(call.attributes.get("strides", [1] * rank))
    dilations = list(call.attributes.get("dilations", [1] * rank))
    more = list(call.attributes.get("output_padding", [0] * rank))
    pads = list(call.attributes.get("pads", [0] * (2 * rank)))
    auto = text(call.attributes.get("auto_pad", "NOTSET"))
    if (
        len(strides) != rank
        or len(dilations) != rank
        or len(more) != rank
        or len(pads) != 2 * rank
        or min([*strides, *dilations]) < 1
    ):
        raise Refused("its strides, dilations or pads do not fit")
    spread = [
        strides[d] * (lengths[d] - 1) + more[d] + (w.shape[2 + d] - 1) * dilations[d] + 1 for d in range(rank)
    ]
    wanted = list(call.attributes.get("output_shape", ()))[-rank:]
    if wanted and auto == "VALID":
        raise Refused("output_shape contradicts auto_pad VALID")
    if wanted and groups > 1:
        raise Refused(
            "output_shape with groups: onnxruntime's shape inference takes it for the channels of one group"
        )
    if wanted or auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = wanted or [strides[d] * lengths[d] for d in range(rank)]
        if len(wanted) == rank and any(w < n for w, n in zip(wanted, lengths, strict=True)):
            raise Refused(
                f"output_shape {wanted} is smaller than what it is made of,"
                " which onnxruntime's shape inference refuses"
            )
        if len(wanted) != rank or any(spread[d] < wanted[d] for d in range(rank)):
            raise Refused(f"output_shape {wanted} is larger than the kernel reaches, or does not fit")
        cut = [spread[d] - wanted[d] for d in range(rank)]
        before = [c // 2 if auto == "SAME_UPPER" else c - c // 2 for c in cut]
        pads = [*before, *(c - b for c, b in zip(cut, before, strict=True))]
    elif auto not in ("NOTSET", "VALID"):
        raise Refused(f"auto_pad {auto!r} is not known")
    elif auto == "VALID":
        pads = [0] * (2 * rank)
    places = [spread[d] - pads[d] - pads[rank + d] for d in range(rank)]
    if min(places) < 1 or min(pads) < 0 or min(more) < 0:
        raise Refused("its pads leave nothing")
    if any(m >= s for m, s in zip(more, strides, strict=True)):
        raise Refused(f"output_padding {more} is not below strides {strides}")
    per_group = w.shape[1]
    shape = (x.shape[0], per_group * groups, *places)
    check_size(math.prod(shape))
    rows = np.arange(math.prod(shape)).reshape(shape)
    terms = []
    for g in range(groups):
        taken = slice(g * x.shape[1] // groups, (g + 1) * x.shape[1] // groups)
        made = rows[:, g * per_group : (g + 1) * per_group]
        # (batch, channels, made, *lengths, *size)
        refs = x.refs[:, taken].reshape(x.shape[0], -1, 1, *lengths, *(1,) * rank)
        kernel = w.numerators[taken].reshape(1, -1, per_group, *(1,) * rank, *w.shape[2:])
        full = np.broadcast_shapes(refs.shape, kernel.shape)
        check_size(math.prod(full))
        inside = np.ones(full, dtype=bool)
        at = []
        for d in range(rank):
            to = (
                np.arange(lengths[d])[:, None] * strides[d]
                + np.arange(w.shape[2 + d]) * dilations[d]
                - pads[d]
            )
            form = [1] * len(full)
            form[3 + d], form[3 + rank + d] = to.shape
            inside &= np.broadcast_to(((to >= 0) & (to < places[d])).reshape(form), full)
            at.append(np.clip(to, 0, places[d] - 1).reshape(form))
        n = np.arange(x.shape[0]).reshape(-1, *(1,) * (len(full) - 1))
        m = np.arange(per_group).reshape(1, 1, -1, *(1,) * (2 * rank))
        row = np.broadcast_to(made[(n, m, *at)], full)
        terms.append(
            AffineTerm(
                row[inside],
                np.broadcast_to(refs, full)[inside],
                np.broadcast_to(kernel, full)[inside],
                w.denominator,
            )
        )
    return call.build.affine(shape, x.dtype, [_joined(terms)], _channel_bias(b, shape))
