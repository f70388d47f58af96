"""What a sequence says as a whole: length, counts, sums, extremes, places, repetitions, neighbours.

Between `sequences.py` and `bank.py`.  All expressions here have a value on every word of the domain, or a
guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ...common.text import literal
from ..formula import COMPARE, IF
from ..problem import SearchProblem
from .expression import Evaluate, Expression, Guard
from .inputs import Inputs
from .items import TokenFunction, TokenFunctions
from .sequences import Sequence

FAR = 1 << 30


def numbers(problem: SearchProblem, s: Sequence, functions: TokenFunctions) -> Iterator[Expression]:
    """Yield the integers of a sequence: how long, how many, how much, how large."""
    if s.shortest < s.longest or s.text == "tokens":
        yield Expression("int", f"len({s.text})", 2 + s.weight, s.length)
    if s.longest < 2:
        return
    for f in functions.numbers:
        text = f"{f.write('t')} for t in {s.text}"
        weight = 5 + f.cost(1) + s.weight  # the call, its name, the generator, `for`, the variable
        yield Expression("int", f"sum({text})", weight, _total(s, f))
        if s.shortest:
            yield Expression("int", f"max({text})", weight, _extreme(s, f, max))
            yield Expression("int", f"min({text})", weight, _extreme(s, f, min))
    for f, test in functions.partial:
        text = f"sum({f.write('t')} for t in {s.text} if {test.write('t')})"
        yield Expression("int", text, 5 + f.cost(1) + test.cost(1) + s.weight, _total(s, f))
    yield from _places_or_else(problem, s) if s.text == "tokens" else ()
    for f in functions.numbers[:3] if s.text == "tokens" else ():
        for first, start in ((0, ""), (1, ", 1")):
            text = f"sum(i * {f.operand('t')} for i, t in enumerate({s.text}{start}))"
            weight = 12 + first + f.cost(1) + s.weight
            yield Expression("int", text, weight, _by_place(s, f.table, first))
    for symbol, token in enumerate(problem.tokens if s.text == "tokens" else ()):
        for first, start in ((0, ""), (1, ", 1")):
            text = f"sum(i for i, t in enumerate({s.text}{start}) if t == {literal(token)})"
            table = (np.arange(problem.size) == symbol).astype(np.int64)
            yield Expression("int", text, 14 + first + s.weight, _by_place(s, table, first))
    for symbol, token in enumerate(problem.tokens):
        yield Expression("int", f"{s.text}.count({literal(token)})", 3 + s.weight, _count(s, symbol))
    for f in functions.tests:
        if 1 < f.table.sum() < problem.size - 1 or problem.size == 2:
            text = f"sum({f.write('t')} for t in {s.text})"
            yield Expression("int", text, 5 + f.cost(1) + s.weight, _total(s, f))
    yield Expression(
        "int", f"len(set({s.text}))", 4 + s.weight, lambda inputs: (_counts(s, inputs) > 0).sum(axis=1)
    )
    for symbol, token in enumerate(problem.tokens):
        yield Expression(
            "int", f"{s.text}.index({literal(token)})", 3 + s.weight,
            partial(_first_place, s, symbol),
            guard=Guard(f"{literal(token)} in {s.text}", 3 + s.weight, _has(s, symbol)),
        )  # fmt: skip


def repetitions(problem: SearchProblem, s: Sequence) -> Iterator[Expression]:
    """Yield what a second look at the sequence says: how often its tokens occur in it, and which is rare."""
    t = s.text
    if s.shortest:
        yield Expression(
            "int", f"max({t}.count(t) for t in {t})", 8 + 2 * s.weight, lambda i: _counts(s, i).max(axis=1)
        )
        yield Expression(
            "int", f"min({t}.count(t) for t in {t})", 8 + 2 * s.weight,
            lambda i: np.where(_counts(s, i) > 0, _counts(s, i), FAR).min(axis=1),
        )  # fmt: skip
        yield Expression(
            "token", f"max({t}, key={t}.count)", 4 + 2 * s.weight, _by_count(s, problem, most=True)
        )
        yield Expression(
            "token", f"min({t}, key={t}.count)", 4 + 2 * s.weight, _by_count(s, problem, most=False)
        )
        named = f"({', '.join(map(literal, problem.tokens))})"
        if 1 < problem.size <= 8:
            yield Expression(
                "token", f"max({named}, key={t}.count)", 5 + problem.size + s.weight,
                lambda i: _counts(s, i).argmax(axis=1),
            )  # fmt: skip
            yield Expression(
                "token", f"min({named}, key={t}.count)", 5 + problem.size + s.weight,
                lambda i: _counts(s, i).argmin(axis=1),
            )  # fmt: skip
    for k in (1, 2, 3):
        yield Expression(
            "int", f"sum({t}.count(t) == {k} for t in {t})", 11 + 2 * s.weight,
            partial(_that_often, s, k),
        )  # fmt: skip
    yield Expression(
        "bool", f"len(set({t})) == len({t})", 8 + 2 * s.weight,
        lambda i: np.asarray((_counts(s, i) < 2).all(axis=1)),
        COMPARE, f"len(set({t})) < len({t})",
    )  # fmt: skip


def _by_count(s: Sequence, problem: SearchProblem, most: bool) -> Evaluate:
    """Return the first token of the sequence that occurs most often, or least often."""

    def evaluate(inputs: Inputs) -> np.ndarray:
        tokens = s.of(inputs)
        counts = np.concatenate(
            [_counts(s, inputs), np.full((len(inputs), 1), -FAR if most else FAR)], axis=1
        )
        each = np.take_along_axis(counts, tokens.astype(np.int64), axis=1)
        place = each.argmax(axis=1) if most else each.argmin(axis=1)
        result: np.ndarray = tokens[np.arange(len(tokens)), place]
        return result

    return evaluate


def conditions(problem: SearchProblem, s: Sequence, functions: TokenFunctions) -> Iterator[Expression]:
    """Yield the truth values of a sequence: what occurs in it, what holds for any or all of its tokens."""
    if s.longest < 1:
        return
    for symbol, token in enumerate(problem.tokens):
        word = literal(token)
        yield Expression(
            "bool", f"{word} in {s.text}", 3 + s.weight, _has(s, symbol), COMPARE, f"{word} not in {s.text}"
        )
    for f in functions.tests:
        if f.table.sum() > 1:
            yield Expression(
                "bool", f"any({f.write('t')} for t in {s.text})", 5 + f.cost(1) + s.weight, _any(s, f)
            )
            yield Expression(
                "bool", f"all({f.write('t')} for t in {s.text})", 5 + f.cost(1) + s.weight, _all(s, f)
            )
    backwards = _reversed(s)
    if s.text == "tokens":
        yield Expression(
            "bool", "tokens == tokens[::-1]", 9, lambda i: (s.of(i) == backwards(i)).all(axis=1), COMPARE,
            "tokens != tokens[::-1]",
        )  # fmt: skip


def _by_place(s: Sequence, table: np.ndarray, first: int) -> Evaluate:
    return lambda i: np.append(table, 0)[s.of(i)] @ (np.arange(s.of(i).shape[1]) + first)


def _places_or_else(problem: SearchProblem, s: Sequence) -> Iterator[Expression]:
    """Yield the first place of each token, and the length or -1 where it does not occur."""
    for symbol, token in enumerate(problem.tokens):
        word = literal(token)
        for other in ("len(tokens)", "-1"):
            text = f"tokens.index({word}) if {word} in tokens else {other}"
            yield Expression("int", text, 12, partial(_place_or_else, s, symbol, other == "-1"), IF)


def _place_or_else(s: Sequence, symbol: int, minus: bool, inputs: Inputs) -> np.ndarray:
    there = _has(s, symbol)(inputs)
    return np.where(there, _first_place(s, symbol, inputs), -1 if minus else inputs.lengths)


def _first_place(s: Sequence, symbol: int, inputs: Inputs) -> np.ndarray:
    result: np.ndarray = (s.of(inputs) == symbol).argmax(axis=1)
    return result


def _that_often(s: Sequence, k: int, inputs: Inputs) -> np.ndarray:
    """Return how many tokens stand in a sequence exactly k times, counted each time."""
    result: np.ndarray = (_counts(s, inputs) == k).sum(axis=1) * k
    return result


def _counts(s: Sequence, inputs: Inputs) -> np.ndarray:
    return inputs.count_of_each(s.text, s.of(inputs))


def _count(s: Sequence, symbol: int) -> Evaluate:
    return lambda inputs: _counts(s, inputs)[:, symbol]


def _has(s: Sequence, symbol: int) -> Evaluate:
    return lambda inputs: _counts(s, inputs)[:, symbol] > 0


def _total(s: Sequence, f: TokenFunction) -> Evaluate:
    return lambda inputs: _counts(s, inputs) @ f.table


def _extreme(s: Sequence, f: TokenFunction, which: Callable[..., int]) -> Evaluate:
    order = np.argsort(f.table if which is min else -f.table, kind="stable")

    def evaluate(inputs: Inputs) -> np.ndarray:
        there = _counts(s, inputs)[:, order] > 0
        result: np.ndarray = f.table[order][there.argmax(axis=1)]
        return result

    return evaluate


def _any(s: Sequence, f: TokenFunction) -> Evaluate:
    return lambda inputs: _counts(s, inputs) @ f.table > 0


def _all(s: Sequence, f: TokenFunction) -> Evaluate:
    return lambda inputs: _counts(s, inputs) @ (1 - f.table) == 0


def _reversed(s: Sequence) -> Evaluate:
    def evaluate(inputs: Inputs) -> np.ndarray:
        tokens = s.of(inputs)
        length = s.length(inputs)[:, None]
        at = length - 1 - np.arange(tokens.shape[1])
        return np.where(at >= 0, np.take_along_axis(tokens, np.maximum(at, 0), axis=1), inputs.size)

    return evaluate
