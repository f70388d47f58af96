"""What each symbol adds to the layers that read the word: exact tables, and bounds of the sums on both sides
of a cut.  For `blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....models.network.integers import INT64_SAFE, magnitude
from .composed import ComposedLayer
from .precision import floats, reads


@dataclass(frozen=True, eq=False)
class Tables:
    """The rows of all layers that read the word, one after the other: sum_t symbols[:, t, word[t]] +
    constant, exact integers.

    Before the cut, each position's numbers are shifted to have their middle at 0: sums over heads stay small.
    `before` and `behind` bound, per row and as floats, all partial sums over positions before the cut, and
    over the others with the constant.
    """

    symbols: np.ndarray  # (rows, length, symbol_count)
    constant: np.ndarray  # (rows,)
    before: np.ndarray
    behind: np.ndarray

    @classmethod
    def of(cls, layers: tuple[ComposedLayer, ...], present: np.ndarray, at: int) -> Tables:
        """`present` (length, symbol_count): which symbols some word has where.  The others get 0: their
        numbers must not count.
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
        if (
            2 * (len(present) + 1) * largest + magnitude(constant) >= INT64_SAFE
        ):  # then no sum below fits 64 bits for certain
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
        """Exact sums over tails (tails, length - at), with the constant: (tails, rows)."""
        rows = self.symbols[:, at:].transpose(1, 2, 0)
        total = np.broadcast_to(self.constant, (len(tails), len(self.constant)))
        for t in range(tails.shape[1]):
            total = total + rows[t, tails[:, t]]
        return total
