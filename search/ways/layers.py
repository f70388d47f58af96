"""The labelled words as a partial automaton: the smallest layered one, with padding taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models.automata.labelled import Labelled
from ...models.automata.layered import smallest_layered
from .machine import PartialAutomaton


def acyclic(examples: Labelled, size: int, limit: int) -> PartialAutomaton | None:
    """Return the smallest layered automaton of exactly these examples; None if it has over `limit` states."""
    layered = smallest_layered(examples, size + 1, limit)
    return None if layered is None else without_padding(layered.tables, layered.finals, size)


def without_padding(layers: Sequence[np.ndarray], finals: np.ndarray, size: int) -> PartialAutomaton:
    """Take padding out: its edge becomes the label of the sequence that ends before it.

    Args:
        layers: for each position, the next state by state and symbol, -1 for none.
        finals: the label of each state of the last layer.
        size: the number of tokens, which is the symbol of padding.
    """
    number: dict[tuple[int, int], int] = {(0, 0): 0}
    queue = [(0, 0)]
    edges: list[dict[int, int]] = []
    labels: list[int | None] = []
    for t, s in queue:
        depth, place = t, s
        while depth < len(layers) and layers[depth].shape[1] > size and layers[depth][place, size] >= 0:
            depth, place = depth + 1, int(layers[depth][place, size])
        labels.append(int(finals[place]) if depth == len(layers) else None)
        out = {}
        for symbol in range(size) if t < len(layers) else ():
            target = int(layers[t][s, symbol])
            if target >= 0:
                out[symbol] = number.setdefault((t + 1, target), len(number))
                if out[symbol] == len(queue):
                    queue.append((t + 1, target))
        edges.append(out)
    return PartialAutomaton(tuple(edges), tuple(labels))


def in_layers(graph: PartialAutomaton, size: int) -> list[np.ndarray]:
    """Group states by their distance from the first: for each layer, the next state by state and token."""
    depth, place, widths = [0] * len(graph.edges), [0] * len(graph.edges), [1]
    for state, out in enumerate(graph.edges):  # in order of depth
        for target in out.values():
            if target and depth[target] == 0:
                depth[target] = depth[state] + 1
                widths += [0] * (depth[target] + 1 - len(widths))
                place[target] = widths[depth[target]]
                widths[depth[target]] += 1
    layers = [np.full((width, size), -1) for width in widths]
    for state, out in enumerate(graph.edges):
        for symbol, target in out.items():
            layers[depth[state]][place[state], symbol] = place[target]
    return layers
