"""How much more often some tokens occur than others: depth at the end, when nothing stops the count below zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import Problem, TokenSet, counts
from ..render import is_in, literal

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

LIMIT = 4000


def families(problem: Problem) -> Iterator[Family]:
    pairs = problem.pairs(LIMIT)
    if not pairs:
        return
    weights = problem.matrix([up for up, _ in pairs]) - problem.matrix([down for _, down in pairs])

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return weights[rows] @ counts(words, problem.size)

    def body(row: int) -> Body:
        up, down = pairs[row]
        if len(up) == len(down) == 1:
            return Body(
                (),
                f"tokens.count({literal(problem.tokens[up[0]])}) - tokens.count({literal(problem.tokens[down[0]])})",
                "depth",
            )
        return Body(depth_loop(problem, pairs[row]), "depth", "depth")

    yield Family("count_difference", "number", len(pairs), evaluate, body)


def depth_loop(
    problem: Problem, pair: tuple[TokenSet, TokenSet], more: tuple[str, ...] = (), less: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Count openers up and closers down; `more` and `less` replace the two steps."""
    up, down = pair
    return (
        "depth = 0",
        "for token in tokens:",
        f"    if {is_in(problem, up)}:",
        *(f"        {line}" for line in more or ("depth += 1",)),
        f"    elif {is_in(problem, down)}:",
        *(f"        {line}" for line in less or ("depth -= 1",)),
    )
