"""Expressions whose values tell the labels apart: single ones, with a remainder or quotient, and two.

After `bank.py`.  Whether a value never comes with two labels is tested for very many expressions at once, on
a few pairs of examples first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...common.deadline import check
from ..formula import ATOM, PRODUCT, SUM
from .bank import FAR, HEAVIEST, ExpressionBank, Kept
from .expression import Expression
from .inputs import Inputs

CONFLICTS = (
    12,
    48,
    256,
)  # pairs of examples with different labels that are looked at, one stage after another
CELLS = 1 << 22
SINGLE = 400  # expressions that explain the labels and are written out
DISTINCT = 400  # different values at most
PAIRS = 1_500_000  # pairs of expressions that stand in arithmetic
RESIDUES = 80_000  # pairs whose sums and differences get a remainder
SUMMANDS = 700  # expressions of which any two may stand in a sum of three
SHIFTS = (0, 1, -1, 2, -2)


class Explainer:
    """Tells which rows of values explain the labels of a sample.

    Args:
        labels: label indices of the sample, (n,).
        seed: of the pairs that are looked at first.
    """

    def __init__(self, labels: np.ndarray, seed: int = 0) -> None:
        self.labels = labels
        self.count = int(labels.max(initial=0)) + 1
        rng = np.random.default_rng(seed)
        left, right = rng.integers(0, len(labels), (2, 8 * CONFLICTS[-1]))
        differ = labels[left] != labels[right]
        self.left, self.right = left[differ][: CONFLICTS[-1]], right[differ][: CONFLICTS[-1]]

    def rows(self, columns: Callable[[np.ndarray, np.ndarray], np.ndarray], total: int) -> np.ndarray:
        """Return the rows that explain the labels.

        Args:
            columns: gives the values (rows, k) of some rows at some examples.
            total: the number of rows.
        """
        rows = np.arange(total)
        done = 0
        for stop in CONFLICTS:
            kept = []
            pairs = slice(done, min(stop, len(self.left)))
            step = max(1, CELLS // max(1, pairs.stop - pairs.start))
            for start in range(0, len(rows), step):
                check()
                part = rows[start : start + step]
                differ = columns(part, self.left[pairs]) != columns(part, self.right[pairs])
                kept.append(part[differ.all(axis=1)])
            rows = np.concatenate(kept) if kept else rows[:0]
            done = pairs.stop
        everything = np.arange(len(self.labels))
        step = max(1, CELLS // max(1, len(everything)))
        kept = [
            part[self._pure(columns(part, everything))]
            for part in (rows[start : start + step] for start in range(0, len(rows), step))
        ]
        return np.concatenate(kept) if kept else rows[:0]

    def of(self, values: np.ndarray, then: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
        """Return the rows of an array (rows, n) that explain the labels, after a function if one is given."""

        def columns(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
            picked: np.ndarray = values[rows[:, None], at]
            return picked if then is None else then(picked)

        return self.rows(columns, len(values))

    def _pure(self, values: np.ndarray) -> np.ndarray:
        """Tell for each row whether each of its values comes with one label only, and it has few values."""
        keys = np.sort(values.astype(np.int64) * self.count + self.labels, axis=1)
        same = keys[:, 1:] // self.count == keys[:, :-1] // self.count
        pure = ~(same & (keys[:, 1:] != keys[:, :-1])).any(axis=1)
        result: np.ndarray = pure & ((~same).sum(axis=1) < DISTINCT)
        return result


def single(bank: ExpressionBank, explainer: Explainer, constants: list[int]) -> Iterator[Expression]:
    """Yield the expressions that explain the labels, with their remainders and quotients, lightest first."""
    found: list[Expression] = []
    for kept in bank.kinds.values():
        found += [kept.expressions[r] for r in explainer.of(kept.values)]
    kept = bank.kinds["int"]
    for k in constants:
        for sign, operate in (("%", np.mod), ("//", np.floor_divide)):
            for r in explainer.of(kept.values, partial(_apply, operate, k)):
                found.append(_with_constant(kept.expressions[r], sign, k, operate))
    yield from sorted(found, key=lambda e: e.weight)[:SINGLE]


def _apply(operate: Callable[[np.ndarray, int], np.ndarray], k: int, values: np.ndarray) -> np.ndarray:
    return operate(values, k)


@dataclass(frozen=True)
class _Operator:
    """How two integers become one."""

    write: Callable[[Expression, Expression], str]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]
    weight: int
    level: int
    commutes: bool = True
    divides: bool = False  # defined for a positive second operand only


def _infix(sign: str, level: int) -> Callable[[Expression, Expression], str]:
    return lambda a, b: f"{a.operand(level)} {sign} {b.operand(level + 1)}"


def _called(name: str) -> Callable[[Expression, Expression], str]:
    return lambda a, b: f"{name}({a.text}, {b.text})"


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b > 0, a // np.maximum(b, 1), FAR)


def _remainder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b > 0, a % np.maximum(b, 1), FAR)


_SUM = _Operator(_infix("+", SUM), np.add, 2, SUM)
_LESS = _Operator(_infix("-", SUM), np.subtract, 2, SUM, False)
_APART = _Operator(lambda a, b: f"abs({a.text} - {b.operand(PRODUCT)})", lambda a, b: abs(a - b), 4, ATOM)
OPERATORS = (
    _SUM, _LESS, _APART,
    _Operator(_infix("*", PRODUCT), np.multiply, 2, PRODUCT),
    _Operator(_called("max"), np.maximum, 2, ATOM),
    _Operator(_called("min"), np.minimum, 2, ATOM),
    _Operator(_infix("//", PRODUCT), _quotient, 2, PRODUCT, False, True),
    _Operator(_infix("%", PRODUCT), _remainder, 6, PRODUCT, False, True),
)  # fmt: skip


def _with_constant(
    e: Expression, sign: str, k: int, operate: Callable[[np.ndarray, int], np.ndarray]
) -> Expression:
    penalty = 4 if sign == "%" else 0  # as `rank.py` counts it
    return Expression(
        "int", f"{e.operand(PRODUCT)} {sign} {k}", e.weight + 3 + penalty,
        lambda i: operate(np.asarray(e.evaluate(i)).astype(np.int64), k), PRODUCT,
    )  # fmt: skip


def _whole(e: Expression, inputs: Inputs) -> np.ndarray:
    return np.asarray(e.evaluate(inputs)).astype(np.int64)


def _joined(operator: _Operator, a: Expression, b: Expression) -> Expression:
    return Expression(
        "int", operator.write(a, b), a.weight + b.weight + operator.weight,
        lambda i: operator.apply(_whole(a, i), _whole(b, i)),
        operator.level,
    )  # fmt: skip


def pairs(
    bank: ExpressionBank, explainer: Explainer, constants: list[int], below: int
) -> Iterator[Expression]:
    """Yield two integers in arithmetic that explain the labels, lightest first.

    Args:
        bank: the expressions.
        explainer: the labels of its sample.
        constants: for remainders of sums and differences.
        below: only lighter ones are wanted.
    """
    kept = bank.kinds["int"]
    found: list[Expression] = []
    for operator in OPERATORS:
        for a, b in _fits(kept, operator, explainer, below, PAIRS):
            found.append(_joined(operator, a, b))
    for k in constants:
        for operator in (_SUM, _LESS):
            for sign, operate in (("%", np.mod), ("//", np.floor_divide)):
                for a, b in _fits(kept, _then(operator, operate, k), explainer, below - 3, RESIDUES):
                    found.append(_with_constant(_joined(operator, a, b), sign, k, operate))
    yield from sorted(found, key=lambda e: e.weight)[:SINGLE]


def _then(operator: _Operator, operate: Callable[[np.ndarray, int], np.ndarray], k: int) -> _Operator:
    """Return an operator followed by a remainder or a quotient; for values only."""
    return _Operator(operator.write, lambda a, b: operate(operator.apply(a, b), k), 2, ATOM)


def _fits(
    kept: Kept, operator: _Operator, explainer: Explainer, below: int, limit: int
) -> Iterator[tuple[Expression, Expression]]:
    """Yield the pairs whose joined values explain the labels: the lightest pairs, up to a limit."""
    first, second = _lightest(kept.weights, min(below - operator.weight, 2 * HEAVIEST), limit)
    apart = first != second
    first, second = first[apart], second[apart]
    if not operator.commutes:
        first, second = np.concatenate([first, second]), np.concatenate([second, first])
    values = kept.values
    if operator.divides:
        positive = (values.min(axis=1) > 0)[second]
        first, second = first[positive], second[positive]

    def columns(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        return operator.apply(values[first[rows][:, None], at], values[second[rows][:, None], at])

    for row in explainer.rows(columns, len(first))[: 4 * SINGLE]:
        yield kept.expressions[first[row]], kept.expressions[second[row]]


def _lightest(weights: np.ndarray, below: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (i, j), i <= j, of ascending weights whose sums are smallest: at most `limit`."""
    top = below
    index = np.arange(len(weights))
    while True:
        reach = np.searchsorted(weights, top - weights, side="left")  # j < reach: the sum is below the top
        width = np.maximum(reach - index, 0)
        if width.sum() <= limit or top <= 2:
            first = np.repeat(index, width)
            start = np.repeat(np.cumsum(width) - width, width)
            return first, first + np.arange(len(first)) - start
        top -= 1


def sums(bank: ExpressionBank, target: np.ndarray, below: int) -> Iterator[Expression]:
    """Yield sums and differences of two or three integers, and a constant, that equal a target on the sample.

    A random linear map sends each vector of values to one number; sums of vectors go to sums of numbers, so
    that the missing summand is looked up.

    Args:
        bank: the expressions.
        target: the wanted values, (n,).
        below: only lighter ones are wanted.
    """
    kept = bank.kinds["int"]
    if len(kept) < 2:
        return
    factors = np.random.default_rng(1).integers(1, 2**62, len(target), dtype=np.int64)
    with np.errstate(over="ignore"):
        mine = kept.values.astype(np.int64) @ factors
        goal, one = target.astype(np.int64) @ factors, factors.sum()
        some = mine[:SUMMANDS]
        ranked = np.argsort(mine, kind="stable")
        left: list[tuple[np.ndarray, tuple[int, ...]]] = []
        for shift in SHIFTS:
            rest = goal - shift * one
            left += [(rest - mine, (1, 1, shift)), (mine - rest, (1, -1, shift))]
            left += [((rest - some[:, None] - some[None]).ravel(), (1, 1, 1, shift))]
            left += [((rest - some[:, None] + some[None]).ravel(), (1, -1, 1, shift))]
            left += [((some[:, None] + some[None] - rest).ravel(), (1, 1, -1, shift))]
            left += [((some[:, None] - some[None] - rest).ravel(), (1, -1, -1, shift))]
    found = []
    for wanted, signs in left:
        check()
        at = np.minimum(np.searchsorted(mine, wanted, sorter=ranked), len(mine) - 1)
        for row in np.flatnonzero(mine[ranked[at]] == wanted)[: 4 * SINGLE].tolist():
            last = int(ranked[at[row]])
            others = [row] if len(signs) == 3 else list(divmod(row, len(some)))
            if len({*others, last}) == len(others) + 1:
                e = _added([kept.expressions[i] for i in (*others, last)], signs[:-1], signs[-1])
                if e.weight < below:
                    found.append(e)
    yield from sorted(found, key=lambda e: (e.weight, len(e.text)))[:SINGLE]


def _added(terms: list[Expression], signs: tuple[int, ...], shift: int) -> Expression:
    """Return a signed sum with a constant."""
    total = terms[0]
    for sign, term in zip(signs[1:], terms[1:], strict=True):
        total = _joined(_SUM if sign > 0 else _LESS, total, term)
    if not shift:
        return total
    whole = total
    return Expression(
        "int", f"{whole.text} {'+' if shift > 0 else '-'} {abs(shift)}", whole.weight + 3,
        lambda i: np.asarray(whole.evaluate(i)).astype(np.int64) + shift, SUM,
    )  # fmt: skip
