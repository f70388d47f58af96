"""Windows that move over images, for convolutions and pooling.

It registers no operator.  A window is an array of references, OUTSIDE where it lies over the edge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..tensors import FLOATS, Const, Lookup, Refused, Values, check_size
from .call import Call

OUTSIDE = -1


@dataclass(frozen=True)
class Window:
    """A kernel of `size` that moves over the spatial axes.

    `before` and `after`: by how much each axis is padded.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def reach(self, d: int) -> int:
        """Return how long the window is along axis d, dilations included."""
        return (self.size[d] - 1) * self.dilations[d] + 1

    def places(self, d: int, length: int, ceil: bool) -> int:
        """Return how many places the window has along axis d of the given length.

        Raises Refused if there is none.
        """
        room = length + self.before[d] + self.after[d] - self.reach(d)
        if room < 0:
            raise Refused(f"its window of {self.reach(d)} does not fit an axis of {length} with pads")
        count = (-(-room // self.strides[d]) if ceil else room // self.strides[d]) + 1
        if (
            ceil and (count - 1) * self.strides[d] >= length + self.before[d]
        ):  # the last window would start behind the end
            count -= 1
        return count


def window_of(call: Call, lengths: Sequence[int], size: Sequence[int]) -> Window:
    """Return the window that a node's attributes describe.

    `lengths`: of the spatial axes; `size`: of the kernel.  Raises Refused.
    """
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
    auto = text(call.attributes.get("auto_pad", "NOTSET"))
    before, after = pads[:rank], pads[rank:]
    if auto != "NOTSET":
        before, after = [0] * rank, [0] * rank
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            if max(dilations) > 1:
                raise Refused(
                    f"{auto} with dilations: onnxruntime does not run it,"
                    " or takes other windows than the ONNX text"
                )
            for d in range(rank):
                places = -(-lengths[d] // strides[d])
                total = (places - 1) * strides[d] + (size[d] - 1) * dilations[d] + 1 - lengths[d]
                if total < 0:
                    raise Refused(
                        f"{auto} with a stride beyond the kernel:"
                        " onnxruntime moves the window, the ONNX text does not"
                    )
                small, large = total // 2, total - total // 2
                before[d], after[d] = (small, large) if auto == "SAME_UPPER" else (large, small)
        elif auto != "VALID":
            raise Refused(f"auto_pad {auto!r} is not known")
    return Window(tuple(size), tuple(strides), tuple(dilations), tuple(before), tuple(after))


def text(value: object) -> str:
    """Return an attribute that is text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def windows(refs: np.ndarray, window: Window, *, ceil: bool = False) -> np.ndarray:
    """Return the references in each window: (batch, channels, *places, *size) of (batch, channels, *lengths).

    `ceil`: the last window may begin inside and end outside.
    """
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


def images(call: Call) -> Values:
    """Return the first input, which must be images, as values of the network that are all different."""
    x = call.input(0)
    if isinstance(x, Lookup) or x.dtype not in FLOATS:
        raise Refused(f"it takes floats, not {x.dtype}")
    if len(x.shape) < 3:
        raise Refused(f"it takes batch, channels and space, not shape {list(x.shape)}")
    if not math.prod(x.shape):
        raise Refused("it takes images, and there are no values")
    x = call.build.known(x) if isinstance(x, Const) else x
    return x if len(np.unique(x.refs)) == x.refs.size else call.build.copied(x)
