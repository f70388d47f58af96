"""The best programs as a front: each is the shortest that has no more exceptions.

The shortest exact program comes first, then shorter ones, each with the inputs on which it is wrong, counted.
A person may prefer "the last token, but for 12 inputs" to three lines more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..models.automata.labelled import Labelled
from .candidate import Candidate

SHOWN = 5  # exceptions that an entry lists, and entries of a front
EVALUATED = 10_000_000  # runs of candidates on inputs, about
BLOCK = 1 << 20  # inputs at a time, which bounds memory
SAMPLE = 10_000  # inputs on which candidates are compared first


@dataclass(frozen=True, eq=False)
class FrontEntry:
    """A program and its exceptions.

    Args:
        candidate: the program.
        exceptions: on how many inputs it does not give their label.
        of: how many inputs there are.
        examples: the first few of the exceptions, with their right labels.
    """

    candidate: Candidate
    exceptions: int
    of: int
    examples: Labelled


def front(candidates: Iterable[Candidate], examples: Labelled) -> tuple[FrontEntry, ...]:
    """Return the candidates that no other one beats in length and in exceptions, fewest exceptions first.

    A shorter program is worth showing if it makes less than half the mistakes of one that always gives the
    most frequent label.

    Args:
        candidates: any programs; the first is the one that was chosen.
        examples: the inputs on which exceptions are counted.
    """
    few = examples.take(np.random.default_rng(0).permutation(len(examples))[:SAMPLE])
    programs = list({c.source(): c for c in candidates}.values())
    likely = [e.candidate for e in _best([_entry(c, few) for c in programs])]
    affordable = min(2 * SHOWN, max(1, EVALUATED // max(1, len(examples))))
    found = _best([_entry(c, examples) for c in dict.fromkeys([*programs[:1], *likely[:affordable]])])
    guess = len(examples) - int(np.bincount(examples.labels).max(initial=0))
    return tuple(e for i, e in enumerate(found[:SHOWN]) if i == 0 or 2 * e.exceptions < guess)


def _entry(candidate: Candidate, examples: Labelled) -> FrontEntry:
    found = []
    for start in range(0, len(examples), BLOCK):
        part = slice(start, start + BLOCK)
        given = candidate.evaluate(examples.words[part])
        found.append(start + np.flatnonzero(given != examples.labels[part]))
    wrong = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    return FrontEntry(candidate, len(wrong), len(examples), examples.take(wrong[:SHOWN]))


def _best(entries: list[FrontEntry]) -> list[FrontEntry]:
    """Keep what nothing beats: with more exceptions, an entry must be shorter than all before it."""
    kept: list[FrontEntry] = []
    for entry in sorted(entries, key=lambda e: (e.exceptions, e.candidate.key)):
        length = entry.candidate.description_length
        if not kept or length < kept[-1].candidate.description_length:
            kept.append(entry)
    return kept
