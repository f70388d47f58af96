"""A program that explains the examples: its text, and the same function on arrays of words.

Every way of the search yields candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..models.automata.moore import MooreMachine
from .feature import Family
from .rank import description_length, rank_key
from .reading import LabelReading
from .render import function

LONG = 60  # description length of a machine that is written out, beyond which a picture says more

Way = Literal["templates", "expressions", "enumeration", "automaton"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One program.  `evaluate` and the source agree on every word of the domain (a property test holds it).

    Args:
        way: how it was found.
        template: in which form.
        lines: the function's body.
        decide: gives label indices of padded words, -1 for a value that is no label.
        constants: lines of the file before the function.
        machine: the state machine that it was written from, if there is one.
    """

    way: Way
    template: str
    lines: tuple[str, ...]
    decide: Callable[[np.ndarray], np.ndarray]
    constants: tuple[str, ...] = ()
    machine: MooreMachine | None = None
    key: tuple[int, int, int, str] = field(init=False)  # the rank: `rank.py`

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", rank_key(self.source()))

    @property
    def description_length(self) -> int:
        """How much a reader has to take in: `rank.py`."""
        return description_length(self.source())

    @property
    def last_resort(self) -> bool:
        """Whether this is a machine that nothing short describes: a table, or a long chain of tests."""
        return self.machine is not None and (self.template == "table" or self.description_length > LONG)

    def source(self, name: str = "program", doc: str = "") -> str:
        """Return Python in the readable subset: one function of `tokens`, with this name and docstring."""
        return function(self.lines, name, doc, self.constants)

    def evaluate(self, words: np.ndarray) -> np.ndarray:
        """Return label indices (n,) for padded words (n, positions); -1 if the program returns no label."""
        return self.decide(words) if len(words) else np.zeros(0, dtype=np.int64)


def read_feature(family: Family, row: int, reading: LabelReading, way: Way = "templates") -> Candidate:
    """Return the program that reads the label off one feature of a family."""

    def decide(words: np.ndarray) -> np.ndarray:
        return reading.apply(family.evaluate(words, np.array([row]))[0])

    return Candidate(way, family.template, reading.lines, decide)
