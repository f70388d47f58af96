"""What the readers of both versions of VNN-LIB share: exact numbers, and arithmetic on linear forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from ..network.head import Wanted
from .condition import Condition, Linear

MAX_INPUTS = 2**24
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?")
LONGEST_NUMBER, LARGEST_EXPONENT = 4000, 4000


@dataclass(frozen=True)
class Asserted:
    """What a file asserts of a network with so many inputs and outputs.

    wanted: which output of the network the file means, if there are several.
    """

    conditions: list[Condition]
    inputs: int
    outputs: int
    wanted: Wanted


class NotUnderstood(Exception):
    """What is wrong with a part of a file; the caller knows the line."""


def exact_number(text: str) -> Fraction:
    """What the decimal text says.  Raises ValueError."""
    found = NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no number")
    if len(text) > LONGEST_NUMBER or (
        found[1] and (len(found[1]) > 6 or abs(int(found[1])) > LARGEST_EXPONENT)
    ):
        raise ValueError(f"the number {text[:20]!r}... is too long or its exponent too large")
    return Fraction(text)


def difference(parts: list[Linear]) -> Linear:
    if len(parts) == 1:
        return parts[0].times(Fraction(-1))
    return reduce(lambda a, b: a.plus(b, Fraction(-1)), parts)


def product(parts: list[Linear]) -> Linear:
    def multiplied(a: Linear, b: Linear) -> Linear:
        if a.terms and b.terms:
            raise NotUnderstood("it multiplies two variables")
        return b.times(a.constant) if b.terms else a.times(b.constant)

    return reduce(multiplied, parts)


def quotient(parts: list[Linear]) -> Linear:
    def divided(a: Linear, b: Linear) -> Linear:
        if b.terms or not b.constant:
            raise NotUnderstood("it divides by a variable or by zero")
        return a.times(1 / b.constant)

    return reduce(divided, parts)


ARITHMETIC: dict[str, Callable[[list[Linear]], Linear]] = {
    "+": lambda parts: reduce(Linear.plus, parts),
    "-": difference,
    "*": product,
    "/": quotient,
}
