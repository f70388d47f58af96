"""All expressions over the whole sequence up to a size, one for each behaviour on a sample of the examples.

Typed bottom-up enumeration with observational equivalence: of expressions with equal values on the sample,
the shortest is kept.  After the other files of `expressions/`, before those that explain labels with them.

Source: Udupa et al., "TRANSIT" (2013), section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from ...common.deadline import check
from ...common.text import literal
from ..formula import COMPARE, SUM
from ..problem import SearchProblem
from .aggregates import conditions, numbers, repetitions
from .expression import Evaluate, Expression, Guard, Kind
from .inputs import Inputs
from .items import TokenFunction, TokenFunctions, token_functions
from .pairings import any_two, beside_an_end, following, mirrored, neighbours, relations_of
from .places import (
    NEAR,
    constant_windows,
    equal_parts,
    extremes,
    items,
    neighbours_of,
    relations,
    string_order,
    with_default,
)
from .sequences import Sequence, after_and_before, halves, parts

FAR = 1 << 30  # the value where an expression has none
HEAVIEST = 26  # description length of an expression
PART_TESTS = 60  # tests on tokens that are counted in parts of the sequence
LISTED = 120_000


class Kept:
    """Expressions of one kind, lightest first, and their values on the sample, (expressions, n)."""

    def __init__(self, expressions: list[Expression], values: np.ndarray) -> None:
        self.expressions, self.values = expressions, values

    def __len__(self) -> int:
        return len(self.expressions)

    @cached_property
    def weights(self) -> np.ndarray:
        """Their description lengths."""
        return np.array([e.weight for e in self.expressions], dtype=np.int64)

    def first(self, count: int) -> Kept:
        """Return the lightest."""
        return Kept(self.expressions[:count], self.values[:count])


class ExpressionBank:
    """The expressions over a problem's sequences.

    Args:
        problem: its tokens and lengths.
        words: the sample, padded words (n, positions).
        changed: the same words, changed in what does not matter; expressions that see a difference are left
            out.
    """

    def __init__(self, problem: SearchProblem, words: np.ndarray, changed: np.ndarray | None = None) -> None:
        self.problem = problem
        self.inputs = Inputs(words, problem.size)
        self._changed = None if changed is None else Inputs(changed, problem.size)
        self.functions = token_functions(problem)
        self.partial: list[Expression] = []  # those with a guard
        self.kinds = self._kept()

    def value(self, expression: Expression, inputs: Inputs | None = None) -> np.ndarray:
        """Return an expression's values, (n,), FAR where it has none; on the sample unless told otherwise."""
        inputs = self.inputs if inputs is None else inputs
        values = np.asarray(expression.evaluate(inputs)).astype(np.int64)
        if expression.guard is not None:
            values = np.where(expression.guard.holds(inputs), values, FAR)
        return values

    def _kept(self) -> dict[Kind, Kept]:
        listed: dict[Kind, list[Expression]] = {"int": [], "bool": [], "token": []}
        for expression in self._all():
            if expression.guard is not None:
                if not self._sees_what_does_not_matter(expression, self.value(expression)):
                    self.partial.append(expression)
            elif expression.weight <= HEAVIEST and len(listed[expression.kind]) < LISTED:
                listed[expression.kind].append(expression)
        return {kind: self._distinct(expressions) for kind, expressions in listed.items()}

    def _distinct(self, expressions: list[Expression]) -> Kept:
        """Keep the lightest of those with equal values; of conditions, of those with opposite values, too."""
        seen: set[bytes] = set()
        kept, rows = [], []
        for k, expression in enumerate(sorted(expressions, key=lambda e: (e.weight, len(e.text)))):
            if k % 256 == 0:
                check()
            values = self.value(expression).astype(np.int32)
            if len(values) and (values == values[0]).all():
                continue
            same = 1 - values if expression.kind == "bool" and values[0] else values
            key = same.tobytes()
            if key not in seen and not self._sees_what_does_not_matter(expression, values):
                seen.add(key)
                kept.append(expression)
                rows.append(values)
        return Kept(kept, np.array(rows, dtype=np.int32).reshape(len(rows), len(self.inputs)))

    def _sees_what_does_not_matter(self, expression: Expression, values: np.ndarray) -> bool:
        return self._changed is not None and bool((self.value(expression, self._changed) != values).any())

    def _all(self) -> Iterator[Expression]:
        """List everything, in no order."""
        problem, functions = self.problem, self.functions
        some = TokenFunctions(functions.numbers, functions.tests[:PART_TESTS], functions.partial)
        ranks = string_order(problem)
        related = relations_of(functions, ranks, problem.size)
        sequences = list(parts(problem))
        for s in sequences:
            mine = functions if s.text == "tokens" else some
            yield from numbers(problem, s, mine)
            yield from conditions(problem, s, mine)
            yield from extremes(problem, s, functions)
            if s.weight <= 4:
                yield from repetitions(problem, s)
                yield from neighbours(s, related)
        yield from following(problem, sequences[0])
        yield from mirrored(sequences[0], related)
        yield from any_two(sequences[0], related)
        for s in sequences[:3]:
            yield from beside_an_end(s, related)
        yield from constant_windows(problem, sequences)
        half = halves(problem)
        by_text = {s.text: s for s in sequences}
        ends = [
            (by_text[a], by_text[b])
            for a, b in ((f"tokens[:{k}]", f"tokens[-{k}:]") for k in range(2, NEAR))
            if a in by_text and b in by_text
        ]
        yield from equal_parts([half, *ends])
        for s in half:
            yield from numbers(problem, s, TokenFunctions(functions.numbers[:4], functions.tests[:12]))
        yield from neighbours_of(problem)
        for s, symbol in after_and_before(problem):
            for expression in (*numbers(problem, s, some), *conditions(problem, s, some)):
                if expression.guard is None:
                    yield _where_it_occurs(expression, symbol, problem)
        yield from self._of_tokens(sequences, ranks)

    def _of_tokens(self, sequences: list[Sequence], ranks: np.ndarray | None) -> Iterator[Expression]:
        """List what is read off single tokens."""
        problem = self.problem
        single: list[Expression] = []
        for s in sequences[:1]:
            single += [e for e in extremes(problem, s, self.functions) if e.kind == "token"]
            single += [e for e in repetitions(problem, s) if e.kind == "token"]
        placed = list(items(problem))
        yield from placed
        total = [e for e in placed if e.guard is None]
        near = [*(e for e in total if e.text in _near()), *single[:6]]
        yield from relations(near, [s for s in sequences if s.weight <= 6][:5], ranks)
        for e in (*total, *single):
            yield from self._applied(e, self.functions.numbers, self.functions.tests)
        for e in placed:
            if e.guard is None:
                continue
            yield from self._applied(e, self.functions.numbers, self.functions.tests[:PART_TESTS])
            for full in with_default(e, problem):
                yield full
                yield from self._applied(full, self.functions.numbers[:4], ())
                if e.text in _near():
                    yield from relations([*near[:2], full], [], ranks)

    def _applied(
        self, e: Expression, numbers: Iterable[TokenFunction], tests: Iterable[TokenFunction]
    ) -> Iterator[Expression]:
        text = e.operand(COMPARE + 1) if e.text[0] == "(" else e.text if e.level > SUM else f"({e.text})"
        for f in (*numbers, *tests):
            kind: Kind = "bool" if f.test else "int"
            opposite = f.opposite(text) if f.opposite else ""
            yield Expression(
                kind, f.write(text), f.cost(e.weight), _composed(f, e), f.level, opposite, e.guard
            )


def _composed(f: TokenFunction, e: Expression) -> Evaluate:
    return lambda i: f.at(e.evaluate(i))


def _near() -> set[str]:
    return {f"tokens[{k}]" for k in range(-NEAR, NEAR)}


def _where_it_occurs(e: Expression, symbol: int, problem: SearchProblem) -> Expression:
    """Guard an expression on what follows or precedes a token: the token must occur."""
    guard = Guard(
        f"{literal(problem.tokens[symbol])} in tokens", 4, lambda i: (i.words == symbol).any(axis=1)
    )
    return replace(e, guard=guard)
