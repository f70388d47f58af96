"""The values that the lines of a proof consist of, checked one by one; an error names the line.

Part of the trusted base, after `format.py`; `tree.py` and both checkers read through it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.network.integers import integer_array
from .format import LimitReached, Rejected
from .region import Phases

BITS = 128  # of a multiplier


@dataclass(eq=False)
class Lines:
    """The lines of a proof, one after the other.  `deadline`: of time.monotonic(); `number`: of the line that
    was read last.
    """

    lines: Iterator[dict[str, Any]]
    deadline: float = math.inf
    number: int = 0

    def in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise LimitReached(f"out of time at line {self.number}")

    def line(self, what: str, *keys: set[str]) -> dict[str, Any]:
        """The next line, which has one of these sets of keys."""
        self.number += 1
        self.in_time()
        line = next(self.lines, None)
        if line is None:
            raise self.no(f"{what} is missing")
        if set(line) not in keys:
            raise self.no(f"{what} has not just {' or '.join(', '.join(sorted(k)) for k in keys)}")
        return line

    def end(self) -> None:
        if self.line("the last line", {"end"})["end"] is not True or next(self.lines, None) is not None:
            raise self.no("it does not end where it should")

    def no(self, why: str, kind: type[Rejected] = Rejected) -> Rejected:
        return kind(f"line {self.number}: {why}")

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
        """[place, multiplier, place, multiplier, ...] where they are not the default; a multiplier is in 0 ..
        `most`.
        """
        pairs = self.a_list(value)
        places = self.integers(pairs[::2], 0, len(default) - 1, "a multiplier's place")
        given = self.integers(pairs[1::2], 0, most, "a multiplier")
        if len(pairs) % 2:
            raise self.no("a multiplier is missing")
        if not pairs:
            return default
        values = [int(v) for v in default]
        for j, v in zip(places, given, strict=True):
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
