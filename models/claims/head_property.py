"""The reduction of a property of softmax (or sigmoid, tanh, argmax) results to one of the logits before them.

The stated property speaks of the results of a head.  `HeadProperty.outer` speaks of the logits, and its
unsafe regions contain those of the stated property, so that a proof of the one is a proof of the other.  The
way back:  `witnesses` says exactly whether a point is a counterexample to the stated property, and `refine`
cuts off a point that is not.
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
from .head_rows import Exponentials, ShareCut, cut_at, logit, outwards, plain_row, translated
from .property import Case, Polyhedron, Property, Row

MOST_POLYHEDRA = 5000

# A polyhedron over the logits, except that some rows are sums of exponentials.
Mixed = tuple[Row | Exponentials, ...]


@dataclass(eq=False)
class HeadProperty:
    """A property of the results of a head, and what it is in terms of the logits.

    stated: the property.
    head: what comes after the network.
    logits: how many outputs the network has.
    cuts: by row, what makes the regions of `outer` smaller.

    Raises Unsupported where the property is no question about logits.
    """

    stated: Property
    head: Head
    logits: int
    cuts: dict[tuple[object, ...], list[ShareCut]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mixed: list[list[Mixed]] = [
            [m for rows in case.unsafe for m in _chosen(rows, self.head)] for case in self.stated.cases
        ]

    def outer(self) -> Property:
        """Return the property of the logits, with the cuts that there are."""
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
        """Return whether this point is a counterexample, exactly."""
        return any(
            case.contains(inputs) and any(all(r.holds(inputs, logits) for r in rows) for rows in mixed)
            for case, mixed in zip(self.stated.cases, self._mixed, strict=True)
        )

    def refine(self, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> bool:
        """Cut off a point that lies in `outer` and is no counterexample.

        Returns whether a new cut does so.
        """
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
        """Return the results for these logits; irrational numbers are rounded to 20 decimals."""
        return tuple(result(e, logits) for e in self.head.elements)


def _key(row: Exponentials) -> tuple[object, ...]:
    return tuple((f, tuple(sorted(form.terms.items())), form.constant) for f, form in row.terms), row.strict


def _without_truths(rows: Sequence[Row]) -> list[Row] | None:
    """Return the rows without those that always hold; None if one of them never does."""
    kept = []
    for row in rows:
        if row.x or row.y:
            kept.append(row)
        elif not row.holds((), ()):
            return None
    return kept


def _chosen(rows: Polyhedron, head: Head) -> Iterator[Mixed]:
    """Yield one polyhedron for each outcome of the argmaxes that the rows speak of."""
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
    """Yield the rows that say that k is the first place of the largest value."""
    for other in range(len(group)):
        if other != k:
            yield plain_row(logit(group[k]).plus(logit(group[other]), Fraction(-1)), other < k)
