"""What a loop sees at each step: numbers and tests of the token, the one before, the place, and earlier locals.

First in `folds/`.  A signal has a value at every position of every word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...common.text import literal
from ..expressions.items import TokenFunctions
from ..problem import SearchProblem
from ..render import nothing

if TYPE_CHECKING:
    from .loops import Local

TESTS = 140  # tests on the token that loops use
STARTS = 4  # alphabets up to this size let the token before the first be any of them
ATOM, COMPARE = 7, 4


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

    def on(self, steps: Steps) -> np.ndarray:
        """Return the values on words, computed once."""
        return steps.once(self, lambda: self.values(steps))

    def operand(self, level: int) -> str:
        """Write the signal beside an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


def token_numbers(functions: TokenFunctions) -> Iterator[Signal]:
    """Yield the numbers of the token."""
    for f in functions.numbers:
        yield Signal(f.write("t"), f.cost(1), lambda s, f=f: f.at(s.symbols), level=f.level)  # type: ignore[misc]


def token_tests(functions: TokenFunctions) -> Iterator[Signal]:
    """Yield the tests on the token."""
    for f in functions.tests[:TESTS]:
        opposite = f.opposite("t") if f.opposite else ""
        yield Signal(f.write("t"), f.cost(1), lambda s, f=f: f.at(s.symbols), True, f.level, opposite=opposite)  # type: ignore[misc]


def previous(steps: Steps, start: int) -> np.ndarray:
    """Return the symbol before each position, (positions, n); `start` before the first."""
    shifted = np.full_like(steps.symbols, start)
    shifted[1:] = steps.symbols[:-1]
    return shifted


def neighbour_tests(problem: SearchProblem, functions: TokenFunctions) -> Iterator[Signal]:
    """Yield tests on the token and the one before it."""
    starts: list[tuple[str, int]] = [(literal(nothing(problem)), problem.size)]
    if problem.size <= STARTS:
        starts += [(literal(t), s) for s, t in enumerate(problem.tokens)]
    for text, symbol in starts:
        for sign, other, compare in (("==", "!=", np.equal), ("!=", "==", np.not_equal)):
            yield Signal(
                f"t {sign} previous", 4, lambda s, c=compare, q=symbol: c(s.symbols, previous(s, q)), True, COMPARE,  # type: ignore[misc]
                text, opposite=f"t {other} previous",
            )  # fmt: skip
    text, symbol = starts[0]
    for s, token in enumerate(problem.tokens[:12]):
        yield Signal(
            f"previous == {literal(token)}", 4, lambda w, s=s, q=symbol: previous(w, q) == s, True, COMPARE, text,  # type: ignore[misc]
            opposite=f"previous != {literal(token)}",
        )  # fmt: skip
    for f in functions.numbers[:1]:
        for k, token in enumerate(problem.tokens[:STARTS]):
            for sign, other, compare in ((">", "<=", np.greater), ("<", ">=", np.less)):
                now, then = f.write("t"), f.write("previous")
                yield Signal(
                    f"{now} {sign} {then}", 2 * f.cost(1) + 2,
                    lambda w, f=f, c=compare, k=k: c(f.at(w.symbols), f.at(previous(w, k))), True, COMPARE,  # type: ignore[misc]
                    literal(token), opposite=f"{now} {other} {then}",
                )  # fmt: skip


def place_tests() -> Iterator[Signal]:
    """Yield tests on the position, and the position itself."""

    def places(steps: Steps) -> np.ndarray:
        return np.broadcast_to(np.arange(len(steps.symbols))[:, None], steps.symbols.shape)

    yield Signal("i", 1, places, place=True)
    for k in (2, 3):
        for r in range(k):
            yield Signal(
                f"i % {k} == {r}", 7, lambda s, k=k, r=r: places(s) % k == r, True, COMPARE, place=True,  # type: ignore[misc]
                opposite=f"i % {k} != {r}",
            )  # fmt: skip


def token_itself() -> Signal:
    """Return the token's symbol."""
    return Signal("t", 1, lambda s: s.symbols)


def partial_numbers(functions: TokenFunctions) -> Iterator[tuple[Signal, Signal]]:
    """Yield the number of the token, if only some tokens are numerals, with the test that it is one of them."""
    for f, test in functions.partial:
        opposite = test.opposite("t") if test.opposite else ""
        yield (
            Signal(f.write("t"), f.cost(1), lambda s, f=f: f.at(s.symbols), level=f.level),  # type: ignore[misc]
            Signal(test.write("t"), test.cost(1), lambda s, f=test: f.at(s.symbols), True, test.level, opposite=opposite),  # type: ignore[misc]
        )


def second_looks(problem: SearchProblem) -> Iterator[Signal]:
    """Yield tests that look at the whole sequence at each step: how often the token occurs, and its ends."""
    for k in (1, 2):
        yield Signal(
            f"tokens.count(t) == {k}", 8, lambda s, k=k: _occurrences(s) == k, True, COMPARE,  # type: ignore[misc]
            opposite=f"tokens.count(t) != {k}",
        )  # fmt: skip
    yield Signal("tokens.count(t) > 1", 8, lambda s: _occurrences(s) > 1, True, COMPARE)
    if problem.min_length > 0:
        yield Signal("t == tokens[-1]", 8, lambda s: s.symbols == _last(s), True, COMPARE, opposite="t != tokens[-1]")
        yield Signal("t != tokens[-1]", 8, lambda s: s.symbols != _last(s), True, COMPARE, opposite="t == tokens[-1]")
        yield Signal("t == tokens[0]", 6, lambda s: s.symbols == s.symbols[0], True, COMPARE)
        yield Signal("t != tokens[0]", 6, lambda s: s.symbols != s.symbols[0], True, COMPARE)
        yield Signal(
            "previous == tokens[-1]", 8, lambda s: previous(s, s.size) == _last(s), True, COMPARE,
            literal(nothing(problem)), opposite="previous != tokens[-1]",
        )  # fmt: skip


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
    if local.kind == "bool":
        yield _on(local, local.name, 1, lambda x: x.astype(bool), f"not {local.name}", ATOM)
        return
    values = np.unique(local.trajectory(steps))
    for k in values[:6].tolist():
        extra = 2 if k < 0 else 0
        yield _on(local, f"{local.name} == {k}", 4 + extra, lambda x, k=k: x == k, f"{local.name} != {k}")  # type: ignore[misc]
        if k != values[-1]:
            yield _on(local, f"{local.name} > {k}", 4 + extra, lambda x, k=k: x > k, f"{local.name} <= {k}")  # type: ignore[misc]
    if values[0] < 0:
        yield _on(local, f"{local.name} < 0", 4, lambda x: x < 0, f"{local.name} >= 0")


def _on(
    local: Local, text: str, weight: int, test: Callable[[np.ndarray], np.ndarray], opposite: str, level: int = COMPARE
) -> Signal:
    return Signal(text, weight, lambda s: test(local.trajectory(s)), True, level, locals=(local,), opposite=opposite)
