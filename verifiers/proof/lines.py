"""What the lines of a proof have to be: both checkers read through this, and whatever is amiss is rejected with the line's number.

Part of the trusted base, after `format.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.network.integers import integer_array
from .format import LimitReached, Rejected

BITS = 128  # of a multiplier
Phases = tuple[tuple[int, int], ...]  # (ReLU, 1 or -1), in the order in which they were split


@dataclass(eq=False)
class Lines:
    """The lines of a proof, one after the other, and what their parts have to be.  `deadline`: of time.monotonic()."""

    lines: Iterator[dict[str, Any]]
    deadline: float = math.inf
    number: int = 0

    def in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise LimitReached(f"out of time at line {self.number}")

    def line(self, what: str, keys: set[str]) -> dict[str, Any]:
        self.number += 1
        self.in_time()
        line = next(self.lines, None)
        if line is None:
            raise self.no(f"{what} is missing")
        if set(line) != keys:
            raise self.no(f"{what} has not just {', '.join(sorted(keys))}")
        return line

    def end(self) -> None:
        if self.line("the last line", {"end"})["end"] is not True or next(self.lines, None) is not None:
            raise self.no("it does not end where it should")

    def no(self, why: str) -> Rejected:
        return Rejected(f"line {self.number}: {why}")

    def a_list(self, value: Any, length: int | None = None) -> list[Any]:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise self.no("a list is not what it should be")
        return value

    def integers(self, value: Any, low: int, high: int, what: str) -> list[int]:
        for v in self.a_list(value):
            if type(v) is not int or not low <= v <= high:
                raise self.no(f"{what} is not in {low} .. {high}")
        return list(value)

    def multipliers(self, value: Any, default: np.ndarray, most: int) -> np.ndarray:
        """[ReLU, multiplier, ReLU, multiplier, ...] where they are not the default."""
        pairs = self.a_list(value)
        relus = self.integers(pairs[::2], 0, len(default) - 1, "a multiplier's ReLU")
        given = self.integers(pairs[1::2], 0, most, "a multiplier")
        if len(pairs) % 2:
            raise self.no("a multiplier is missing")
        values = [int(v) for v in default]
        for j, v in zip(relus, given, strict=True):
            values[j] = v
        return integer_array(values)

    def phases(self, value: Any, relus: int) -> Phases:
        """[+(j + 1) or -(j + 1), ...] as (j, 1 or -1)."""
        phases = tuple(
            (abs(v) - 1, 1 if v > 0 else -1) for v in self.integers(value, -relus, relus, "a leaf's ReLU")
        )
        if any(j < 0 for j, _ in phases):
            raise self.no("a leaf names no ReLU")
        return phases


def covers(known: Iterable[Phases]) -> bool:
    """Whether these nodes of a tree of phase splits have every leaf below its root."""
    known = set(known)
    prefixes = {phases[:n] for phases in known for n in range(len(phases) + 1)}
    following: dict[Phases, set[int]] = {}
    for phases in prefixes:
        if phases:
            following.setdefault(phases[:-1], set()).add(phases[-1][0])
    done: dict[Phases, bool] = {}
    for phases in sorted(prefixes, key=len, reverse=True):
        splits = following.get(phases, set())
        done[phases] = phases in known or any(
            all(done.get((*phases, (j, p)), False) for p in (1, -1)) for j in splits
        )
    return done.get((), False)
