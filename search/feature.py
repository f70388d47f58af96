"""What templates yield: families of features.  A feature is a number, a residue, a flag or a token read off a sequence.

A family holds many features of one form, evaluated together on arrays of words; `reading.py` finds out from
the examples which value means which label, so templates never mention labels.
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
    """Python for one feature: statements, then the expression that has its value, and a name for that value.

    `negated`: for flags, the opposite expression, where there is a better one than `not (...)`.
    A token feature without a token has the value "no token", which is the literal `nothing(problem)`.
    `absent`, for numbers that may be missing: the value that stands for it, the condition that it is not missing, and the
    expression that has the value then, without `lines`.
    """

    lines: tuple[str, ...]
    expression: str
    name: str = "value"
    negated: str = ""
    absent: tuple[int, str, str] | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """`size` features of one form.

    evaluate(words, rows): values (len(rows), n) of the features `rows`, never of none: integers (`residue`: small ones
    without an order), 0 or 1 for a flag, a symbol for a token (the number of tokens: there is none).
    body(row): Python that computes it.
    bound: 0, or all values are in range(bound), so that they may index a tuple.
    direct(row, fallback), for token features only: a whole function body that returns the token, `fallback` if there is none.
    """

    template: str
    kind: Kind
    size: int
    evaluate: Evaluate
    body: Callable[[int], Body]
    direct: Callable[[int, str], tuple[str, ...]] | None = None
    bound: int = 0
