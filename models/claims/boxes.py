"""Boxes of real numbers, as the inputs that a claim is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Box:
    """A closed box: for each input the least and the largest value."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if len(self.lower) != len(self.upper):
            raise ValueError("a box has as many lower as upper bounds")
        if any(a > b for a, b in zip(self.lower, self.upper, strict=True)):
            raise ValueError("a box's lower bounds are at most its upper bounds")

    def contains(self, inputs: Sequence[Fraction]) -> bool:
        return all(a <= x <= b for a, x, b in zip(self.lower, inputs, self.upper, strict=True))


@dataclass(frozen=True)
class Boxes:
    """Closed boxes of `inputs` real numbers each.

    The claim is about every point of each box; without a box it is about nothing, and true.
    """

    inputs: int
    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        if any(len(box.lower) != self.inputs for box in self.boxes):
            raise ValueError("a box has one interval per input")
