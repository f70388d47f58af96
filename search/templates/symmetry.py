"""Palindromes, if there are few enough sequences for the prover to run the program on each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem, lengths

EXAMPLE = """
def palindrome(tokens):
    return tokens == tokens[::-1]
"""

# The most sequences.  The prover runs the program on each (docs/reference/program-subset.md).
MOST = 200_000


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield whether the sequence is a palindrome."""
    if sum(problem.size**k for k in range(problem.min_length, problem.max_length + 1)) > MOST:
        return

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        length = lengths(words, problem.size)
        same = np.ones(len(words), dtype=np.int16)
        for t in range(words.shape[1]):
            mirrored = words[np.arange(len(words)), np.clip(length - 1 - t, 0, None)]
            same[(t < length) & (mirrored != words[:, t])] = 0
        return np.tile(same, (len(rows), 1))

    yield Family(
        "symmetry",
        "flag",
        1,
        evaluate,
        lambda row: Body((), "tokens == tokens[::-1]", "same", "tokens != tokens[::-1]"),
    )
