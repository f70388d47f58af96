"""Whether one of some tokens occurs; and which of some tokens occurs, tried in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, counts
from ..render import is_in, nothing, tuple_of

EXAMPLE = """
def has_b(tokens):
    return "yes" if "b" in tokens else "no"
"""

LIMIT = 1000  # token sets
ORDERS = 400  # orders of each number of tokens


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield whether each token set occurs, and the first token of each order that occurs."""
    sets = problem.sets(LIMIT)
    weights = problem.matrix(sets)

    def occurs(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = (weights[rows] @ counts(words, problem.size) > 0).astype(np.int16)
        return result

    def body(row: int) -> Body:
        members = sets[row]
        if len(members) == 1:
            token = literal(problem.tokens[members[0]])
            return Body((), f"{token} in tokens", "found", f"{token} not in tokens")
        found, other = is_in(problem, members), is_in(problem, members, negate=True)
        return Body((), f"any({found} for token in tokens)", "found", f"all({other} for token in tokens)")

    yield Family("membership", "flag", len(sets), occurs, body)

    orders = [o for k in (2, 3, 4) for o in islice(permutations(range(problem.size), k), ORDERS)]

    def first_of(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        present = counts(words, problem.size) > 0
        out = np.full((len(rows), len(words)), problem.size, dtype=np.int16)
        for i, row in enumerate(rows):
            for symbol in reversed(orders[row]):
                out[i][present[symbol]] = symbol
        return out

    def search_lines(row: int, result: str) -> tuple[str, ...]:
        mark = tuple_of(problem.tokens[s] for s in orders[row])
        return (f"for mark in {mark}:", "    if mark in tokens:", f"        {result}")

    yield Family(
        "membership",
        "token",
        len(orders),
        first_of,
        lambda row: Body(
            (f"found = {literal(nothing(problem))}", *search_reversed(problem, orders[row])), "found"
        ),
        lambda row, fallback: (*search_lines(row, "return mark"), f"return {fallback}"),
    )


def search_reversed(problem: SearchProblem, order: tuple[int, ...]) -> tuple[str, ...]:
    """Write the search with the last find as its result, which reverses the order."""
    marks = tuple_of(problem.tokens[s] for s in reversed(order))
    return (f"for mark in {marks}:", "    if mark in tokens:", "        found = mark")
