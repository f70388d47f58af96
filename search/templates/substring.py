"""Three given tokens in a row: how often they occur, and whether they do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem
from ..render import tuple_of

EXAMPLE = """
def aba(tokens):
    return any(three == ("a", "b", "a") for three in zip(tokens, tokens[1:], tokens[2:]))
"""

LIMIT = 1000  # triples of tokens


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield, for each triple of tokens, whether it occurs and how often."""
    patterns = list(islice(product(range(problem.size), repeat=3), LIMIT))

    def how_often(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        places = np.stack([words[:, i : words.shape[1] - 2 + i] for i in range(3)])  # (3, n, places)
        out = [(places == np.array(patterns[r])[:, None, None]).all(axis=0).sum(axis=1) for r in rows]
        return np.stack(out).astype(np.int16)

    def ever(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return (how_often(words, rows) > 0).astype(np.int16)

    def walk(row: int, sign: str = "==") -> str:
        pattern = tuple_of(problem.tokens[s] for s in patterns[row])
        return f"three {sign} {pattern} for three in zip(tokens, tokens[1:], tokens[2:])"

    if problem.max_length < 3:
        return
    yield Family(
        "substring",
        "flag",
        len(patterns),
        ever,
        lambda row: Body((), f"any({walk(row)})", "found", f"all({walk(row, '!=')})"),
    )
    yield Family(
        "substring", "number", len(patterns), how_often, lambda row: Body((), f"sum({walk(row)})", "times")
    )
