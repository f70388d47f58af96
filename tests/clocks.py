"""What tests use instead of the time of day: deadlines that no machine reaches, clocks that are scripted, and work that is counted.

Tests share their machine with others.  So none may fail because something took long: what ends by itself gets `later()`, what has to end
by the clock gets a `Ticking` one, which is as late as it was looked at, and "quick" means few calls (`calls`), not few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

LONG = 1e6  # seconds; days


def later() -> float:
    """A deadline that is never reached."""
    return time.monotonic() + LONG


class Ticking:
    """A clock in the place of `time.monotonic`: it goes on by `tick` seconds whenever somebody looks at it, and by nothing else."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick, self.looks = 1000.0, tick, 0

    def __call__(self) -> float:
        self.looks += 1
        self.now += self.tick
        return self.now


@contextmanager
def ticking(tick: float) -> Iterator[Ticking]:
    """A scripted clock for a while, in the place of the real one."""
    clock = Ticking(tick)
    with mock.patch.object(time, "monotonic", clock):
        yield clock


def calls(work: Callable[[], Any]) -> int:
    """How many functions are called by some work: the same on every machine, whatever else it does."""
    found = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found
