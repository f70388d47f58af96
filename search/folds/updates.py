"""How a local changes at a step: formulas of its old value `v` and of signals `x` and `y`, plain ones first.

After `signals.py`, before `loops.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

from ..formula import ArrayFormula

Hole = Literal["number", "test"]
MULTIPLES = (2, 3, 10)


@dataclass(frozen=True, eq=False)
class Update:
    """A form of an update.

    Args:
        formula: the new value, of `v`, the old one, and of `x` and `y`, the signals.
        holes: what x and y are.
    """

    formula: ArrayFormula
    holes: tuple[Hole, ...]

    @cached_property
    def weight(self) -> int:
        """Its description length without the signals."""
        return self.formula.weight + self.formula.text.replace("max", "").count("v")

    @property
    def looks(self) -> bool:
        """Whether the new value depends on the old one."""
        return "v" in self.formula.reads

    @property
    def assigns(self) -> bool:
        """Whether it replaces the old value where a test holds, and keeps it elsewhere."""
        return self.formula.text == "x if y else v"


def _updates(texts: Iterator[str], *holes: Hole) -> Iterator[Update]:
    for text in dict.fromkeys(texts):
        yield Update(ArrayFormula(text), holes)


def _states(constants: Sequence[int]) -> Iterator[str]:
    """Yield functions of the old value."""
    yield "v"
    for k in constants:
        yield from (f"v // {k}", f"v % {k}")
    for m in MULTIPLES:
        yield f"{m} * v"
        for k in constants:
            yield f"{m} * (v % {k})"


def with_number(constants: Sequence[int]) -> Iterator[Update]:
    """Yield updates by one number: `v + x`, `v // 2 + x`, `(2 * v + x) % 5`, `max(v, x)`."""

    def texts() -> Iterator[str]:
        for s in _states(constants):
            yield from (f"{s} + x", f"{s} - x", f"x - {s}", f"max({s}, x)", f"min({s}, x)")
        yield from ("v * x", "abs(v - x)")
        for core in ("v + x", *(f"{m} * v + x" for m in MULTIPLES)):
            for k in constants:
                yield from (
                    f"({core}) % {k}",
                    f"({core}) // {k}",
                    f"min({core}, {k})",
                    f"max(min({core}, {k}), 0)",
                )
            yield f"max({core}, 0)"
        yield "max(v - x, 0)"

    return _updates(texts(), "number")


def _cases(constants: Sequence[int]) -> Iterator[str]:
    """Yield what a local becomes in one case of a test."""
    yield from ("v", "0", "1", "2", "v + 1", "v + 2", "v - 1", "-v", "1 - v", "2 * v", "max(v - 1, 0)")
    yield from (f"min(v + 1, {k})" for k in (2, 3, 4))
    yield from (f"(v + 1) % {k}" for k in constants[:4])


def with_test(constants: Sequence[int]) -> Iterator[Update]:
    """Yield updates by one test: `v + 1 if x else 0`."""
    cases = list(_cases(constants))
    return _updates(
        (f"{a} if x else {b}" for a, b in product(cases, cases) if a != b and "v" in a + b), "test"
    )


def with_two_tests() -> Iterator[Update]:
    """Yield updates by two tests: `v + 1 if x else v - 1 if y else v`."""
    cases = list(_cases(()))[:9]
    chosen = ((a, b, c) for a, b, c in product(cases, cases, cases) if a != b and b != c)
    return _updates((f"{a} if x else {b} if y else {c}" for a, b, c in chosen), "test", "test")


def with_number_and_test() -> Iterator[Update]:
    """Yield updates by a number in one case of a test: `x if y else v`, `v + x if y else v`."""
    first = ("x", "v + x", "v - x", "max(v, x)")
    rest = ("v", "0", "v - 1", "v + 1", "-v")
    texts = (f"{a} if y else {b}" for a, b in (*product(first, rest), ("v + x", "v - x")))
    return _updates(texts, "number", "test")


def of_flags() -> Iterator[Update]:
    """Yield updates of a truth value by one test: `v or x`, `not v if x else v`."""
    texts = (
        "x", "v or x", "v and x", "v != x", "not v if x else v", "not v and x", "not v if x else False",
        "not v if x else True",
    )  # fmt: skip
    return _updates(iter(texts), "test")


def of_flags_by_two() -> Iterator[Update]:
    """Yield updates of a truth value by two tests: set by one, reset or flipped by the other."""
    texts = (
        "True if x else False if y else v", "True if x else not v if y else v",
        "False if x else not v if y else v",
    )  # fmt: skip
    return _updates(iter(texts), "test", "test")
