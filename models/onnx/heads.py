"""From the last tensor of a file that ends in Softmax or the like to the network's outputs and a head.

Called by `reader.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..network.head import ZERO, Element, Head
from .tensors import HeadValues, Refused, Tensor, Values


def head_of(x: Tensor | HeadValues, operators: tuple[str, ...]) -> tuple[Values, Head]:
    """Return the logits that a result depends on, each once, and the head that computes the result from them.

    `operators`: the ONNX names of the operators, for messages.  Raises Refused if the result does not depend
    on the input.
    """
    assert isinstance(x, HeadValues)
    used: dict[int, int] = {}

    def numbered(group: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(ZERO if r == ZERO else used.setdefault(r, len(used)) for r in group)

    elements: list[Element] = [replace(e, group=numbered(e.group)) for e in x.elements.flat]
    if not used:
        raise Refused("it does not depend on the input")
    return Values(np.array(list(used), dtype=np.int64), "float32"), Head(tuple(elements), operators)
