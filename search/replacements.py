"""What words show that differ in one token: which tokens are alike, and whether labels move one way only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..models.claims.decision import Label
from .word_keys import KeyedWords

MOST_TOKENS = 128  # for tests of single tokens
CELLS = 2_000_000  # comparisons of tokens at one position; what they leave is checked on all words
_NUMERAL = re.compile(r"-?[0-9]{1,9}")


class Replacements:
    """What words show that differ in one token.

    Args:
        size: the number of tokens.
        ranks: of the labels, (labels,); None if they have no order.
        values: of the tokens, (tokens,); None if they are no numerals.
    """

    def __init__(self, size: int, ranks: np.ndarray | None, values: np.ndarray | None) -> None:
        self.size, self.ranks = size, ranks
        order = np.arange(size) if values is None else np.argsort(values, kind="stable")
        self.place_of = np.argsort(order)  # by token, its place among the values
        self.rises = self.falls = values is not None and ranks is not None and len(np.unique(values)) == size
        few = size <= MOST_TOKENS
        self.highest = np.full(size, few and ranks is not None)
        self.lowest = self.highest.copy()
        self.differ = np.full((size, size) if few else (0, 0), False)
        self.met = self.differ.copy()
        self.seen = np.zeros(size, dtype=np.int64)
        self.pairs = 0

    @property
    def open(self) -> bool:
        """Whether there is anything that further places could refute."""
        ordered = self.rises or self.falls or bool(self.highest.any() or self.lowest.any())
        return ordered or bool((~self.differ).sum() > len(self.differ))

    def look(self, words: KeyedWords, place: int) -> None:
        """Compare all words that differ at this position only."""
        here = np.flatnonzero(words.columns[place] < self.size)
        if not len(here):
            return
        rest = words.without_place(place)[here]
        tokens = words.columns[place][here]
        low = np.uint64((1 << self.size.bit_length()) - 1)
        packed = (rest & ~low) | self.place_of[tokens].astype(np.uint64)
        order = np.argsort(packed)
        context, tokens = packed[order] & ~low, tokens[order]
        labels = words.labels[here][order].astype(np.int64)
        joined = context[1:] == context[:-1]
        starts = np.flatnonzero(np.append(True, ~joined))
        group = np.cumsum(np.append(True, ~joined)) - 1
        sizes = np.diff(np.append(starts, len(order)))
        several = sizes[group] > 1
        self.pairs += int(joined.sum())
        self.seen += np.bincount(tokens[several], minlength=self.size)
        if self.ranks is not None:
            rank = self.ranks[labels]
            self.rises &= not bool((joined & (rank[1:] < rank[:-1])).any())
            self.falls &= not bool((joined & (rank[1:] > rank[:-1])).any())
            self.highest[tokens[rank < np.maximum.reduceat(rank, starts)[group]]] = False
            self.lowest[tokens[rank > np.minimum.reduceat(rank, starts)[group]]] = False
        if len(self.differ):
            number = np.cumsum(sizes > 1) - 1  # of each context in which words can be compared
            kept = several & (number[group] < max(64, CELLS // self.size**2))
            table = np.full((int(number[group[kept]].max(initial=-1)) + 1, self.size), -1, dtype=np.int64)
            table[number[group[kept]], tokens[kept]] = labels[kept]
            for token in range(self.size):
                one = table[:, token : token + 1]
                both = (one >= 0) & (table >= 0)
                self.met[token] |= both.any(axis=0)
                self.differ[token] |= (both & (one != table)).any(axis=0)

    def classes(self) -> list[list[int]]:
        """Group tokens greedily that were compared and not told apart; return the classes of two or more."""
        groups: list[list[int]] = []
        for token in range(len(self.differ)):
            for group in groups:
                if self.met[token, group].any() and not self.differ[token, group].any():
                    group.append(token)
                    break
            else:
                groups.append([token])
        return [g for g in groups if len(g) > 1]


def numerals(tokens: Sequence[str]) -> np.ndarray | None:
    """Return the numbers that tokens spell, (tokens,) int64; None if one of them is no numeral."""
    if not all(_NUMERAL.fullmatch(t) for t in tokens):
        return None
    return np.array([int(t) for t in tokens], dtype=np.int64)


def digit_sums(tokens: Sequence[str]) -> np.ndarray | None:
    """Return the sum of each token's digits, (tokens,); None unless all have as many digits, two or more."""
    if not all(t.isascii() and t.isdigit() and 1 < len(t) == len(tokens[0]) for t in tokens):
        return None
    return np.array([sum(map(int, t)) for t in tokens])


def ordered(labels: Sequence[Label]) -> np.ndarray | None:
    """Return the value of each label, (labels,) int64; None if they are not all numbers or numerals."""
    if all(isinstance(y, int) for y in labels) or numerals(list(map(str, labels))) is not None:
        return np.array([int(y) for y in labels])
    return None
