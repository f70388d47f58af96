"""Which neuron to split: what splits of it have gained so far, and a look ahead while little is known of it.

For `lp_split.py`.  Reliability branching (Achterberg, Koch and Martin 2005): the gain of a split is taken per
share of the neuron's range that it takes away, and the gains of both sides are multiplied.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LIKELY, RELIABLE = (
    8,
    4,
)  # neurons that are looked at, and how often before it is known what splits of them bring
LEAST = 1e-9  # that a split is expected to bring


class PseudoCosts:
    """Shared by threads, which may lose a count.  Sides: 0 off, 1 on."""

    def __init__(self, neurons: int) -> None:
        self._gained, self._tried = np.zeros((2, neurons)), np.zeros((2, neurons))

    def learn(self, neuron: int, side: int, gain: float, share: float) -> None:
        self._gained[side, neuron] += gain / share
        self._tried[side, neuron] += 1

    def best(
        self, neurons: np.ndarray, shares: np.ndarray, margin: float, look: Callable[[int, int], float]
    ) -> int:
        """The place among `neurons` of the one that brings most on both sides; `shares` (2, neurons).

        `look` gives the margin on one side of a neuron as far as it is soon told: -inf where nothing is
        there, inf where it is not told.
        """
        tried = self._tried[:, neurons]
        usual = self._gained.sum(axis=1) / np.maximum(self._tried.sum(axis=1), 1)
        rate = np.where(tried > 0, self._gained[:, neurons] / np.maximum(tried, 1), usual[:, None])
        score = np.maximum(rate * shares, LEAST).prod(axis=0) if self._tried.any() else shares.min(axis=0)
        looked: dict[int, float] = {}
        for j in np.argsort(-score)[:LIKELY].tolist():
            neuron = int(neurons[j])
            if self._tried[:, neuron].min() >= RELIABLE:
                continue
            gains = [_gain(margin, look(neuron, side)) for side in (0, 1)]
            for side, gain in enumerate(gains):
                self.learn(neuron, side, gain, float(shares[side, j]))
            if min(gains) > margin:  # both halves are over then
                return int(j)
            looked[j] = max(gains[0], LEAST) * max(gains[1], LEAST)
        for j, value in looked.items():
            score[j] = value
        return int(score.argmax())


def _gain(margin: float, found: float) -> float:
    if np.isfinite(found):
        return max(margin - found, 0.0)
    return 2 * abs(margin) if found < 0 else 0.0
