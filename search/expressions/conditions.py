"""Conditions on the sequence as bit vectors over a sample: truth values, comparisons with constants, guards.

Between `bank.py` and `cases.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...common.deadline import check
from ..formula import COMPARE
from .bank import ExpressionBank
from .expression import Decide, Expression

MOST = 40_000
ASKED = 2500  # integers that are compared with constants
VALUES = 12  # of an integer that are asked about


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition in Python, its opposite, its weight, and where it holds."""

    text: str
    opposite: str
    weight: int
    holds: Decide
    level: int

    def negated(self) -> Condition:
        """Return the opposite condition."""
        holds = self.holds
        level = COMPARE if self.level == COMPARE else 2
        extra = 2 if self.opposite.startswith("not ") else 0
        return Condition(self.opposite, self.text, self.weight + extra, lambda i: ~holds(i), level)


class Conditions:
    """All conditions of a bank, one for each behaviour on its sample and one of each two opposites.

    `bits` are their packed answers (conditions, bytes), lightest first.
    """

    def __init__(self, bank: ExpressionBank) -> None:
        self.count = len(bank.inputs)
        self.all: list[Condition] = []
        seen: set[bytes] = set()
        rows: list[np.ndarray] = []
        for k, condition in enumerate(sorted(_listed(bank), key=lambda c: c.weight)):
            if k % 256 == 0:
                check()
            holds = np.asarray(condition.holds(bank.inputs)).astype(bool)
            if holds.all() or not holds.any():
                continue
            key = (holds if holds[0] else ~holds).tobytes()
            if key not in seen and len(self.all) < MOST:
                seen.add(key)
                self.all.append(condition)
                rows.append(np.packbits(holds))
        self.bits = np.array(rows, dtype=np.uint8).reshape(len(rows), -(-self.count // 8))
        self.inside = np.packbits(np.ones(self.count, dtype=bool))
        self.weights = np.array([c.weight for c in self.all], dtype=np.int64)

    def between(self, least: np.ndarray, most: np.ndarray) -> list[Condition]:
        """Return the conditions that hold where `least` does and nowhere outside `most`, lightest first."""
        out: list[tuple[int, Condition]] = []
        opposite = ~self.bits & self.inside
        for bits, negate in ((self.bits, False), (opposite, True)):
            rows = np.flatnonzero(~((least & ~bits) | (bits & ~most & self.inside)).any(axis=1))
            for r in rows.tolist():
                condition = self.all[r].negated() if negate else self.all[r]
                out.append((condition.weight, condition))
        return [c for _, c in sorted(out, key=lambda pair: pair[0])]


def _listed(bank: ExpressionBank) -> Iterator[Condition]:
    for e in bank.kinds["bool"].expressions:
        yield Condition(e.text, e.opposite, e.weight, _truth(e), e.level)
    seen = set()
    for e in bank.partial:
        if e.guard is not None and e.guard.text not in seen:
            seen.add(e.guard.text)
            yield _guard(e)
    kept = bank.kinds["int"]
    for e, values in zip(kept.expressions[:ASKED], kept.values[:ASKED], strict=True):
        found = np.unique(values)
        for k in found[:VALUES].tolist():
            for sign, other in (("==", "!="), (">", "<=")):
                if k != found[-1] or sign == "==":
                    yield _compared(e, sign, other, int(k))


def _truth(e: Expression) -> Decide:
    return lambda i: np.asarray(e.evaluate(i)).astype(bool)


def _guard(e: Expression) -> Condition:
    assert e.guard is not None
    g = e.guard
    if g.text == "tokens":
        return Condition("tokens", "not tokens", 1, g.holds, 7)
    opposite = (
        g.text.replace(" > ", " <= ", 1)
        if g.text.startswith("len")
        else g.text.replace(" in ", " not in ", 1)
    )
    return Condition(g.text, opposite, g.weight, g.holds, COMPARE)


def _compared(e: Expression, sign: str, other: str, k: int) -> Condition:
    compare = np.equal if sign == "==" else np.greater
    text = e.operand(COMPARE + 1)
    weight = e.weight + 3 + (2 if k < 0 else 0)
    return Condition(
        f"{text} {sign} {k}",
        f"{text} {other} {k}",
        weight,
        lambda i: compare(np.asarray(e.evaluate(i)), k),
        COMPARE,
    )
