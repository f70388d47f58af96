"""The greatest and the lowest depth that a sequence reaches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Evaluate, Family
from ..problem import SearchProblem, steps
from ..render import depth_loop

EXAMPLE = """
def nesting(tokens):
    depth = 0
    deepest = 0
    for token in tokens:
        if token == "a":
            depth += 1
            deepest = max(deepest, depth)
        elif token == "b":
            depth -= 1
    return deepest
"""

LIMIT = 1500  # pairs of opening and closing tokens


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the greatest and the lowest depth for each pair of opening and closing tokens."""
    pairs = problem.pairs(LIMIT)
    if not pairs:
        return
    weights = problem.differences(pairs)

    def extreme(pick: np.ufunc) -> Evaluate:
        def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
            depth = np.zeros((len(rows), len(words)), dtype=np.int16)
            reached = depth
            for step in steps(weights[rows], words):
                depth = depth + step
                reached = pick(reached, depth)
            return reached

        return evaluate

    def deepest(row: int) -> Body:
        loop = depth_loop(problem, pairs[row], more=("depth += 1", "deepest = max(deepest, depth)"))
        return Body(("deepest = 0", *loop), "deepest", "deepest")

    def lowest(row: int) -> Body:
        loop = depth_loop(problem, pairs[row], less=("depth -= 1", "lowest = min(lowest, depth)"))
        return Body(("lowest = 0", *loop), "lowest", "lowest")

    yield Family("max_depth", "number", len(pairs), extreme(np.maximum), deepest)
    yield Family("max_depth", "number", len(pairs), extreme(np.minimum), lowest)
