"""Inside or outside: a token toggles a flag and another resets it; quotes that hide other quotes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, TokenSet, steps
from ..render import is_in, nothing, tuple_of

EXAMPLE = """
def open_quote(tokens):
    quote = "none"
    for token in tokens:
        if token == quote:
            quote = "none"
        elif quote == "none" and token in ("a", "b"):
            quote = token
    return quote
"""

LIMIT = 600  # pairs of token sets, and sets of quotes


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield toggled flags for pairs of token sets, and the open quote at the end for sets of quotes."""
    yield _flag(problem, problem.pairs(LIMIT))
    quotes = [q for k in (2, 3) for q in combinations(range(problem.size), k)][:LIMIT]
    if quotes:
        yield _quotes(problem, quotes)


def _flag(problem: SearchProblem, pairs: list[tuple[TokenSet, TokenSet]]) -> Family:
    """Make the family of flags; a pair has the tokens that toggle it and those that reset it."""
    toggles = (
        problem.matrix([a for a, _ in pairs]).astype(bool)
        if pairs
        else np.zeros((0, problem.size + 1), dtype=bool)
    )
    resets = problem.matrix([b for _, b in pairs]).astype(bool) if pairs else toggles

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        inside = np.zeros((len(rows), len(words)), dtype=bool)
        for flip, reset in zip(steps(toggles[rows], words), steps(resets[rows], words), strict=True):
            inside = (inside ^ flip) & ~reset
        return inside.astype(np.int16)

    def body(row: int) -> Body:
        a, b = pairs[row]
        lines = (
            "inside = False",
            "for token in tokens:",
            f"    if {is_in(problem, a)}:",
            "        inside = not inside",
            f"    elif {is_in(problem, b)}:",
            "        inside = False",
        )
        return Body(lines, "inside", "inside")

    return Family("toggle", "flag", len(pairs), evaluate, body)


def _quotes(problem: SearchProblem, quotes: list[tuple[int, ...]]) -> Family:
    """Make the family of open quotes; inside a quote, other quotes have no effect."""
    size = problem.size
    kinds = problem.matrix(quotes).astype(bool)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        quote = np.full((len(rows), len(words)), size, dtype=np.int16)
        for t, opens in enumerate(steps(kinds[rows], words)):
            symbol = words[:, t][None, :]
            closes = (quote == symbol) & (symbol < size)
            quote = np.where(closes, size, np.where((quote == size) & opens, symbol, quote)).astype(np.int16)
        return quote

    def lines(row: int, none: str) -> tuple[str, ...]:
        return (
            f"quote = {none}",
            "for token in tokens:",
            "    if token == quote:",
            f"        quote = {none}",
            f"    elif quote == {none} and token in {tuple_of(problem.tokens[s] for s in quotes[row])}:",
            "        quote = token",
        )

    none = literal(nothing(problem))

    def direct(row: int, fallback: str) -> tuple[str, ...]:
        if fallback not in map(literal, problem.tokens):  # then it may stand for "no quote" itself
            return (*lines(row, fallback), "return quote")
        return (*lines(row, none), f"return {fallback} if quote == {none} else quote")

    return Family(
        "toggle",
        "token",
        len(quotes),
        evaluate,
        lambda row: Body(lines(row, none), "quote", "quote"),
        direct,
    )
