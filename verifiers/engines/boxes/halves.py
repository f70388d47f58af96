"""Halves that cover a subdomain: the one place where a subdomain of a box becomes two.

After `tree.py`, for the searches.  That the halves cover the subdomain is checked here, and each gets a node
in the `Tree`.  An input's interval [a, b] is cut at a number m between its ends into [a, m] and [m, b]; a
ReLU that no split above has fixed is off in one half and on in the other.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ...bounds.subdomains import BoxSubdomains, Subdomains
from ...evidence import Lost
from .tree import Tree

W = TypeVar("W", bound=Subdomains)


def split_neurons(tree: Tree, subdomains: W, neuron: np.ndarray) -> tuple[W, W]:
    """Halve each subdomain: its neuron off (phase -1), and on (1); `neuron` (subdomains,).

    Raises Lost where the phase is fixed already.
    """
    at = np.arange(len(subdomains))
    off, on = subdomains[at], subdomains[at]
    if (subdomains.phase[at, neuron] != 0).any():
        raise Lost("a neuron is split twice")
    off.phase[at, neuron], on.phase[at, neuron] = -1, 1
    off.node, on.node = tree.split(subdomains.node)
    off.weight, on.weight = subdomains.weight / 2, subdomains.weight / 2
    return off, on


def cut_inputs(
    tree: Tree, subdomains: BoxSubdomains, i: np.ndarray, where: np.ndarray
) -> tuple[BoxSubdomains, BoxSubdomains]:
    """Halve each subdomain at value `where` of input `i`, (subdomains,) each.

    Raises Lost where that is not inside.
    """
    at = np.arange(len(subdomains))
    left, right = subdomains[at], subdomains[at]
    if not ((subdomains.low[at, i] < where) & (where < subdomains.high[at, i])).all():
        raise Lost("a subdomain is cut where it is not")
    left.high[at, i] = where
    right.low[at, i] = where
    left.node, right.node = tree.split(subdomains.node)
    left.weight, right.weight = subdomains.weight / 2, subdomains.weight / 2
    return left, right
