"""The token at a place, counted from the start or the end; and whether two places have the same token."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem, lengths

EXAMPLE = """
def second(tokens):
    return tokens[1]
"""

LIMIT = 400  # pairs of places


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the token at each place, and whether two places have the same token."""
    span = range(problem.min_length)  # these places exist in every sequence
    places = [*span, *(-1 - k for k in span)]
    if problem.min_length == problem.max_length:
        places = [*span][: (problem.max_length + 1) // 2] + [-1 - k for k in span][: problem.max_length // 2]

    def token_at(words: np.ndarray, place: int) -> np.ndarray:
        index = np.full(len(words), place) if place >= 0 else lengths(words, problem.size) + place
        result: np.ndarray = words[np.arange(len(words)), index]
        return result

    def tokens_at(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([token_at(words, places[r]) for r in rows])

    if not places:
        return
    yield Family(
        "position",
        "token",
        len(places),
        tokens_at,
        lambda row: Body((), f"tokens[{places[row]}]", "token"),
        lambda row, fallback: (f"return tokens[{places[row]}]",),
    )
    both = list(combinations(places, 2))[:LIMIT]
    if not both:
        return

    def same(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([token_at(words, both[r][0]) == token_at(words, both[r][1]) for r in rows]).astype(
            np.int16
        )

    def same_body(row: int) -> Body:
        a, b = both[row]
        return Body((), f"tokens[{a}] == tokens[{b}]", "same", f"tokens[{a}] != tokens[{b}]")

    yield Family("position", "flag", len(both), same, same_body)
