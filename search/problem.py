"""What a template sees: the domain's tokens and lengths, the labels, and labelled inputs.

First in the search.  The network and the circuit are never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from ..models.automata.labelled import Labelled
from ..models.claims.decision import Label
from ..models.claims.domain import Domain

TokenSet = tuple[int, ...]  # token indices, ascending
UNITED = 6  # classes of tokens whose unions are asked about


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """What is to be explained.

    Args:
        tokens: of the domain; a token's index is its symbol, and `len(tokens)` is the symbol of padding.
        min_length: of the sequences.
        max_length: of the sequences.
        labels: of the decision.
        examples: all labelled inputs that may be learnt from.
        order: the tokens in the order that the claim file states; None if it states none.
        classes: sets of tokens that the labels do not tell apart (`findings.py`); they are asked about first.
    """

    tokens: tuple[str, ...]
    min_length: int
    max_length: int
    labels: tuple[Label, ...]
    examples: Labelled
    order: tuple[str, ...] | None = None
    classes: tuple[TokenSet, ...] = ()

    @staticmethod
    def of(examples: Labelled, domain: Domain, labels: Sequence[Label]) -> SearchProblem:
        """Return the problem of explaining labelled words of a domain."""
        return SearchProblem(
            domain.tokens,
            domain.min_length,
            domain.max_length,
            tuple(labels),
            examples,
            domain.order,
        )

    @property
    def size(self) -> int:
        """The number of tokens, which is also the symbol of padding and of "no token"."""
        return len(self.tokens)

    def sets(self, limit: int, largest: int | None = None) -> list[TokenSet]:
        """List sets of tokens, small ones first, then the complements of small ones.

        Args:
            limit: about how many; sets of one size are listed all or none.
            largest: the largest size, without complements; None for up to half of the tokens, with
                complements.
        """
        out: list[TokenSet] = []
        if largest is None and 1 < len(self.classes) <= UNITED:
            for k in range(1, len(self.classes)):
                out += [tuple(sorted(sum(c, ()))) for c in combinations(self.classes, k)]
        everything = range(self.size)
        for k in range(1, self.size):
            if k > (self.size // 2 if largest is None else largest):
                break
            if k > 1 and len(out) + comb(self.size, k) > limit:
                break
            out += combinations(everything, k)
        if largest is None:
            out += [tuple(sorted(set(everything) - set(s))) for s in out]
        return list(dict.fromkeys(s for s in out if 0 < len(s) < self.size)) or [(0,)]

    def pairs(self, limit: int, largest: int = 2) -> list[tuple[TokenSet, TokenSet]]:
        """List ordered pairs of disjoint sets of at most `largest` tokens, small ones first."""
        sets = self.sets(limit, largest)
        both = [(a, b) for a in sets for b in sets if not set(a) & set(b)]
        both.sort(key=lambda p: len(p[0]) + len(p[1]))
        return both[:limit]

    def matrix(self, sets: Sequence[TokenSet], value: int = 1) -> np.ndarray:
        """Return int16 (sets, tokens + 1): `value` where the symbol is in the set; 0 for padding."""
        out = np.zeros((len(sets), self.size + 1), dtype=np.int16)
        for row, members in enumerate(sets):
            out[row, list(members)] = value
        return out

    def differences(self, pairs: Sequence[tuple[TokenSet, TokenSet]]) -> np.ndarray:
        """Return int16 (pairs, tokens + 1): 1 for symbols of the first set, -1 for the second, else 0."""
        result: np.ndarray = self.matrix([up for up, _ in pairs]) - self.matrix([down for _, down in pairs])
        return result


def lengths(words: np.ndarray, size: int) -> np.ndarray:
    """Return the number of tokens of each padded word, (n,); `size` is the symbol of padding."""
    result: np.ndarray = (words < size).sum(axis=1)
    return result


def counts(words: np.ndarray, size: int) -> np.ndarray:
    """Count each symbol, padding too, in each word: int16 (symbols, n)."""
    return np.stack([(words == s).sum(axis=1) for s in range(size + 1)]).astype(np.int16)


def steps(matrix: np.ndarray, words: np.ndarray) -> list[np.ndarray]:
    """Look up a matrix (rows, symbols) at each position of the words: a list of (rows, n)."""
    return [matrix[:, words[:, t]] for t in range(words.shape[1])]
