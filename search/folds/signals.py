"""What a loop sees at each step: numbers and tests of the token, the one before, the place, other locals.

First in `folds/`.  A signal has a value at every position of every word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...common.text import literal
from ..expressions.items import TokenFunction, TokenFunctions
from ..expressions.places import string_order
from ..formula import ATOM, COMPARE
from ..problem import SearchProblem
from ..render import nothing

if TYPE_CHECKING:
    from .loops import Local

COUNTED = 64  # the longest sequences in which each token is counted
TESTS = 140  # tests on the token that loops use
STARTS = 4  # alphabets up to this size let the token before the first be any of them

Compare = Callable[..., np.ndarray]  # elementwise, of two arrays


class Steps:
    """Words, position by position, and a memory of what was computed on them.

    Args:
        words: padded symbols (n, positions).
        size: the number of tokens, which is the symbol of padding.
    """

    def __init__(self, words: np.ndarray, size: int) -> None:
        self.size = size
        self.symbols = words.T.astype(np.int64)  # (positions, n)
        self.inside = self.symbols < size
        self._known: dict[object, np.ndarray] = {}

    def once(self, key: object, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array of this key, which is made when it is first asked for."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def first(self, count: int) -> Steps:
        """Return the first words only."""
        return Steps(self.symbols.T[:count], self.size)


@dataclass(frozen=True, eq=False)
class Signal:
    """A value at each step.

    Args:
        text: in Python, within the loop.
        weight: its description length.
        values: gives its values, (positions, n); anything at padding.
        test: whether it is a truth value.
        level: how tightly its operator binds.
        before: what stands for the token before the first; None if the loop does not look at it.
        place: whether the loop counts positions.
        locals: the locals that it reads, in the order of their updates.
        opposite: for tests, a better text for `not (...)`.
    """

    text: str
    weight: int
    values: Callable[[Steps], np.ndarray]
    test: bool = False
    level: int = ATOM
    before: str | None = None
    place: bool = False
    locals: tuple[Local, ...] = ()
    opposite: str = ""

    @property
    def cost(self) -> int:
        """Its description length with what it needs around it: the token before, the count of positions."""
        return self.weight + 6 * (self.before is not None) + 5 * self.place

    def on(self, steps: Steps) -> np.ndarray:
        """Return the values on words, computed once."""
        return steps.once(self, lambda: self.values(steps))

    def operand(self, level: int) -> str:
        """Write the signal beside an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


def token_numbers(functions: TokenFunctions) -> Iterator[Signal]:
    """Yield the numbers of the token."""
    yield from map(_of_token, functions.numbers)


def token_tests(functions: TokenFunctions) -> Iterator[Signal]:
    """Yield the tests on the token."""
    yield from map(_of_token, functions.tests[:TESTS])


def partial_numbers(functions: TokenFunctions) -> Iterator[tuple[Signal, Signal]]:
    """Yield the number of the token, if only some tokens are numerals, with the test that it is one."""
    for number, test in functions.partial:
        yield _of_token(number), _of_token(test)


def _of_token(f: TokenFunction) -> Signal:
    opposite = f.opposite("t") if f.opposite else ""
    return Signal(f.write("t"), f.cost(1), lambda s: f.at(s.symbols), f.test, f.level, opposite=opposite)


def _test(
    yes: str, no: str, weight: int, values: Callable[[Steps], np.ndarray], before: str | None = None
) -> Signal:
    return Signal(yes, weight, values, True, COMPARE, before, opposite=no)


def previous(steps: Steps, start: int) -> np.ndarray:
    """Return the symbol before each position, (positions, n); `start` before the first."""
    shifted = np.full_like(steps.symbols, start)
    shifted[1:] = steps.symbols[:-1]
    return shifted


def neighbour_tests(problem: SearchProblem, functions: TokenFunctions) -> Iterator[Signal]:
    """Yield tests on the token and the one before it."""
    none = literal(nothing(problem))
    starts = [(none, problem.size)]
    if problem.size <= STARTS:
        starts += [(literal(t), s) for s, t in enumerate(problem.tokens)]
    for text, symbol in starts:
        yield _test("t == previous", "t != previous", 4, partial(_compared, np.equal, None, symbol), text)
        yield _test("t != previous", "t == previous", 4, partial(_compared, np.not_equal, None, symbol), text)
    for s, token in enumerate(problem.tokens[:12]):
        yes, no = (f"previous {sign} {literal(token)}" for sign in ("==", "!="))
        yield _test(yes, no, 4, partial(_was, s, problem.size), none)
    ranks = string_order(problem)
    if ranks is not None and none == '""':
        order = TokenFunction(False, str, 0, ranks + 1)
        yield _test("t > previous", "t <= previous", 4, partial(_ordered, np.greater, order), none)
        yield _test("t < previous", "t >= previous", 4, partial(_ordered, np.less, order), none)
    for f in functions.numbers[:1]:
        now, then = f.write("t"), f.write("previous")
        weight = 2 * f.cost(1) + 2
        for s, token in enumerate(problem.tokens[:STARTS]):
            first = literal(token)
            yield _test(
                f"{now} > {then}", f"{now} <= {then}", weight, partial(_compared, np.greater, f, s), first
            )
            yield _test(
                f"{now} < {then}", f"{now} >= {then}", weight, partial(_compared, np.less, f, s), first
            )


def _compared(compare: Compare, f: TokenFunction | None, start: int, steps: Steps) -> np.ndarray:
    """Compare the token, or a number of it, with the one before; `start` stands before the first."""
    now, then = steps.symbols, previous(steps, start)
    return compare(now, then) if f is None else compare(f.at(now), f.at(then))


def _ordered(compare: Compare, order: TokenFunction, steps: Steps) -> np.ndarray:
    """Compare the token with the one before as strings; before the first stands the empty string."""
    table = np.append(order.table, 0)
    return compare(table[steps.symbols], table[previous(steps, steps.size)])


def _was(symbol: int, start: int, steps: Steps) -> np.ndarray:
    result: np.ndarray = previous(steps, start) == symbol
    return result


def place_tests() -> Iterator[Signal]:
    """Yield the position, then tests on it."""
    yield Signal("i", 1, _places, place=True)
    for k in (2, 3):
        for r in range(k):
            yes, no = (f"i % {k} {sign} {r}" for sign in ("==", "!="))
            yield Signal(yes, 7, partial(_place_is, k, r), True, COMPARE, place=True, opposite=no)


def _places(steps: Steps) -> np.ndarray:
    return np.broadcast_to(np.arange(len(steps.symbols))[:, None], steps.symbols.shape)


def _place_is(k: int, r: int, steps: Steps) -> np.ndarray:
    result: np.ndarray = _places(steps) % k == r
    return result


def token_itself() -> Signal:
    """Return the token's symbol."""
    return Signal("t", 1, lambda s: s.symbols)


def second_looks(problem: SearchProblem) -> Iterator[Signal]:
    """Yield tests that look at the whole sequence at each step: how often the token occurs, and its ends."""
    for k in (1, 2) if problem.max_length <= COUNTED else ():
        yes, no = (f"tokens.count(t) {sign} {k}" for sign in ("==", "!="))
        yield _test(yes, no, 8, partial(_occurs, k))
    if problem.max_length <= COUNTED:
        yield _test("tokens.count(t) > 1", "tokens.count(t) <= 1", 8, lambda s: _occurrences(s) > 1)
    if problem.min_length > 0:
        yield _test("t == tokens[-1]", "t != tokens[-1]", 8, lambda s: s.symbols == _last(s))
        yield _test("t != tokens[-1]", "t == tokens[-1]", 8, lambda s: s.symbols != _last(s))
        yield _test("t == tokens[0]", "t != tokens[0]", 6, lambda s: s.symbols == s.symbols[0])
        yield _test("t != tokens[0]", "t == tokens[0]", 6, lambda s: s.symbols != s.symbols[0])
        yield _test(
            "previous == tokens[-1]", "previous != tokens[-1]", 8, lambda s: previous(s, s.size) == _last(s),
            literal(nothing(problem)),
        )  # fmt: skip


def _occurs(k: int, steps: Steps) -> np.ndarray:
    result: np.ndarray = _occurrences(steps) == k
    return result


def _last(steps: Steps) -> np.ndarray:
    place = np.maximum(steps.inside.sum(axis=0) - 1, 0)
    result: np.ndarray = np.take_along_axis(steps.symbols, place[None], axis=0)
    return result


def _occurrences(steps: Steps) -> np.ndarray:
    """Return how often the token of each position occurs in its word, (positions, n)."""
    same = steps.symbols[:, None] == steps.symbols[None]
    result: np.ndarray = same.sum(axis=1)
    return result


def value_of(local: Local) -> Signal:
    """Return the value of an earlier local."""
    return Signal(local.name, 1, local.trajectory, locals=(local,))


def tests_of(local: Local, steps: Steps) -> Iterator[Signal]:
    """Yield tests on an earlier local that some of these words tell apart."""
    name = local.name
    if local.kind == "bool":
        values = local.trajectory
        yield Signal(name, 1, lambda s: values(s).astype(bool), True, locals=(local,), opposite=f"not {name}")
        return
    there = np.unique(local.trajectory(steps)).tolist()
    for k in sorted(there, key=abs)[:6]:
        yield _on(local, "==", "!=", np.equal, k)
        if k != there[-1]:
            yield _on(local, ">", "<=", np.greater, k)
    if there[0] < 0:
        yield _on(local, "<", ">=", np.less, 0)


def _on(local: Local, sign: str, other: str, compare: Compare, k: int) -> Signal:
    weight = 4 if k >= 0 else 6
    yes, no = (f"{local.name} {s} {k}" for s in (sign, other))
    return Signal(
        yes, weight, lambda s: compare(local.trajectory(s), k), True, COMPARE, locals=(local,), opposite=no
    )
