"""Flags over time: a token sets a flag and another clears it; a token counts only after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..feature import Body, Evaluate, Family
from ..problem import SearchProblem, steps
from ..render import is_in

EXAMPLE = """
def b_after_a(tokens):
    seen = False
    for token in tokens:
        if token == "a":
            seen = True
        elif token == "b" and seen:
            return True
    return False
"""

LIMIT = 3000  # pairs of token sets


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield flags that start as False, flags that start as True, and whether a token occurs after another."""
    pairs = problem.pairs(LIMIT)
    if not pairs:
        return
    first = problem.matrix([a for a, _ in pairs]).astype(bool)
    second = problem.matrix([b for _, b in pairs]).astype(bool)

    def raised(start: bool) -> Evaluate:
        def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
            flag = np.full((len(rows), len(words)), start)
            for rise, fall in zip(steps(first[rows], words), steps(second[rows], words), strict=True):
                flag = (flag | rise) & ~fall
            return flag.astype(np.int16)

        return evaluate

    def after(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen = np.zeros((len(rows), len(words)), dtype=bool)
        met = seen
        for one, two in zip(steps(first[rows], words), steps(second[rows], words), strict=True):
            met = met | (seen & two)
            seen = seen | one
        return met.astype(np.int16)

    def flag_body(start: bool) -> Callable[[int], Body]:
        def body(row: int) -> Body:
            a, b = pairs[row]
            rise = (f"    if {is_in(problem, a)}:", "        flag = True")
            fall = (f"    elif {is_in(problem, b)}:", "        flag = False")
            return Body((f"flag = {start}", "for token in tokens:", *rise, *fall), "flag", "flag")

        return body

    def after_body(row: int) -> Body:
        a, b = pairs[row]
        lines = (
            "seen = False",
            "after = False",
            "for token in tokens:",
            f"    if {is_in(problem, a)}:",
            "        seen = True",
            f"    elif seen and {is_in(problem, b)}:",
            "        after = True",
        )
        return Body(lines, "after", "after")

    for start in (False, True):
        yield Family("flag", "flag", len(pairs), raised(start), flag_body(start))
    yield Family("flag", "flag", len(pairs), after, after_body)
