"""A program that explains the examples: its text, and the same function on arrays of words.  What the search yields."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .feature import Family
from .rank import description_length, rank_key
from .reading import Reading
from .render import function


@dataclass(frozen=True, eq=False)
class Candidate:
    """One feature, read in one way.  `evaluate` and the source agree on every word of the domain (a property test holds it)."""

    family: Family
    row: int
    reading: Reading
    key: tuple[int, int, int, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", rank_key(self.source()))

    @property
    def template(self) -> str:
        return self.family.template

    @property
    def description_length(self) -> int:
        return description_length(self.source())

    def source(self, name: str = "program", doc: str = "") -> str:
        """Python in the readable subset: one function of `tokens`."""
        return function(self.reading.lines, name, doc)

    def values(self, words: np.ndarray) -> np.ndarray:
        return self.family.evaluate(words, np.array([self.row]))[0]

    def evaluate(self, words: np.ndarray) -> np.ndarray:
        """Label indices (n,) for padded words; -1 where the program returns something that is not a label."""
        if len(words) == 0:
            return np.zeros(0, dtype=np.int64)
        return self.reading.apply(self.values(words))
