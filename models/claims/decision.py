"""How a network's outputs become a label, and every way to err (docs/reference/semantics.md).

A `Decision` is part of every claim about labels.  It knows no network and no inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ...common.deadline import check
from ...common.errors import InputError

Label = str | int | bool


def same_label(a: object, b: object) -> bool:
    """Labels compare with their type: 1, True and "1" are three labels."""
    return type(a) is type(b) and a == b


@dataclass(frozen=True)
class EveryPosition:
    """The decision is made at every position of the sequence, and not once.

    per_prefix: a program is a function of the prefix up to and including the position; else it gives a tuple
        of all labels.
    """

    per_prefix: bool = False


@dataclass(frozen=True)
class Rival:
    """A way to err on words of one label: the network errs iff coefficients . outputs >= threshold.

    `outputs` are the network's output numerators (over `Network.scale`), so strictness is exact: > 0 is >= 1.
    """

    label: int
    coefficients: tuple[int, ...]
    threshold: int


@dataclass(frozen=True)
class Decision:
    """How outputs become a label.

    kind: "argmax": the largest output wins, ties go to the lowest index, and output i means labels[i].
        "sign": the only output means labels[0] if it is <= 0, else labels[1].

    Raises InputError for labels that are no labels, are listed twice, or are too few.
    """

    kind: Literal["argmax", "sign"]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.kind not in ("argmax", "sign"):
            raise InputError("[decision] kind", f"{self.kind!r} is not a decision", 'use "argmax" or "sign"')
        if any(type(y) not in (str, int, bool) for y in self.labels):
            raise InputError(
                "[decision] labels",
                "labels are strings, integers or booleans",
                "for example labels = [false, true]",
            )
        if len(self._numbers) < len(self.labels):
            raise InputError("[decision] labels", "a label is listed twice", "list each label once")
        if not self.labels:
            raise InputError("[decision] labels", "there are no labels", "list one label per output")
        if self.kind == "sign" and len(self.labels) != 2:
            raise InputError(
                "[decision] labels",
                f"sign takes two labels, not {len(self.labels)}",
                "list the label for y <= 0, then for y > 0",
            )

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return 1 if self.kind == "sign" else len(self.labels)

    def index(self, value: object) -> int | None:
        """Return the index of the label that a value is, or None."""
        return self._numbers.get((type(value), value)) if isinstance(value, str | int) else None

    @cached_property
    def _numbers(self) -> dict[tuple[type, Label], int]:
        return {(type(y), y): i for i, y in enumerate(self.labels)}

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Return label indices (batch,) for exact output numerators (batch, outputs)."""
        if self.kind == "sign":
            return (outputs[:, 0] > 0).astype(np.int64)
        best = np.zeros(len(outputs), dtype=np.int64)
        rows = np.arange(len(outputs))
        for j in range(1, outputs.shape[1]):
            best[(outputs[:, j] > outputs[rows, best]).astype(bool)] = j
        return best

    def rival_count(self, label: int) -> int:
        """Return how many `rivals` a label has."""
        return 1 if self.kind == "sign" else len(self.labels) - 1

    def rivals(self, label: int) -> tuple[Rival, ...]:
        """Return every way to err on a word whose right label is `label`; the network errs iff one of them
        holds.
        """
        if self.kind == "sign":
            return (Rival(0, (1,), 1),) if label == 0 else (Rival(1, (-1,), 0),)
        out = []
        for j in range(len(self.labels)):
            check()
            if j != label:
                signs = tuple((i == j) - (i == label) for i in range(len(self.labels)))
                out.append(Rival(label, signs, 1 if j > label else 0))
        return tuple(out)
