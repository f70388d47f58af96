"""How often a token, or one of a set of tokens, occurs; and how many tokens there are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, counts, lengths
from ..render import is_in

EXAMPLE = """
def many_a(tokens):
    return tokens.count("a") >= 3
"""

LIMIT = 1000  # token sets


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the count of each token set, and the length where it varies."""
    sets = problem.sets(LIMIT)
    weights = problem.matrix(sets)

    def body(row: int) -> Body:
        members = sets[row]
        if len(members) <= 2:
            return Body(
                (), " + ".join(f"tokens.count({literal(problem.tokens[s])})" for s in members), "count"
            )
        rest = [s for s in range(problem.size) if s not in members]
        if len(rest) == 1:
            return Body((), f"len(tokens) - tokens.count({literal(problem.tokens[rest[0]])})", "count")
        lines = (
            "count = 0",
            "for token in tokens:",
            f"    if {is_in(problem, members)}:",
            "        count += 1",
        )
        return Body(lines, "count", "count")

    yield Family(
        "count_threshold",
        "number",
        len(sets),
        lambda words, rows: weights[rows] @ counts(words, problem.size),
        body,
    )
    if problem.min_length < problem.max_length:
        yield Family(
            "count_threshold",
            "number",
            1,
            lambda words, rows: np.tile(lengths(words, problem.size), (len(rows), 1)),
            lambda row: Body((), "len(tokens)", "count"),
        )
