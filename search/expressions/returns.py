"""From values to labels: what an expression returns as it is, and programs that read labels off its values.

After `bank.py`.  `cases.py` puts several returns together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...common.text import literal
from ..candidate import Candidate
from ..feature import Body, Family
from ..feature import Kind as FeatureKind
from ..formula import SUM
from ..problem import SearchProblem
from ..reading import LabelReading, readings
from ..render import tuple_of
from .bank import FAR
from .expression import Decide, Expression
from .inputs import Inputs
from .items import bare, numeral


@dataclass(frozen=True, eq=False)
class LabelReturn:
    """An expression whose value is a label: Python, weight, and the label index of each word or -1."""

    text: str
    weight: int
    decide: Decide
    level: int


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Which label a value is.

    Args:
        of_symbol: the label index of each symbol and of padding, -1 for none.
        numbers: the label index of each number that is a label.
        as_text: whether these labels are strings that `str` writes.
    """

    of_symbol: np.ndarray
    numbers: dict[int, int]
    as_text: bool

    def of_numbers(self, values: np.ndarray) -> np.ndarray:
        """LabelReturn label indices for integers, -1 where a number is no label."""
        if not self.numbers:
            return np.full(values.shape, -1)
        low, high = min(self.numbers), max(self.numbers)
        table = np.full(high - low + 3, -1)
        for number, label in self.numbers.items():
            table[number - low + 1] = label
        result: np.ndarray = table[np.clip(values - low + 1, 0, high - low + 2)]
        return result


def label_map(problem: SearchProblem) -> LabelMap:
    """LabelReturn how tokens and numbers are labels of this problem."""
    labels = problem.labels
    index = {y: i for i, y in enumerate(labels) if isinstance(y, str)}
    of_symbol = np.array([*(index.get(t, -1) for t in problem.tokens), -1])
    whole = {y: i for i, y in enumerate(labels) if type(y) is int}
    if whole:
        return LabelMap(of_symbol, whole, False)
    written = {int(y): i for y, i in index.items() if numeral(y) is not None}
    return LabelMap(of_symbol, written, True)


def returned(e: Expression, labels: LabelMap, problem: SearchProblem) -> LabelReturn | None:
    """LabelReturn the label that an expression's value is; None if its values are no labels."""
    if e.kind == "token":
        return LabelReturn(e.text, e.weight, _symbols(e, labels, problem.size), e.level)
    if e.kind == "int" and labels.numbers:
        if labels.as_text:
            return LabelReturn(f"str({bare(e.text)})", e.weight + 2, _numbers(e, labels), 7)
        return LabelReturn(e.text, e.weight, _numbers(e, labels), e.level)
    if e.kind == "bool" and {type(y) for y in problem.labels} == {bool}:
        truth = np.array([problem.labels.index(False) if False in problem.labels else -1, -1])
        truth[1] = problem.labels.index(True) if True in problem.labels else -1
        return LabelReturn(
            e.text, e.weight, lambda i: truth[np.asarray(e.evaluate(i)).astype(np.int64)], e.level
        )
    return None


def constant(label: int, problem: SearchProblem) -> LabelReturn:
    """LabelReturn the same label everywhere."""
    return LabelReturn(literal(problem.labels[label]), 1, lambda i: np.full(len(i), label), 7)


def _guarded(e: Expression, inputs: Inputs, labels: np.ndarray) -> np.ndarray:
    return labels if e.guard is None else np.where(e.guard.holds(inputs), labels, -1)


def _symbols(e: Expression, labels: LabelMap, size: int) -> Decide:
    return lambda i: _guarded(e, i, labels.of_symbol[np.minimum(e.evaluate(i), size)])


def _numbers(e: Expression, labels: LabelMap) -> Decide:
    return lambda i: _guarded(e, i, labels.of_numbers(np.asarray(e.evaluate(i)).astype(np.int64)))


def constants_of(text: str, problem: SearchProblem) -> tuple[str, ...]:
    """LabelReturn the lines of the file that a text needs before the function."""
    if "ORDER." not in text or problem.order is None:
        return ()
    return (f"ORDER = {tuple_of(problem.order)}",)


def read_expression(
    e: Expression, problem: SearchProblem, values: np.ndarray, labels: np.ndarray, form: str = "expression"
) -> Iterator[Candidate]:
    """Yield the programs that read the label off an expression without a guard.

    Args:
        e: the expression.
        problem: its tokens and labels.
        values: of the expression on the examples, (n,).
        labels: label indices of the examples, (n,).
        form: a name for how it was found.
    """
    kind: FeatureKind = "number" if e.kind == "int" else "flag" if e.kind == "bool" else "token"
    bound = 0
    if e.kind == "int" and values.min() >= 0 and values.max() < 12:
        bound = int(values.max()) + 1
        if "%" in e.text.rpartition(")")[2]:
            kind = "residue"
    text = e.text if e.kind == "bool" else e.operand(SUM)
    body = Body((), text, "value", e.negated)

    def evaluate(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.asarray(e.evaluate(Inputs(words, problem.size))).astype(np.int64)[None]
        return result

    family = Family(
        form, kind, 1, evaluate, lambda row: body,
        (lambda row, fallback: (f"return {e.text}",)) if e.kind == "token" else None, bound,
    )  # fmt: skip

    def candidate(reading: LabelReading) -> Candidate:
        def decide(words: np.ndarray) -> np.ndarray:
            seen = evaluate(words, np.zeros(1, dtype=np.int64))[0]
            return np.where(seen >= FAR, -1, reading.apply(seen))

        constants = constants_of("\n".join(reading.lines), problem)
        return Candidate("expressions", form, reading.lines, decide, constants)

    yield from map(candidate, readings(family, 0, problem, values, labels))


def program(lines: tuple[str, ...], decide: Decide, problem: SearchProblem, form: str) -> Candidate:
    """LabelReturn a candidate of these statements."""
    return Candidate(
        "expressions", form, lines, lambda words: decide(Inputs(words, problem.size)),
        constants_of("\n".join(lines), problem),
    )  # fmt: skip
