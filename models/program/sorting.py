"""Sorted unknown tokens: an element at a place, or whether the tokens are in order, needs few states.

Only what looks at all of them asks for the whole sorted sequence.  `walks.py` makes these of
`sorted(tokens)`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from .folds import NOTHING, Fold, ordering, ranked
from .tokens import Tokens, refusing
from .values import Execution, List, UnknownTokens, Value


class SortedTokens(UnknownTokens):
    """What `sorted(tokens, reverse=reverse)` gives, or the tuple of that.

    Behaves as the list or tuple that it stands for.
    """

    __slots__ = ("listed", "reverse", "tokens")

    def __init__(self, tokens: Tokens, reverse: bool, listed: bool = True) -> None:
        self.tokens, self.reverse, self.listed = tokens, reverse, listed

    @property
    def key(self) -> Any:
        """Return a hashable key: the tokens, and how they are sorted."""
        return ("sorted", self.tokens.key, self.reverse, self.listed)

    def as_tuple(self) -> SortedTokens:
        """Return the tuple of the elements."""
        return SortedTokens(self.tokens, self.reverse, listed=False)

    def known(self) -> Any:
        """Ask for the whole: a list or a tuple."""
        elements = self.tokens.ask(ordering(reverse=self.reverse), (self.reverse,))
        return elements if self.listed else tuple(elements)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.known()[index]
        count = len(self)
        if not isinstance(index, int) or not -count <= index < count:
            return (List() if self.listed else ())[index]  # raises what CPython raises
        rank = index % count
        rank = count - 1 - rank if self.reverse else rank
        return self.tokens.ask(ranked(rank, count), (rank, count))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SortedTokens) and other.key == self.key:
            return True
        if isinstance(other, Tokens) and (self.listed or len(other) != len(self)):
            return False
        if isinstance(other, Tokens) and other.positions == self.tokens.positions:
            result: bool = self.tokens.ask(_in_order(self.reverse), (self.reverse,))
            return result
        if not isinstance(other, UnknownTokens | (list if self.listed else tuple)):
            return False
        return bool(self.known() == (other.known() if isinstance(other, SortedTokens) else other))

    def __contains__(self, value: Value) -> bool:
        return value in self.tokens

    def __iter__(self) -> Iterator[Value]:
        return iter(self.known())

    def __hash__(self) -> int:
        return hash(self.known())

    def count(self, value: Value) -> int:
        """Return how many elements equal the value."""
        return self.tokens.count(value)

    def index(self, value: Value) -> int:
        """Return the first index of the value.  The program raises ValueError if there is none."""
        result: int = self.known().index(value)
        return result

    def __str__(self) -> str:
        return str(self.known())

    __repr__ = __str__
    __add__ = __radd__ = __mul__ = __rmul__ = refusing("computes with the sorted tokens as a sequence")
    __lt__ = __le__ = __gt__ = __ge__ = refusing("orders the sorted tokens as a sequence")


def _in_order(reverse: bool) -> Fold:
    """Make whether no element is less than the one before it (or greater, if `reverse`)."""
    ordered: Callable[[Any, Any], bool] = operator.ge if reverse else operator.le

    def step(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
        return (value, False) if acc is NOTHING or ordered(acc, value) else (False, True)

    return Fold("in order", NOTHING, step, lambda acc: acc is not False)
