"""What a head gives for known logits, for messages and for comparing with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .enclosures import exp, log
from .head import ZERO, Element, LogSoftmaxShare, Plain, SoftmaxShare

SHOWN_BITS = 80


def result(element: Element, logits: Sequence[Fraction]) -> Fraction:
    """Return the value of an element of a head, rounded to SHOWN_BITS bits if it is not rational."""

    def of(i: int) -> Fraction:
        return Fraction(0) if i == ZERO else logits[i]

    if isinstance(element, Plain):
        return logits[element.index]
    values = [of(i) for i in element.group]
    if isinstance(element, SoftmaxShare | LogSoftmaxShare):
        highest = max(values)
        powers = [exp(v - highest, SHOWN_BITS)[0] for v in values]
        if isinstance(element, LogSoftmaxShare):
            return _shown(
                values[element.member] - highest - log(_shown(sum(powers, Fraction(0))), SHOWN_BITS)[0]
            )
        return _shown(element.offset + element.factor * powers[element.member] / sum(powers, Fraction(0)))
    return element.table[values.index(max(values))]


def _shown(x: Fraction) -> Fraction:
    return Fraction(round(x * 10**20), 10**20)
