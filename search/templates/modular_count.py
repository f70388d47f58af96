"""Counts modulo a small number; parity among them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import Problem, TokenSet, counts
from ..render import is_in, literal

EXAMPLE = """
def odd(tokens):
    return tokens.count("a") % 2 == 1
"""

LIMIT = 1000
MODULI = (2, 3, 4, 5)


def families(problem: Problem) -> Iterator[Family]:
    sets = problem.sets(LIMIT)
    weights = problem.matrix(sets)
    for modulus in MODULI:
        yield _modulo(problem, sets, weights, modulus)


def _modulo(problem: Problem, sets: list[TokenSet], weights: np.ndarray, modulus: int) -> Family:
    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return weights[rows] @ counts(words, problem.size) % modulus

    def body(row: int) -> Body:
        members = sets[row]
        if len(members) == 1:
            return Body((), f"tokens.count({literal(problem.tokens[members[0]])}) % {modulus}", "rest")
        lines = ("count = 0", "for token in tokens:", f"    if {is_in(problem, members)}:", "        count += 1")
        return Body(lines, f"count % {modulus}", "rest")

    return Family("modular_count", "residue", len(sets), evaluate, body)
