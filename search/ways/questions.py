"""Yes-no questions about a feature: is it set, does it equal a value, does it reach a threshold?

`combine.py` builds programs from two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..feature import Family
from ..problem import SearchProblem
from ..render import nothing, one_of

VALUES = 9  # of a feature that are asked about

Text = tuple[tuple[str, ...], str, str]  # statements, the condition, and its opposite


@dataclass(frozen=True, eq=False)
class Question:
    """Is the feature with number `row` of the family == or >= a value?"""

    family: Family
    row: int
    sign: str
    value: int

    def holds(self, words: np.ndarray) -> np.ndarray:
        """Answer for padded words (n, positions): bools (n,)."""
        return self.told(self.family.evaluate(words, np.array([self.row]))[0])

    def told(self, values: np.ndarray) -> np.ndarray:
        """Answer for values of the feature."""
        return values >= self.value if self.sign == ">=" else values == self.value

    def text(self, problem: SearchProblem) -> Text:
        """Write the question in Python."""
        body = self.family.body(self.row)
        if self.family.kind == "flag":
            return body.lines, body.expression, body.opposite
        if self.sign == ">=":
            yes, no, value = (">", "<=", 0) if self.value == 1 else (">=", "<", self.value)
            return body.lines, f"{body.expression} {yes} {value}", f"{body.expression} {no} {value}"
        spelled = (
            [*problem.tokens, nothing(problem)][self.value] if self.family.kind == "token" else self.value
        )
        yes, no = one_of([spelled]), one_of([spelled], negate=True)
        return body.lines, f"{body.expression} {yes}", f"{body.expression} {no}"


def questions_of(family: Family, row: int, values: np.ndarray) -> Iterator[Question]:
    """Yield questions about a feature whose values, in order, are given."""
    if family.kind == "flag":
        yield Question(family, row, "==", 1)
        return
    if family.kind == "number":
        for value in values[1:VALUES].tolist():
            yield Question(family, row, ">=", value)
    for value in values[:VALUES].tolist():
        yield Question(family, row, "==", value)
