"""ONNX operators over windows: convolutions and pooling, over exact rationals.

Beside `onnx_ops`.  A window is an array of references, -1 where it hangs over the edge; a convolution is one affine node
over them, a maximum is a knock-out of max(a, b) = b + relu(a - b).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...network.roots import nearest_float_root
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, Term, Values, check_size, times
from .call import Call, operator
from .pieces import largest

OUTSIDE = -1


@dataclass(frozen=True)
class Window:
    """A kernel of `size` that moves over the spatial axes; `ends` hold what is added before and after each axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def reach(self, d: int) -> int:
        return (self.size[d] - 1) * self.dilations[d] + 1

    def places(self, d: int, length: int, ceil: bool) -> int:
        room = length + self.before[d] + self.after[d] - self.reach(d)
        if room < 0:
            raise Refused(f"its window of {self.reach(d)} does not fit an axis of {length} with pads")
        count = (-(-room // self.strides[d]) if ceil else room // self.strides[d]) + 1
        if ceil and (count - 1) * self.strides[d] >= length + self.before[d]:  # it would start behind the end
            count -= 1
        return count


def _window(call: Call, lengths: Sequence[int], size: Sequence[int]) -> Window:
    rank = len(lengths)
    if len(size) != rank or any(s < 1 for s in size):
        raise Refused(f"kernel {list(size)} does not fit {rank} spatial axes")
    strides = list(call.attributes.get("strides", [1] * rank))
    dilations = list(call.attributes.get("dilations", [1] * rank))
    pads = list(call.attributes.get("pads", [0] * (2 * rank)))
    if (
        len(strides) != rank
        or len(dilations) != rank
        or len(pads) != 2 * rank
        or min([*strides, *dilations]) < 1
        or min(pads) < 0
    ):
        raise Refused("its strides, dilations or pads do not fit")
    auto = _text(call.attributes.get("auto_pad", "NOTSET"))
    before, after = pads[:rank], pads[rank:]
    if auto != "NOTSET":
        before, after = [0] * rank, [0] * rank
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            if max(dilations) > 1:
                raise Refused(
                    f"{auto} with dilations: onnxruntime does not run it, or takes other windows than the ONNX text"
                )
            for d in range(rank):
                places = -(-lengths[d] // strides[d])
                total = (places - 1) * strides[d] + (size[d] - 1) * dilations[d] + 1 - lengths[d]
                if total < 0:
                    raise Refused(
                        f"{auto} with a stride beyond the kernel: onnxruntime moves the window, the ONNX text does not"
                    )
                small, large = total // 2, total - total // 2
                before[d], after[d] = (small, large) if auto == "SAME_UPPER" else (large, small)
        elif auto != "VALID":
            raise Refused(f"auto_pad {auto!r} is not known")
    return Window(tuple(size), tuple(strides), tuple(dilations), tuple(before), tuple(after))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _windows(refs: np.ndarray, window: Window, *, ceil: bool = False) -> np.ndarray:
    """(batch, channels, *places, *size) references of (batch, channels, *lengths), OUTSIDE over the edges."""
    rank = len(window.size)
    places = [window.places(d, refs.shape[2 + d], ceil) for d in range(rank)]
    check_size(math.prod(refs.shape[:2]) * math.prod(places) * math.prod(window.size))
    wide = [(0, 0), (0, 0)]
    index = []
    for d in range(rank):
        at = (
            np.arange(places[d])[:, None] * window.strides[d]
            + np.arange(window.size[d]) * window.dilations[d]
        )
        index.append(at.reshape(-1))
        missing = max(0, int(at.max()) + 1 - refs.shape[2 + d] - window.before[d])
        wide.append((window.before[d], max(window.after[d], missing)))
    padded = np.pad(refs, wide, constant_values=OUTSIDE)
    taken = padded
    for d in range(rank):
        taken = np.take(taken, index[d], axis=2 + d)
    split = taken.reshape(*refs.shape[:2], *(n for d in range(rank) for n in (places[d], window.size[d])))
    order = [0, 1, *(2 + 2 * d for d in range(rank)), *(3 + 2 * d for d in range(rank))]
    return split.transpose(order)


def _images(call: Call) -> Values:
    x = call.input(0)
    if isinstance(x, Lookup) or x.dtype not in FLOATS:
        raise Refused(f"it takes floats, not {x.dtype}")
    if len(x.shape) < 3:
        raise Refused(f"it takes batch, channels and space, not shape {list(x.shape)}")
    if not math.prod(x.shape):
        raise Refused("it takes images, and there are no values")
    x = call.build.known(x) if isinstance(x, Const) else x
    return x if len(np.unique(x.refs)) == x.refs.size else call.build.copied(x)


def _weights(call: Call, x: Values) -> tuple[Const, Const | None, int]:
    w, b = call.known(1, "the weights"), None if call.optional(2) is None else call.known(2, "the bias")
    groups = call.attributes.get("group", 1)
    if len(w.shape) != len(x.shape) or w.dtype != x.dtype or groups < 1 or x.shape[1] % groups:
        raise Refused(f"weights of shape {list(w.shape)} and {groups} groups do not fit {list(x.shape)}")
    size = call.attributes.get("kernel_shape", w.shape[2:])
    if tuple(size) != w.shape[2:]:
        raise Refused(f"kernel_shape {list(size)} does not fit weights of shape {list(w.shape)}")
    return w, b, groups


def _channel_bias(b: Const | None, shape: tuple[int, ...]) -> Const | None:
    if b is None:
        return None
    if b.shape != (shape[1],):
        raise Refused(f"a bias of shape {list(b.shape)} does not fit {shape[1]} channels")
    spread = np.broadcast_to(b.numerators.reshape(-1, *(1,) * (len(shape) - 2)), shape)
    return Const(spread, b.denominator, b.dtype)


@operator("Conv")
def conv(call: Call) -> Tensor:
    x = _images(call)
    w, b, groups = _weights(call, x)
    if w.shape[1] * groups != x.shape[1] or w.shape[0] % groups:
        raise Refused(f"weights of shape {list(w.shape)} and {groups} groups do not fit {list(x.shape)}")
    seen = _windows(x.refs, _window(call, x.shape[2:], w.shape[2:]))
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
            Term(
                row[there],
                np.broadcast_to(inner, full)[there],
                np.broadcast_to(kernel, full)[there],
                w.denominator,
            )
        )
    return call.build.affine(shape, x.dtype, [_joined(terms)], _channel_bias(b, shape))


def _joined(terms: Sequence[Term]) -> Term:
    """Terms of one denominator that share no row."""
    if len(terms) == 1:
        return terms[0]
    rows, refs, numerators = (
        np.concatenate([getattr(t, name) for t in terms]) for name in ("rows", "refs", "numerators")
    )
    return Term(rows, refs, numerators, terms[0].denominator)


@operator("ConvTranspose")
def conv_transpose(call: Call) -> Tensor:
    x = _images(call)
    w, b, groups = _weights(call, x)
    if w.shape[0] != x.shape[1]:
        raise Refused(f"weights of shape {list(w.shape)} do not fit {list(x.shape)}")
    rank, lengths = len(x.shape) - 2, x.shape[2:]
    strides = list(call.attributes.get("strides", [1] * rank))
    dilations = list(call.attributes.get("dilations", [1] * rank))
    more = list(call.attributes.get("output_padding", [0] * rank))
    pads = list(call.attributes.get("pads", [0] * (2 * rank)))
    auto = _text(call.attributes.get("auto_pad", "NOTSET"))
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
                f"output_shape {wanted} is smaller than what it is made of, which onnxruntime's shape inference refuses"
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
            Term(
                row[inside],
                np.broadcast_to(refs, full)[inside],
                np.broadcast_to(kernel, full)[inside],
                w.denominator,
            )
        )
    return call.build.affine(shape, x.dtype, [_joined(terms)], _channel_bias(b, shape))


def _pooled(call: Call) -> tuple[Values, np.ndarray, Window, bool]:
    """The input, its windows with all places of one in the last axis, and how they were made."""
    x = _images(call)
    window = _window(call, x.shape[2:], call.required("kernel_shape"))
    if any(max(window.before[d], window.after[d]) >= window.reach(d) for d in range(len(window.size))):
        raise Refused("pads as large as the window leave windows without a value")
    ceil = bool(call.attributes.get("ceil_mode", 0))
    auto = _text(call.attributes.get("auto_pad", "NOTSET"))
    if auto.startswith("SAME") and ceil:
        raise Refused(f"{auto} with ceil_mode: onnxruntime and the ONNX text take different windows")
    seen = _windows(x.refs, window, ceil=ceil)
    return x, seen.reshape(*seen.shape[: len(x.shape)], -1), window, ceil


@operator("MaxPool")
def max_pool(call: Call) -> Tensor:
    x, seen, _, _ = _pooled(call)
    first = np.take_along_axis(seen, (seen != OUTSIDE).argmax(axis=-1)[..., None], axis=-1)
    if (first == OUTSIDE).any():
        raise Refused("a window lies outside of the input")
    filled = np.where(seen == OUTSIDE, first, seen)  # a value twice changes no maximum
    return largest(call.build, Values(filled, x.dtype))


@operator("GlobalMaxPool")
def global_max_pool(call: Call) -> Tensor:
    x = _images(call)
    found = largest(call.build, Values(x.refs.reshape(*x.shape[:2], -1), x.dtype))
    return found.rearranged(lambda i: i.reshape(*x.shape[:2], *(1,) * (len(x.shape) - 2)))


@operator("AveragePool")
def average_pool(call: Call) -> Tensor:
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
    x = _images(call)
    seen = x.refs.reshape(*x.shape[:2], *(1,) * (len(x.shape) - 2), -1)
    return _mean(call, x, seen, np.full(seen.shape[:-1], seen.shape[-1]))


def _mean(call: Call, x: Values, seen: np.ndarray, counts: np.ndarray) -> Tensor:
    there = seen != OUTSIDE
    rows = np.broadcast_to(np.arange(counts.size).reshape(counts.shape)[..., None], seen.shape)
    common = math.lcm(*(int(c) for c in np.unique(counts)))
    shares = np.broadcast_to((common // counts)[..., None], seen.shape)
    if common & (common - 1):
        call.build.note("divides, and may round")
    return call.build.affine(
        counts.shape, x.dtype, [Term(rows[there], seen[there], times(shares[there], 1), common)]
    )


@operator("BatchNormalization")
def batch_normalization(call: Call) -> Tensor:
    """Per channel (x - mean) * factor + bias; the factor is the float64 nearest to scale / sqrt(variance + epsilon)."""
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
    term = Term(
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
    """The float64 nearest to gamma / sqrt(value)."""
    near = nearest_float_root(gamma * gamma / value)
    return near if gamma > 0 else -near


def _over_common(values: Sequence[Fraction]) -> tuple[np.ndarray, int]:
    common = math.lcm(1, *(v.denominator for v in values))
    out = np.empty(len(values), dtype=object)
    out[:] = [v.numerator * (common // v.denominator) for v in values]
    return out, common
