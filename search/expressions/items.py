"""Functions of one token: the number that it writes, its characters, its place in the order, tests on it.

Before `aggregates.py`, which applies them to every token of a sequence, and `bank.py`, which applies them to
one.  Functions with equal tables over the alphabet are one function; the shortest text is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...common.text import literal
from ..formula import ATOM, COMPARE, level_of
from ..problem import SearchProblem
from ..render import is_in

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
    partial: tuple[
        tuple[TokenFunction, TokenFunction], ...
    ] = ()  # numbers of some tokens, and which they are


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
    number = _of_token("int(", ")", 2, [n or 0 for n in written])
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


def _around(f: TokenFunction, before: str, after: str, nodes: int, table: np.ndarray) -> TokenFunction:
    """Return a function whose text is that of another one between two texts."""

    def write(t: str) -> str:
        return f"{before}{f.write(t)}{after}"

    return TokenFunction(False, write, f.weight + nodes, table, level_of(write("t")), uses=f.uses)


def _of_token(before: str, after: str, nodes: int, values: list[int]) -> TokenFunction:
    """Return a number of the token whose text is the token's between two texts."""

    def write(t: str) -> str:
        return f"{before}{bare(t) if before.endswith('(') and after == ')' else t}{after}"

    return TokenFunction(False, write, nodes, np.array(values, dtype=np.int64))


def _bases(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield the numbers that tokens and their characters write, lengths, and places in the order."""
    tokens = problem.tokens
    if all(numeral(t) is not None for t in tokens):
        yield _of_token("int(", ")", 2, [int(t) for t in tokens])
    shortest = min(map(len, tokens), default=0)
    for i in range(shortest) if shortest > 1 else ():
        if all(t[i].isascii() and t[i].isdigit() for t in tokens):
            yield _of_token("int(", f"[{i}])", 4, [int(t[i]) for t in tokens])
    if len({len(t) for t in tokens}) > 1:
        yield _of_token("len(", ")", 2, [len(t) for t in tokens])
    characters = sorted({c for t in tokens if len(t) > 1 for c in t})
    if len(characters) <= 6 and not all(c.isdigit() or c == "-" for c in characters):
        for c in characters:
            yield _of_token("", f".count({literal(c)})", 3, [t.count(c) for t in tokens])
    if problem.order is not None:
        place = {t: i for i, t in enumerate(problem.order)}
        if all(t in place for t in tokens):
            yield _of_token("ORDER.index(", ")", 3, [place[t] for t in tokens])


def _derived(bases: list[TokenFunction]) -> Iterator[TokenFunction]:
    """Yield a number of a token with a constant, and sums, differences and products of two."""
    for f in bases:
        low, high = int(f.table.min()), int(f.table.max())
        if low < 0:
            yield _around(f, "abs(", ")", 2, abs(f.table))
        for k in REMAINDERS:
            if high >= k:
                yield _around(f, "", f" % {k}", 3, f.table % k)
                yield _around(f, "", f" // {k}", 3, f.table // k)
        for k in (1, high):
            if k >= 0:
                yield _around(f, f"{k} - ", "", 3, k - f.table)
                yield _around(f, "", f" - {k}", 3, f.table - k)
        yield _around(f, "", " + 1", 3, f.table + 1)
        yield _around(f, "", " ** 2", 3, f.table**2)
    for f, g in product(bases, repeat=2):
        if f is not g:
            yield _both(f, "+", g, f.table + g.table)
            yield _both(f, "-", g, f.table - g.table)
            yield _both(f, "*", g, f.table * g.table)


def _both(f: TokenFunction, sign: str, g: TokenFunction, table: np.ndarray) -> TokenFunction:
    def write(t: str) -> str:
        return f"{f.write(t)} {sign} {g.write(t)}"

    return TokenFunction(False, write, f.weight + g.weight + 2, table, level_of(write("t")), uses=2)


def _test(yes: str, no: str, nodes: int, values: Iterable[bool], uses: int = 1) -> TokenFunction:
    """Return a test; `{}` stands for the token in its text and in that of the opposite."""
    table = np.array(list(values), dtype=np.int64)
    level = level_of(yes.replace("{}", "t", uses))

    def fill(form: str) -> Callable[[str], str]:
        parts = form.split("{}", uses)
        return lambda t: t.join(parts)

    return TokenFunction(True, fill(yes), nodes, table, level, fill(no) if no else None, uses)


def _equalities(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield tests whether the token is one of a set."""
    for members in problem.sets(SETS):
        inside = (s in members for s in range(problem.size))
        fewer = min(len(members), problem.size - len(members))
        yes, no = (f"{{}}{is_in(problem, members, '', negate)}" for negate in (False, True))
        yield _test(yes, no, 3 if fewer == 1 else 3 + fewer, inside)


def _character_tests(problem: SearchProblem) -> Iterator[TokenFunction]:
    """Yield tests on the characters of tokens, and on the order of strings."""
    tokens = problem.tokens
    shortest, longest = (pick(map(len, tokens), default=0) for pick in (min, max))
    if shortest == longest == 1 and len(tokens) > 4:
        for c in sorted(tokens)[1:]:
            yield _test(f"{{}} < {literal(c)}", f"{{}} >= {literal(c)}", 3, (t < c for t in tokens))
    for i in range(min(shortest, 3)) if shortest > 1 else ():
        for c in sorted({t[i] for t in tokens}):
            word = literal(c)
            yield _test(f"{{}}[{i}] == {word}", f"{{}}[{i}] != {word}", 5, (t[i] == c for t in tokens))
        if i + 1 < min(shortest, 3):
            a, b = f"{{}}[{i}]", f"{{}}[{i + 1}]"
            yield _test(f"{a} == {b}", f"{a} != {b}", 6, (t[i] == t[i + 1] for t in tokens), 2)
            yield _test(f"{a} < {b}", f"{a} >= {b}", 6, (t[i] < t[i + 1] for t in tokens), 2)
            yield _test(f"{a} > {b}", f"{a} <= {b}", 6, (t[i] > t[i + 1] for t in tokens), 2)
    for c in sorted({c for t in tokens for c in t})[:40] if longest > 1 else ():
        yield TokenFunction(
            True, _after(f"{literal(c)} in "), 3, np.array([c in t for t in tokens], dtype=np.int64), COMPARE,
            _after(f"{literal(c)} not in "),
        )  # fmt: skip
    for method in ("isdigit", "isalpha", "isupper", "islower"):
        yield _test(f"{{}}.{method}()", "", 2, (getattr(t, method)() for t in tokens))


def _after(text: str) -> Callable[[str], str]:
    return lambda t: text + t


def _thresholds(numbers: list[TokenFunction]) -> Iterator[TokenFunction]:
    """Yield comparisons of a token's number with constants."""
    for f in numbers:
        values = np.unique(f.table)
        if 3 <= len(values) <= 40:
            for k in values.tolist():
                yield _compared(f, ">", "<=", k, f.table > k)
                yield _compared(f, "==", "!=", k, f.table == k)


def _compared(f: TokenFunction, sign: str, other: str, k: int, holds: np.ndarray) -> TokenFunction:
    nodes = f.weight + (3 if k >= 0 else 5)
    yes, no = (_behind(f.write, f" {s} {k}") for s in (sign, other))
    return TokenFunction(True, yes, nodes, holds.astype(np.int64), COMPARE, no, f.uses)


def _behind(write: Callable[[str], str], text: str) -> Callable[[str], str]:
    return lambda t: write(t) + text
