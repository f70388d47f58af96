"""The one place where a part becomes two: halves that cover it, which is checked here, with a node each in the `Tree`.

After `tree.py`, for the searches.  An input's interval [a, b] is cut at a number between its ends, [a, m] and [m, b]; a ReLU that no split
above has fixed is off in one half and on in the other.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ...bounds.batch import Weighed
from ...bounds.box_bounds import Parts
from ...evidence import Lost
from .tree import Tree

W = TypeVar("W", bound=Weighed)


def split_neurons(tree: Tree, parts: W, neuron: np.ndarray) -> tuple[W, W]:
    """Every part with its neuron off (phase -1), and on (1).  Raises Lost where the phase is fixed already."""
    at = np.arange(len(parts))
    off, on = parts[at], parts[at]
    if (parts.phase[at, neuron] != 0).any():
        raise Lost("a neuron is split twice")
    off.phase[at, neuron], on.phase[at, neuron] = -1, 1
    off.node, on.node = tree.split(parts.node)
    off.weight, on.weight = parts.weight / 2, parts.weight / 2
    return off, on


def cut_inputs(tree: Tree, parts: Parts, i: np.ndarray, where: np.ndarray) -> tuple[Parts, Parts]:
    """Every part up to its number of its input, and from there on.  Raises Lost where that is not inside."""
    at = np.arange(len(parts))
    left, right = parts[at], parts[at]
    if not ((parts.low[at, i] < where) & (where < parts.high[at, i])).all():
        raise Lost("a part is cut where it is not")
    left.high[at, i] = where
    right.low[at, i] = where
    left.node, right.node = tree.split(parts.node)
    left.weight, right.weight = parts.weight / 2, parts.weight / 2
    return left, right
