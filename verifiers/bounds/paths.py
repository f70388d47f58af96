"""Maximal paths through a layered automaton: the support of a language, for many functions at once.

The inner loop of `bab`.  The maximum of sum_t weights[t, word[t]] over the words of a language is a dynamic
program over its layers.  Here the functions stand side by side in the last axis, so that every step is a few
operations on contiguous rows, and symbols that lead every state of a layer to the same place are merged into
one group before the states are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...models.automata.automaton import Automaton

NEVER = -np.inf


@dataclass(frozen=True, eq=False)
class _Step:
    """One layer.

    Group g holds symbols that act alike: `targets[g][state]` is the next state, the layer's size where there
    is none.
    """

    groups: tuple[np.ndarray, ...]  # symbols of each group
    targets: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Paths:
    """A language, ready for `best`.  `layer_sizes` as in the automaton."""

    length: int
    symbol_count: int
    layer_sizes: tuple[int, ...]
    steps: tuple[_Step, ...]

    @classmethod
    def of(cls, language: Automaton) -> Paths:
        """Of a non-empty automaton."""
        steps = []
        for t, layer in enumerate(language.edges):
            size, dead = language.layer_sizes[t], language.layer_sizes[t + 1]
            rows: dict[tuple[int, int], np.ndarray] = {}  # (symbol, how many-th edge of a state with it)
            seen: dict[tuple[int, int], int] = {}
            for source, symbol, target in layer:
                place = seen.get((source, symbol), 0)
                seen[source, symbol] = place + 1
                row = rows.setdefault((symbol, place), np.full(size, dead, dtype=np.intp))
                row[source] = target
            grouped: dict[bytes, list[int]] = {}
            for (symbol, _), row in rows.items():
                grouped.setdefault(row.tobytes(), []).append(symbol)
            groups = tuple(np.array(symbols, dtype=np.intp) for symbols in grouped.values())
            steps.append(_Step(groups, tuple(np.frombuffer(key, dtype=np.intp) for key in grouped)))
        return cls(language.length, language.symbol_count, language.layer_sizes, tuple(steps))

    @cached_property
    def width(self) -> int:
        """The largest layer: how much memory one function takes per layer."""
        return max(self.layer_sizes) + 1

    @cached_property
    def present(self) -> np.ndarray:
        """(length, symbols): whether some word has this symbol there."""
        out = np.zeros((self.length, self.symbol_count), dtype=bool)
        for t, step in enumerate(self.steps):
            for group in step.groups:
                out[t, group] = True
        return out

    def averages(self, weights: np.ndarray) -> list[np.ndarray]:
        """Per layer, (states, functions): the average of the functions over the words that pass the state
        (not exact).

        `weights` (length, symbols, functions).
        """
        functions = weights.shape[2]
        prefix = [
            (np.ones(self.layer_sizes[0]), np.zeros((self.layer_sizes[0], functions)))
        ]  # how many, their sums
        for t in range(self.length):
            counts, sums = prefix[-1]
            into = np.zeros(self.layer_sizes[t + 1] + 1), np.zeros((self.layer_sizes[t + 1] + 1, functions))
            for group, targets in zip(self.steps[t].groups, self.steps[t].targets, strict=True):
                np.add.at(into[0], targets, counts * len(group))
                np.add.at(
                    into[1], targets, sums * len(group) + counts[:, None] * weights[t, group].sum(axis=0)
                )
            size = max(into[0].max(), 1e-300)  # only proportions matter, and counts would overflow
            prefix.append((into[0][:-1] / size, into[1][:-1] / size))
        counts, sums = np.ones(self.layer_sizes[-1] + 1), np.zeros((self.layer_sizes[-1] + 1, functions))
        counts[-1] = 0
        out = []
        for t in reversed(range(self.length + 1)):
            if t < self.length:
                here = np.zeros(self.layer_sizes[t] + 1), np.zeros((self.layer_sizes[t] + 1, functions))
                for group, targets in zip(self.steps[t].groups, self.steps[t].targets, strict=True):
                    here[0][:-1] += counts[targets] * len(group)
                    here[1][:-1] += sums[targets] * len(group) + counts[targets, None] * weights[
                        t, group
                    ].sum(axis=0)
                size = max(here[0].max(), 1e-300)
                counts, sums = here[0] / size, here[1] / size
            before = prefix[t][1] / np.maximum(prefix[t][0], 1e-300)[:, None]
            out.append(before + sums[:-1] / np.maximum(counts[:-1], 1e-300)[:, None])
        return out[::-1]

    def best(
        self, weights: np.ndarray, states: np.ndarray | None = None, *, trace: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maxima (functions,), words (functions, length) that attain them, and the states they pass
        (functions, length + 1).

        `weights` (length, symbols, functions); -inf forbids a symbol.  `states` (length + 1, width,
        functions), where given, is added for each state that is passed; -inf forbids it.  A function without
        any word has -inf and an arbitrary word.  Exact wherever all partial sums are exact in float64.
        """
        count = weights.shape[2]
        here = self._start(states, count)
        tables = [here]
        for t in reversed(range(self.length)):
            here = self._backward(t, weights[t], here, states)
            tables.append(here)
        tables.reverse()
        first = tables[0][: self.layer_sizes[0]]
        if not trace:
            return (
                first.max(axis=0),
                np.zeros((count, 0), dtype=np.int64),
                np.zeros((count, 0), dtype=np.int64),
            )
        return first.max(axis=0), *self._trace(weights, tables, first.argmax(axis=0))

    def _start(self, states: np.ndarray | None, count: int) -> np.ndarray:
        size = self.layer_sizes[-1]
        here = np.zeros((size + 1, count))
        here[size] = NEVER
        if states is not None:
            here[:size] += states[self.length, :size]
        return here

    def _backward(
        self, t: int, weights: np.ndarray, following: np.ndarray, states: np.ndarray | None
    ) -> np.ndarray:
        """Best completions from each state of layer t; the last row stands for 'no state'."""
        step, size = self.steps[t], self.layer_sizes[t]
        out = np.full((size + 1, weights.shape[1]), NEVER)
        into = out[:size]
        for group, targets in zip(step.groups, step.targets, strict=True):
            value = following.take(targets, axis=0)
            value += weights[group[0]] if len(group) == 1 else weights[group].max(axis=0)
            np.maximum(into, value, out=into)
        if states is not None:
            into += states[t, :size]
        return out

    def _trace(
        self, weights: np.ndarray, tables: list[np.ndarray], state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        count = len(state)
        functions = np.arange(count)
        words, passed = (
            np.zeros((self.length, count), dtype=np.int64),
            np.zeros((self.length + 1, count), dtype=np.int64),
        )
        passed[0] = state
        for t, step in enumerate(self.steps):
            following = tables[t + 1]
            best = np.full(count, NEVER)
            symbol, target = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
            for group, targets in zip(step.groups, step.targets, strict=True):
                here = weights[t][group]
                chosen = here.argmax(axis=0)
                to = targets[state]
                value = here[chosen, functions] + following[to, functions]
                better = value > best
                best = np.where(better, value, best)
                symbol = np.where(better, group[chosen], symbol)
                target = np.where(better, to, target)
            words[t], passed[t + 1] = symbol, target
            state = np.minimum(target, self.layer_sizes[t + 1] - 1)  # only where there is no word at all
        return np.ascontiguousarray(words.T), np.ascontiguousarray(passed.T)
