"""The last or the first token that is in a set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from ..feature import Body, Evaluate, Family
from ..problem import SearchProblem
from ..render import is_in, nothing

EXAMPLE = """
def last_mark(tokens):
    mark = "none"
    for token in tokens:
        if token in ("a", "b"):
            mark = token
    return mark
"""

LIMIT = 1000  # token sets


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the last token of each set that occurs, and the first one."""
    sets = problem.sets(LIMIT)
    if problem.size > 1:
        sets = [*sets, tuple(range(problem.size))]
    members = problem.matrix(sets).astype(bool)
    none = literal(nothing(problem))

    def occurrence(backwards: bool) -> Evaluate:
        def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
            out = np.full((len(rows), len(words)), problem.size, dtype=np.int16)
            order = range(words.shape[1]) if backwards else range(words.shape[1] - 1, -1, -1)
            for t in order:
                out = np.where(members[rows][:, words[:, t]], words[:, t][None, :], out).astype(np.int16)
            return out

        return evaluate

    def condition(row: int, more: str = "") -> tuple[str, ...]:
        if len(sets[row]) == problem.size:
            return (f"    if {more}:",) if more else ()
        both = f"{more} and {is_in(problem, sets[row])}" if more else is_in(problem, sets[row])
        return (f"    if {both}:",)

    def last(row: int, none: str) -> tuple[str, ...]:
        test = condition(row)
        return (
            f"last = {none}",
            "for token in tokens:",
            *test,
            ("        " if test else "    ") + "last = token",
        )

    def first(row: int) -> tuple[str, ...]:
        return (
            f"first = {none}",
            "for token in tokens:",
            *condition(row, f"first == {none}"),
            "        first = token",
        )

    def first_itself(row: int, fallback: str) -> tuple[str, ...]:
        test = condition(row)
        return (
            "for token in tokens:",
            *test,
            ("        " if test else "    ") + "return token",
            f"return {fallback}",
        )

    yield Family(
        "last_occurrence",
        "token",
        len(sets),
        occurrence(True),
        lambda row: Body(last(row, none), "last", "last"),
        lambda row, fallback: (*last(row, fallback), "return last"),
    )
    yield Family(
        "last_occurrence",
        "token",
        len(sets),
        occurrence(False),
        lambda row: Body(first(row), "first", "first"),
        first_itself,
    )
