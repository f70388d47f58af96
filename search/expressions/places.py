"""One token of the sequence: at a place from either end, the smallest, the largest; and comparisons of two.

Beside `aggregates.py`.  A place that some words do not have gets a default, or a guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations, product

import numpy as np

from ...common.text import literal
from ..formula import COMPARE, IF
from ..problem import SearchProblem
from .expression import Evaluate, Expression, Guard
from .inputs import Inputs
from .items import TokenFunctions
from .sequences import Sequence

DEFAULTS = 12  # tokens that may stand for one that is missing
WINDOWS = 64  # different windows that the ends are compared with
PLACES = 24  # from either end that are looked at
NEAR = 6  # places from either end of which two are compared


def string_order(problem: SearchProblem) -> np.ndarray | None:
    """Return the place of each token in Python's order of strings, if that is an order that people see.

    It is for letters of one case, for digits, and for other tokens of one length; not for "9" and "10".
    """
    tokens = problem.tokens
    if len({len(t) for t in tokens}) > 1 or len({t.isupper() for t in tokens}) > 1:
        return None
    if not all(t.isascii() and t.isalnum() for t in tokens):
        return None
    return np.argsort(np.argsort(np.array(tokens, dtype=object)))


def items(problem: SearchProblem) -> Iterator[Expression]:
    """Yield the tokens at places from both ends, with a guard where some words are too short."""
    fixed = problem.min_length == problem.max_length
    for place in range(min(problem.max_length, PLACES)):
        for index in (place, -1 - place):
            if fixed and place >= (problem.max_length + 1) // 2:
                continue
            weight = 3 if index >= 0 else 5
            guard = None
            if place >= problem.min_length:
                guard = Guard(f"len(tokens) > {place}", 6, _longer(place))
                if place == 0:
                    guard = Guard("tokens", 1, _longer(0))
            yield Expression("token", f"tokens[{index}]", weight, _item(index), guard=guard)


def with_default(expression: Expression, problem: SearchProblem) -> Iterator[Expression]:
    """Yield an expression that is a token, with each token that may stand for a missing one."""
    guard = expression.guard
    if guard is None:
        return
    for symbol, token in enumerate(problem.tokens[:DEFAULTS]):
        text = f"{expression.text} if {guard.text} else {literal(token)}"
        weight = expression.weight + guard.weight + 2
        yield Expression("token", text, weight, _or_else(expression, guard, symbol), IF)


def _or_else(expression: Expression, guard: Guard, symbol: int) -> Evaluate:
    return lambda i: np.where(guard.holds(i), expression.evaluate(i), symbol)


def extremes(problem: SearchProblem, s: Sequence, functions: TokenFunctions) -> Iterator[Expression]:
    """Yield the largest and the smallest token, and those at places of the sorted sequence."""
    if not s.shortest or s.longest < 2:
        return
    ranks = string_order(problem)
    orders: list[tuple[str, int, np.ndarray]] = []
    if ranks is not None:
        orders.append(("", 0, ranks))
    for f in functions.numbers:
        if f.write("t") == "int(t)" and ranks is None:
            orders.append((", key=int", 2, f.table))
        if f.write("t") == "len(t)":
            orders.append((", key=len", 2, f.table))
    for key, extra, values in orders:
        yield Expression("token", f"max({s.text}{key})", 2 + s.weight + extra, _largest(s, values))
        yield Expression("token", f"min({s.text}{key})", 2 + s.weight + extra, _largest(s, -values))
        if not extra:
            for place in range(1, min(s.shortest, 4)):
                yield Expression(
                    "token", f"sorted({s.text})[{place}]", 4 + s.weight, _ranked(s, values, place)
                )
                yield Expression(
                    "token", f"sorted({s.text})[-{place + 1}]", 6 + s.weight, _ranked(s, values, -1 - place)
                )
            yield Expression(
                "token", f"sorted({s.text})[len({s.text}) // 2]", 8 + 2 * s.weight, _middle(s, values)
            )
    if ranks is not None:
        t = s.text
        yield Expression(
            "bool", f"tuple(sorted({t})) == {t}", 6 + 2 * s.weight, _ascending(s, ranks), COMPARE,
            f"tuple(sorted({t})) != {t}",
        )  # fmt: skip


def relations(
    tokens: list[Expression], parts: list[Sequence], ranks: np.ndarray | None
) -> Iterator[Expression]:
    """Yield comparisons of two tokens, and how often a token occurs in a part of the sequence."""
    signs: list[tuple[str, str, np.ufunc]] = [("==", "!=", np.equal)]
    if ranks is not None:
        signs += [("<", ">=", np.less), (">", "<=", np.greater)]
    for a, b in combinations(tokens, 2):
        left, right = a.operand(COMPARE + 1), b.operand(COMPARE + 1)
        for sign, other, compare in signs:
            holds = partial(_compared, compare, ranks, a, b)
            yes, no = (f"{left} {s} {right}" for s in (sign, other))
            yield Expression("bool", yes, a.weight + b.weight + 2, holds, COMPARE, no)
    for token in tokens:
        for s in parts:
            count, weight = partial(_occurrences, token, s), token.weight + s.weight + 2
            yield Expression("int", f"{s.text}.count({token.text})", weight, count)
            yes, no = (f"{token.operand(COMPARE + 1)} {sign} {s.text}" for sign in ("in", "not in"))
            yield Expression("bool", yes, weight, partial(_occurs, token, s), COMPARE, no)
            if s.text == "tokens" and not token.text.startswith("min(("):  # that one may not occur
                place = partial(_first_place, token)
                yield Expression("int", f"tokens.index({token.text})", token.weight + 3, place)


def _compared(
    compare: np.ufunc, ranks: np.ndarray | None, a: Expression, b: Expression, inputs: Inputs
) -> np.ndarray:
    x, y = a.evaluate(inputs), b.evaluate(inputs)
    if ranks is not None:
        x, y = np.append(ranks, -1)[x], np.append(ranks, -1)[y]
    return np.asarray(compare(x, y))


def _first_place(token: Expression, inputs: Inputs) -> np.ndarray:
    result: np.ndarray = (inputs.words == token.evaluate(inputs)[:, None]).argmax(axis=1)
    return result


def equal_parts(pairs: list[tuple[Sequence, Sequence]]) -> Iterator[Expression]:
    """Yield whether two parts of the sequence are the same."""
    for a, b in pairs:
        yes, no = (f"{a.text} {sign} {b.text}" for sign in ("==", "!="))
        yield Expression("bool", yes, a.weight + b.weight + 2, _same(a, b), COMPARE, no)


def constant_windows(problem: SearchProblem, sequences: list[Sequence]) -> Iterator[Expression]:
    """Yield whether the first or the last few tokens are certain ones."""
    ends = [s for s in sequences if s.text in ("tokens[:2]", "tokens[:3]", "tokens[-2:]", "tokens[-3:]")]
    for s in ends:
        if problem.size**s.longest > WINDOWS:
            continue
        for symbols in product(range(problem.size), repeat=s.longest):
            named = f"({', '.join(literal(problem.tokens[x]) for x in symbols)})"
            yes, no = (f"{s.text} {sign} {named}" for sign in ("==", "!="))
            weight = s.weight + 3 + len(symbols)
            yield Expression("bool", yes, weight, partial(_is_window, s, symbols), COMPARE, no)


def _is_window(s: Sequence, symbols: tuple[int, ...], inputs: Inputs) -> np.ndarray:
    result: np.ndarray = (s.of(inputs)[:, : len(symbols)] == np.array(symbols)).all(axis=1)
    return result


def _same(a: Sequence, b: Sequence) -> Evaluate:
    return lambda i: np.asarray((a.of(i) == b.of(i)).all(axis=1))


def neighbours_of(problem: SearchProblem) -> Iterator[Expression]:
    """Yield the token right after and right before the first place of a token."""
    for symbol, token in enumerate(problem.tokens):
        word = literal(token)
        followed = Guard(f"{word} in tokens[:-1]", 9, partial(_is_followed, symbol))
        yield Expression(
            "token", f"tokens[tokens.index({word}) + 1]", 9, partial(_next, symbol), guard=followed
        )
        preceded = Guard(f"{word} in tokens[1:]", 7, partial(_is_preceded, symbol))
        yield Expression(
            "token", f"tokens[tokens[1:].index({word})]", 9, partial(_before, symbol), guard=preceded
        )


def _is_followed(symbol: int, inputs: Inputs) -> np.ndarray:
    found = inputs.words[:, :-1] == symbol
    result: np.ndarray = (found & (inputs.words[:, 1:] < inputs.size)).any(axis=1)
    return result


def _is_preceded(symbol: int, inputs: Inputs) -> np.ndarray:
    result: np.ndarray = (inputs.words[:, 1:] == symbol).any(axis=1)
    return result


def _next(symbol: int, inputs: Inputs) -> np.ndarray:
    """Return what follows the first place of a symbol."""
    at = np.minimum((inputs.words == symbol).argmax(axis=1) + 1, inputs.words.shape[1] - 1)
    result: np.ndarray = inputs.words[np.arange(len(inputs)), at]
    return result


def _before(symbol: int, inputs: Inputs) -> np.ndarray:
    """Return what precedes the first place of a symbol behind the start."""
    result: np.ndarray = inputs.words[np.arange(len(inputs)), (inputs.words[:, 1:] == symbol).argmax(axis=1)]
    return result


def _item(index: int) -> Evaluate:
    def evaluate(inputs: Inputs) -> np.ndarray:
        at = np.full(len(inputs), index) if index >= 0 else inputs.lengths + index
        width = inputs.words.shape[1]
        picked = inputs.words[np.arange(len(inputs)), np.clip(at, 0, max(0, width - 1))]
        return np.where((at >= 0) & (at < inputs.lengths), picked, inputs.size)

    return evaluate


def _longer(place: int) -> Evaluate:
    return lambda inputs: inputs.lengths > place


def _largest(s: Sequence, values: np.ndarray) -> Evaluate:
    def evaluate(inputs: Inputs) -> np.ndarray:
        tokens = s.of(inputs)
        padded = np.append(values, values.min() - 1)[tokens]
        result: np.ndarray = tokens[np.arange(len(tokens)), padded.argmax(axis=1)]  # the first of equal ones
        return result

    return evaluate


def _sorted(s: Sequence, values: np.ndarray, inputs: Inputs) -> np.ndarray:
    def make() -> np.ndarray:
        order = np.append(np.argsort(values), len(values))  # by rank; padding comes last
        rank = np.append(values, len(values))
        result: np.ndarray = order[np.sort(rank[s.of(inputs)], axis=1)]
        return result

    return inputs.once(f"sorted {s.text}", make)


def _ranked(s: Sequence, values: np.ndarray, place: int) -> Evaluate:
    def evaluate(inputs: Inputs) -> np.ndarray:
        tokens = _sorted(s, values, inputs)
        at = np.full(len(inputs), place) if place >= 0 else s.length(inputs) + place
        result: np.ndarray = tokens[np.arange(len(tokens)), at]
        return result

    return evaluate


def _middle(s: Sequence, values: np.ndarray) -> Evaluate:
    def evaluate(inputs: Inputs) -> np.ndarray:
        tokens = _sorted(s, values, inputs)
        result: np.ndarray = tokens[np.arange(len(tokens)), s.length(inputs) // 2]
        return result

    return evaluate


def _ascending(s: Sequence, ranks: np.ndarray) -> Evaluate:
    return lambda inputs: (_sorted(s, ranks, inputs) == s.of(inputs)).all(axis=1)


def _occurrences(token: Expression, s: Sequence, inputs: Inputs) -> np.ndarray:
    result: np.ndarray = (s.of(inputs) == token.evaluate(inputs)[:, None]).sum(axis=1)
    return result


def _occurs(token: Expression, s: Sequence, inputs: Inputs) -> np.ndarray:
    return _occurrences(token, s, inputs) > 0
