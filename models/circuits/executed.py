"""The circuit as an oracle that remembers: for domains that are too large to run it on every input.

A result may rest on what was executed, so that every word that was ever asked is kept with its label, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..automata.labelled import Labelled
from ..claims.domain import Domain
from .circuit import Circuit
from .teacher import CircuitDecisions, Teaching

BATCH = 1 << 12  # words that are run at once


class Executed:
    """Gives the circuit's label index for padded words; runs each distinct word once.

    Args:
        circuit: what to run.
        domain: the words' domain.
        labels: tokens that the circuit chooses from.
        progress: is given the number of words that were run.
    """

    def __init__(
        self,
        circuit: Circuit,
        domain: Domain,
        labels: Sequence[object],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._decide, self._domain = CircuitDecisions(circuit, domain, labels), domain
        self._progress = progress or (lambda count: None)
        self._number: dict[bytes, int] = {}
        self._words: list[np.ndarray] = []
        self._labels: list[int] = []
        self._margins: list[float] = []

    def __len__(self) -> int:
        return len(self._labels)

    def __call__(self, words: np.ndarray) -> np.ndarray:
        """Return label indices, int64 (n,), for padded words (n, max_length)."""
        words = np.ascontiguousarray(words, dtype=np.int16)
        keys = [row.tobytes() for row in words]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        fresh = sorted(i for key, i in first.items() if key not in self._number)
        for start in range(0, len(fresh), BATCH):
            rows = fresh[start : start + BATCH]
            best, gaps = self._decide(words[rows])
            for row, label, gap in zip(rows, best, gaps, strict=True):
                self._number[keys[row]] = len(self._labels)
                self._labels.append(int(label))
                self._margins.append(float(gap))
                self._words.append(words[row])
            self._progress(len(self))
        return np.array([self._labels[self._number[key]] for key in keys], dtype=np.int64)

    def labelled(self, words: np.ndarray | None = None) -> Labelled:
        """Return these words with their labels, or all words that were run."""
        if words is None:
            return Labelled(np.stack(self._words), np.array(self._labels, dtype=np.int64))
        return Labelled(np.asarray(words, dtype=np.int16), self(words))

    def teaching(self) -> Teaching:
        """Return everything that was run."""
        margins = np.array(self._margins)
        lowest = int(margins.argmin())
        closest = self._domain.unpadded(self._words[lowest])
        return Teaching(self.labelled(), margins, float(margins[lowest]), closest)
