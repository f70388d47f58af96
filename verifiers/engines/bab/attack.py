"""Look for counterexamples before anything is bounded.

Tried are words that are extreme for some neuron, and linearisations at many words.  Most false claims end
here.  What is found is checked in integers; what is not found says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...bounds.multipliers import Multipliers
from ...bounds.word_bounds import RowObjectives, WordSupport, bounds
from ...bounds.word_queries import FloatQueries
from .cells import Word

ATTACKS, STEPS = 48, 6
AT_ONCE = 128  # neurons whose words are found together


def attack(problem: FloatQueries, seed: int, in_time: Callable[[], None]) -> tuple[Word, ...]:
    """Words on which some rival wins, or ().  `in_time` is called between steps, and may raise."""
    return _at_extremes(problem, in_time) or _from_many_words(problem, seed, in_time)


def _at_extremes(problem: FloatQueries, in_time: Callable[[], None]) -> tuple[Word, ...]:
    """The words on which each ReLU's own sum over the symbols is largest and smallest: where neurons fire
    that hardly ever do.
    """
    table = problem.symbols[: problem.count].transpose(1, 2, 0)
    for start in range(0, problem.count, AT_ONCE):
        in_time()
        some = table[:, :, start : start + AT_ONCE]
        words = problem.paths.best(np.concatenate([some, -some], axis=2))[1]
        if wrong := _wrong(problem, words):
            return wrong
    return ()


def _from_many_words(problem: FloatQueries, seed: int, in_time: Callable[[], None]) -> tuple[Word, ...]:
    """From random words: linearise the network there, take the language's best word for it, and again."""
    k, rivals = problem.count, len(problem.queries)
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(k, k + rivals), max(1, ATTACKS // rivals))
    none = Multipliers(*(np.zeros((len(target), k)) for _ in range(3)))
    words = problem.paths.best(
        rng.normal(size=(problem.paths.length, problem.paths.symbol_count, len(target)))
    )[1]
    for _ in range(STEPS):
        in_time()
        if wrong := _wrong(problem, words):
            return wrong
        rows = problem.exact_rows(problem.values(words))
        phase = np.where(rows[:, :k] > 0, 1, -1).astype(np.int8)
        words = bounds(
            problem,
            RowObjectives(
                target, np.ones(len(target)), rows[:, :k], rows[:, :k], phase, WordSupport(problem)
            ),
            none,
        ).words
    return ()


def _wrong(problem: FloatQueries, words: np.ndarray) -> tuple[Word, ...]:
    """Of these words, those on which some rival wins: floats propose, integers decide."""
    k = problem.count
    rows = problem.exact_rows(problem.values(words))[:, k:]
    found = {tuple(map(int, words[i])): k + int(j) for i, j in zip(*np.nonzero(rows >= 0), strict=True)}
    return tuple(word for word, row in found.items() if problem.violates(row, word))
