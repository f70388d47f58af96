"""A property of a network with real inputs: boxes of inputs, and what must not come out.

`vnnlib.py` reads properties from files, and `verifiers/boxes` decides them.  All numbers are exact rationals.
The
question is whether a counterexample exists: an input in the box of some case, for which all rows of one of
that case's polyhedra hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ..network.head import Wanted
from .boxes import Box, Boxes


@dataclass(frozen=True)
class Row:
    """A linear constraint: the sum of x[i] * input i and y[j] * output j and `constant` is >= 0.

    It is > 0 if `strict`.  No input and no output occurs twice.
    """

    x: tuple[tuple[int, Fraction], ...]
    y: tuple[tuple[int, Fraction], ...]
    constant: Fraction = Fraction(0)
    strict: bool = False

    def __post_init__(self) -> None:
        if any(len({i for i, _ in terms}) < len(terms) for terms in (self.x, self.y)):
            raise ValueError("a row names an input or output twice")

    def value(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> Fraction:
        total = self.constant
        for terms, values in ((self.x, inputs), (self.y, outputs)):
            for i, factor in terms:
                total += factor * values[i]
        return total

    def holds(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> bool:
        value = self.value(inputs, outputs)
        return value > 0 if self.strict else value >= 0


Polyhedron = tuple[Row, ...]  # all rows hold; no rows: every input


@dataclass(frozen=True)
class Case(Box):
    """A box of inputs and the polyhedra, one of which a counterexample's inputs and outputs lie in."""

    unsafe: tuple[Polyhedron, ...]


@dataclass(frozen=True)
class Property:
    """What must not come out of a network with so many inputs and outputs.

    cases: boxes with the regions that are unsafe there; none: there is no counterexample.
    empty: for people, which regions of the file have no input, and why.
    wanted: which output of an ONNX file it speaks of, if that has several.
    source: the text of the VNN-LIB file that it was read from; "" if there is none.
    """

    inputs: int
    outputs: int
    cases: tuple[Case, ...]
    empty: tuple[str, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)
    source: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for case in self.cases:
            if len(case.lower) != self.inputs:
                raise ValueError("a case's box has one interval per input")
            for row in (r for p in case.unsafe for r in p):
                if any(not 0 <= i < self.inputs for i, _ in row.x) or any(
                    not 0 <= j < self.outputs for j, _ in row.y
                ):
                    raise ValueError("a row speaks of an input or output that is not there")

    @property
    def boxes(self) -> Boxes:
        """The boxes of its cases, each once: the inputs that it speaks of."""
        return Boxes(self.inputs, tuple(dict.fromkeys(Box(c.lower, c.upper) for c in self.cases)))

    def witnesses(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> bool:
        """Return whether this point is a counterexample, exactly."""
        return any(
            case.contains(inputs) and any(all(r.holds(inputs, outputs) for r in rows) for rows in case.unsafe)
            for case in self.cases
        )
