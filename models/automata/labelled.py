"""Words with the labels that a circuit gave: all that surrogate fitting and program search learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Labelled:
    """Words with labels.

    `words`: padded symbol indices of the domain, (n, max_length) int16.  `labels`: label indices, (n,) int64.
    Raises ValueError if the shapes do not fit.
    """

    words: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.words.ndim != 2 or self.labels.shape != (len(self.words),):
            raise ValueError(f"words {self.words.shape} and labels {self.labels.shape} do not fit")

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: np.ndarray) -> Labelled:
        """Return some of the rows."""
        return Labelled(self.words[rows], self.labels[rows])

    def joined(self, other: Labelled) -> Labelled:
        """Return these words followed by others."""
        return Labelled(
            np.concatenate([self.words, other.words]), np.concatenate([self.labels, other.labels])
        )
