"""A program that explains the examples: its text, and the same function on arrays of words.  What every way of the search yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .feature import Family
from .rank import description_length, rank_key
from .reading import Reading
from .render import function

Way = Literal["templates", "enumeration", "automaton"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """`lines`: the function's body; `constants`: lines before it; `decide`: label indices of padded words, -1 for what is no label.

    `way`: how it was found; `template`: in which form.  `evaluate` and the source agree on every word of the domain
    (a property test holds it).
    """

    way: Way
    template: str
    lines: tuple[str, ...]
    decide: Callable[[np.ndarray], np.ndarray]
    constants: tuple[str, ...] = ()
    key: tuple[int, int, int, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", rank_key(self.source()))

    @property
    def description_length(self) -> int:
        return description_length(self.source())

    def source(self, name: str = "program", doc: str = "") -> str:
        """Python in the readable subset: one function of `tokens`."""
        return function(self.lines, name, doc, self.constants)

    def evaluate(self, words: np.ndarray) -> np.ndarray:
        """Label indices (n,) for padded words; -1 where the program returns something that is not a label."""
        return self.decide(words) if len(words) else np.zeros(0, dtype=np.int64)


def read_feature(family: Family, row: int, reading: Reading, way: Way = "templates") -> Candidate:
    """One feature, read in one way."""
    return Candidate(
        way,
        family.template,
        reading.lines,
        lambda words: reading.apply(family.evaluate(words, np.array([row]))[0]),
    )
