"""Fold by alignment: find the machine behind a layered automaton whose middle layers have one node per state.

If every state of a machine can be reached and told apart, a layer of the smallest layered automaton is a copy
of its states, and so is the next.  Which node of the one is which node of the other is searched for: one
choice forces those a layer further on.  The result is a guess that `learn.py` checks on all examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

MAX_WIDTH = 16  # states of a machine found so
CHOICES = 3000  # nodes of the search; counted, not timed, so that runs are reproducible

NextNodes = np.ndarray  # (nodes, tokens): the node of the next layer, or -1


def aligned(layers: Sequence[NextNodes]) -> Iterator[np.ndarray]:
    """Yield transitions (states, tokens) between the states of a widest layer; -1 if nothing is known."""
    widths = [len(layer) for layer in layers]
    if len(layers) < 2:
        return
    widest = max(widths)
    if not 2 <= widest <= MAX_WIDTH:
        return
    first = widths.index(widest)
    last = first
    while last + 1 < len(widths) and widths[last + 1] == widest:
        last += 1
    if last > first:
        yield from _machines(layers[first : last + 1])


def _machines(layers: Sequence[NextNodes]) -> Iterator[np.ndarray]:
    """Search in layers that hold all states.

    One node with its copy nearly always forces all others further on.
    """
    width = len(layers[0])
    order = sorted(range(width), key=lambda q: -int((layers[0] == q).sum()))
    todo: list[dict[int, int]] = [{}]
    for _ in range(CHOICES):
        if not todo:
            return
        chosen = todo.pop()
        maps = _forced(layers, chosen)
        if maps is None:
            continue
        full = next((t for t, same in enumerate(maps) if len(same) == width), None)
        if full is not None:
            back = np.argsort([maps[full][q] for q in range(width)])
            yield np.where(layers[full] >= 0, back[np.maximum(layers[full], 0)], -1)
            continue
        node = next(q for q in order if q not in chosen)
        free = [q for q in range(width) if q not in chosen.values()]
        todo += [{**chosen, node: other} for other in reversed(free)]


def _forced(layers: Sequence[NextNodes], same: dict[int, int]) -> list[dict[int, int]] | None:
    """Follow a choice through the layers.

    Returns: for each layer but the last, the copy of each node in the next layer; None if a node would have
        two copies, or two nodes the same.
    """
    maps = [same]
    for here, there in pairwise(layers[:-1]):
        forced: dict[int, int] = {}
        for node, other in maps[-1].items():
            for target, meant in zip(here[node].tolist(), there[other].tolist(), strict=True):
                if target >= 0 and meant >= 0 and forced.setdefault(target, meant) != meant:
                    return None
        if len(set(forced.values())) != len(forced):
            return None
        maps.append(forced)
    return maps
