"""Balanced brackets of one kind: no closer comes too early, none is too deep, all are closed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem, TokenSet, steps
from ..render import depth_loop, is_in

EXAMPLE = """
def balanced(tokens):
    depth = 0
    for token in tokens:
        if token == "a":
            depth += 1
        elif token == "b":
            depth -= 1
        if depth < 0 or depth > 2:
            return False
    return depth == 0
"""

LIMIT = 600  # pairs of opening and closing tokens
CEILINGS = (0, 1, 2, 3, 4)  # the greatest depth allowed; 0: no ceiling


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield one family per ceiling, with a feature for each pair of opening and closing tokens."""
    pairs = problem.pairs(LIMIT)
    if not pairs or problem.max_length < 2:
        return
    for ceiling in CEILINGS:
        if ceiling < problem.max_length:
            yield _balanced(problem, pairs, ceiling)


def _balanced(problem: SearchProblem, pairs: list[tuple[TokenSet, TokenSet]], ceiling: int) -> Family:
    weights = problem.differences(pairs)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        depth = np.zeros((len(rows), len(words)), dtype=np.int16)
        good = np.ones(depth.shape, dtype=bool)
        for step in steps(weights[rows], words):
            depth = depth + step
            good &= (depth >= 0) & (depth <= (ceiling or depth))
        result: np.ndarray = (good & (depth == 0)).astype(np.int16)
        return result

    def body(row: int) -> Body:
        within = f"0 <= depth <= {ceiling}" if ceiling else "depth >= 0"
        up, down = pairs[row]
        if len(up) + len(down) == problem.size:
            less = min(up, down, key=len)
            signs = ("+", "-") if less == up else ("-", "+")
            loop: tuple[str, ...] = (
                "depth = 0",
                "for token in tokens:",
                f"    depth {signs[0]}= 1 if {is_in(problem, less)} else -1",
            )
        else:
            loop = depth_loop(problem, pairs[row])
        lines = ("good = True", *loop, f"    good = good and {within}")
        return Body(lines, "good and depth == 0", "balanced", "not good or depth != 0")

    return Family("bounded_depth", "flag", len(pairs), evaluate, body)
