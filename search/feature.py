"""What templates yield: families of features.

A feature is a number, a residue, a flag or a token read off a sequence.  A family holds many features of one
form, which are evaluated together on arrays of words.  `reading.py` finds out from the examples which value
means which label, so that templates never mention labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["number", "residue", "flag", "token"]
Evaluate = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Body:
    """Python for one feature.

    Args:
        lines: statements.
        expression: has the feature's value after them.  A token feature without a token has the value
            `nothing(problem)`.
        name: a name for that value.
        negated: for flags, the opposite expression, if there is a better one than `not (...)`.
        absent: for numbers that may be missing: the value that stands for it, the condition that it is not
            missing, and the expression that then has the value, without `lines`.
    """

    lines: tuple[str, ...]
    expression: str
    name: str = "value"
    negated: str = ""
    absent: tuple[int, str, str] | None = None

    @property
    def opposite(self) -> str:
        """The expression that is true when a flag is not."""
        if self.negated:
            return self.negated
        return f"not {self.expression}" if self.expression.isidentifier() else f"not ({self.expression})"


@dataclass(frozen=True, eq=False)
class Family:
    """Many features of one form, simple ones first.

    Args:
        template: the template's name.
        kind: "number" (ordered), "residue" (small integers without an order), "flag" (0 or 1) or "token" (a
            symbol; the number of tokens if there is none).
        size: how many features there are.
        evaluate: called with padded words (n, positions) and the numbers of some features, never of none;
            gives their values, (features, n).
        body: Python for one feature, by its number.
        direct: for tokens only, by number and fallback: a function body that returns the token, or the
            fallback if there is none.
        bound: all values are in range(bound), so that they may index a tuple; 0 if that is not so.
    """

    template: str
    kind: Kind
    size: int
    evaluate: Evaluate
    body: Callable[[int], Body]
    direct: Callable[[int, str], tuple[str, ...]] | None = None
    bound: int = 0
