"""Functions of one token: the number that it writes, its characters, its place in the order, tests on it.

Before `aggregates.py`, which applies them to every token of a sequence, and `bank.py`, which applies them to
one.  Functions with equal tables over the alphabet are one function; the shortest text is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...common.text import literal
from ..problem import SearchProblem
from ..render import is_in
from .expression import ATOM, COMPARE, PRODUCT, SUM

SETS = 120  # sets of tokens that are asked about
NUMBERS = 60  # functions with numbers that are kept
TESTS = 260  # tests that are kept
REMAINDERS = (2, 3, 4, 5, 10)


@dataclass(frozen=True, eq=False)
class TokenFunction:
    """A function of one token.

    Args:
        test: whether its values are truth values.
        write: gives Python for the function of a variable, or of another expression.
        weight: nodes besides the argument's, which occurs `uses` times.
        table: the value for each token, (tokens,).
        level: how tightly its operator binds.
        opposite: like `write`, for a test, if there is a better text than `not (...)`.
        uses: how often the argument is written.
    """

    test: bool
    write: Callable[[str], str]
    weight: int
    table: np.ndarray
    level: int = ATOM
    opposite: Callable[[str], str] | None = None
    uses: int = 1

    def cost(self, argument: int) -> int:
        """Return the description length for an argument of this description length."""
        return self.weight + self.uses * argument

    def operand(self, argument: str) -> str:
        """Write the function of an argument as a factor."""
        text = self.write(argument)
        return text if self.level == ATOM else f"({text})"

    def at(self, symbols: np.ndarray) -> np.ndarray:
        """Look up symbols; padding gets the first token's value, which nothing uses."""
        result: np.ndarray = np.append(self.table, self.table[0])[symbols]
        return result


@dataclass(frozen=True)
class TokenFunctions:
    """All functions of one token that the search uses, the shortest first."""

    numbers: tuple[TokenFunction, ...]
    tests: tuple[TokenFunction, ...]
    partial: tuple[tuple[TokenFunction, TokenFunction], ...] = ()  # numbers of some tokens, and which they are


def numeral(text: str) -> int | None:
    """Return the integer that a text writes as `str` would write it; None if it does not."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return None
    return int(text) if str(int(text)) == text else None


def bare(text: str) -> str:
    """Drop the parentheses around a conditional expression that stands alone as an argument."""
    return text[1:-1] if text.startswith("(") and text.endswith(")") and " if " in text else text


def token_functions(problem: SearchProblem) -> TokenFunctions:
    """Return the functions of one token of this alphabet."""
    bases = list(_bases(problem))
    numbers = _distinct([*bases, *_derived(bases)])
    tests = _distinct([*_equalities(problem), *_character_tests(problem), *_thresholds(numbers)])
    tests = [f for f in tests if 0 < f.table.sum() < problem.size]
    return TokenFunctions(
        tuple(f for f in numbers if len(np.unique(f.table)) > 1)[:NUMBERS],
        tuple(tests[:TESTS]),
        tuple(_numerals(problem, tests)),
    )


def _numerals(
    problem: SearchProblem, tests: list[TokenFunction]
) -> Iterator[tuple[TokenFunction, TokenFunction]]:
    """Yield the number that a token writes, if only some do, with the test that it does."""
    written = [numeral(t) for t in problem.tokens]
    there = np.array([n is not None for n in written])
    if there.sum() < 2 or there.all():
        return
    number = _number(lambda t: f"int({bare(t)})", 2, [n or 0 for n in written])
    for test in tests:
        if (test.table.astype(bool) == there).all():
            yield number, test
            return


def _distinct(functions: list[TokenFunction]) -> list[TokenFunction]:
    seen: set[bytes] = set()
    out = []
    for function in sorted(functions, key=lambda f: f.cost(1)):
        key = function.table.astype(np.int64).tobytes()
        if key not in seen:
            seen.add(key)
            out.append(function)
    return out


def _number(write: Callable[[str], str], weight: int, values: list[int], level: int = ATOM) -> TokenFunction:
    return TokenFunction(False, write, weight, np.array(values, dtype=np.int64), level)


def _bases(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield the numbers that tokens and their characters write, lengths, and places in the order."""
    tokens = problem.tokens
    if all(numeral(t) is not None for t in tokens):
        yield _number(lambda t: f"int({bare(t)})", 2, [int(t) for t in tokens])
    shortest = min(map(len, tokens), default=0)
    places = range(shortest) if shortest > 1 else ()
    for i in places:
        if all(t[i].isascii() and t[i].isdigit() for t in tokens):
            yield _number(lambda t, i=i: f"int({t}[{i}])", 4, [int(t[i]) for t in tokens])  # type: ignore[misc]
    if len({len(t) for t in tokens}) > 1:
        yield _number(lambda t: f"len({bare(t)})", 2, [len(t) for t in tokens])
    characters = sorted({c for t in tokens if len(t) > 1 for c in t})
    if len(characters) <= 6 and not all(c.isdigit() or c == "-" for c in characters):
        for c in characters:
            yield _number(lambda t, c=c: f"{t}.count({literal(c)})", 3, [t.count(c) for t in tokens])  # type: ignore[misc]
    if problem.order is not None:
        place = {t: i for i, t in enumerate(problem.order)}
        if all(t in place for t in tokens):
            yield _number(lambda t: f"ORDER.index({bare(t)})", 3, [place[t] for t in tokens])


def _derived(bases: list[TokenFunction]) -> Iterator[TokenFunction]:
    """Yield sums, differences and products of two numbers of a token, and one with a constant."""
    for f in bases:
        low, high = int(f.table.min()), int(f.table.max())
        if low < 0:
            yield TokenFunction(False, lambda t, f=f: f"abs({f.write(t)})", f.weight + 2, abs(f.table))  # type: ignore[misc]
        for k in REMAINDERS:
            if high >= k:
                yield TokenFunction(
                    False, lambda t, f=f, k=k: f"{f.write(t)} % {k}", f.weight + 3, f.table % k, PRODUCT  # type: ignore[misc]
                )
                yield TokenFunction(
                    False, lambda t, f=f, k=k: f"{f.write(t)} // {k}", f.weight + 3, f.table // k, PRODUCT  # type: ignore[misc]
                )
        for k in (1, high):
            yield TokenFunction(
                False, lambda t, f=f, k=k: f"{k} - {f.write(t)}", f.weight + 3, k - f.table, SUM  # type: ignore[misc]
            )
            if low >= 0:
                yield TokenFunction(
                    False, lambda t, f=f, k=k: f"{f.write(t)} - {k}", f.weight + 3, f.table - k, SUM  # type: ignore[misc]
                )
        yield TokenFunction(
            False, lambda t, f=f: f"{f.write(t)} + 1", f.weight + 3, f.table + 1, SUM  # type: ignore[misc]
        )
        yield TokenFunction(
            False, lambda t, f=f: f"{f.write(t)} ** 2", f.weight + 3, f.table**2, PRODUCT  # type: ignore[misc]
        )
    for f, g in product(bases, repeat=2):
        if f is g:
            continue
        for sign, level, values in (
            ("+", SUM, f.table + g.table), ("-", SUM, f.table - g.table), ("*", PRODUCT, f.table * g.table),
        ):  # fmt: skip
            weight = f.weight + g.weight + 2
            yield TokenFunction(
                False,
                lambda t, f=f, g=g, sign=sign: f"{f.write(t)} {sign} {g.write(t)}",  # type: ignore[misc]
                weight, values, level, uses=2,
            )  # fmt: skip


def _test(
    write: Callable[[str], str], opposite: Callable[[str], str], weight: int, values: list[bool], uses: int = 1
) -> TokenFunction:
    return TokenFunction(True, write, weight, np.array(values, dtype=np.int64), COMPARE, opposite, uses)


def _equalities(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield tests whether the token is one of a set."""
    for members in problem.sets(SETS):
        inside = [s in members for s in range(problem.size)]
        fewer = min(len(members), problem.size - len(members))
        yield _test(
            lambda t, m=members: is_in(problem, m, t),  # type: ignore[misc]
            lambda t, m=members: is_in(problem, m, t, negate=True),  # type: ignore[misc]
            3 if fewer == 1 else 3 + fewer, inside,
        )  # fmt: skip


def _character_tests(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield tests on the characters of tokens, and on the order of strings."""
    tokens = problem.tokens
    shortest = min(map(len, tokens), default=0)
    if shortest == 1 and max(map(len, tokens)) == 1 and len(tokens) > 4:
        for c in sorted(tokens)[1:]:
            yield _test(
                lambda t, c=c: f"{t} < {literal(c)}", lambda t, c=c: f"{t} >= {literal(c)}", 3,  # type: ignore[misc]
                [t < c for t in tokens],
            )  # fmt: skip
    if shortest > 1:
        for i in range(min(shortest, 3)):
            for c in sorted({t[i] for t in tokens}):
                yield _test(
                    lambda t, i=i, c=c: f"{t}[{i}] == {literal(c)}",  # type: ignore[misc]
                    lambda t, i=i, c=c: f"{t}[{i}] != {literal(c)}",  # type: ignore[misc]
                    5, [t[i] == c for t in tokens],
                )  # fmt: skip
        for i in range(min(shortest, 3) - 1):
            for sign, other in (("==", "!="), ("<", ">="), (">", "<=")):
                holds = {"==": str.__eq__, "<": str.__lt__, ">": str.__gt__}[sign]
                yield _test(
                    lambda t, i=i, s=sign: f"{t}[{i}] {s} {t}[{i + 1}]",  # type: ignore[misc]
                    lambda t, i=i, s=other: f"{t}[{i}] {s} {t}[{i + 1}]",  # type: ignore[misc]
                    6, [bool(holds(t[i], t[i + 1])) for t in tokens], uses=2,
                )  # fmt: skip
    if max(map(len, tokens), default=0) > 1:
        for c in sorted({c for t in tokens for c in t})[:40]:
            yield _test(
                lambda t, c=c: f"{literal(c)} in {t}", lambda t, c=c: f"{literal(c)} not in {t}", 3,  # type: ignore[misc]
                [c in t for t in tokens],
            )  # fmt: skip
    for method in ("isdigit", "isalpha", "isupper", "islower"):
        yield TokenFunction(
            True, lambda t, m=method: f"{t}.{m}()", 2,  # type: ignore[misc]
            np.array([getattr(t, method)() for t in tokens], dtype=np.int64), ATOM,
        )  # fmt: skip


def _thresholds(numbers: list[TokenFunction]) -> Iterator[TokenFunction]:
    """Yield comparisons of a token's number with constants."""
    for f in numbers:
        values = np.unique(f.table)
        if len(values) < 3 or len(values) > 40:
            continue
        for k in values.tolist():
            for sign, other, holds in ((">", "<=", f.table > k), ("==", "!=", f.table == k)):
                extra = 0 if k >= 0 else 2
                yield TokenFunction(
                    True,
                    lambda t, f=f, k=k, s=sign: f"{f.write(t)} {s} {k}",  # type: ignore[misc]
                    f.weight + 3 + extra, holds.astype(np.int64), COMPARE,
                    lambda t, f=f, k=k, s=other: f"{f.write(t)} {s} {k}",  # type: ignore[misc]
                    f.uses,
                )  # fmt: skip
