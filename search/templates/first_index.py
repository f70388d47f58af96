"""The index at which a token occurs first, and whether it occurs at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem

EXAMPLE = """
def where_is_b(tokens):
    return tokens.index("b") if "b" in tokens else -1
"""


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield one feature per token: its first index, or -1."""

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        there = words[None, :, :] == rows[:, None, None]
        return np.where(there.any(axis=2), there.argmax(axis=2), -1).astype(np.int16)

    def body(row: int) -> Body:
        token = literal(problem.tokens[row])
        index = f"tokens.index({token})"
        lines = (f"place = {index} if {token} in tokens else -1",)
        return Body(lines, "place", "place", absent=(-1, f"{token} in tokens", index))

    if problem.max_length:
        yield Family("first_index", "number", problem.size, evaluate, body)
