"""What a loop over unknown tokens walks over: per item, the positions that it reads and the value that it gives then.

`len` counts the items of the longest word; in a shorter one, those are left that read nothing behind its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .interpreter import Value, freeze

if TYPE_CHECKING:
    from .passes import Tokens


@dataclass(frozen=True, eq=False)
class TokenItems:
    tokens: Tokens

    @property
    def key(self) -> Any:
        return self.tokens.key

    def __len__(self) -> int:
        return len(self.tokens.positions)

    def reads(self, k: int) -> tuple[int, ...]:
        return (self.tokens.positions[k],)

    def value(self, k: int, visible: dict[int, str]) -> Value:
        return visible[self.tokens.positions[k]]


@dataclass(frozen=True, eq=False)
class Known:
    """Ordinary values, zipped with tokens or walked over while peeking at tokens."""

    values: Sequence[Value]

    @property
    def key(self) -> Any:
        if isinstance(self.values, range):
            return ("range", self.values.start, self.values.stop, self.values.step)
        return freeze(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def reads(self, k: int) -> tuple[int, ...]:
        return ()

    def value(self, k: int, visible: dict[int, str]) -> Value:
        return self.values[k]


@dataclass(frozen=True, eq=False)
class Zipped:
    parts: tuple[Any, ...]

    @property
    def key(self) -> Any:
        return ("zip", *(p.key for p in self.parts))

    def __len__(self) -> int:
        return min(map(len, self.parts))

    def reads(self, k: int) -> tuple[int, ...]:
        return tuple(p for part in self.parts for p in part.reads(k))

    def value(self, k: int, visible: dict[int, str]) -> Value:
        return tuple(part.value(k, visible) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Peeking:
    """Items whose loop body also reads `tokens[i + offset]`, where i is the item (or its first part)."""

    inner: Any
    views: tuple[tuple[Tokens, int], ...]

    @property
    def key(self) -> Any:
        return ("peek", self.inner.key, *((view.key, offset) for view, offset in self.views))

    def __len__(self) -> int:
        return len(self.inner)

    def reads(self, k: int) -> tuple[int, ...]:
        first = self.inner
        while isinstance(first, Zipped):
            first = first.parts[0]
        i = first.value(k, {})
        return self.inner.reads(k) + tuple(
            v.positions[i + d] for v, d in self.views if 0 <= i + d < len(v.positions)
        )

    def looks_ahead(self) -> bool:
        """Does an item read behind its own tokens, so that a word may end between them?"""
        return any(
            max(self.reads(k), default=0) > max(self.inner.reads(k), default=-1) for k in range(len(self))
        )

    def value(self, k: int, visible: dict[int, str]) -> Value:
        return self.inner.value(k, visible)


Items = TokenItems | Known | Zipped | Peeking
