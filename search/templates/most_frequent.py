"""The token among a few that occurs most often, or least often; of equally frequent ones, the first named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, counts
from ..render import tuple_of

EXAMPLE = """
def most_frequent(tokens):
    best = "b"
    for mark in ("a", "c"):
        if tokens.count(mark) > tokens.count(best):
            best = mark
    return best
"""

ORDERS = 200  # orders of each number of tokens


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield, for each order of tokens, the most frequent one and the least frequent one."""
    orders = [o for k in (2, 3, 4) for o in islice(permutations(range(problem.size), k), ORDERS)]
    for sign, weight in ((">", 1), ("<", -1)):
        if orders:
            yield _extreme(problem, orders, sign, weight)


def _extreme(problem: SearchProblem, orders: list[tuple[int, ...]], sign: str, weight: int) -> Family:
    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        table = counts(words, problem.size).astype(np.int64) * weight
        return np.stack([np.array(orders[r])[table[list(orders[r])].argmax(axis=0)] for r in rows]).astype(
            np.int16
        )

    def lines(row: int) -> tuple[str, ...]:
        first, *others = (problem.tokens[s] for s in orders[row])
        return (
            f"best = {literal(first)}",
            f"for mark in {tuple_of(others)}:",
            f"    if tokens.count(mark) {sign} tokens.count(best):",
            "        best = mark",
        )

    return Family(
        "most_frequent",
        "token",
        len(orders),
        evaluate,
        lambda row: Body(lines(row), "best", "best"),
        lambda row, fallback: (*lines(row), "return best"),
    )
