"""What a loop sees at each step: numbers and tests of the token, the one before, the place, and earlier locals.

First in `folds/`.  A signal has a value at every position of every word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...common.text import literal
from ..expressions.items import TokenFunctions
from ..problem import SearchProblem
from ..render import nothing

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
    locals: tuple[object, ...] = ()
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
