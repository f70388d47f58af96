"""And, or and linear comparisons over the inputs and outputs of a network, and their way to a `Property`.

Between the readers of VNN-LIB 1.0 and 2.0 and `property`.  An expression is a linear form, a formula is in negation normal
form; `to_property` multiplies it out: one conjunction per counterexample region, grouped by the box of inputs it allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod

from .errors import Unsupported
from .property import Case, Polyhedron, Property, Row

MOST_REGIONS = 200_000  # conjunctions that a file may multiply out to
Variable = tuple[str, int]  # ("X", i) or ("Y", j)


class Unbounded(Exception):
    """An input without a lower or an upper bound: which, and which bound."""


@dataclass(frozen=True)
class Linear:
    """A linear form over the variables."""

    terms: dict[Variable, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    def plus(self, other: Linear, factor: Fraction = Fraction(1)) -> Linear:
        terms = dict(self.terms)
        for v, c in other.terms.items():
            terms[v] = terms.get(v, Fraction(0)) + factor * c
        return Linear(terms, self.constant + factor * other.constant)

    def times(self, factor: Fraction) -> Linear:
        return Linear({v: factor * c for v, c in self.terms.items()}, factor * self.constant)


@dataclass(frozen=True)
class Atom:
    """form >= 0, or > 0 where `strict`."""

    form: Linear
    strict: bool = False


@dataclass(frozen=True)
class All:
    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Formula, ...]


Formula = Atom | All | Any


def comparison(operator: str, left: Linear, right: Linear) -> Formula:
    """Raises KeyError on an unknown operator."""
    difference, reverse = left.plus(right, Fraction(-1)), right.plus(left, Fraction(-1))
    made: dict[str, Callable[[], Formula]] = {
        "<=": lambda: Atom(reverse),
        ">=": lambda: Atom(difference),
        "<": lambda: Atom(reverse, True),
        ">": lambda: Atom(difference, True),
        "=": lambda: All((Atom(difference), Atom(reverse))),
        "==": lambda: All((Atom(difference), Atom(reverse))),
        "!=": lambda: Any((Atom(difference, True), Atom(reverse, True))),
    }
    return made[operator]()


def to_property(asserted: Sequence[Formula], inputs: int, outputs: int) -> Property:
    """Raises Unbounded, and Unsupported where it multiplies out to too many regions."""
    common, choices = _split(asserted)
    if prod(len(c) for c in choices) > MOST_REGIONS:
        raise Unsupported(f"the property multiplies out to more than {MOST_REGIONS} regions")
    box = _Box(inputs)
    rows = box.with_atoms(common)
    grouped: dict[tuple[tuple[Fraction, ...], tuple[Fraction, ...]], list[Polyhedron]] = {}
    for chosen in product(*choices):
        region = box.copy() if any(chosen) else box
        extra = region.with_atoms([a for part in chosen for a in part])
        if rows is None or extra is None:
            continue
        bounds = region.bounds()
        if bounds is not None:
            grouped.setdefault(bounds, []).append((*rows, *extra))
    return Property(inputs, outputs, tuple(Case(low, high, tuple(regions)) for (low, high), regions in grouped.items()))


def _split(asserted: Iterable[Formula]) -> tuple[list[Atom], list[list[list[Atom]]]]:
    """The atoms that hold in every region, and the alternatives to choose from: one of each."""
    common: list[Atom] = []
    choices: list[list[list[Atom]]] = []
    waiting = list(asserted)[::-1]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Atom):
            common.append(part)
        elif isinstance(part, All):
            waiting.extend(part.parts[::-1])
        else:
            choices.append(_regions(part))
    return common, choices


def _regions(part: Formula) -> list[list[Atom]]:
    if isinstance(part, Atom):
        return [[part]]
    if isinstance(part, Any):
        found: list[list[Atom]] = []
        for p in part.parts:
            found += _regions(p)
            _limit(len(found))
        return found
    parts = [_regions(p) for p in part.parts]
    _limit(prod(len(p) for p in parts))
    return [[a for region in chosen for a in region] for chosen in product(*parts)]


def _limit(count: int) -> None:
    if count > MOST_REGIONS:
        raise Unsupported(f"the property multiplies out to more than {MOST_REGIONS} regions")


class _Box:
    """The bounds of the inputs while a conjunction is read."""

    def __init__(self, inputs: int) -> None:
        self.lower: list[Fraction | None] = [None] * inputs
        self.upper: list[Fraction | None] = [None] * inputs
        self._frozen: tuple[tuple[Fraction, ...], tuple[Fraction, ...]] | None = None

    def copy(self) -> _Box:
        other = _Box(0)
        other.lower, other.upper = list(self.lower), list(self.upper)
        return other

    def with_atoms(self, atoms: Iterable[Atom]) -> tuple[Row, ...] | None:
        """Tighten by the atoms that bound one input; the others as rows; None where one can never hold."""
        rows = []
        for atom in atoms:
            terms = {v: c for v, c in atom.form.terms.items() if c}
            constant = atom.form.constant
            if not terms:
                if constant < 0 or (atom.strict and constant == 0):
                    return None
                continue
            if len(terms) == 1 and not atom.strict:
                (((kind, i), factor),) = terms.items()
                if kind == "X":
                    self._bound(i, -constant / factor, lower=factor > 0)
                    continue
            x, y = (tuple((i, c) for (kind, i), c in sorted(terms.items()) if kind == k) for k in "XY")
            rows.append(Row(x, y, constant, atom.strict))
            if len(terms) == 1 and x:  # a strict bound: the closed box contains it, the row says the rest
                self._bound(x[0][0], -constant / x[0][1], lower=x[0][1] > 0)
        return tuple(rows)

    def _bound(self, i: int, value: Fraction, *, lower: bool) -> None:
        self._frozen = None
        if lower:
            known = self.lower[i]
            self.lower[i] = value if known is None else max(known, value)
        else:
            known = self.upper[i]
            self.upper[i] = value if known is None else min(known, value)

    def bounds(self) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]] | None:
        """None where the box is empty."""
        if self._frozen is None:
            for what, values in (("lower", self.lower), ("upper", self.upper)):
                if None in values:
                    raise Unbounded(f"X_{values.index(None)} has no {what} bound")
            low, high = tuple(v for v in self.lower if v is not None), tuple(v for v in self.upper if v is not None)
            if any(a > b for a, b in zip(low, high, strict=True)):
                return None
            self._frozen = low, high
        return self._frozen
