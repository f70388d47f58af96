"""Which features can explain the examples at all: those where no value stands for two labels.

The inner loop of the search: thousands of features at once, on the examples that refute most first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..common.deadline import check
from ..models.automata.labelled import Labelled
from .feature import Family
from .problem import Problem

CELLS = 1 << 21  # features x examples per step: bounds memory, and keeps the clock, Ctrl-C and progress alive
FIRST = 48  # examples that the first sieve looks at
WIDEST = 1 << 13  # a feature with more values than this explains nothing


@dataclass(frozen=True, eq=False)
class Survivors:
    """The features of one family that are consistent with the examples so far."""

    family: Family
    rows: np.ndarray


def consistent(values: np.ndarray, labels: np.ndarray, label_count: int) -> np.ndarray:
    """Per feature (row of `values`), whether each of its values comes with one label only."""
    shifted = values.astype(np.int64) - int(values.min(initial=0))
    width = int(shifted.max(initial=0)) + 1
    if width > WIDEST:
        return np.zeros(len(values), dtype=bool)
    seen = np.zeros((len(values), width, label_count), dtype=bool)
    seen[np.arange(len(values))[:, None], shifted, labels[None, :]] = True
    return (seen.sum(axis=2) <= 1).all(axis=1)


def sieve(survivors: Survivors, examples: Labelled, label_count: int) -> Survivors:
    """The features that also explain these examples; a few examples first, as most features fail on them."""
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
    stop = FIRST
    while stop < count:
        yield stop
        stop *= 16
    yield count


def mixed(examples: Labelled, seed: int) -> Labelled:
    """The same examples in a seeded order that takes the labels in turn, so that prefixes are samples of all of them."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(examples))
    turn = np.zeros(len(examples), dtype=np.int64)
    for label in np.unique(examples.labels):
        here = examples.labels[order] == label
        turn[here] = np.arange(here.sum())
    return examples.take(order[np.argsort(turn, kind="stable")])


def all_families(problem: Problem, templates: Iterable[str]) -> Iterator[Family]:
    """Every family of the wanted templates, in the templates' order."""
    from .templates import all_templates

    for name in templates:
        for family in all_templates()[name].families(problem):
            if family.size:
                yield family
