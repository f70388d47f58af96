"""Small expressions over locals and the token, by size, one for each meaning: the bottom-up half of the enumeration.

A term's meaning is its table over a grid: every value of the locals with every token.  Terms with equal tables are equal
wherever they are used, so only the first, and so the smallest, is kept (observational equivalence).  `stepwise.py` runs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

Kind = Literal["int", "bool"]
KINDS: tuple[Kind, ...] = ("int", "bool")
IF, OR, AND, NOT, COMPARE, SUM, PRODUCT, ATOM = range(8)  # Python's operators, loosest first
CELLS = 1 << 23  # of one block of tables
CLIP = 100  # larger values do not matter: their programs leave the grid


@dataclass(frozen=True, eq=False)
class Term:
    """`text` in Python, `weight` as in `rank.py`, `level`: how tightly its operator binds.  `apply` computes it on arrays."""

    text: str
    weight: int
    apply: Callable[[dict[str, np.ndarray]], np.ndarray]
    level: int = ATOM
    branches: tuple[Term, Term, Term] | None = None  # of `a if test else b`: test, a, b

    def operand(self, level: int) -> str:
        """The text beside an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class _Operator:
    """How two terms become one.  `right`: only these texts may stand there (constants), or any."""

    result: Kind
    left: Kind
    right: Kind
    weight: int
    write: Callable[[Term, Term], str]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]
    constants: tuple[str, ...] = ()
    commutes: bool = False
    level: int = ATOM


def _infix(sign: str, level: int) -> Callable[[Term, Term], str]:
    return lambda a, b: f"{a.operand(level)} {sign} {b.operand(level + 1)}"


def _sum(a: Term, b: Term) -> str:
    """The local first, constants last."""
    first, second = (b, a) if a.text.isdigit() or ("value" in b.text and "value" not in a.text) else (a, b)
    return f"{first.operand(SUM)} + {second.operand(SUM)}"


def _call(name: str) -> Callable[[Term, Term], str]:
    return lambda a, b: f"{name}({a.text}, {b.text})"


_OPERATORS = (
    _Operator("int", "int", "int", 2, _sum, np.add, commutes=True, level=SUM),
    _Operator("int", "int", "int", 2, _infix("-", SUM), np.subtract, level=SUM),
    _Operator("int", "int", "int", 2, lambda a, b: f"{b.text} * {a.operand(ATOM)}", np.multiply, ("2", "3"), level=PRODUCT),
    _Operator("int", "int", "int", 2, _infix("//", PRODUCT), np.floor_divide, ("2", "3"), level=PRODUCT),
    _Operator("int", "int", "int", 2, _infix("%", PRODUCT), np.mod, ("2", "3", "4", "5"), level=PRODUCT),
    _Operator("int", "int", "int", 3, _call("min"), np.minimum, ("1", "2", "3", "4")),
    _Operator("int", "int", "int", 3, _call("max"), np.maximum, commutes=True),
    _Operator("bool", "int", "int", 2, _infix("==", COMPARE + 1), np.equal, ("0", "1", "2", "3"), level=COMPARE),
    _Operator("bool", "int", "int", 2, _infix(">", COMPARE + 1), np.greater, level=COMPARE),
    _Operator("bool", "bool", "bool", 2, _infix("and", AND), np.logical_and, commutes=True, level=AND),
    _Operator("bool", "bool", "bool", 2, _infix("or", OR), np.logical_or, commutes=True, level=OR),
    _Operator("bool", "bool", "bool", 2, _infix("!=", COMPARE + 1), np.not_equal, commutes=True, level=COMPARE),
)


@dataclass
class Limits:
    """Budgets: terms of one kind that are kept, their size, and a time of `time.monotonic()` when growing stops."""

    terms: int = 20_000
    weight: int = 12
    deadline: float = float("inf")


class Bank:
    """All terms of each kind up to a size, with their tables: `terms[kind]` beside `tables[kind]`, smallest first."""

    def __init__(self, grid: dict[str, np.ndarray], leaves: dict[Kind, list[Term]], limits: Limits) -> None:
        self.grid, self.limits = grid, limits
        self.size = len(next(iter(grid.values())))
        self.terms: dict[Kind, list[Term]] = {"int": [], "bool": []}
        self.tables: dict[Kind, list[np.ndarray]] = {"int": [], "bool": []}
        self._seen: set[bytes] = set()
        self._ends: dict[tuple[Kind, int], int] = {}  # how many terms of a kind have at most this weight
        for weight in range(1, limits.weight + 1):
            for kind in KINDS:
                for leaf in leaves[kind]:
                    if leaf.weight == weight:
                        table = np.broadcast_to(leaf.apply(grid), self.size)
                        self._keep(kind, table, partial(_itself, leaf))
            self._grow(weight)
            for kind in KINDS:
                self._ends[kind, weight] = len(self.terms[kind])
        for kind in KINDS:  # leaves that are larger than anything that is grown
            for leaf in leaves[kind]:
                if leaf.weight > limits.weight:
                    self.terms[kind].append(leaf)
                    self.tables[kind].append(np.clip(leaf.apply(grid), -CLIP, CLIP).astype(np.int8))

    def _level(self, kind: Kind, weight: int) -> range:
        return range(self._ends.get((kind, weight - 1), 0), self._ends.get((kind, weight), 0))

    def _full(self) -> bool:
        return all(len(t) >= self.limits.terms for t in self.terms.values()) or time.monotonic() > self.limits.deadline

    def _keep(self, kind: Kind, table: np.ndarray, make: Callable[[], Term]) -> None:
        key = kind.encode() + table.astype(np.int8).tobytes()
        if key not in self._seen and len(self.terms[kind]) < self.limits.terms:
            self._seen.add(key)
            self.terms[kind].append(make())
            self.tables[kind].append(table.astype(np.int8))

    def _grow(self, weight: int) -> None:
        """Every term of exactly this weight."""
        for operator in _OPERATORS:
            for left_weight in range(1, weight - operator.weight):
                right_weight = weight - operator.weight - left_weight
                if operator.commutes and operator.left == operator.right and right_weight > left_weight:
                    continue
                for i, j in self._blocks(operator, left_weight, right_weight):
                    if self._full():
                        return
                    self._apply(operator, i, j, weight)
        for operand_weight in (weight - 2,):
            for i in self._level("bool", operand_weight):
                term, table = self.terms["bool"][i], self.tables["bool"][i]
                self._keep("bool", ~table.astype(bool), partial(_negated, term, weight))
        self._conditionals(weight)

    def _blocks(self, operator: _Operator, left: int, right: int) -> Iterator[tuple[int, np.ndarray]]:
        others = [
            j for j in self._level(operator.right, right) if not operator.constants or self.terms["int"][j].text in operator.constants
        ]
        if others:
            step = max(1, CELLS // self.size)
            for i in self._level(operator.left, left):
                for start in range(0, len(others), step):
                    yield i, np.array(others[start : start + step])

    def _apply(self, operator: _Operator, i: int, others: np.ndarray, weight: int) -> None:
        a, table = self.terms[operator.left][i], self.tables[operator.left][i].astype(np.int64)
        right = np.stack([self.tables[operator.right][j] for j in others]).astype(np.int64)
        results = np.clip(operator.apply(table[None], right), -CLIP, CLIP)
        for j, result in zip(others, results, strict=True):
            b = self.terms[operator.right][j]
            self._keep(operator.result, result, partial(_joined, operator, a, b, weight))

    def _conditionals(self, weight: int) -> None:
        """a if test else b."""
        for test_weight in range(3, weight - 2):
            for a_weight in range(1, weight - 1 - test_weight):
                b_weight = weight - 1 - test_weight - a_weight
                both = [(a, b) for a in self._level("int", a_weight) for b in self._level("int", b_weight) if a != b]
                if not both:
                    continue
                first, second = (np.stack([self.tables["int"][p[k]] for p in both]) for k in (0, 1))
                for t in self._level("bool", test_weight):
                    if self._full():
                        return
                    results = np.where(self.tables["bool"][t].astype(bool)[None], first, second)
                    for (a, b), result in zip(both, results, strict=True):
                        parts = self.terms["bool"][t], self.terms["int"][a], self.terms["int"][b]
                        self._keep("int", result, partial(_conditional, parts, weight))


def _itself(term: Term) -> Term:
    return term


def _joined(operator: _Operator, a: Term, b: Term, weight: int) -> Term:
    return Term(operator.write(a, b), weight, lambda values: operator.apply(a.apply(values), b.apply(values)), operator.level)


def _negated(term: Term, weight: int) -> Term:
    return Term(f"not {term.operand(NOT)}", weight, lambda values: ~term.apply(values).astype(bool), NOT)


def _conditional(parts: tuple[Term, Term, Term], weight: int) -> Term:
    test, a, b = parts
    text = f"{a.operand(OR)} if {test.operand(OR)} else {b.text}"
    return Term(text, weight, lambda values: np.where(test.apply(values), a.apply(values), b.apply(values)), IF, (test, a, b))
