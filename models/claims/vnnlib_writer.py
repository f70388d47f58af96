"""Properties as VNN-LIB 1.0 text, exactly: what `vnnlib.py` reads back is the same property.

So a property that was made in Python can be given to whatever reads files: a child process, the proof
checker, other verifiers.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from .boxes import Box, Boxes
from .property import Case, Polyhedron, Property, Row


def write_vnnlib(stated: Property) -> str:
    """Return the text of a property: its variables, and a conjunction for each region of counterexamples."""
    lines = [f"(declare-const X_{i} Real)" for i in range(stated.inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(stated.outputs)]
    if len(stated.cases) == 1 and all(stated.cases[0].unsafe) and stated.cases[0].unsafe:
        (case,) = stated.cases  # its box is said once
        lines += [f"(assert {bound})" for bound in _bounds(case)]
        regions = [" ".join(map(_comparison, rows)) for rows in case.unsafe]
    else:
        regions = [_region(case, rows) for case in stated.cases for rows in case.unsafe]
    if not regions:  # nothing is unsafe: any box, and what never holds
        regions = [_region(_nowhere(stated.inputs), (Row((), (), Fraction(-1)),))]
    lines += ["(assert (or", *(f"  (and {region})" for region in regions), "))"]
    return "\n".join(lines) + "\n"


def write_boxes(boxes: Boxes, outputs: int) -> str:
    """Return the text of boxes for a network with so many outputs, all of which are allowed."""
    everything: tuple[Polyhedron, ...] = ((),)
    cases = tuple(Case(box.lower, box.upper, everything) for box in boxes.boxes)
    return write_vnnlib(Property(boxes.inputs, outputs, cases))


def _nowhere(inputs: int) -> Box:
    return Box((Fraction(0),) * inputs, (Fraction(0),) * inputs)


def _region(box: Box, rows: Polyhedron) -> str:
    return " ".join([*_bounds(box), *map(_comparison, rows)])


def _bounds(box: Box) -> Iterator[str]:
    for i, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
        yield f"(>= X_{i} {_number(low)})"
        yield f"(<= X_{i} {_number(high)})"


def _comparison(row: Row) -> str:
    terms = [_term("X", i, c) for i, c in row.x] + [_term("Y", j, c) for j, c in row.y]
    total = f"(+ {' '.join([*terms, _number(row.constant)])})"
    return f"({'>' if row.strict else '>='} {total} 0)"


def _term(kind: str, i: int, factor: Fraction) -> str:
    return f"{kind}_{i}" if factor == 1 else f"(* {_number(factor)} {kind}_{i})"


def _number(value: Fraction) -> str:
    """Return a number of the format: an integer, or the quotient of two."""
    return str(value.numerator) if value.denominator == 1 else f"(/ {value.numerator} {value.denominator})"
