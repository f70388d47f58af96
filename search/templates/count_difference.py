"""How much more often some tokens occur than others: the depth at the end, if it may fall below zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, counts
from ..render import depth_loop

EXAMPLE = """
def deeper(tokens):
    depth = 0
    for token in tokens:
        if token == "a":
            depth += 1
        elif token == "b":
            depth -= 1
    if depth < 0:
        return "low"
    if depth < 2:
        return "middle"
    return "high"
"""

LIMIT = 4000  # pairs of token sets


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield one feature for each pair of token sets: the difference of their counts."""
    pairs = problem.pairs(LIMIT)
    if not pairs:
        return
    weights = problem.differences(pairs)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = weights[rows] @ counts(words, problem.size)
        return result

    def body(row: int) -> Body:
        up, down = pairs[row]
        if len(up) == len(down) == 1:
            a, b = (literal(problem.tokens[s]) for s in (up[0], down[0]))
            return Body((), f"tokens.count({a}) - tokens.count({b})", "depth")
        return Body(depth_loop(problem, pairs[row]), "depth", "depth")

    yield Family("count_difference", "number", len(pairs), evaluate, body)
