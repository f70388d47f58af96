"""What each symbol adds to the layers that read the word, and bounds of the sums.  For `blocks.py`.

The tables are exact.  The bounds are of the sums before and behind the cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....models.network.integers import INT64_SAFE, magnitude
from .composed import ComposedLayer
from .precision import floats, reads


@dataclass(frozen=True, eq=False)
class Tables:
    """The rows of all layers that read the word, one after the other, in exact integers.

        sum_t symbols[:, t, word[t]] + constant

    symbols: (rows, length, symbols).
    constant: (rows,).
    before, behind (rows,): bounds, as floats, of all partial sums over positions before the cut, and over the
        other positions with the constant.

    Before the cut, the numbers of each position are shifted to have their middle at 0, so that sums over
    heads stay small.
    """

    symbols: np.ndarray
    constant: np.ndarray
    before: np.ndarray
    behind: np.ndarray

    @classmethod
    def of(cls, layers: tuple[ComposedLayer, ...], present: np.ndarray, at: int) -> Tables:
        """Make the tables of composed layers for a cut at position `at`.

        present (length, symbols): which symbols occur where.  The others get 0, because their numbers must
            not count in the bounds.
        """
        reading = [layer for layer in layers if reads(layer)]
        blank = [
            np.zeros((len(layer), *present.shape), dtype=np.int64) if layer.symbols is None else layer.symbols
            for layer in reading
        ]
        symbols = np.where(
            present, np.concatenate([np.zeros((0, *present.shape), dtype=np.int64), *blank]), 0
        )
        constant = np.concatenate([np.zeros(0, dtype=np.int64), *(layer.constant for layer in reading)])
        largest = magnitude(symbols)
        # The sums below may not fit 64 bits: use Python integers.
        if 2 * (len(present) + 1) * largest + magnitude(constant) >= INT64_SAFE:
            symbols, constant = symbols.astype(object), constant.astype(object)
        before = np.zeros(len(symbols))
        if at:
            head, there = symbols[:, :at], present[:at]
            middle = (
                np.where(there, head, -largest).max(axis=2) + np.where(there, head, largest).min(axis=2)
            ) // 2
            symbols[:, :at] = head = np.where(there, head - middle[:, :, None], 0)
            constant = constant + middle.sum(axis=1)
            before = floats(np.abs(head).max(axis=2)).sum(axis=1)
        behind = np.abs(floats(constant))
        if at < len(present):
            behind += floats(np.abs(symbols[:, at:]).max(axis=2)).sum(axis=1)
        return cls(symbols, constant, before, behind)

    def sums(self, tails: np.ndarray, at: int) -> np.ndarray:
        """Return the exact sums (tails, rows) over tails (tails, length - at), with the constant."""
        rows = self.symbols[:, at:].transpose(1, 2, 0)
        total = np.broadcast_to(self.constant, (len(tails), len(self.constant)))
        for t in range(tails.shape[1]):
            total = total + rows[t, tails[:, t]]
        return total
