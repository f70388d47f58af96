"""Random nodes of operators over windows and channels: strides beyond the kernel, dilations, pads of all
kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .onnx_sketch import Node, Sketch, makes


def _window(
    g: Sketch, rank: int, lengths: Sequence[int], *, pooled: bool, dilated: bool = True
) -> dict[str, Any]:
    """Attributes of a moving window, its strides beyond the kernel now and then."""
    found: dict[str, Any] = {}
    if g.chance(0.7):
        found["strides"] = [int(g.pick([1, 2, 3, 5])) for _ in range(rank)]
    if dilated and g.chance(0.4):
        found["dilations"] = [int(g.pick([1, 1, 2, 3])) for _ in range(rank)]
    if g.chance(0.4):
        found["auto_pad"] = str(g.pick(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))
    if g.chance(0.5) and found.get("auto_pad", "NOTSET") == "NOTSET":
        found["pads"] = [int(g.rng.integers(0, 3)) for _ in range(2 * rank)]
    return found


@makes("Conv")
def _conv(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 5)
    shape = g.shape(x)
    rank, channels = len(shape) - 2, shape[1]
    groups = channels if g.chance(0.25) and channels else 1
    kernel = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    made = int(g.rng.integers(1, 3)) * groups
    attributes = _window(g, rank, shape[2:], pooled=False)
    if groups != 1 or g.chance(0.1):
        attributes["group"] = groups
    if g.chance(0.5):
        attributes["kernel_shape"] = kernel
    return Node(
        [
            x,
            g.like(x, made, channels // max(groups, 1), *kernel),
            *([g.like(x, made)] if g.chance(0.5) else []),
        ],
        attributes,
    )


@makes("ConvTranspose")
def _conv_transpose(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 4)
    shape = g.shape(x)
    rank, channels = len(shape) - 2, shape[1]
    groups = channels if g.chance(0.25) and channels else 1
    kernel = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    made = int(g.rng.integers(1, 3))
    attributes = _window(g, rank, shape[2:], pooled=False)
    if groups != 1:
        attributes["group"] = groups
    if g.chance(0.3):
        attributes["output_padding"] = [int(g.rng.integers(0, 3)) for _ in range(rank)]
    if g.chance(0.1):
        attributes["output_shape"] = [int(g.rng.integers(1, 8)) for _ in range(rank)]
    return Node(
        [x, g.like(x, channels, made, *kernel), *([g.like(x, made * groups)] if g.chance(0.5) else [])],
        attributes,
    )


@makes("MaxPool", "AveragePool")
def _pool(g: Sketch, operator: str) -> Node:
    x = g.floats(3, 5)
    rank = len(g.shape(x)) - 2
    attributes = _window(g, rank, g.shape(x)[2:], pooled=True, dilated=g.takes(operator, "dilations"))
    attributes["kernel_shape"] = [int(g.rng.integers(1, 4)) for _ in range(rank)]
    if g.takes(operator, "ceil_mode") and g.chance(0.4):
        attributes["ceil_mode"] = 1
    if operator == "AveragePool" and g.chance(0.4):
        attributes["count_include_pad"] = 1
    return Node([x], attributes)


@makes("BatchNormalization")
def _normalise(g: Sketch, operator: str) -> Node:
    x = g.floats(2)
    channels = g.shape(x)[1]
    kind = g.values[x].dtype
    variance = g.constant(
        g.pick([np.array([0.25, 4.0, 1.0]), np.array([2.0, 0.3, 7.0])])[np.arange(channels) % 3], kind
    )
    return Node(
        [x, *(g.like(x, channels) for _ in range(3)), variance], {"epsilon": 0.0} if g.chance(0.5) else {}
    )
