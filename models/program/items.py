"""The items of a loop over unknown tokens: for each, the positions that it reads and the value that it has.

Used by `tokens.py` and `passes.py`.  `len` counts the items of the longest word.  A shorter word has those
items that read nothing behind its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .values import UnknownTokens, Value, freeze


@dataclass(frozen=True, eq=False)
class TokenItems:
    """The tokens at some positions of the word, one after the other.

    `tokens` is the value that holds them.
    """

    tokens: UnknownTokens
    positions: range

    @property
    def key(self) -> Any:
        """Return a hashable key of the tokens."""
        return self.tokens.key

    def __len__(self) -> int:
        return len(self.positions)

    def reads(self, k: int) -> tuple[int, ...]:
        """Return the positions that item k reads."""
        return (self.positions[k],)

    def value(self, k: int, visible: dict[int, str]) -> Value:
        """Return item k, given the tokens that it reads by position."""
        return visible[self.positions[k]]


@dataclass(frozen=True, eq=False)
class Known:
    """Ordinary values: zipped with tokens, or iterated over while the loop's body looks at tokens."""

    values: Sequence[Value]

    @property
    def key(self) -> Any:
        """Return a hashable key of the values."""
        if isinstance(self.values, range):
            return ("range", self.values.start, self.values.stop, self.values.step)
        return freeze(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def reads(self, k: int) -> tuple[int, ...]:
        """Return no positions: the values are known."""
        return ()

    def value(self, k: int, visible: dict[int, str]) -> Value:
        """Return item k."""
        return self.values[k]


@dataclass(frozen=True, eq=False)
class Zipped:
    """Several items side by side, as zip and enumerate give them."""

    parts: tuple[Any, ...]

    @property
    def key(self) -> Any:
        """Return a hashable key of all parts."""
        return ("zip", *(p.key for p in self.parts))

    def __len__(self) -> int:
        return min(map(len, self.parts))

    def reads(self, k: int) -> tuple[int, ...]:
        """Return the positions that any part of item k reads."""
        return tuple(p for part in self.parts for p in part.reads(k))

    def value(self, k: int, visible: dict[int, str]) -> Value:
        """Return item k as a tuple, given the tokens that it reads by position."""
        return tuple(part.value(k, visible) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Peeking:
    """Items of a loop whose body also reads other tokens.

    beside: for each item, the positions that it reads so.
    """

    inner: Any
    beside: tuple[tuple[int, ...], ...]

    @property
    def key(self) -> Any:
        """Return a hashable key of the items and of what is read beside them."""
        return ("peek", self.inner.key, self.beside)

    def __len__(self) -> int:
        return len(self.inner)

    def reads(self, k: int) -> tuple[int, ...]:
        """Return the positions that item k or the loop's body reads."""
        result: tuple[int, ...] = self.inner.reads(k) + self.beside[k]
        return result

    def looks_ahead(self) -> bool:
        """Return whether some item reads behind its own tokens, so that a word may end between the two."""
        return any(
            max(self.reads(k), default=0) > max(self.inner.reads(k), default=-1) for k in range(len(self))
        )

    def value(self, k: int, visible: dict[int, str]) -> Value:
        """Return item k, given the tokens that it reads by position."""
        return self.inner.value(k, visible)


Items = TokenItems | Known | Zipped | Peeking


def seen(items: Any, visible: dict[int, str] | None) -> list[Value] | None:
    """Return all items as values if every token that they read is visible, else None."""
    if not visible or not all(p in visible for k in range(len(items)) for p in items.reads(k)):
        return None
    return [items.value(k, visible) for k in range(len(items))]
