"""Sieve features: only those can explain the examples in which no value stands for two labels.

The inner loop of the search: it looks at thousands of features at once, on a few examples first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..common.deadline import check
from ..models.automata.labelled import Labelled
from .feature import Family

CELLS = (
    1 << 21
)  # features x examples per step: bounds memory, and lets the clock, Ctrl-C and progress be heard
FIRST = 48  # examples that the first sieve looks at
GROWTH = 16  # times as many that the next one looks at
WIDEST = 1 << 13  # a feature with more values than this explains nothing


@dataclass(frozen=True, eq=False)
class Survivors:
    """The features of a family, by number, that are consistent with the examples so far."""

    family: Family
    rows: np.ndarray


def consistent(values: np.ndarray, labels: np.ndarray, label_count: int) -> np.ndarray:
    """Tell for each feature whether each of its values comes with one label only.

    Args:
        values: integers (features, n).
        labels: label indices (n,).
        label_count: how many labels there are.

    Returns: bools (features,).
    """
    shifted = values.astype(np.int64) - int(values.min(initial=0))
    width = int(shifted.max(initial=0)) + 1
    if width > WIDEST:
        return np.zeros(len(values), dtype=bool)
    seen = np.zeros((len(values), width, label_count), dtype=bool)
    seen[np.arange(len(values))[:, None], shifted, labels[None, :]] = True
    result: np.ndarray = (seen.sum(axis=2) <= 1).all(axis=1)
    return result


def sieve(survivors: Survivors, examples: Labelled, label_count: int) -> Survivors:
    """Keep the features that also explain these examples.  Most fail on the first few."""
    rows = survivors.rows
    for stop in _stages(len(examples)):
        if len(rows) == 0:
            break
        words, labels = examples.words[:stop], examples.labels[:stop]
        step = max(1, CELLS // max(1, stop))
        kept = []
        for part in (rows[i : i + step] for i in range(0, len(rows), step)):
            check()
            kept.append(part[consistent(survivors.family.evaluate(words, part), labels, label_count)])
        rows = np.concatenate(kept)
    return Survivors(survivors.family, rows)


def _stages(count: int) -> Iterator[int]:
    """Yield how many examples to look at, one sieve after the other."""
    stop = FIRST
    while stop < count:
        yield stop
        stop *= GROWTH
    yield count


def mixed(examples: Labelled, seed: int) -> Labelled:
    """Put examples into a seeded order that takes the labels in turn: prefixes are then samples of all."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(examples))
    turn = np.zeros(len(examples), dtype=np.int64)
    for label in np.unique(examples.labels):
        here = examples.labels[order] == label
        turn[here] = np.arange(here.sum())
    return examples.take(order[np.argsort(turn, kind="stable")])
