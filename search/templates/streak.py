"""Runs of a token, or of tokens from a set, without a gap: the longest one, and the one at the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem, steps
from ..render import is_in

EXAMPLE = """
def three_in_a_row(tokens):
    streak = 0
    for token in tokens:
        if token == "a":
            streak += 1
            if streak == 3:
                return True
        else:
            streak = 0
    return False
"""

LIMIT = 600  # token sets


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the length of the longest run of each token set, and of the run at the end."""
    sets = problem.sets(LIMIT)
    members = problem.matrix(sets)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        streak = np.zeros((len(rows), len(words)), dtype=np.int16)
        longest = streak
        for step in steps(members[rows], words):
            streak = (streak + 1) * step
            longest = np.maximum(longest, streak)
        return longest

    def body(row: int) -> Body:
        lines = (
            "streak = 0",
            "longest = 0",
            "for token in tokens:",
            f"    streak = streak + 1 if {is_in(problem, sets[row])} else 0",
            "    longest = max(longest, streak)",
        )
        return Body(lines, "longest", "longest")

    def at_the_end(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        streak = np.zeros((len(rows), len(words)), dtype=np.int16)
        padding = words == problem.size
        for t, step in enumerate(steps(members[rows], words)):
            streak = np.where(padding[:, t], streak, (streak + 1) * step)
        return streak

    def end_body(row: int) -> Body:
        lines = (
            "streak = 0",
            "for token in tokens:",
            f"    streak = streak + 1 if {is_in(problem, sets[row])} else 0",
        )
        return Body(lines, "streak", "streak")

    yield Family("streak", "number", len(sets), evaluate, body)
    yield Family("streak", "number", len(sets), at_the_end, end_body)
