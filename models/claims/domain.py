"""The finite set of token sequences that a claim is about, and how a sequence enters the network.

A domain is an alphabet of tokens, a range of lengths and an optional predicate written as a program.
`language.py` turns it (with a program) into an automaton; this module only knows about one sequence.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import SupportsInt

import numpy as np

from ...common.errors import InputError
from ..program.program import Program

MAX_POSITIONS = 4096
MAX_TOKENS = 2**15 - 2  # with pad, symbols fit the int16 arrays that words are kept in


@dataclass(frozen=True)
class Domain:
    """All sequences over `tokens` of min_length to max_length tokens for which `where` says True.

    The network's positions are prefix + sequence + padding + suffix; its alphabet is tokens, then
    `pad`, then the words of prefix and suffix that are not in it yet, in order.

    `order`: all tokens, from the least to the greatest, where they have an order.  It tells the search what
    people may compare, and changes nothing of what is claimed; so the digest leaves it out.
    """

    tokens: tuple[str, ...]
    min_length: int
    max_length: int
    pad: str | None = None
    where: Program | None = None
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    order: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        shown = " ".join(map(repr, self.tokens[:8])) + (" ..." if len(self.tokens) > 8 else "")
        length = str(self.min_length) + (f" to {self.max_length}" * (self.min_length != self.max_length))
        where = "" if self.where is None else f" where {self.where.name}"
        return f"<Domain: {length} tokens out of {shown}{where}>"

    def __post_init__(self) -> None:
        words = (
            *self.tokens,
            *self.prefix,
            *self.suffix,
            *(self.order or ()),
            *(() if self.pad is None else (self.pad,)),
        )
        if not self.tokens:
            raise InputError("[domain] tokens", "the domain has no tokens", "list at least one")
        if any(not isinstance(w, str) for w in words):
            raise InputError(
                "[domain]", "tokens, pad, prefix, suffix and order are strings", "put each in quotes"
            )
        if len(self.tokens) > MAX_TOKENS:
            raise InputError(
                "[domain] tokens",
                f"{len(self.tokens)} tokens are over the limit of {MAX_TOKENS}",
                "list fewer",
            )
        if len(set(self.tokens)) != len(self.tokens):
            twice = next(t for t, n in Counter(self.tokens).items() if n > 1)
            raise InputError("[domain] tokens", f"{twice!r} is listed twice", "list each token once")
        if self.order is not None:
            _check_order(self.order, self.tokens)
        if self.pad in self.tokens:
            raise InputError(
                "[domain] pad", f"{self.pad!r} is also a token", "choose another word for padding"
            )
        if not 0 <= self.min_length <= self.max_length:
            raise InputError(
                "[domain] length",
                f"no sequence has a length from {self.min_length} to {self.max_length}",
                "write 0 <= shortest <= longest",
            )
        if self.positions > MAX_POSITIONS:
            raise InputError(
                "[domain] length",
                f"{self.positions} positions are over the limit of {MAX_POSITIONS}",
                "shorten it",
            )
        if self.positions == 0:
            raise InputError(
                "[domain] length", "the network would have no positions at all", "allow at least one token"
            )
        if self.min_length < self.max_length and self.pad is None:
            raise InputError("[domain] pad", "lengths differ but there is no padding", 'add pad = "<pad>"')

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The automaton's symbols: tokens, then pad if there is one; the index is also the alphabet's."""
        return self.tokens if self.pad is None else (*self.tokens, self.pad)

    @cached_property
    def alphabet(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.symbols, *self.prefix, *self.suffix)))

    @property
    def positions(self) -> int:
        return len(self.prefix) + self.max_length + len(self.suffix)

    @property
    def input_size(self) -> int:
        return self.positions * len(self.alphabet)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.alphabet)}

    def padded(self, sequence: Sequence[str]) -> tuple[int, ...]:
        """Return the sequence as `max_length` symbol indices, padding included.  Raises InputError."""
        unknown = next(
            (t for t in sequence if self._index.get(t, len(self.tokens)) >= len(self.tokens)), None
        )
        if unknown is not None:
            raise InputError(
                "sequence",
                f"{unknown!r} is not a token of the domain",
                f"tokens are {', '.join(map(repr, self.tokens))}",
            )
        if not self.min_length <= len(sequence) <= self.max_length:
            raise InputError(
                "sequence",
                f"length {len(sequence)} is outside {self.min_length} to {self.max_length}",
                "give one of these lengths",
            )
        return tuple(self._index[t] for t in sequence) + (len(self.tokens),) * (
            self.max_length - len(sequence)
        )

    def unpadded(self, symbols: Iterable[SupportsInt]) -> tuple[str, ...]:
        """Return the tokens of padded symbols: the inverse of `padded`."""
        return tuple(self.tokens[int(s)] for s in symbols if int(s) < len(self.tokens))

    def ids(self, words: np.ndarray) -> np.ndarray:
        """Return the alphabet index at every network position, (batch, positions) int64.

        words: padded symbols, (batch, max_length).
        """
        words = np.asarray(words, dtype=np.int64)
        if words.ndim != 2:  # one word; (n, 0) stays: n empty words
            words = words.reshape(-1, self.max_length)
        fixed = [
            np.tile(np.array([self._index[w] for w in part], dtype=np.int64), (len(words), 1))
            for part in (self.prefix, self.suffix)
        ]
        return np.concatenate(
            [fixed[0].reshape(len(words), -1), words, fixed[1].reshape(len(words), -1)], axis=1
        )

    def one_hot(self, words: np.ndarray) -> np.ndarray:
        """Return the network's input vectors, (batch, positions * alphabet) int8, position-major."""
        ids = self.ids(words)
        out = np.zeros((len(ids), self.positions, len(self.alphabet)), dtype=np.int8)
        np.put_along_axis(out, ids[:, :, None], 1, axis=2)
        return out.reshape(len(ids), -1)

    @cached_property
    def digest(self) -> str:
        parts = [
            list(self.tokens),
            self.min_length,
            self.max_length,
            self.pad,
            list(self.prefix),
            list(self.suffix),
        ]
        text = json.dumps([*parts, self.where.digest if self.where else None])
        return hashlib.sha256(("domain " + text).encode()).hexdigest()


def _check_order(order: tuple[str, ...], tokens: tuple[str, ...]) -> None:
    """Raise InputError unless every token stands in the order exactly once, and nothing else does."""
    place, mend = "[domain] order", "list every token once, from the least to the greatest"
    seen: set[str] = set()
    known = set(tokens)
    for word in order:
        if word not in known:
            raise InputError(place, f"{word!r} is not a token", mend)
        if word in seen:
            raise InputError(place, f"{word!r} is listed twice", mend)
        seen.add(word)
    missing = next((t for t in tokens if t not in seen), None)
    if missing is not None:
        raise InputError(place, f"{missing!r} is missing", mend)
