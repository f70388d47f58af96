"""A depth that stays within bounds: closers do not take it below a floor, nor openers above a ceiling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem, TokenSet, steps
from ..render import depth_loop

EXAMPLE = """
def open_depth(tokens):
    depth = 0
    for token in tokens:
        if token == "a":
            depth = min(depth + 1, 2)
        elif token == "b":
            depth = max(depth - 1, 0)
    return depth
"""

LIMIT = 1500  # pairs of opening and closing tokens
FREE = 10_000  # no bound
BOUNDS = ((0, FREE), (0, 1), (0, 2), (0, 3), (-FREE, 1), (-FREE, 2), (-1, 1))


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield one family per pair of bounds."""
    pairs = problem.pairs(LIMIT)
    if not pairs:
        return
    weights = problem.differences(pairs)
    for low, high in BOUNDS:
        yield _clamped(problem, pairs, weights, low, high)


def _clamped(
    problem: SearchProblem, pairs: list[tuple[TokenSet, TokenSet]], weights: np.ndarray, low: int, high: int
) -> Family:
    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        depth = np.zeros((len(rows), len(words)), dtype=np.int16)
        for step in steps(weights[rows], words):
            depth = np.clip(depth + step, low, high)
        return depth

    def body(row: int) -> Body:
        more = f"depth = min(depth + 1, {high})" if high < FREE else "depth += 1"
        less = f"depth = max(depth - 1, {low})" if low > -FREE else "depth -= 1"
        return Body(depth_loop(problem, pairs[row], (more,), (less,)), "depth", "depth")

    return Family("clamped_counter", "number", len(pairs), evaluate, body)
