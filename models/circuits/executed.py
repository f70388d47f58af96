"""The circuit as an oracle that is asked word by word, and remembers: for domains that are too large to run it on each input.

What was executed is what a result may rest on, so every word that was ever asked is kept with its label, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..automata.labelled import Labelled
from ..claims.domain import Domain
from .circuit import Circuit
from .teacher import Questions, Teaching

BATCH = 1 << 12


class Executed:
    """`ask(words)` gives the circuit's label indices; each distinct word is run once.  `progress` gets the number of words run."""

    def __init__(
        self,
        circuit: Circuit,
        domain: Domain,
        labels: Sequence[object],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._questions, self._domain = Questions(circuit, domain, labels), domain
        self._progress = progress or (lambda count: None)
        self._number: dict[bytes, int] = {}
        self._words: list[np.ndarray] = []
        self._labels: list[int] = []
        self._margins: list[float] = []
        self._margin, self._closest = float("inf"), np.zeros(domain.max_length, dtype=np.int16)

    def __len__(self) -> int:
        return len(self._labels)

    def __call__(self, words: np.ndarray) -> np.ndarray:
        words = np.ascontiguousarray(words, dtype=np.int16)
        keys = [row.tobytes() for row in words]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        fresh = sorted(i for key, i in first.items() if key not in self._number)
        for start in range(0, len(fresh), BATCH):
            rows = fresh[start : start + BATCH]
            best, gaps = self._questions(words[rows])
            lowest = int(gaps.argmin())
            if gaps[lowest] < self._margin:
                self._margin, self._closest = float(gaps[lowest]), words[rows[lowest]]
            for row, label, gap in zip(rows, best, gaps, strict=True):
                self._number[keys[row]] = len(self._labels)
                self._labels.append(int(label))
                self._margins.append(float(gap))
                self._words.append(words[row])
            self._progress(len(self))
        return np.array([self._labels[self._number[key]] for key in keys], dtype=np.int64)

    def labelled(self, words: np.ndarray | None = None) -> Labelled:
        """These words with their labels, or all that were run."""
        if words is None:
            return Labelled(np.stack(self._words), np.array(self._labels, dtype=np.int64))
        return Labelled(np.asarray(words, dtype=np.int16), self(words))

    def teaching(self) -> Teaching:
        return Teaching(
            self.labelled(), np.array(self._margins), self._margin, self._domain.unpadded(self._closest)
        )
