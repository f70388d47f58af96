"""Prune a trained network: fewer neurons and weights, shorter weights, the same label on every input.

Last step for a trained network in `fit.py`.  A change stays only if every input keeps its label, counted on a
few inputs first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import numpy as np

from .layers import Layers
from .quantise import decide, pruned

FEW = 1024  # inputs that a change is tried on first
TRIES = 400  # changes that are tried: counted, not timed, so that runs are repeatable


class Keeper:
    """Tells whether layers give the label of every input; inputs on which others failed are asked first."""

    def __init__(self, ids: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self.ids, self.labels = ids, labels
        self.first = np.random.default_rng(seed).permutation(len(ids))[:FEW]

    def right(self, layers: Layers) -> bool:
        """Tell whether these layers do."""
        if (decide(layers, self.ids[self.first]) != self.labels[self.first]).any():
            return False
        if len(self.first) == len(self.ids):
            return True
        wrong = np.flatnonzero(decide(layers, self.ids) != self.labels)
        if len(wrong):
            self.first = np.concatenate([self.first, wrong[:16]])
        return not len(wrong)


def slim(layers: Layers, right: Callable[[Layers], bool]) -> Layers:
    """Remove neurons, then weights from the smallest on, in chunks, halved if they fail; then shorten."""
    layers, tries = pruned(layers), TRIES
    for k in reversed(range(len(layers) - 1)):
        for neuron in np.argsort(np.abs(layers[k + 1][0]).sum(axis=0), kind="stable"):
            trial = _without(layers, k + 1, [(row, int(neuron)) for row in range(len(layers[k + 1][0]))])
            tries -= 1
            if right(trial):
                layers = trial
    layers = pruned(layers)
    for k in range(len(layers)):
        weight = layers[k][0]
        size = np.abs(weight) * (np.abs(layers[k + 1][0]).max(axis=0)[:, None] if k + 1 < len(layers) else 1)
        places = [(int(i), int(j)) for i, j in zip(*np.nonzero(weight), strict=True)]
        places.sort(key=lambda p: (size[p], p))
        chunks = [places[i : i + 8] for i in range(0, len(places), 8)]
        while chunks and tries > 0:
            chunk = chunks.pop(0)
            trial = _without(layers, k, chunk)
            tries -= 1
            if right(trial):
                layers = trial
            elif len(chunk) > 1:
                chunks[:0] = [chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]]
    layers = pruned(layers)
    return min((layers, _shortened(layers)), key=_largest)


def _largest(layers: Layers) -> float:
    return max(float(np.abs(part).max(initial=0)) for layer in layers for part in layer)


def _without(layers: Layers, k: int, places: list[tuple[int, int]]) -> Layers:
    weight = layers[k][0].copy()
    weight[tuple(np.array(places).T)] = 0
    return [*layers[:k], (weight, layers[k][1]), *layers[k + 1 :]]


def _shortened(layers: Layers) -> Layers:
    """Divide each neuron by its common factor, which goes into what reads it, and all outputs by theirs."""
    layers = [(w.copy(), b.copy()) for w, b in layers]
    for k, (weight, bias) in enumerate(layers):
        if k + 1 == len(layers):
            factor = _common([*weight.flat, *bias])
            layers[k] = (weight / factor, bias / factor)
            break
        for i in range(len(weight)):
            factor = _common([*weight[i], bias[i]])
            weight[i], bias[i] = weight[i] / factor, bias[i] / factor
            layers[k + 1][0][:, i] *= factor
    return layers


def _common(values: list[float]) -> int:
    if any(v != int(v) for v in values):
        return 1
    return gcd(*(int(v) for v in values)) or 1
