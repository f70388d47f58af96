"""Bags: tokens whose numbers are known, but not their order.

Many programs do not look at the order: they count, sort, take the largest, or ask in a nested scan whether
some token occurs twice.  Such a program is run once for each bag (`sweep.py`).  Whatever could depend on the
order raises NotAPass; so what a bag gives is the value on all of its orders.
"""

from __future__ import annotations

from math import comb
from typing import Any

from .compiled import Env, Generator
from .folds import Fold
from .passes import NotAPass, Pass
from .tokens import refusing
from .values import NATIVE, Execution, ProgramFault, UnknownTokens, Value, freeze

BAG_LIMIT = 60_000  # bags that a program may be run on


class Bag(UnknownTokens):
    """The tokens of a word in any order.

    counts: how often each of the different tokens occurs.
    """

    __slots__ = ("counts",)

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    @property
    def key(self) -> Any:
        """Return a hashable key: the counts."""
        return ("bag", *sorted(self.counts.items()))

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __contains__(self, value: Value) -> bool:
        return self.count(value) > 0

    def count(self, value: Value) -> int:
        """Return how many tokens equal the value."""
        return sum(n for token, n in self.counts.items() if token == value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UnknownTokens | tuple) and other is not self:
            raise NotAPass("compares the tokens with a sequence")
        return other is self

    index = __getitem__ = refusing("asks for a token at a place")
    __hash__ = refusing("looks the tokens up as a tuple")
    __iter__ = refusing("walks over the tokens")
    __add__ = __radd__ = __mul__ = __rmul__ = refusing("computes with the tokens as a sequence")
    __lt__ = __le__ = __gt__ = __ge__ = refusing("orders the tokens as a tuple")
    __str__ = __repr__ = refusing("turns the tokens into a string")

    def folded(self, fold: Fold, key: Any, generator: Generator | None, env: Env, m: Execution) -> Value:
        """Return the value of a fold over the tokens, or over what a generator expression makes of them.

        key: the function by which elements are compared, None for none.  Raises NotAPass where the order of
        the tokens could matter, also for what is raised.
        """
        try:
            groups = [(self._elements(token, generator, env, m), n) for token, n in self.counts.items()]
            elements = [v for group, n in groups for v in group * n]
            if not _any_order(fold, key, elements):
                raise NotAPass(f"takes {fold.name}() of what could depend on the order")
            return fold.run(iter(elements), m)
        except (*NATIVE, ProgramFault):
            raise NotAPass("raises, perhaps only in some order of the tokens") from None

    def _elements(self, token: str, generator: Generator | None, env: Env, m: Execution) -> list[Value]:
        if generator is None:
            return [token]
        if generator.carries:
            raise NotAPass("reads a variable of a generator expression before its `for`")
        return list(generator.produce(dict(env), token, m))


def _any_order(fold: Fold, key: Any, elements: list[Value]) -> bool:
    """Return whether a fold gives the same for these elements in every order.  None of them raised."""
    if fold.name in ("any", "all"):
        return True
    if fold.name == "set":  # of elements that are equal, such as 1 and True, the first one stays
        return len(set(elements)) == len(set(map(freeze, elements)))
    if fold.name == "sum":
        return all(type(v) in (int, bool) and v.bit_length() < 64 for v in (fold.start, *elements))
    if fold.name not in ("min", "max", "sorted"):
        return False
    if key is not None:  # elements that are not equal may have one key
        different = list({freeze(v): v for v in elements}.values())
        elements = [key(v) for v in different]
        if len(set(elements)) < len(different):
            return False
    return any(all(type(v) is kind for v in elements) for kind in (bool, int, str))


def unordered(query: Pass) -> Any:
    """Answer no pass (`Execution.ask`): a pass knows an order."""
    raise NotAPass("looks at the tokens in order")


class BagRunner:
    """The machine that counts the tokens of a word; `sweep.py` runs it in place of a pass."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self.tokens = tokens
        self.numbers: dict[tuple[int, ...], int] = {}
        self.states: list[tuple[int, ...]] = []
        self.rows: list[list[int | None]] = []

    def begin(self) -> int:
        """Return the state before the first position."""
        return self._number((0,) * len(self.tokens))

    def _number(self, counts: tuple[int, ...]) -> int:
        number = self.numbers.setdefault(counts, len(self.states))
        if number == len(self.states):
            self.states.append(counts)
            self.rows.append([None] * len(self.tokens) + [number])  # a pad changes nothing
        return number

    def row(self, t: int, state: int) -> list[int | None]:
        """Return per symbol the next state, None where it was not asked."""
        return self.rows[state]

    def step(self, t: int, state: int, symbol: int) -> int:
        """Return the state after reading a symbol."""
        found = self.rows[state][symbol]
        if found is None:
            counts = list(self.states[state])
            counts[symbol] += 1
            found = self.rows[state][symbol] = self._number(tuple(counts))
        return found

    def bag_of(self, word: tuple[int, ...]) -> Bag:
        """Return the tokens of a word of symbols."""
        state = self.begin()
        for t, symbol in enumerate(word):
            state = self.step(t, state, symbol)
        return self.bag(state)

    def bag(self, state: int) -> Bag:
        """Return the tokens that lead to a state."""
        return Bag({t: n for t, n in zip(self.tokens, self.states[state], strict=True) if n})


def bags_of(tokens: int, shortest: int, longest: int) -> int:
    """Return how many bags the words of these lengths have."""
    return sum(comb(n + tokens - 1, n) for n in range(shortest, longest + 1))
