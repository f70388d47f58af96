"""Two kinds of brackets on a stack: whether every closer fits, and which bracket is open at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, permutations

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem
from ..render import nothing, tuple_of

EXAMPLE = """
def innermost(tokens):
    stack = ("none",)
    for token in tokens:
        if token in ("a", "b"):
            stack += (token,)
        elif token == "c":
            stack = stack[:-1] or ("none",)
    return stack[-1]
"""

LIMIT = 400  # choices of brackets
LONGEST = 14  # tokens of a sequence; in longer ones, the prover would have too many possible stacks


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield a family for matched brackets, and one for the innermost open bracket."""
    if problem.max_length > LONGEST:
        return
    kinds = [k for k in islice(permutations(range(problem.size), 4), 4 * LIMIT) if k[0] < k[2]][:LIMIT]
    if kinds:
        yield _matched(problem, kinds)
    openers = [k for k in islice(permutations(range(problem.size), 3), 4 * LIMIT) if k[0] < k[1]][:LIMIT]
    if openers:
        yield _innermost(problem, openers)


def _matched(problem: SearchProblem, kinds: Sequence[tuple[int, ...]]) -> Family:
    """Match brackets; `kinds` are the opener and closer of the first kind, then of the second."""

    def one(words: np.ndarray, kind: tuple[int, ...]) -> np.ndarray:
        stack = np.zeros(len(words), dtype=np.int64)  # base 3, the innermost bracket last
        good = np.ones(len(words), dtype=bool)
        for t in range(words.shape[1]):
            for opener, closer, digit in ((kind[0], kind[1], 1), (kind[2], kind[3], 2)):
                opens, closes = words[:, t] == opener, words[:, t] == closer
                good &= ~closes | (stack % 3 == digit)
                stack = np.where(
                    opens, stack * 3 + digit, np.where(closes & (stack % 3 == digit), stack // 3, stack)
                )
        result: np.ndarray = good & (stack == 0)
        return result

    def body(row: int) -> Body:
        a, b, c, d = (problem.tokens[s] for s in kinds[row])
        other = "else:" if problem.size == 4 else f"elif token in {tuple_of((b, d))}:"
        lines = (
            "good = True",
            "stack = ()",
            "for token in tokens:",
            f"    if token in {tuple_of((a, c))}:",
            "        stack += (token,)",
            f"    elif stack and (stack[-1], token) in ({tuple_of((a, b))}, {tuple_of((c, d))}):",
            "        stack = stack[:-1]",
            f"    {other}",
            "        good = False",
        )
        return Body(lines, "good and stack == ()", "matched", "not good or stack != ()")

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([one(words, kinds[r]) for r in rows]).astype(np.int16)

    return Family("bracket_stack", "flag", len(kinds), evaluate, body)


def _innermost(problem: SearchProblem, kinds: Sequence[tuple[int, ...]]) -> Family:
    """Find the innermost open bracket; `kinds` are two openers and the closer that they share."""

    def one(words: np.ndarray, kind: tuple[int, ...]) -> np.ndarray:
        stack = np.zeros(len(words), dtype=np.int64)
        for t in range(words.shape[1]):
            for opener, digit in ((kind[0], 1), (kind[1], 2)):
                stack = np.where(words[:, t] == opener, stack * 3 + digit, stack)
            stack = np.where(words[:, t] == kind[2], stack // 3, stack)
        return np.array([problem.size, kind[0], kind[1]])[stack % 3]

    def lines(row: int) -> tuple[str, ...]:
        a, b, c = (problem.tokens[s] for s in kinds[row])
        return (
            "stack = ()",
            "for token in tokens:",
            f"    if token in {tuple_of((a, b))}:",
            "        stack += (token,)",
            f"    elif token == {literal(c)}:",
            "        stack = stack[:-1]",
        )

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([one(words, kinds[r]) for r in rows]).astype(np.int16)

    none = literal(nothing(problem))
    return Family(
        "bracket_stack",
        "token",
        len(kinds),
        evaluate,
        lambda row: Body(
            (*lines(row), f"innermost = stack[-1] if stack else {none}"), "innermost", "innermost"
        ),
        lambda row, fallback: (*lines(row), f"return stack[-1] if stack else {fallback}"),
    )
