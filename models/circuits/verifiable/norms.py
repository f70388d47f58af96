"""The functions that verifiable-transformers use in place of softmax and LayerNorm, in float64."""

from __future__ import annotations

import numpy as np


def sparsemax(scores: np.ndarray) -> np.ndarray:
    """Project each row of the last axis onto the simplex; minus infinity gets zero.

    Source: Martins and Astudillo, "From Softmax to Sparsemax" (2016), Algorithm 1.
    """
    z = scores - scores.max(axis=-1, keepdims=True)
    ordered = -np.sort(-z, axis=-1)
    sums = ordered.cumsum(axis=-1)
    count = (1 + np.arange(1, z.shape[-1] + 1) * ordered > sums).sum(axis=-1, keepdims=True)
    threshold = (np.take_along_axis(sums, count - 1, axis=-1) - 1.0) / count
    result: np.ndarray = np.maximum(z - threshold, 0.0)
    return result


def band_norm(x: np.ndarray, half_low: float, half_high: float) -> np.ndarray:
    """Apply Signed L1 BandNorm before its affine part.

    The positive and the negative half of each centred row get an L1 mass between `half_low` and `half_high`.
    """
    centred = x - x.mean(axis=-1, keepdims=True)
    even = (np.arange(x.shape[-1]) % 2 == 0).astype(np.float64)
    halves = [
        _into_band(np.maximum(sign * centred, 0.0), half_low, half_high, spare)
        for sign, spare in ((1, even), (-1, 1 - even))
    ]
    z = halves[0] - halves[1]
    result: np.ndarray = z - z.mean(axis=-1, keepdims=True)
    return result


def _into_band(y: np.ndarray, low: float, high: float, spare: np.ndarray) -> np.ndarray:
    """Bring the mass of each row of y >= 0 between `low` and `high`.

    Project too much mass onto the L1 ball.  If there is too little, lift the active coordinates evenly, or
    those of `spare` if none is active.
    """
    ordered = -np.sort(-y, axis=-1)
    candidates = (ordered.cumsum(axis=-1) - high) / np.arange(1, y.shape[-1] + 1)
    last = np.maximum((ordered > candidates).sum(axis=-1, keepdims=True) - 1, 0)
    projected = np.maximum(y - np.take_along_axis(candidates, last, axis=-1), 0.0)
    y = np.where(y.sum(axis=-1, keepdims=True) <= high, y, projected)
    active = (y > 0).astype(np.float64)
    active = np.where(active.sum(axis=-1, keepdims=True) == 0, spare, active)
    mass = y.sum(axis=-1, keepdims=True)
    return np.where(
        mass >= low, y, y + active * (low - mass) / np.maximum(active.sum(axis=-1, keepdims=True), 1.0)
    )
