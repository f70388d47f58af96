"""Unknown tokens: values that let a program run when only the word's length is known.

A `Tokens` value stands for a slice of the word.  Looking at its tokens asks the current run for the outcome
of a pass (`passes.py`).  `sweep.py` runs programs with them to build automata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .folds import FOLDS, NOTHING, Fold
from .items import Items, Known, TokenItems, Zipped
from .passes import FoldQuery, NeedsLength, NotAPass, fold_over
from .values import Dict, Execution, List, UnknownTokens, Value


class Context:
    """The lengths that the word may have, and the current run, which answers questions about tokens."""

    def __init__(self, shortest: int, longest: int) -> None:
        self.shortest, self.longest = shortest, longest
        self.run = Execution()

    def tokens(self) -> Tokens:
        """Return the whole word."""
        return Tokens(self, range(self.longest))


def refusing(what: str) -> Callable[..., Any]:
    """Make a method that raises NotAPass."""

    def refuse(*_: Any) -> Any:
        raise NotAPass(what)

    return refuse


class Tokens(UnknownTokens):
    """The tokens at some positions of an unknown word.

    Behaves as the tuple that it stands for, or raises NotAPass.

    Positions behind the end of a shorter word do not exist.  Whatever depends on their number raises
    NeedsLength.
    """

    __slots__ = ("context", "positions")

    def __init__(self, context: Context, positions: range) -> None:
        self.context, self.positions = context, positions

    @property
    def key(self) -> Any:
        """Return a hashable key: lengths and positions."""
        context, positions = self.context, self.positions
        return ("tokens", context.shortest, context.longest, positions.start, positions.stop, positions.step)

    @property
    def settled(self) -> bool:
        """Return whether all positions exist in every word."""
        return not self.positions or max(self.positions[0], self.positions[-1]) < self.context.shortest

    @property
    def items(self) -> TokenItems:
        """Return the tokens as items of a loop."""
        return TokenItems(self, self.positions)

    def __len__(self) -> int:
        if not self.settled:
            raise NeedsLength
        return len(self.positions)

    def __getitem__(self, index: Any) -> Any:
        parts = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
        if any(isinstance(i, int) and i < 0 for i in parts) and not self.settled:
            raise NeedsLength
        if isinstance(index, slice):
            return Tokens(self.context, self.positions[index])
        if not isinstance(index, int):
            return ()[index]  # raises the TypeError of a tuple
        try:
            position = self.positions[index]
        except IndexError:
            return ()[index]
        visible = self.context.run.visible
        if visible is not None and position in visible:
            return visible[position]

        def finish(acc: Any) -> Value:
            if acc is NOTHING:  # the word ends before the position
                raise IndexError("tuple index out of range")
            return acc

        first = Fold("first", NOTHING, lambda acc, v, m: (v, True), finish)
        return Tokens(self.context, range(position, position + 1)).ask(first)

    def __contains__(self, value: Value) -> bool:
        found = Fold("in", False, lambda acc, v, m: (True, True) if v == value else (False, False), bool)
        result: bool = self.ask(found, value)
        return result

    def count(self, value: Value) -> int:
        """Return how many tokens equal the value."""
        result: int = self.ask(Fold("count", 0, lambda acc, v, m: (acc + (v == value), False), int), value)
        return result

    def index(self, value: Value) -> int:
        """Return the first index of the value.  The program raises ValueError if there is none."""

        def finish(acc: tuple[int, bool]) -> int:
            return acc[0] if acc[1] else ().index(value)

        def step(acc: tuple[int, bool], v: Value, m: Execution) -> tuple[tuple[int, bool], bool]:
            return ((acc[0], True), True) if v == value else ((acc[0] + 1, False), False)

        result: int = self.ask(Fold("index", (0, False), step, finish), value)
        return result

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UnknownTokens) and not isinstance(other, Tokens):
            return other == self
        if not isinstance(other, tuple | Tokens):
            return False
        if isinstance(other, Tokens) and self.positions == other.positions:
            return True
        if len(self) != len(other):
            return False
        beside = other.items if isinstance(other, Tokens) else Known(other)
        equal = Fold("equal", True, lambda acc, v, m: (True, False) if v[0] == v[1] else (False, True), bool)
        result: bool = fold_over(FoldQuery(equal, Zipped((self.items, beside))), self.context.run)
        return result

    def __ne__(self, other: object) -> bool:
        return not self == other

    def ask(self, fold: Fold, extra: Value = None) -> Any:
        """Ask for the outcome of a fold over the tokens; `extra` is what it depends on beside its name."""
        return fold_over(FoldQuery(fold, self.items, extra=extra), self.context.run)

    __hash__ = refusing("looks the tokens up as a tuple")
    __iter__ = refusing("walks over the tokens outside a for loop or a generator")
    __add__ = __radd__ = refusing("adds to the tokens")
    __mul__ = __rmul__ = refusing("repeats the tokens")
    __lt__ = __le__ = __gt__ = __ge__ = refusing("orders the tokens as a tuple")
    __str__ = __repr__ = refusing("turns the tokens into a string")


class TokenSet:
    """The set of some unknown tokens.  A program asks for its size and its members, and sorts it."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens.ask(FOLDS["set"]))

    def __contains__(self, value: Value) -> bool:
        return value in self.tokens

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens.ask(FOLDS["set"]))


def items_of(value: Any) -> Any:
    """Return unknown tokens as items of a loop, and any other value as it is."""
    return value.items if isinstance(value, Tokens) else value


def enumerated(value: Any, start: int = 0) -> Any:
    """Return enumerate(value, start), as items if the value is unknown."""
    value = items_of(value)
    if isinstance(value, Items):
        enumerate((), start)  # raises what CPython raises
        return Zipped((Known(range(int(start), int(start) + len(value))), value))
    return enumerate(value, start)


def zipped(values: list[Any]) -> Any:
    """Return zip(*values), as items if some value is unknown.

    Raises NotAPass if the others cannot be indexed.
    """
    values = [items_of(v) for v in values]
    if not any(isinstance(v, Items) for v in values):
        return zip(*values, strict=False)
    values = [tuple(v) if isinstance(v, Dict | UnknownTokens) else v for v in values]
    for v in values:
        if not isinstance(v, Items | tuple | List | str | range):
            iter(v)
            raise NotAPass("zips the tokens with an iterator")
    shortest = min(len(v) for v in values if isinstance(v, Items))  # len() of a range may fail
    return Zipped(tuple(v if isinstance(v, Items) else Known(v[:shortest]) for v in values))
