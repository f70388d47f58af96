"""A property of a file whose network has a head, as a property of the network: the reduction, and the way back.

After `head_rows`, for `relucid verify`.  A property speaks of the file's results; `HeadProperty.outer` speaks of the logits and holds at least wherever
the other does, so that a proof of the one is a proof of the other, and `witnesses` says exactly whether a point is a counterexample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod

from ...common.errors import Unsupported
from ..network.head import Choice, Head
from ..network.head_result import result
from .head_rows import Cut, Exponentials, cut_at, logit, outwards, plain_row, translated
from .property import Case, Polyhedron, Property, Row

MOST_POLYHEDRA = 5000

Mixed = tuple[
    Row | Exponentials, ...
]  # a polyhedron over the logits, but for rows that are sums of exponentials


@dataclass(eq=False)
class HeadProperty:
    """`stated` speaks of the results of `head`, on a network with so many outputs.  Raises Unsupported where it is no question about logits."""

    stated: Property
    head: Head
    logits: int
    cuts: dict[tuple[object, ...], list[Cut]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mixed: list[list[Mixed]] = [
            [m for rows in case.unsafe for m in _chosen(rows, self.head)] for case in self.stated.cases
        ]

    def outer(self) -> Property:
        """Over the logits, with the cuts that there are."""
        cases = [(c, self._outwards(m)) for c, m in zip(self.stated.cases, self._mixed, strict=True)]
        return Property(
            self.stated.inputs,
            self.logits,
            tuple(Case(c.lower, c.upper, unsafe) for c, unsafe in cases if unsafe),
        )

    def _outwards(self, polyhedra: Sequence[Mixed]) -> tuple[Polyhedron, ...]:
        out: list[Polyhedron] = []
        for rows in polyhedra:
            parts = [[[r]] if isinstance(r, Row) else outwards(r, self.cuts.get(_key(r), ())) for r in rows]
            if len(out) + prod(map(len, parts)) > MOST_POLYHEDRA:
                raise Unsupported(f"in terms of logits the property has more than {MOST_POLYHEDRA} regions")
            for chosen in product(*parts):
                kept = _without_truths([r for some in chosen for r in some])
                if kept is not None:
                    out.append(tuple(kept))
        return tuple(out)

    def witnesses(self, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> bool:
        """Whether this point is a counterexample, exactly."""
        return any(
            case.contains(inputs) and any(all(r.holds(inputs, logits) for r in rows) for rows in mixed)
            for case, mixed in zip(self.stated.cases, self._mixed, strict=True)
        )

    def refine(self, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> bool:
        """Cut off a point that is no counterexample, and lies in `outer`.  False where no cut does."""
        new = False
        for row in (
            r for mixed in self._mixed for rows in mixed for r in rows if isinstance(r, Exponentials)
        ):
            if not row.holds(inputs, logits) and all(row.sides):
                found, known = cut_at(row, inputs, logits), self.cuts.setdefault(_key(row), [])
                if found not in known:
                    known.append(found)
                    new = True
        return new

    def results(self, logits: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """What the file gives, irrational numbers rounded to 20 decimals."""
        return tuple(result(e, logits) for e in self.head.elements)


def _key(row: Exponentials) -> tuple[object, ...]:
    return tuple((f, tuple(sorted(form.terms.items())), form.constant) for f, form in row.terms), row.strict


def _without_truths(rows: Sequence[Row]) -> list[Row] | None:
    """Without rows of numbers only; None where one of these is false."""
    kept = []
    for row in rows:
        if row.x or row.y:
            kept.append(row)
        elif not row.holds((), ()):
            return None
    return kept


def _chosen(rows: Polyhedron, head: Head) -> Iterator[Mixed]:
    """One polyhedron for each way in which the choices that the rows speak of can turn out."""
    spoken = {j for row in rows for j, _ in row.y}
    groups = list(dict.fromkeys(e.group for j in sorted(spoken) if isinstance(e := head.elements[j], Choice)))
    if prod(map(len, groups)) > MOST_POLYHEDRA:
        raise Unsupported(f"the property speaks of choices with more than {MOST_POLYHEDRA} outcomes")
    for places in product(*(range(len(g)) for g in groups)):
        fixed = dict(zip(groups, places, strict=True))
        mixed: list[Row | Exponentials] = [r for g, k in fixed.items() for r in _largest(g, k)]
        for row in rows:
            constant, y = row.constant, []
            for j, c in row.y:
                element = head.elements[j]
                if isinstance(element, Choice):
                    constant += c * element.table[fixed[element.group]]
                else:
                    y.append((j, c))
            mixed.append(translated(Row(row.x, tuple(y), constant, row.strict), head.elements))
        numbers = [r for r in mixed if isinstance(r, Row) and not r.x and not r.y]
        if all(r.holds((), ()) for r in numbers):
            yield tuple(r for r in mixed if r not in numbers)


def _largest(group: tuple[int, ...], k: int) -> Iterator[Row]:
    """The first place of the largest value is k."""
    for other in range(len(group)):
        if other != k:
            yield plain_row(logit(group[k]).plus(logit(group[other]), Fraction(-1)), other < k)
