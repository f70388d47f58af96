"""Conditions on the inputs and outputs of a network: linear comparisons, joined by "and" and "or".

The readers of VNN-LIB make them, and `to_property` turns them into a `Property`: it brings them into
disjunctive normal form, which gives one conjunction for each region of counterexamples, and groups the
regions by their boxes of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from math import prod

from ...common.errors import Unsupported
from ...common.text import rational
from .property import Case, Polyhedron, Property, Row

MOST_TOLD = 3  # empty regions
MOST_COMPARED = 20  # rows of a region, with each other
MOST_REGIONS = 200_000  # conjunctions that a file may multiply out to
Variable = tuple[str, int]  # ("X", i) or ("Y", j)


class Unbounded(Exception):
    """An input without a lower or an upper bound: which, and which bound."""


@dataclass(frozen=True)
class Linear:
    """A linear form over the variables.  None of its factors is 0: a variable that cancels is not in it."""

    terms: dict[Variable, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if not all(self.terms.values()):
            object.__setattr__(self, "terms", {v: c for v, c in self.terms.items() if c})

    def plus(self, other: Linear, factor: Fraction = Fraction(1)) -> Linear:
        terms = dict(self.terms)
        for v, c in other.terms.items():
            terms[v] = terms.get(v, Fraction(0)) + factor * c
        return Linear(terms, self.constant + factor * other.constant)

    def times(self, factor: Fraction) -> Linear:
        return Linear({v: factor * c for v, c in self.terms.items()}, factor * self.constant)


@dataclass(frozen=True)
class Atom:
    """form >= 0, or > 0 where `strict`; stated in a line of the file (0: who knows)."""

    form: Linear
    strict: bool = False
    line: int = 0


@dataclass(frozen=True)
class Conjunction:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Disjunction:
    parts: tuple[Condition, ...]


Condition = Atom | Conjunction | Disjunction


def comparison(operator: str, left: Linear, right: Linear, line: int = 0) -> Condition:
    """Raises KeyError on an unknown operator."""
    difference, reverse = left.plus(right, Fraction(-1)), right.plus(left, Fraction(-1))
    made: dict[str, Callable[[], Condition]] = {
        "<=": lambda: Atom(reverse, False, line),
        ">=": lambda: Atom(difference, False, line),
        "<": lambda: Atom(reverse, True, line),
        ">": lambda: Atom(difference, True, line),
        "=": lambda: Conjunction((Atom(difference, False, line), Atom(reverse, False, line))),
        "==": lambda: Conjunction((Atom(difference, False, line), Atom(reverse, False, line))),
        "!=": lambda: Disjunction((Atom(difference, True, line), Atom(reverse, True, line))),
    }
    return made[operator]()


def to_property(asserted: Sequence[Condition], inputs: int, outputs: int) -> Property:
    """Raises Unbounded, and Unsupported where it multiplies out to too many regions."""
    common, choices = _split(asserted)
    if prod(len(c) for c in choices) > MOST_REGIONS:
        raise Unsupported(f"the property multiplies out to more than {MOST_REGIONS} regions")
    box = _Box(inputs)
    rows = box.with_atoms(common)
    grouped: dict[tuple[tuple[Fraction, ...], tuple[Fraction, ...]], list[Polyhedron]] = {}
    empty: list[tuple[Atom, ...]] = []
    for chosen in product(*choices):
        region = box.copy() if any(chosen) else box
        extra = region.with_atoms([a for part in chosen for a in part])
        bounds = region.bounds()
        said = [*rows, *extra]
        if (against := region.crossed() or contradiction(said, bounds)) is not None:
            empty.append(against)
        else:
            grouped.setdefault(bounds, []).append(tuple(map(_row, said)))
    cases = tuple(Case(low, high, tuple(regions)) for (low, high), regions in grouped.items())
    return Property(inputs, outputs, cases, told(empty, nothing_left=not cases))


def _row(atom: Atom) -> Row:
    x, y = (tuple((i, c) for (kind, i), c in sorted(atom.form.terms.items()) if kind == k) for k in "XY")
    return Row(x, y, atom.form.constant, atom.strict)


def contradiction(
    said: Sequence[Atom], box: tuple[Sequence[Fraction], Sequence[Fraction]]
) -> tuple[Atom, ...] | None:
    """One atom about inputs, or two, that no input of the box satisfies; None where that is not seen.

    Of two, the multiples are added in which an input vanishes that they pull in two directions.
    """
    about = [a for a in said if all(kind == "X" for kind, _ in a.form.terms)]
    for a in about:
        if _fails(a.form, a.strict, box):
            return (a,)
    for a, b in combinations(about[:MOST_COMPARED], 2):
        for v in a.form.terms.keys() & b.form.terms.keys():
            ours, theirs = a.form.terms[v], b.form.terms[v]
            if ours * theirs < 0 and _fails(
                a.form.times(abs(theirs)).plus(b.form, abs(ours)), a.strict or b.strict, box
            ):
                return a, b
    return None


def _fails(form: Linear, strict: bool, box: tuple[Sequence[Fraction], Sequence[Fraction]]) -> bool:
    """Whether form >= 0 (> 0) holds nowhere in the box."""
    most = form.constant + sum((c * box[c > 0][i] for (_, i), c in form.terms.items()), Fraction(0))
    return most < 0 or (strict and most == 0)


def told(empty: Sequence[tuple[Atom, ...]], *, nothing_left: bool) -> tuple[str, ...]:
    """For each reason once, why a region has no input; the first few."""
    reasons = list(dict.fromkeys(" and ".join(dict.fromkeys(map(shown, atoms))) for atoms in empty))
    what = "the input region is empty, so that nothing is asked" if nothing_left else "a case has no input"
    more = [f"{len(reasons) - MOST_TOLD} more cases have no input"] if len(reasons) > MOST_TOLD else []
    return (*(f"{what}: {reason}" for reason in reasons[:MOST_TOLD]), *more)


def shown(atom: Atom) -> str:
    """The comparison, with its line."""
    terms = dict(sorted(atom.form.terms.items()))
    scale = abs(next(iter(terms.values()))) if len(terms) == 1 else Fraction(1)
    first = next(iter(terms.values()), Fraction(1))
    sign = 1 if first > 0 else -1
    left = [
        f"{'-' if c * sign < 0 else '+'} {'' if abs(c) == scale else _number(abs(c) / scale) + ' '}{kind}_{i}"
        for (kind, i), c in terms.items()
    ]
    operator = (">" if sign > 0 else "<") + ("" if atom.strict else "=")
    text = (
        f"{' '.join(left).removeprefix('+ ') or '0'} {operator} {_number(-sign * atom.form.constant / scale)}"
    )
    return text + (f" (line {atom.line})" if atom.line else "")


def _number(value: Fraction) -> str:
    near = str(float(value)).removesuffix(".0") if abs(value) < 2**60 else ""
    return near if near and Fraction(near) == value else rational(value)


def _split(asserted: Iterable[Condition]) -> tuple[list[Atom], list[list[list[Atom]]]]:
    """The atoms that hold in every region, and the alternatives to choose from: one of each."""
    common: list[Atom] = []
    choices: list[list[list[Atom]]] = []
    waiting = list(asserted)[::-1]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Atom):
            common.append(part)
        elif isinstance(part, Conjunction):
            waiting.extend(part.parts[::-1])
        else:
            choices.append(_regions(part))
    return common, choices


def _regions(part: Condition) -> list[list[Atom]]:
    if isinstance(part, Atom):
        return [[part]]
    if isinstance(part, Disjunction):
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
        self.by: dict[tuple[int, bool], Atom] = {}  # which gave a lower (True) or an upper bound
        self._crossed: tuple[Atom, ...] | None = None
        self._frozen: tuple[tuple[Fraction, ...], tuple[Fraction, ...]] | None = None

    def copy(self) -> _Box:
        other = _Box(0)
        other.lower, other.upper, other.by = list(self.lower), list(self.upper), dict(self.by)
        other._crossed = self._crossed
        return other

    def with_atoms(self, atoms: Iterable[Atom]) -> list[Atom]:
        """Tighten by the atoms that bound one input; the others, but for those that always hold."""
        rows = []
        for atom in atoms:
            terms, constant = atom.form.terms, atom.form.constant
            if not terms:
                if constant < 0 or (atom.strict and constant == 0):
                    rows.append(atom)
                continue
            if len(terms) > 1 or next(iter(terms))[0] != "X":
                rows.append(atom)
                continue
            (((_, i), factor),) = terms.items()
            self._bound(i, -constant / factor, atom, lower=factor > 0)
            if atom.strict:  # the closed box contains it, the row says the rest
                rows.append(atom)
        return rows

    def _bound(self, i: int, value: Fraction, atom: Atom, *, lower: bool) -> None:
        self._frozen = None
        ends = self.lower if lower else self.upper
        known = ends[i]
        if known is None or (value > known if lower else value < known):
            ends[i], self.by[i, lower] = value, atom
        low, high = self.lower[i], self.upper[i]
        if low is not None and high is not None and low > high and self._crossed is None:
            self._crossed = self.by[i, True], self.by[i, False]

    def crossed(self) -> tuple[Atom, ...] | None:
        """Two bounds of one input between which there is nothing."""
        return self._crossed

    def bounds(self) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
        """Raises Unbounded."""
        if self._frozen is None:
            for what, values in (("lower", self.lower), ("upper", self.upper)):
                if None in values:
                    raise Unbounded(f"X_{values.index(None)} has no {what} bound")
            low, high = (
                tuple(v for v in self.lower if v is not None),
                tuple(v for v in self.upper if v is not None),
            )
            self._frozen = low, high
        return self._frozen
