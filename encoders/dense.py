"""One query as integer arrays, for the engines that reason on their own (`bab`, `reach`).

After `presolve.py`, in place of `formula.py`.  It is the same question (is there a word of this label on
which this rival wins?), without names for variables and constraints, because making these takes longer than
some engines need to answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.claims.decision import Rival
from ..models.network.integers import integer_array
from .presolve import Reduced


@dataclass(frozen=True, eq=False)
class Dense:
    """A query: is there a word of `language` whose violation is >= 0?  All numbers are exact integers.

    There are k unstable ReLUs in topological order.  Row j < k is the argument of ReLU j.  Row k is the
    violation: the rival's lead minus its threshold, which is >= 0 iff the rival wins.

        row_j(word) = sum_t symbols[j, t, word[t]] + sum_i relus[j, i] * max(0, row_i(word)) + constant[j]

    Here relus[j, i] == 0 for i >= j.  On the language, lower[j] <= row_j <= upper[j] is proved, with lower <
    0 < upper for j < k.  `layer[j]` is the number of the ReLU node that j belongs to; j reads only ReLUs of
    smaller layers.

    Shapes: symbols (k + 1, length, symbol_count), relus (k + 1, k), constant, lower and upper (k + 1,), layer
    (k,).
    """

    language: Automaton
    symbols: np.ndarray
    relus: np.ndarray
    constant: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    layer: tuple[int, ...]

    @property
    def count(self) -> int:
        """Return k, the number of unstable ReLUs."""
        return len(self.layer)

    @property
    def settled(self) -> bool:
        """Return whether the bounds alone show that there is no such word."""
        return self.language.empty or int(self.upper[-1]) < 0

    @cached_property
    def largest(self) -> int:
        """Return a bound on every partial sum of a row, in any order, if ReLUs keep to their upper bounds."""
        outputs = [max(0, int(v)) for v in self.upper[: self.count]]
        sums = [
            abs(int(c)) + sum(abs(int(w)) * y for w, y in zip(row, outputs, strict=True) if w)
            for c, row in zip(self.constant, self.relus, strict=True)
        ]
        places = np.abs(self.symbols).max(axis=2, initial=0).sum(axis=1, dtype=object)
        return max((a + int(b) for a, b in zip(sums, places, strict=True)), default=0)

    def without(self, words: Iterable[tuple[int, ...]]) -> Dense:
        """Return the same query on the language without these words."""
        return replace(self, language=self.language.without(words))

    def values(self, words: np.ndarray) -> np.ndarray:
        """Return the exact values of all rows on words.

        `words`: symbols, (n, length).  Returns integers, (n, k + 1): int64, or Python integers if 64 bits may
        not suffice.
        """
        words = np.asarray(words, dtype=np.int64)
        if words.ndim != 2:  # one word; (n, 0) are n empty words
            words = words.reshape(-1, self.language.length)
        dtype = np.int64 if self.largest < 2**62 else object
        out = np.zeros((len(words), self.count + 1), dtype=dtype)
        flat = words + np.arange(self.language.length) * self.language.symbol_count
        for j in range(self.count + 1):
            inner = np.flatnonzero(self.relus[j])
            own = self.symbols[j].astype(dtype).reshape(-1)[flat].sum(axis=1) + np.array(
                int(self.constant[j]), dtype=dtype
            )
            out[:, j] = (
                own + np.maximum(out[:, inner], 0) @ self.relus[j, inner].astype(dtype) if len(inner) else own
            )
        return out


def dense(reduced: Reduced, rival: Rival) -> Dense:
    """Return the query for one rival, on the language that the network was reduced on."""
    language, relus = reduced.language, reduced.relus
    count, shape = len(relus), (language.length, language.symbol_count)
    row = reduced.lead(rival)
    lower, upper = reduced.bounds(row)
    inner = [[*map(int, r.relus), *[0] * (count - len(r.relus))] for r in relus]
    return Dense(
        language,
        _stacked([*(r.symbols for r in relus), row.symbols[0]]).reshape(count + 1, *shape),
        integer_array([*inner, [*map(int, row.relus[0])]]).reshape(count + 1, count),
        integer_array([*(int(r.constant) for r in relus), int(row.constant[0])]),
        integer_array([*(r.lower for r in relus), int(lower[0])]),
        integer_array([*(r.upper for r in relus), int(upper[0])]),
        tuple(r.layer for r in relus),
    )


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    return (
        integer_array(np.stack([r.astype(object) for r in rows]))
        if any(r.dtype == object for r in rows)
        else integer_array(np.stack(rows))
    )
