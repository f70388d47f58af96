"""Words as expressions see them: padded symbols, lengths, and what many expressions share, computed once.

First in `expressions/`; everything else here evaluates on an `Inputs`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np


class Inputs:
    """Padded words and a memory of arrays that several expressions need.

    Args:
        words: symbols (n, positions).
        size: the number of tokens, which is the symbol of padding.
    """

    def __init__(self, words: np.ndarray, size: int) -> None:
        self.words, self.size = words, size
        self._known: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of tokens of each word, (n,)."""
        result: np.ndarray = (self.words < self.size).sum(axis=1)
        return result

    def once(self, key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array with this key, which is made when it is first asked for."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def between(self, start: np.ndarray, stop: np.ndarray, stride: int = 1) -> np.ndarray:
        """Return the tokens at start, start + stride, ... before stop, padded: (n, positions).

        Args:
            start: the first index, (n,), not negative.
            stop: the index behind the last, (n,), at most the length.
            stride: positive.
        """
        width = self.words.shape[1]
        at = start[:, None] + stride * np.arange(width)
        inside = at < stop[:, None]
        picked = np.take_along_axis(self.words, np.minimum(at, max(0, width - 1)), axis=1)
        return np.where(inside, picked, self.size)

    def count_of_each(self, key: str, sequence: np.ndarray) -> np.ndarray:
        """Return how often each symbol occurs, (n, symbols), for the sequence with this key."""

        def make() -> np.ndarray:
            return np.stack([(sequence == s).sum(axis=1) for s in range(self.size)], axis=1)

        return self.once(f"counts of {key}", make)
