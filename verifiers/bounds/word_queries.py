"""One label's questions in float64: the rows that `word_bounds.py` bounds, and how large their numbers get.

Between `encoders/dense.py`, which has them in integers, and the searches of `engines/bab`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...common.errors import Unsupported
from ...encoders.dense import Dense
from .paths import Paths

EXACT = 2.0**53  # float64 holds every integer up to here
HOPELESS = 2**400  # products of a few layers stay finite


@dataclass(frozen=True, eq=False)
class FloatQueries:
    """One label's k shared ReLU rows, then one violation row for each rival, which is >= 0 where the rival
    wins.

        row_j(word) = sum_t symbols[j, t, word[t]] + sum_i relus[j, i] * max(0, row_i(word)) + constant[j]

    `groups`: the columns of each ReLU layer, in order.  `reach[j]` bounds every partial sum of row j's terms,
    `total[j]` the sum of the absolute values of all products that it expands to.  `exact`: float64 holds
    every number of the queries; if not, entries are the nearest floats, and `lower` and `upper` (bounds of
    the ReLUs' arguments on all words) are rounded outwards.
    """

    queries: tuple[Dense, ...]
    paths: Paths
    symbols: np.ndarray  # (rows, length, symbols)
    relus: np.ndarray  # (rows, k)
    constant: np.ndarray  # (rows,)
    lower: np.ndarray  # (k,)
    upper: np.ndarray  # (k,)
    groups: tuple[slice, ...]
    reach: np.ndarray  # (rows,)
    total: np.ndarray  # (rows,)
    exact: bool

    @property
    def count(self) -> int:
        """k, the number of unstable ReLUs."""
        return int(self.relus.shape[1])

    @classmethod
    def of(cls, queries: Sequence[Dense]) -> FloatQueries:
        """From queries about one label that differ in the rival only.

        Raises Unsupported where a number is far beyond float64.
        """
        first, k = queries[0], queries[0].count
        shared = (first.symbols[:k], first.relus[:k], first.constant[:k], first.lower[:k], first.upper[:k])
        violations = [(q.symbols[k:], q.relus[k:], q.constant[k:]) for q in queries]
        largest = max(_largest(a) for rows in (shared, *violations) for a in rows)
        if largest >= HOPELESS:
            raise Unsupported("a number of the network is far beyond float64")
        exact = largest < int(EXACT)
        symbols, relus, constant = (
            np.concatenate([shared[i], *(v[i] for v in violations)]).astype(np.float64) for i in range(3)
        )
        layers = np.array(first.layer, dtype=np.int64)
        edges = [0, *(np.flatnonzero(np.diff(layers)) + 1), k]
        groups = tuple(slice(a, b) for a, b in pairwise(edges)) if k else ()
        lower, upper = first.lower[:k].astype(np.float64), first.upper[:k].astype(np.float64)
        if not exact:
            lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
        own = np.abs(symbols).max(axis=2, initial=0).sum(axis=1) + np.abs(constant)
        reach, total = own + np.abs(relus) @ np.maximum(upper, 1), own.copy()
        for group in groups:
            total += np.abs(relus[:, group]) @ total[group]
        paths = Paths.of(first.language)
        return cls(tuple(queries), paths, symbols, relus, constant, lower, upper, groups, reach, total, exact)

    def values(self, words: np.ndarray) -> np.ndarray:
        """What symbols and constant add to every row on words (n, length): (n, rows)."""
        out = np.tile(self.constant, (len(words), 1))
        table = self.symbols.transpose(1, 2, 0)
        for t in range(words.shape[1]):
            out += table[t][words[:, t]]
        return out

    def exact_rows(self, own: np.ndarray) -> np.ndarray:
        """All rows of the network itself, from `values`: (n, rows); rounded beyond 2**53."""
        out = own.copy()
        for group in self.groups:
            out += np.maximum(out[:, group], 0) @ self.relus[:, group].T
        return out

    def violates(self, row: int, word: tuple[int, ...]) -> bool:
        """Whether violation row `row` is >= 0 on the word, in integers."""
        return bool(self.queries[row - self.count].values(np.array([word], dtype=np.int64))[0, -1] >= 0)


def _largest(array: np.ndarray) -> int:
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0
