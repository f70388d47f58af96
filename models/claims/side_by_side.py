"""What is asked of two networks on boxes, as properties of the stacked network (`network/stacked.py`).

Whatever decides properties can then decide whether two networks agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from .property import Case, Polyhedron, Property, Row


def boxes(stated: Property) -> Iterator[tuple[tuple[Fraction, ...], tuple[Fraction, ...]]]:
    """Yield the boxes of a property, (lower, upper), each once."""
    yield from dict.fromkeys((case.lower, case.upper) for case in stated.cases)


def wins(label: int, rival: int, first: int = 0) -> Row:
    """Return the row that says that output `label` is preferred to output `rival`.

    Ties go to the lower number.  Outputs are counted from `first`.
    """
    one = Fraction(1)
    return Row((), ((first + label, one), (first + rival, -one)), strict=rival < label)


def disagreement(label: int, rival: int, outputs: int) -> Polyhedron:
    """Return the polyhedron on which the first network decides `label` and the second prefers `rival`."""
    return (*(wins(label, k) for k in range(outputs) if k != label), wins(rival, label, outputs))


def farther_than(stated: Property, outputs: int, epsilon: Fraction) -> Property:
    """Return the property that some output of the two networks differs by more than `epsilon`.

    It is stated on the boxes of a given property.
    """
    one = Fraction(1)
    apart = [
        (Row((), ((i, s * one), (outputs + i, -s * one)), -epsilon, strict=True),)
        for i in range(outputs)
        for s in (1, -1)
    ]
    return Property(
        stated.inputs, 2 * outputs, tuple(Case(low, high, tuple(apart)) for low, high in boxes(stated))
    )
