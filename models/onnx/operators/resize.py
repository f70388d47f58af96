"""The ONNX operators Resize and Upsample by nearest neighbours.  They select values and make no nodes.

Which neighbour is nearest is computed twice: over the rationals, as the ONNX text says, and in float32, step
by step as onnxruntime does.  If the two differ, rounding decides which pixel is taken, and the node is
refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, check_size, constant
from .call import Call, axis_of
from .registry import operator

Number = Any  # a Fraction or a float: the same formulas in both
# How far a place of half_pixel_symmetric has to be from the next one: onnxruntime's steps are not known.
ROUNDING = Fraction(1, 2**12)


@dataclass(frozen=True)
class _Axis:
    """One axis: its length before and after, and the scale (out / in), exact or as onnxruntime's float32.

    `start` and `end` bound the part that is cropped.
    """

    before: int
    after: int
    scale: Number
    start: Number
    end: Number


def _asymmetric(x: Number, a: _Axis, half: Number) -> Number:
    return x / a.scale


def _half_pixel(x: Number, a: _Axis, half: Number) -> Number:
    return (x + half) / a.scale - half


def _pytorch_half_pixel(x: Number, a: _Axis, half: Number) -> Number:
    return _half_pixel(x, a, half) if a.after > 1 else half - half


def _align_corners(x: Number, a: _Axis, half: Number) -> Number:
    kind = type(half)
    return half - half if a.after == 1 else x * kind(a.before - 1) / kind(a.after - 1)


def _tf_half_pixel_for_nn(x: Number, a: _Axis, half: Number) -> Number:
    return (x + half) / a.scale


def _half_pixel_symmetric(x: Number, a: _Axis, half: Number) -> Number:
    kind = type(half)
    adjustment = kind(a.after) / (a.scale * kind(a.before))
    centre = kind(a.before) / kind(2)
    return centre * (kind(1) - adjustment) + (x + half) / a.scale - half


def _tf_crop_and_resize(x: Number, a: _Axis, half: Number) -> Number:
    kind = type(half)
    last = kind(a.before - 1)
    if a.after == 1:
        return half * (a.start + a.end) * last
    return a.start * last + (x * (a.end - a.start) * last) / kind(a.after - 1)


WHERE: dict[str, Callable[[Number, _Axis, Number], Number]] = {
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "tf_half_pixel_for_nn": _tf_half_pixel_for_nn,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "tf_crop_and_resize": _tf_crop_and_resize,
}


def _below_half(x: Number) -> int:
    down = math.floor(x)
    result: int = down if x - down <= type(x)(0.5) else down + 1
    return result


def _above_half(x: Number) -> int:
    down = math.floor(x)
    result: int = down if x - down < type(x)(0.5) else down + 1
    return result


NEAREST: dict[str, Callable[[Number], int]] = {
    "round_prefer_floor": _below_half,
    "round_prefer_ceil": _above_half,
    "floor": math.floor,
    "ceil": math.ceil,
}


@operator("Upsample")
def upsample(call: Call) -> Tensor:
    """Return the image enlarged.  The operator exists before opset 10."""
    x = call.input(0)
    _only_nearest(call)
    if call.opset < 9:
        scales = [Fraction(s) for s in call.required("scales")]
    else:
        scales = _floats(call, 1, "the scales")
    if len(scales) != len(x.shape) or min(scales, default=Fraction(1)) < 1:
        raise Refused(f"its scales do not fit {list(x.shape)}, or are below 1")
    axes = range(len(scales))
    return _resized(call, x, {a: s for a, s in zip(axes, scales, strict=True)}, {}, "asymmetric", "floor")


@operator("Resize")
def resize(call: Call) -> Tensor:
    """Return the image resized."""
    x = call.input(0)
    _only_nearest(call)
    rank = len(x.shape)
    axes = [axis_of(a, rank) for a in call.attributes.get("axes", range(rank))]
    if len(set(axes)) != len(axes):
        raise Refused(f"axes {axes} repeat")
    if call.opset < 11:
        # The ONNX text does not say what is nearest.  onnxruntime rounds up to shrink, and down to enlarge.
        scales = _floats(call, 1, "the scales")
        mode, nearest = "asymmetric", "ceil" if any(s < 1 for s in scales) else "floor"
        if nearest == "ceil" and any(s > 1 for s in scales):
            raise Refused("it makes some axes smaller and others larger, for which opset 10 has no rule")
        return _resized(call, x, _by_axis(axes, scales, "scales"), {}, mode, nearest)
    mode = _word(call, "coordinate_transformation_mode", "half_pixel")
    nearest = _word(call, "nearest_mode", "round_prefer_floor")
    if mode not in WHERE or nearest not in NEAREST:
        raise Refused(f"its modes {mode!r} and {nearest!r} are not known")
    if call.attributes.get("antialias", 0):
        raise Refused("antialias is not supported")
    roi = None
    if mode == "tf_crop_and_resize":
        given = _floats(call, 1, "the region")
        if len(given) != 2 * len(axes):
            raise Refused(f"a region of {len(given)} numbers does not fit {len(axes)} axes")
        roi = {a: (given[k], given[len(axes) + k]) for k, a in enumerate(axes)}
    if call.optional(3) is not None and call.known(3, "the sizes").numerators.size:
        sizes = _sizes(call, x, axes)
        return _resized(call, x, {}, sizes, mode, nearest, roi)
    if call.optional(2) is None:
        raise Refused("it has neither scales nor sizes")
    return _resized(call, x, _by_axis(axes, _floats(call, 2, "the scales"), "scales"), {}, mode, nearest, roi)


def _only_nearest(call: Call) -> None:
    mode = _word(call, "mode", "nearest")
    if mode != "nearest":
        raise Refused(f"mode {mode!r} is not supported, only nearest is")


def _word(call: Call, name: str, usual: str) -> str:
    value = call.attributes.get(name, usual)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _floats(call: Call, i: int, what: str) -> list[Fraction]:
    found = call.known(i, what)
    if found.dtype not in FLOATS:
        raise Refused(f"{what} are {found.dtype}")
    return [Fraction(int(n), found.denominator) for n in found.numerators.flat]


def _by_axis(axes: Sequence[int], values: Sequence[Any], what: str) -> dict[int, Any]:
    if len(values) != len(axes):
        raise Refused(f"{len(values)} {what} do not fit {len(axes)} axes")
    return dict(zip(axes, values, strict=True))


def _sizes(call: Call, x: Tensor, axes: Sequence[int]) -> dict[int, int]:
    sizes = _by_axis(axes, call.known(3, "the sizes").integers(), "sizes")
    if any(s < 1 for s in sizes.values()) or any(x.shape[a] < 1 for a in axes):
        raise Refused(f"its sizes {list(sizes.values())} do not fit {list(x.shape)}")
    policy = _word(call, "keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        raise Refused(f"keep_aspect_ratio_policy {policy!r} is not supported")
    return sizes


def _resized(
    call: Call,
    x: Tensor,
    scales: dict[int, Fraction],
    sizes: dict[int, int],
    mode: str,
    nearest: str,
    roi: dict[int, tuple[Fraction, Fraction]] | None = None,
) -> Tensor:
    """Return the tensor with its axes resized, by scales or to sizes.  Raises Refused."""
    if any(s <= 0 for s in scales.values()):
        raise Refused("a scale is not positive")
    chosen, outside = [], []
    made = []
    for a, length in enumerate(x.shape):
        start, end = (Fraction(0), Fraction(1)) if roi is None or a not in roi else roi[a]
        if a in sizes:
            after, scale = sizes[a], Fraction(sizes[a], length)
            rounded = np.float32(after) / np.float32(length)
        else:
            scale = scales.get(a, Fraction(1))
            rounded = np.float32(float(scale))
            after = _length(length, scale, rounded)
            if after != math.floor(length * (end - start) * scale):
                raise Refused(
                    "onnxruntime makes an axis as long as if nothing were cropped, the ONNX text does not"
                )
        if scale == 1 and (start != 0 or end != 1):
            raise Refused(
                "onnxruntime ignores the region of an axis that stays as long, the ONNX text does not"
            )
        made.append(after)
        exact = _Axis(length, after, scale, start, end)
        check_size(math.prod(made) or 1)
        picked = [_neighbour(i, exact, mode, nearest, Fraction(1, 2)) for i in range(after)]
        single = _Axis(length, after, rounded, np.float32(float(start)), np.float32(float(end)))
        if picked != [_neighbour(i, single, mode, nearest, np.float32(0.5)) for i in range(after)] or (
            mode == "half_pixel_symmetric" and not all(_clear(i, exact, mode, nearest) for i in range(after))
        ):
            raise Refused("float32 rounds to another neighbour than the exact scale")
        chosen.append([min(max(i, 0), length - 1) for i, _ in picked])
        outside.append([out for _, out in picked])
    grid = np.ix_(*chosen) if chosen else ()
    taken = x.rearranged(lambda i: i[grid])
    if mode != "tf_crop_and_resize" or not any(map(any, outside)):
        return taken
    beyond = np.zeros(taken.shape, dtype=bool)
    for a, flags in enumerate(outside):
        beyond |= np.array(flags).reshape([-1 if k == a else 1 for k in range(len(outside))])
    return _filled(call, taken, beyond)


def _length(length: int, scale: Fraction, rounded: np.float32) -> int:
    """Return how long an axis becomes.  Raises Refused if float32 rounds to another length."""
    exact, single = math.floor(length * scale), np.float32(length) * rounded
    if exact != int(single):
        raise Refused(f"float32 rounds an axis of {length} to {int(single)} where its scale says {exact}")
    if exact < 1:
        raise Refused("makes an empty tensor")
    return exact


def _neighbour(i: int, axis: _Axis, mode: str, nearest: str, half: Number) -> tuple[int, bool]:
    """Return the number of the neighbour, and whether the place lies outside of the input.

    An axis that keeps its length is copied.
    """
    if axis.scale == 1:
        return i, False
    place = WHERE[mode](type(half)(i), axis, half)
    return int(NEAREST[nearest](place)), bool(place < 0 or place > axis.before - 1)


def _clear(i: int, axis: _Axis, mode: str, nearest: str) -> bool:
    """Return whether the neighbour stays the same if the place is rounded a little."""
    place = WHERE[mode](Fraction(i), axis, Fraction(1, 2))
    return axis.scale == 1 or NEAREST[nearest](place - ROUNDING) == NEAREST[nearest](place + ROUNDING)


def _filled(call: Call, x: Tensor, beyond: np.ndarray) -> Tensor:
    """Return the tensor with `extrapolation_value` at the places beyond the input."""
    if isinstance(x, Lookup) or x.dtype not in FLOATS:
        raise Refused(f"it fills {x.dtype}")
    value = Fraction(call.attributes.get("extrapolation_value", 0.0))
    if isinstance(x, Const):
        numerators = np.where(
            beyond, value.numerator * x.denominator, x.numerators.astype(object) * value.denominator
        )
        return constant(numerators, x.denominator * value.denominator, x.dtype)
    number = int(
        call.build.known(
            constant(np.array([value.numerator], dtype=object), value.denominator, x.dtype)
        ).refs[0]
    )
    return x.rearranged(lambda i: np.where(beyond, number, i))
