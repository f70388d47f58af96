"""Small expressions over locals and the token, by size, one for each meaning.

A term's meaning is its table over a grid: every value of the locals with every token.  Terms with equal
tables are equal wherever they are used, so that only the first, which is the smallest, is kept (observational
equivalence).  `stepwise.py` runs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["int", "bool"]
KINDS: tuple[Kind, ...] = ("int", "bool")
IF, OR, AND, NOT, COMPARE, SUM, PRODUCT, ATOM = range(8)  # Python's operators, loosest first
CELLS = 1 << 21  # of one block of tables
CLIP = 100  # larger values do not matter: their programs leave the grid


@dataclass(frozen=True, eq=False)
class StepTerm:
    """An expression.

    Args:
        text: in Python.
        weight: its description length (`rank.py`).
        apply: computes it on arrays of the locals and the token.
        level: how tightly its operator binds.
        branches: of `a if test else b`: the test, a and b.
    """

    text: str
    weight: int
    apply: Callable[[dict[str, np.ndarray]], np.ndarray]
    level: int = ATOM
    branches: tuple[StepTerm, StepTerm, StepTerm] | None = None

    def operand(self, level: int) -> str:
        """Write the term beside an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class _Operator:
    """How two terms become one.  If there are `constants`, only these texts may stand on the right."""

    result: Kind
    left: Kind
    right: Kind
    weight: int
    write: Callable[[StepTerm, StepTerm], str]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]
    constants: tuple[str, ...] = ()
    commutes: bool = False
    level: int = ATOM


def _infix(sign: str, level: int) -> Callable[[StepTerm, StepTerm], str]:
    return lambda a, b: f"{a.operand(level)} {sign} {b.operand(level + 1)}"


def _sum(a: StepTerm, b: StepTerm) -> str:
    """Write a sum, the local first and constants last."""
    first, second = (b, a) if a.text.isdigit() or ("value" in b.text and "value" not in a.text) else (a, b)
    return f"{first.operand(SUM)} + {second.operand(SUM)}"


def _call(name: str) -> Callable[[StepTerm, StepTerm], str]:
    return lambda a, b: f"{name}({a.text}, {b.text})"


_OPERATORS = (
    _Operator("int", "int", "int", 2, _sum, np.add, commutes=True, level=SUM),
    _Operator("int", "int", "int", 2, _infix("-", SUM), np.subtract, level=SUM),
    _Operator(
        "int",
        "int",
        "int",
        2,
        lambda a, b: f"{b.text} * {a.operand(ATOM)}",
        np.multiply,
        ("2", "3"),
        level=PRODUCT,
    ),
    _Operator("int", "int", "int", 2, _infix("//", PRODUCT), np.floor_divide, ("2", "3"), level=PRODUCT),
    _Operator("int", "int", "int", 2, _infix("%", PRODUCT), np.mod, ("2", "3", "4", "5"), level=PRODUCT),
    _Operator("int", "int", "int", 3, _call("min"), np.minimum, ("1", "2", "3", "4")),
    _Operator("int", "int", "int", 3, _call("max"), np.maximum, commutes=True),
    _Operator(
        "bool", "int", "int", 2, _infix("==", COMPARE + 1), np.equal, ("0", "1", "2", "3"), level=COMPARE
    ),
    _Operator("bool", "int", "int", 2, _infix(">", COMPARE + 1), np.greater, level=COMPARE),
    _Operator("bool", "bool", "bool", 2, _infix("and", AND), np.logical_and, commutes=True, level=AND),
    _Operator("bool", "bool", "bool", 2, _infix("or", OR), np.logical_or, commutes=True, level=OR),
    _Operator(
        "bool", "bool", "bool", 2, _infix("!=", COMPARE + 1), np.not_equal, commutes=True, level=COMPARE
    ),
)


@dataclass(frozen=True)
class TermBudget:
    """How many terms of a kind are kept, how large they are, and when (`time.monotonic()`) growing stops."""

    terms: int = 20_000
    weight: int = 12
    deadline: float = float("inf")


class Bank:
    """All terms of each kind up to a size, smallest first: `terms[kind]` go with the rows of `tables(kind)`.

    Args:
        grid: arrays of the locals and the token, one entry for each cell.
        leaves: the terms to begin with.
        budget: when to stop.
    """

    def __init__(
        self, grid: dict[str, np.ndarray], leaves: dict[Kind, list[StepTerm]], budget: TermBudget
    ) -> None:
        self.grid, self.budget = grid, budget
        self.size = len(next(iter(grid.values())))
        self.terms: dict[Kind, list[StepTerm]] = {"int": [], "bool": []}
        # rows are padded to whole 64-bit words, so that they can be told apart by a sum over few numbers
        self._rows = {kind: np.zeros((64, -(-self.size // 8) * 8), dtype=np.int8) for kind in KINDS}
        self._factors = (
            np.random.default_rng(0).integers(1, 2**63, -(-self.size // 8), dtype=np.int64).astype(np.uint64)
            * 2
            + 1
        )
        self._seen: dict[Kind, set[int]] = {"int": set(), "bool": set()}
        self._ends: dict[tuple[Kind, int], int] = {}  # how many terms of a kind have at most this weight
        for weight in range(1, budget.weight + 1):
            for kind in KINDS:
                for leaf in leaves[kind]:
                    if leaf.weight == weight:
                        self._keep(
                            kind,
                            np.broadcast_to(leaf.apply(grid), self.size)[None],
                            lambda row, leaf=leaf: leaf,  # type: ignore[misc]
                        )
            self._grow(weight)
            for kind in KINDS:
                self._ends[kind, weight] = len(self.terms[kind])

    def tables(self, kind: Kind) -> np.ndarray:
        """Return the meaning of every term, int8 (terms, cells)."""
        return self._rows[kind][: len(self.terms[kind]), : self.size]

    def _level(self, kind: Kind, weight: int) -> np.ndarray:
        return np.arange(self._ends.get((kind, weight - 1), 0), self._ends.get((kind, weight), 0))

    def _late(self) -> bool:
        return time.monotonic() > self.budget.deadline

    def _keep(self, kind: Kind, tables: np.ndarray, make: Callable[[int], StepTerm]) -> None:
        """Keep those of some tables (rows, cells) that are new; make(row) gives the term.

        Tables are compared by a hash.  If two of them collided (one chance in 2**64), a term would be lost,
        and nothing else.
        """
        room = self.budget.terms - len(self.terms[kind])
        if room <= 0 or not len(tables):
            return
        padded = np.zeros((len(tables), self._rows[kind].shape[1]), dtype=np.int8)
        padded[:, : self.size] = np.clip(tables, -CLIP, CLIP)
        sums = (padded.view(np.uint64) * self._factors).sum(axis=1, dtype=np.uint64)
        _, first = np.unique(sums, return_index=True)
        seen = self._seen[kind]
        fresh = [int(row) for row in np.sort(first) if int(sums[row]) not in seen][:room]
        if not fresh:
            return
        start = len(self.terms[kind])
        while len(self._rows[kind]) < start + len(fresh):
            self._rows[kind] = np.concatenate([self._rows[kind], np.zeros_like(self._rows[kind])])
        self._rows[kind][start : start + len(fresh)] = padded[fresh]
        seen.update(int(sums[row]) for row in fresh)
        self.terms[kind] += [make(row) for row in fresh]

    def _grow(self, weight: int) -> None:
        """Add every term of exactly this weight."""
        for operator in _OPERATORS:
            for left_weight in range(1, weight - operator.weight):
                right_weight = weight - operator.weight - left_weight
                if operator.commutes and operator.left == operator.right and right_weight > left_weight:
                    continue
                self._apply(
                    operator,
                    self._level(operator.left, left_weight),
                    self._level(operator.right, right_weight),
                    weight,
                )
        flags = self._level("bool", weight - 2)
        self._keep(
            "bool",
            ~self.tables("bool")[flags].astype(bool),
            lambda row: _negated(self.terms["bool"][flags[row]], weight),
        )
        self._conditionals(weight)

    def _apply(self, operator: _Operator, left: np.ndarray, right: np.ndarray, weight: int) -> None:
        """Apply an operator to every pair, some left ones at a time."""
        if operator.constants:
            right = np.array(
                [j for j in right if self.terms["int"][j].text in operator.constants], dtype=np.int64
            )
        if not len(left) or not len(right):
            return
        others = self.tables(operator.right)[right].astype(np.int16)
        step = max(1, CELLS // (self.size * len(right)))
        for start in range(0, len(left), step):
            if self._late():
                return
            some = left[start : start + step]
            results = operator.apply(self.tables(operator.left)[some].astype(np.int16)[:, None], others[None])

            def make(row: int, some: np.ndarray = some) -> StepTerm:
                a, b = divmod(row, len(right))
                return _joined(
                    operator, self.terms[operator.left][some[a]], self.terms[operator.right][right[b]], weight
                )

            self._keep(operator.result, results.reshape(-1, self.size), make)

    def _conditionals(self, weight: int) -> None:
        """Add `a if test else b`."""
        for test_weight in range(3, weight - 2):
            tests = self._level("bool", test_weight)
            for a_weight in range(1, weight - 1 - test_weight):
                firsts, seconds = (
                    self._level("int", a_weight),
                    self._level("int", weight - 1 - test_weight - a_weight),
                )
                if not len(firsts) or not len(seconds):
                    continue
                tables = self.tables("int")
                a, b = tables[firsts][:, None], tables[seconds][None]
                for t in tests:
                    if self._late():
                        return
                    true = self.tables("bool")[t].astype(bool)

                    def make(
                        row: int, t: int = t, firsts: np.ndarray = firsts, seconds: np.ndarray = seconds
                    ) -> StepTerm:
                        i, j = divmod(row, len(seconds))
                        return _conditional(
                            (
                                self.terms["bool"][t],
                                self.terms["int"][firsts[i]],
                                self.terms["int"][seconds[j]],
                            ),
                            weight,
                        )

                    self._keep("int", np.where(true, a, b).reshape(-1, self.size), make)


def _joined(operator: _Operator, a: StepTerm, b: StepTerm, weight: int) -> StepTerm:
    return StepTerm(
        operator.write(a, b),
        weight,
        lambda values: operator.apply(a.apply(values), b.apply(values)),
        operator.level,
    )


def _negated(term: StepTerm, weight: int) -> StepTerm:
    return StepTerm(f"not {term.operand(NOT)}", weight, lambda values: ~term.apply(values).astype(bool), NOT)


def _conditional(parts: tuple[StepTerm, StepTerm, StepTerm], weight: int) -> StepTerm:
    test, a, b = parts
    text = f"{a.operand(OR)} if {test.operand(OR)} else {b.text}"
    return StepTerm(
        text,
        weight,
        lambda values: np.where(test.apply(values), a.apply(values), b.apply(values)),
        IF,
        (test, a, b),
    )
