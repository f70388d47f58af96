"""Whether a token comes right after another token, anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem

EXAMPLE = """
def ab(tokens):
    previous = ""
    for token in tokens:
        if previous == "a" and token == "b":
            return "yes"
        previous = token
    return "no"
"""


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield one feature for each pair of tokens."""
    pairs = [(a, b) for a in range(problem.size) for b in range(problem.size)]

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        before, after = words[:, :-1], words[:, 1:]
        return np.stack(
            [((before == pairs[r][0]) & (after == pairs[r][1])).any(axis=1) for r in rows]
        ).astype(np.int16)

    def body(row: int) -> Body:
        a, b = (literal(problem.tokens[s]) for s in pairs[row])
        walk = "for x, y in zip(tokens, tokens[1:])"
        return Body((), f"any(x == {a} and y == {b} {walk})", "found", f"all(x != {a} or y != {b} {walk})")

    if problem.max_length > 1:
        yield Family("neighbours", "flag", len(pairs), evaluate, body)
