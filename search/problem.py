"""What a template sees: the domain's tokens and lengths, the labels, and labelled inputs.  Never the network or the circuit.

First in the search; `templates/*` turn a problem into families of features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..models.automata.labelled import Labelled
from ..models.claims.decision import Label
from ..models.claims.domain import Domain

TokenSet = tuple[int, ...]  # token indices, ascending


@dataclass(frozen=True, eq=False)
class Problem:
    """Tokens (index = symbol; the pad is `len(tokens)`), lengths, labels, and all inputs that may be learnt from."""

    tokens: tuple[str, ...]
    min_length: int
    max_length: int
    labels: tuple[Label, ...]
    examples: Labelled

    @staticmethod
    def of(examples: Labelled, domain: Domain, labels: Sequence[Label]) -> Problem:
        return Problem(domain.tokens, domain.min_length, domain.max_length, tuple(labels), examples)

    @property
    def size(self) -> int:
        """Number of tokens, and the symbol that stands for padding and for "no token"."""
        return len(self.tokens)

    def sets(self, limit: int, largest: int | None = None) -> list[TokenSet]:
        """Token sets, small ones first, then the complements of small ones; whole sizes as long as `limit` allows."""
        out: list[TokenSet] = []
        everything = range(self.size)
        for k in range(1, self.size):
            if k > (self.size // 2 if largest is None else largest):
                break
            layer = list(combinations(everything, k))
            if k > 1 and len(out) + len(layer) > limit:
                break
            out += layer
        if largest is None:
            out += [tuple(sorted(set(everything) - set(s))) for s in out]
        return list(dict.fromkeys(s for s in out if 0 < len(s) < self.size)) or [(0,)]

    def pairs(self, limit: int, largest: int = 2) -> list[tuple[TokenSet, TokenSet]]:
        """Ordered pairs of disjoint token sets, small ones first."""
        sets = self.sets(limit, largest)
        both = [(a, b) for a in sets for b in sets if not set(a) & set(b)]
        both.sort(key=lambda p: len(p[0]) + len(p[1]))
        return both[:limit]

    def matrix(self, sets: Sequence[TokenSet], value: int = 1) -> np.ndarray:
        """(len(sets), tokens + 1): `value` where the symbol is in the set; the padding's column is 0."""
        out = np.zeros((len(sets), self.size + 1), dtype=np.int16)
        for row, members in enumerate(sets):
            out[row, list(members)] = value
        return out


def lengths(words: np.ndarray, size: int) -> np.ndarray:
    """Tokens per padded word."""
    return (words < size).sum(axis=1)


def counts(words: np.ndarray, size: int) -> np.ndarray:
    """How often each symbol (padding too) occurs in each word, (symbols, n)."""
    return np.stack([(words == s).sum(axis=1) for s in range(size + 1)]).astype(np.int16)


def steps(matrix: np.ndarray, words: np.ndarray) -> list[np.ndarray]:
    """Per position, each row's value for the symbol there: a list of (rows, n)."""
    return [matrix[:, words[:, t]] for t in range(words.shape[1])]
