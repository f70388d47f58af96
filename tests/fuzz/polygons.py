"""The exact truth about boxes of one or two inputs, strict rows included: on the polygons of `box_truth`
networks are affine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from box_truth import Form, cut, pieces, rectangle, value
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.network import Network

Point = tuple[Fraction, ...]
Polygon = list[Point]
Plain = dict[str, Any]  # {"inputs", "nodes", "lower", "upper", "unsafe"}: rationals are strings


def inside(polygon: Polygon, rows: Sequence[tuple[Form, bool]]) -> Point | None:
    """A point of the polygon at which every form is >= 0, those marked strict > 0; None: there is none."""
    for form, _ in rows:
        polygon = cut(polygon, form)
        if not polygon:
            return None
    if any(strict and all(value(form, corner) <= 0 for corner in polygon) for form, strict in rows):
        return None
    # every strict form is positive at some corner and negative at none, so that it is positive in the middle
    # of all corners
    return tuple(sum(c) / len(polygon) for c in zip(*polygon, strict=True))


def form_of(row: Row, outputs: Sequence[Form], inputs: int) -> Form:
    """A row as a form of the inputs, where the outputs are these."""
    coefficients, constant = [Fraction(0)] * inputs, row.constant
    for i, c in row.x:
        coefficients[i] += c
    for j, c in row.y:
        coefficients = [a + c * b for a, b in zip(coefficients, outputs[j][0], strict=True)]
        constant += c * outputs[j][1]
    return tuple(coefficients), constant


def unsafe_point(network: Network, case: Case) -> Point | None:
    for polygon, outputs in pieces(network, rectangle(case.lower, case.upper)):
        for rows in case.unsafe:
            found = inside(polygon, [(form_of(row, outputs, network.input_size), row.strict) for row in rows])
            if found is not None:
                return found
    return None


def largest(network: Network, case: Case, row: Row) -> Fraction:
    """The row's exact maximum on the box."""
    corners = (
        (value(form_of(row, outputs, network.input_size), corner) for corner in polygon)
        for polygon, outputs in pieces(network, rectangle(case.lower, case.upper))
    )
    return max(v for values in corners for v in values)


def apart(a: Network, b: Network, case: Case) -> Iterator[tuple[Polygon, list[Form], list[Form]]]:
    """Pieces on which both networks are affine."""
    for polygon, first in pieces(a, rectangle(case.lower, case.upper)):
        for part, second in pieces(b, polygon):
            yield part, first, second


# -- plain data
# ------------------------------------------------------------


def case_of(plain: Plain) -> Case:
    unsafe = tuple(tuple(row_of(row) for row in rows) for rows in plain["unsafe"])
    return Case(tuple(map(Fraction, plain["lower"])), tuple(map(Fraction, plain["upper"])), unsafe)


def row_of(plain: Plain) -> Row:
    x, y = (tuple((i, Fraction(c)) for i, c in plain[own]) for own in ("x", "y"))
    return Row(x, y, Fraction(plain["constant"]), plain["strict"])


def property_of(plain: Plain, outputs: int) -> Property:
    return Property(plain["inputs"], outputs, (case_of(plain),))


def random_box(rng: Any, inputs: int) -> Plain:
    """Multiples of 1/8, now and then of 1/10; some inputs are fixed."""
    unit = rng.choice((8, 8, 10))
    low = [Fraction(rng.randint(-16, 7), unit) for _ in range(inputs)]
    high = [a + Fraction(rng.randint(0, 16), unit) for a in low]
    return {"inputs": inputs, "lower": list(map(str, low)), "upper": list(map(str, high)), "unsafe": []}


def smaller_box(plain: Plain) -> Iterator[Plain]:
    for i in range(len(plain["unsafe"])):
        if len(plain["unsafe"]) > 1:
            yield {**plain, "unsafe": plain["unsafe"][:i] + plain["unsafe"][i + 1 :]}
        rows = plain["unsafe"][i]
        for r in range(len(rows)):
            if len(rows) > 1:
                yield {
                    **plain,
                    "unsafe": [*plain["unsafe"][:i], rows[:r] + rows[r + 1 :], *plain["unsafe"][i + 1 :]],
                }
    for i, (low, high) in enumerate(zip(plain["lower"], plain["upper"], strict=True)):
        for a, b in ((low, low), (high, high), ("0", "1"), ("-1", "1")):
            if (a, b) != (low, high) and (low, high) not in (("0", "1"),):
                yield {
                    **plain,
                    "lower": [*plain["lower"][:i], a, *plain["lower"][i + 1 :]],
                    "upper": [*plain["upper"][:i], b, *plain["upper"][i + 1 :]],
                }
