"""Keys of labelled words: what of a word a label may depend on, as 64-bit hashes.

Two keys that collide can only hide a dependence (`findings.py`), never make one up.

Source: Zobrist, "A new hashing method with application for game playing" (1970), for the keys of counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from .problem import SearchProblem, lengths

STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing

Key = Callable[["KeyedWords"], np.ndarray]


class KeyedWords:
    """Labelled words, and their keys.  Columns are positions: (positions, n)."""

    def __init__(self, problem: SearchProblem, rows: np.ndarray) -> None:
        self.size = problem.size
        words = problem.examples.words[rows].astype(np.int64)
        self.labels = problem.examples.labels[rows].astype(np.uint64)
        self.lengths = lengths(words, self.size)
        self.columns = np.ascontiguousarray(words.T)
        self.bits = np.uint64(len(problem.labels) - 1).item().bit_length()
        self.codes = np.random.default_rng(0).integers(1, 2**63, self.size + 1, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def back(self) -> np.ndarray:
        """The words from their last token to their first, padded at the end."""
        at = self.lengths[None, :] - 1 - np.arange(len(self.columns))[:, None]
        turned = np.take_along_axis(self.columns, np.maximum(at, 0), axis=0)
        return np.where(at >= 0, turned, self.size)

    @cached_property
    def new(self) -> np.ndarray:
        """Where a token stands for the first time, (positions, n)."""
        seen = np.zeros((self.size + 1, len(self)), dtype=bool)
        seen[self.size] = True
        out = np.zeros(self.columns.shape, dtype=bool)
        every = np.arange(len(self))
        for t, column in enumerate(self.columns):
            out[t] = ~seen[column, every]
            seen[column, every] = True
        return out

    def rolled(
        self, columns: np.ndarray, keep: np.ndarray | None = None, codes: np.ndarray | None = None
    ) -> np.ndarray:
        """Hash the symbols at some positions in their order, without those that are not kept."""
        codes = self.codes if codes is None else codes
        out = np.zeros(len(self), dtype=np.uint64)
        for t, column in enumerate(columns):
            further = out * STEP + codes[column]
            out = further if keep is None else np.where(keep[t], further, out)
        return out

    @cached_property
    def _whole(self) -> np.ndarray:
        return self.rolled(self.columns)

    def without_place(self, place: int) -> np.ndarray:
        """Hash the symbols at all positions but one."""
        weight = np.uint64(pow(int(STEP), len(self.columns) - 1 - place, 1 << 64))
        result: np.ndarray = self._whole - self.codes[self.columns[place]] * weight
        return result

    def added(self, columns: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
        """Hash the bag of the tokens at some positions, without those that are not kept."""
        kept = columns < self.size if keep is None else keep
        codes = np.where(kept, self.codes[columns], np.uint64(0))
        result: np.ndarray = codes.sum(axis=0, dtype=np.uint64)
        return result

    def among(self, symbols: Sequence[int]) -> np.ndarray:
        """Tell where one of these symbols stands, (positions, n)."""
        flags = np.zeros(self.size + 1, dtype=bool)
        flags[list(symbols)] = True
        result: np.ndarray = flags[self.columns]
        return result

    def agreeing(self, keys: np.ndarray) -> int:
        """Count pairs of neighbours with equal keys, if all of these have equal labels; else return -1."""
        low = np.uint64((1 << self.bits) - 1)
        packed = np.sort((keys & ~low) | self.labels)
        equal = (packed[1:] & ~low) == (packed[:-1] & ~low)
        if (equal & (packed[1:] != packed[:-1])).any():
            return -1
        return int(equal.sum())


def spread(values: np.ndarray) -> np.ndarray:
    """Return a key for each integer, (n,)."""
    result: np.ndarray = values.astype(np.uint64) * STEP
    return result


def window(places: Sequence[int], from_end: bool) -> Key:
    """Return the key of the tokens at some places, counted from the start or from the end."""
    return lambda w: w.rolled((w.back if from_end else w.columns)[list(places)])


def remainder(values: Callable[[KeyedWords], np.ndarray], period: int) -> Key:
    """Return the key of a remainder."""
    return lambda w: spread(values(w) % period)


def without(tokens: list[int]) -> Key:
    """Return the key of what is left without these tokens."""
    return lambda w: w.rolled(w.columns, ~w.among([*tokens, w.size]))


def until(tokens: list[int]) -> Key:
    """Return the key of what stands up to the first of these tokens."""

    def key(w: KeyedWords) -> np.ndarray:
        ended = w.among(tokens)
        before = np.cumsum(ended, axis=0) - ended
        return w.rolled(w.columns, (before == 0) & (w.columns < w.size))

    return key


def merged(groups: list[list[int]]) -> Key:
    """Return the key of the word in which the tokens of a group are one."""

    def key(w: KeyedWords) -> np.ndarray:
        codes = w.codes.copy()
        for group in groups:
            codes[group] = codes[group[0]]
        return w.rolled(w.columns, None, codes)

    return key


def swapped(a: int, b: int) -> Key:
    """Return the key that a word has in common with the word in which two tokens are swapped."""

    def key(w: KeyedWords) -> np.ndarray:
        codes = w.codes.copy()
        codes[[a, b]] = codes[[b, a]]
        result: np.ndarray = np.minimum(w.rolled(w.columns), w.rolled(w.columns, None, codes))
        return result

    return key


def pattern(group: list[int]) -> Key:
    """Return the key of the word in which the tokens of a group are numbered as they first occur."""

    def key(w: KeyedWords) -> np.ndarray:
        number = np.tile(np.arange(w.size + 1)[:, None], len(w))
        number[group] = -1
        given, every = np.zeros(len(w), dtype=np.int64), np.arange(len(w))
        out = np.empty_like(w.columns)
        for t, column in enumerate(w.columns):
            fresh = number[column, every] < 0
            number[column[fresh], every[fresh]] = np.array(group)[given[fresh]]
            given += fresh
            out[t] = number[column, every]
        return w.rolled(out)

    return key
