"""How neighbouring tokens compare, in the order of Python's strings: how often, ever, always."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem

EXAMPLE = """
def ascending(tokens):
    return all(x <= y for x, y in zip(tokens, tokens[1:]))
"""

RELATIONS = ("==", "<", ">")  # the other relations are the opposites of these
OPPOSITE = {"==": "!=", "<": ">=", ">": "<="}


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield features of all relations: whether some neighbours satisfy it, and how many do."""
    if problem.max_length < 2 or problem.size < 2:
        return
    place = np.array([*(sorted(problem.tokens).index(t) for t in problem.tokens), -1])

    def holds(words: np.ndarray, row: int) -> np.ndarray:
        """Return, for each pair of neighbours, whether the relation holds; it never holds next to padding."""
        values = place[words]
        before, after = values[:, :-1], values[:, 1:]
        result: np.ndarray = ((before == after, before < after, before > after)[row % 3]) & (after >= 0)
        return result

    def opposite(words: np.ndarray, row: int) -> np.ndarray:
        result: np.ndarray = ~holds(words, row) & (place[words[:, 1:]] >= 0)
        return result

    def how_often(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([(holds if r < 3 else opposite)(words, r).sum(axis=1) for r in rows]).astype(np.int16)

    def ever(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return (how_often(words, rows) > 0).astype(np.int16)

    def sign(row: int) -> str:
        return RELATIONS[row] if row < 3 else OPPOSITE[RELATIONS[row - 3]]

    def count_body(row: int) -> Body:
        return Body((), f"sum(x {sign(row)} y for x, y in zip(tokens, tokens[1:]))", "pairs")

    def ever_body(row: int) -> Body:
        none = f"all(x {sign((row + 3) % 6)} y for x, y in zip(tokens, tokens[1:]))"
        return Body((), f"any(x {sign(row)} y for x, y in zip(tokens, tokens[1:]))", "found", none)

    yield Family("adjacent", "flag", 6, ever, ever_body)
    yield Family("adjacent", "number", 6, how_often, count_body)
