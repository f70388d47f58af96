"""Round float layers to small dyadics, and evaluate them exactly on words.

Second step of `fit.py`.  A ReLU network does not change if a neuron's weights are scaled up and what reads it
is scaled down, nor does its decision if all outputs are scaled.  So each neuron is scaled to a few integer
levels.  On one-hot inputs a constant over all symbols of one position is a bias; moving it there makes
weights sparse.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .layers import Layers

LEVELS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)
BATCH = 1 << 15


def outputs_of(layers: Layers, ids: np.ndarray) -> np.ndarray:
    """Evaluate layers: float64 (n, outputs) for alphabet indices (n, positions).

    Exact as long as all sums of the dyadics fit in 53 bits.
    """
    weight, bias = layers[0]
    table = np.ascontiguousarray(weight.T).reshape(ids.shape[1], weight.shape[1] // ids.shape[1], len(bias))
    parts = []
    for start in range(0, len(ids), BATCH):
        rows = ids[start : start + BATCH]
        total = np.tile(bias, (len(rows), 1)).astype(np.float64)
        for position, symbols in enumerate(table):
            if symbols.any():
                total += symbols[rows[:, position]]
        for following, offset in layers[1:]:
            total = np.maximum(total, 0) @ following.T + offset
        parts.append(total)
    return np.concatenate(parts) if parts else np.zeros((0, len(layers[-1][1])))


def decide(layers: Layers, ids: np.ndarray) -> np.ndarray:
    """Return label indices (n,) by argmax, ties to the lowest index, for alphabet indices (n, positions)."""
    result: np.ndarray = outputs_of(layers, ids).argmax(axis=1)
    return result


def quantised(
    layers: Layers, used: np.ndarray, ids: np.ndarray, labels: np.ndarray, levels: tuple[int, ...] = LEVELS
) -> Iterator[Layers]:
    """Yield rounded networks, coarse to fine.

    Args:
        layers: in floats.
        used: bools (positions, alphabet): which symbols occur where.
        ids: alphabet indices (n, positions) of inputs by which the threshold between two labels is placed.
        labels: their label indices, (n,).
        levels: how many integer steps the largest weight has, one rounding after the other.
    """
    plain = _canonical(layers, used)
    for level in levels:
        for bias_grain in (1, 4):
            yield _threshold(_rounded(plain, level, bias_grain), ids, labels)


def _canonical(layers: Layers, used: np.ndarray) -> Layers:
    """Subtract each neuron's median weight at each position, over symbols that occur; output 0 becomes 0."""
    weight, bias = layers[0]
    table = weight.reshape(len(bias), *used.shape).copy()
    bias = bias.copy()
    for position, present in enumerate(used):
        common = np.percentile(table[:, position, present], 50, axis=1, method="lower")
        table[:, position] = np.where(present, table[:, position] - common[:, None], 0)
        bias = bias + common
    last, offset = layers[-1]
    outer = (last - last[:1], offset - offset[:1])
    return [(table.reshape(weight.shape), bias), *layers[1:-1], outer]


def _rounded(layers: Layers, levels: int, bias_grain: int) -> Layers:
    out: Layers = []
    incoming = np.ones(layers[0][0].shape[1])
    for k, (weight, bias) in enumerate(layers):
        weight = weight / incoming  # undo the scaling of the neurons that this layer reads
        largest = (
            np.abs(weight).max(axis=1) if k < len(layers) - 1 else np.full(len(bias), np.abs(weight).max())
        )
        factor = np.where(largest > 0, levels / np.where(largest > 0, largest, 1), 1.0)
        out.append((np.round(weight * factor[:, None]), np.round(bias * factor * bias_grain) / bias_grain))
        incoming = factor
    return out


def _threshold(layers: Layers, ids: np.ndarray, labels: np.ndarray) -> Layers:
    """Put the bias of two outputs, whose difference alone counts, where it separates the labels best."""
    weight, bias = layers[-1]
    if len(bias) != 2:
        return layers
    flat = [*layers[:-1], (weight, np.zeros(2))]
    scores = np.diff(outputs_of(flat, ids), axis=1)[:, 0]
    values, place = np.unique(scores, return_inverse=True)
    # errors if exactly the scores above values[k] count as label 1
    ones = np.bincount(place, labels, len(values))
    zeros = np.bincount(place, 1 - labels, len(values))
    errors = np.concatenate([[zeros.sum()], np.cumsum(ones) + zeros.sum() - np.cumsum(zeros)])
    best = np.flatnonzero(errors == errors.min())
    k = int(best[len(best) // 2])
    cut = values[0] - 1 if k == 0 else values[k - 1]  # label 0 iff score <= cut: a tie goes to label 0
    return [*layers[:-1], (weight, np.array([0.0, -cut]))]


def pruned(layers: Layers) -> Layers:
    """Remove hidden neurons that nothing reads or that are constant."""
    layers = [(w.copy(), b.copy()) for w, b in layers]
    for k in reversed(range(len(layers) - 1)):
        weight, bias = layers[k]
        following, offset = layers[k + 1]
        constant = ~weight.any(axis=1)
        offset = offset + following[:, constant] @ np.maximum(bias[constant], 0)
        keep = np.flatnonzero(following.any(axis=0) & ~constant)
        if not len(keep):
            keep = np.array([0])  # a layer keeps one neuron; it is inert
            following = following * ~constant
        layers[k] = (weight[keep], bias[keep])
        layers[k + 1] = (following[:, keep], offset)
    return layers
