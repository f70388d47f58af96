"""An expression over the whole sequence: its Python, its length, and its values on arrays of words.

Data for all of `expressions/`.  An expression has a value on every word of the domain, or a guard that says
where it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..formula import ATOM, NOT
from .inputs import Inputs

Kind = Literal["int", "bool", "token"]
Evaluate = Callable[[Inputs], np.ndarray]  # values (n,)
Decide = Callable[[Inputs], np.ndarray]  # label indices (n,), -1 for no label; or truth values (n,)


@dataclass(frozen=True, eq=False)
class Guard:
    """The condition under which an expression has a value: Python, its weight, and where it holds."""

    text: str
    weight: int
    holds: Evaluate


@dataclass(frozen=True, eq=False)
class Expression:
    """A value that a person reads off a sequence of tokens.

    Args:
        kind: "int", "bool" (0 or 1) or "token" (a symbol).
        text: in Python.
        weight: its description length (`rank.py`).
        evaluate: gives the values on words, (n,); anything where the guard does not hold.
        level: how tightly its operator binds.
        negated: for a condition, the opposite, if there is a better text than `not (...)`.
        guard: where it has a value; None for everywhere in the domain.
    """

    kind: Kind
    text: str
    weight: int
    evaluate: Evaluate
    level: int = ATOM
    negated: str = ""
    guard: Guard | None = None

    def operand(self, level: int) -> str:
        """Write the expression beside an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"

    @property
    def opposite(self) -> str:
        """The condition that is true when this one is not."""
        return self.negated or f"not {self.operand(NOT)}"
