"""Simplifying the nodes that the operators made: unused nodes go, and sums are merged into the node before.

Called by `builder.py` at the end of reading.  It changes no value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..network.integers import integer_array
from ..network.network import Affine, Node, Relu, SparseMatrix
from .integer_arrays import common_factor, over, times


def simplified(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes that the last one needs, renumbered, with sums merged."""
    kept = _drop_dead(list(nodes))
    _merge_sums(kept)
    return _renumbered(_drop_dead(kept))


def _sources(node: Node) -> tuple[int, ...]:
    return node.sources if isinstance(node, Affine) else (node.source,)


def _drop_dead(nodes: list[Node | None]) -> list[Node | None]:
    """Replace the nodes that the last one does not need by None."""
    needed = {len(nodes)}
    for k in range(len(nodes), 0, -1):
        node = nodes[k - 1]
        if k in needed and node is not None:
            needed.update(_sources(node))
    return [node if k in needed else None for k, node in enumerate(nodes, start=1)]


def _renumbered(nodes: list[Node | None]) -> tuple[Node, ...]:
    """Return the remaining nodes, with their sources renumbered."""
    number, out = {0: 0}, list[Node]()
    for k, node in enumerate(nodes, start=1):
        if node is None:
            continue
        if isinstance(node, Affine):
            out.append(replace(node, sources=tuple(number[s] for s in node.sources)))
        else:
            out.append(Relu(number[node.source]))
        number[k] = len(out)
    return tuple(out)


def _merge_sums(nodes: list[Node | None]) -> None:
    """Put a node s into the node k that only adds to it (MatMul, then Add): out = ... +- s[selected].

    This is done only with factors 1 and -1, if no other node reads s, if both share no source, and if no row
    has a bias in both, because two biases could cancel.  Then the bound of a merged row is at least the bound
    of each step, so what `exact_in_float32` says of the merged node also holds for the steps.
    """
    uses = dict.fromkeys(range(len(nodes) + 1), 0)
    for node in nodes:
        for s in set(_sources(node)) if node is not None else ():
            uses[s] += 1
    for k, node in enumerate(nodes, start=1):
        if not isinstance(node, Affine):
            continue
        for s in node.sources:
            inner = nodes[s - 1] if s else None
            others = [t for t in node.sources if t != s]
            if not isinstance(inner, Affine) or any(
                isinstance(m, SparseMatrix) for m in (*node.matrices, *inner.matrices)
            ):
                continue
            if uses[s] != 1 or set(inner.sources) & set(others) or node.sources.count(s) != 1:
                continue
            signs = node.weights[node.sources.index(s)]
            chosen = signs != 0
            if not (np.abs(signs[chosen]) == node.denominator).all() or (chosen.sum(axis=1) > 1).any():
                continue
            if (node.bias.astype(bool)[:, None] & chosen & inner.bias.astype(bool)[None, :]).any():
                continue
            node = _merged(node, s, inner)
            nodes[k - 1], nodes[s - 1] = node, None


def _merged(outer: Affine, s: int, inner: Affine) -> Affine:
    """Return the node `outer` with its source s replaced by the node `inner`."""
    at = outer.sources.index(s)
    signs = outer.weights[at]
    rows, columns = np.nonzero(signs)
    direction = np.where(signs[rows, columns] > 0, 1, -1)
    denominator = math.lcm(outer.denominator, inner.denominator)

    def routed(part: np.ndarray) -> np.ndarray:
        scaled = times(part, denominator // inner.denominator)
        out = np.zeros((outer.size, *part.shape[1:]), dtype=scaled.dtype)
        out[rows] = (scaled[columns].T * direction).T
        return out

    factor = denominator // outer.denominator
    weights = [times(w, factor) for w in outer.weights]
    weights[at : at + 1] = [routed(w) for w in inner.weights]
    sources = (*outer.sources[:at], *inner.sources, *outer.sources[at + 1 :])
    bias = times(outer.bias, factor).astype(object) + routed(inner.bias).astype(object)
    common = common_factor(denominator, *weights, integer_array(bias))
    if common > 1:
        weights, bias = [over(w, common) for w in weights], bias // common
    return Affine(
        sources, tuple(integer_array(w) for w in weights), integer_array(bias), denominator // common
    )
