"""Two yes-no tests joined by `and`, `or` or `!=`: which tokens occur, and which are first and last."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, counts, lengths

EXAMPLE = """
def a_without_b(tokens):
    return "a" in tokens and "b" not in tokens
"""

LIMIT = 3000  # pairs of tests


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the conjunctions of two tests or their negations, and whether two tests differ."""
    words_in = [(f"{literal(t)} in tokens", f"{literal(t)} not in tokens") for t in problem.tokens]
    ends = [
        (f"tokens[{place}] == {literal(t)}", f"tokens[{place}] != {literal(t)}")
        for place in ((0, -1) if problem.min_length else ())
        for t in problem.tokens
    ]
    texts = [*words_in, *ends]
    pairs = list(combinations(range(len(texts)), 2))[:LIMIT]

    def atoms(words: np.ndarray) -> np.ndarray:
        rows = list(counts(words, problem.size)[:-1] > 0)
        if problem.min_length:
            last = words[np.arange(len(words)), lengths(words, problem.size) - 1]
            rows += [end == s for end in (words[:, 0], last) for s in range(problem.size)]
        return np.stack(rows)

    def joined(first: bool, second: bool) -> Family:
        """Make the family of conjunctions in which the two tests have these results.

        An `or` is the opposite of a conjunction; reading a flag covers opposites.
        """

        def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
            table = atoms(words)
            left, right = np.array(pairs).T
            result: np.ndarray = ((table[left[rows]] == first) & (table[right[rows]] == second)).astype(
                np.int16
            )
            return result

        def body(row: int) -> Body:
            a, b = texts[pairs[row][0]], texts[pairs[row][1]]
            both = f"{a[not first]} and {b[not second]}"
            return Body((), both, "both", f"{a[first]} or {b[second]}")

        return Family("two_tests", "flag", len(pairs), evaluate, body)

    def unequal(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        table = atoms(words)
        left, right = np.array(pairs).T
        result: np.ndarray = (table[left[rows]] != table[right[rows]]).astype(np.int16)
        return result

    def unequal_body(row: int) -> Body:
        a, b = (texts[i][0] for i in pairs[row])
        return Body((), f"({a}) != ({b})", "different", f"({a}) == ({b})")

    if not pairs:
        return
    for first, second in ((True, False), (False, True), (True, True), (False, False)):
        yield joined(first, second)
    yield Family("two_tests", "flag", len(pairs), unequal, unequal_body)
