"""Counts and differences of counts, modulo a small number; parity is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ...common.text import literal
from ..feature import Body, Family
from ..problem import SearchProblem, TokenSet, counts
from ..render import is_in

EXAMPLE = """
def odd(tokens):
    return tokens.count("a") % 2 == 1
"""

LIMIT = 1000  # token sets, and pairs of them
MODULI = (2, 3, 4, 5, 6, 7)


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield, for each modulus, the counts of token sets and the differences of the counts of two tokens."""
    sets = problem.sets(LIMIT)
    pairs = problem.pairs(LIMIT, 1)
    weights = problem.matrix(sets)
    differences = problem.matrix([a for a, _ in pairs]) - problem.matrix([b for _, b in pairs])
    for modulus in MODULI:
        yield _modulo(problem, partial(_count, problem, sets, modulus), weights, modulus)
        if pairs and modulus > 2:
            yield _modulo(problem, partial(_difference, problem, pairs, modulus), differences, modulus)


def _modulo(problem: SearchProblem, body: partial[Body], weights: np.ndarray, modulus: int) -> Family:
    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = weights[rows] @ counts(words, problem.size) % modulus
        return result

    return Family("modular_count", "residue", len(weights), evaluate, body, bound=modulus)


def _count(problem: SearchProblem, sets: list[TokenSet], modulus: int, row: int) -> Body:
    members = sets[row]
    if len(members) == 1:
        return Body((), f"tokens.count({literal(problem.tokens[members[0]])}) % {modulus}", "rest")
    if len(members) == 2:
        a, b = (literal(problem.tokens[s]) for s in members)
        return Body((), f"(tokens.count({a}) + tokens.count({b})) % {modulus}", "rest")
    lines = ("count = 0", "for token in tokens:", f"    if {is_in(problem, members)}:", "        count += 1")
    return Body(lines, f"count % {modulus}", "rest")


def _difference(
    problem: SearchProblem, pairs: list[tuple[TokenSet, TokenSet]], modulus: int, row: int
) -> Body:
    a, b = (literal(problem.tokens[s]) for (s,) in pairs[row])
    return Body((), f"(tokens.count({a}) - tokens.count({b})) % {modulus}", "rest")
