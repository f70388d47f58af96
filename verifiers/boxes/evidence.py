"""Evidence that a case's box holds no counterexample: parts that are settled, each by something, and that tile the box.

Beneath `tree.py`, which makes it, and `answer.py`, which proves nothing without.  Imports nothing heavy, for it travels from a process to its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class How(IntEnum):
    """What shows that a part holds no counterexample of a polyhedron."""

    BOUNDS = 1  # a row, or a sum of rows by factors >= 0, is negative on all of it (or it is empty), by proved bounds in float64
    EXACT = 2  # the same, or that a linear program has no solution, in rational arithmetic
    WORD = 3  # a solver with tolerances says so


class Lost(AssertionError):
    """A part was settled or split twice, or never: an engine is wrong."""


@dataclass(frozen=True)
class Evidence:
    """So many cases, with so many unsafe polyhedra, are settled by so many parts in each way (names of `How`).

    A tree for each polyhedron has a leaf more than it has `splits`; `joined`: so many trees are spared because polyhedra share one.
    """

    cases: int
    polyhedra: int
    joined: int
    splits: int
    settled: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        counts = (self.cases, self.polyhedra, self.joined, self.splits, *(n for _, n in self.settled))
        if not all(type(n) is int and n >= 0 for n in counts) or any(
            how not in How.__members__ for how, _ in self.settled
        ):
            raise ValueError("evidence is counted")
        if not 0 <= self.joined <= self.polyhedra - self.cases:
            raise ValueError("every case has a part")
        if self.parts != self.polyhedra - self.joined + self.splits:
            raise ValueError(f"{self.parts} parts do not tile the boxes of {self.cases} cases")

    @property
    def parts(self) -> int:
        """Leaves of all trees."""
        return sum(n for _, n in self.settled)

    @property
    def by_ties(self) -> bool:
        """Whether rational arithmetic had to settle some of it."""
        return dict(self.settled).get(How.EXACT.name, 0) > 0

    @property
    def by_word(self) -> bool:
        """Whether some of it is a solver's word."""
        return dict(self.settled).get(How.WORD.name, 0) > 0

    @classmethod
    def at_roots(cls, cases: int, polyhedra: int, how: How) -> Evidence:
        """Of polyhedra that are settled on the whole box, in cases of which nothing else is said."""
        return cls(cases, polyhedra, 0, 0, ((how.name, polyhedra),) if polyhedra else ())

    @classmethod
    def total(cls, polyhedra: Sequence[int], found: Mapping[int, Evidence]) -> Evidence | None:
        """Of a property whose cases have so many polyhedra each; None where there is none for one of them.

        A case without a polyhedron says that nothing is unsafe.
        """
        asked = [case for case, count in enumerate(polyhedra) if count]
        if any(case not in found for case in asked):
            return None
        if any(found[case].cases != 1 or found[case].polyhedra != polyhedra[case] for case in asked):
            raise Lost("evidence about another case")
        return cls.added(found[case] for case in asked)

    @classmethod
    def added(cls, some: Iterable[Evidence]) -> Evidence:
        """Of all their cases together."""
        counts = [0, 0, 0, 0]
        settled = dict.fromkeys(How.__members__, 0)
        for e in some:
            counts = [a + b for a, b in zip(counts, (e.cases, e.polyhedra, e.joined, e.splits), strict=True)]
            for how, n in e.settled:
                settled[how] += n
        cases, polyhedra, joined, splits = counts
        return cls(cases, polyhedra, joined, splits, tuple((how, n) for how, n in settled.items() if n))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Evidence:
        """From what `asdict` and JSON make of it."""
        return cls(**{**plain, "settled": tuple((how, n) for how, n in plain["settled"])})
