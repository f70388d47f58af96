"""Sums of numbers that tokens stand for, as in `sum({"i": 1, "v": 5}[t] for t in tokens)`.

Beside `aggregates.py`, for `find.py`.  The numbers are solved for: least squares on the counts of
tokens, rounded.  They are kept only if they give every example its number exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.text import literal
from .bank import ExpressionBank
from .expression import Evaluate, Expression
from .sequences import Sequence, parts

LARGEST = 1000  # a number that a token may stand for
PARTS = 12  # parts of the sequence that are tried
TOKENS = 12  # of the alphabet


def looked_up_sums(bank: ExpressionBank, target: np.ndarray) -> Iterator[Expression]:
    """Yield sums over a part of the sequence that equal a target on the sample.

    Args:
        bank: its problem and sample.
        target: the wanted integers, (n,).
    """
    problem, inputs = bank.problem, bank.inputs
    if problem.size > TOKENS or len(np.unique(target)) < 3:
        return
    for s in list(parts(problem))[:PARTS]:
        counts = inputs.count_of_each(s.text, s.of(inputs)).astype(float)
        solved = np.linalg.lstsq(counts, target.astype(float), rcond=None)[0]
        numbers = np.rint(solved).astype(np.int64)
        if abs(numbers).max() <= LARGEST and (counts @ numbers == target).all():
            yield _sum(problem.tokens, s, numbers)


def _sum(tokens: tuple[str, ...], s: Sequence, numbers: np.ndarray) -> Expression:
    entries = ", ".join(f"{literal(t)}: {k}" for t, k in zip(tokens, numbers.tolist(), strict=True))
    weight = 8 + 2 * len(tokens) + 2 * int((numbers < 0).sum()) + s.weight
    return Expression("int", f"sum({{{entries}}}[t] for t in {s.text})", weight, _weighted(s, numbers))


def _weighted(s: Sequence, numbers: np.ndarray) -> Evaluate:
    return lambda inputs: inputs.count_of_each(s.text, s.of(inputs)) @ numbers
