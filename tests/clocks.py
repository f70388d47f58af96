"""Deadlines that no machine reaches, clocks that a test moves, and work that is counted.

Tests share their machine with others, so no test may fail because something took long.  What ends by itself
gets the deadline `later()`.  What has to end by the clock gets a `Ticking` clock, which goes on whenever
somebody looks at it, or a `Clock`, which stands still until its k-th call and then jumps or raises.  "Quick"
means few calls (`calls`), not few seconds.

`time.monotonic` is what every engine, backend and the race ask.  The scripted clocks replace it for a while,
in this process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

LONG = 1e6  # seconds; days
EVERY = 10**9  # calls
SLICE, FOR_EVER = 1.5, 1e7  # seconds: longer than any turn that an engine gives itself, and than any limit


def later() -> float:
    """A deadline that is never reached."""
    return time.monotonic() + LONG


class Ticking:
    """A clock in the place of `time.monotonic`: it goes on by `tick` seconds whenever somebody looks at it,
    and by nothing else.
    """

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


class Fired(Exception):
    """What a clock that raises raises."""


class Clock:
    """Stands still; from call number `fires` on it is `jump` seconds later, or at that call (`jump` None) it
    raises Fired.
    """

    def __init__(self, fires: int, jump: float | None) -> None:
        self.fires, self.jump = fires, jump
        self.start = time.monotonic()
        self.calls = 0

    def __call__(self) -> float:
        self.calls += 1
        if self.calls < self.fires:
            return self.start
        if self.jump is None:
            if self.calls == self.fires:
                raise Fired(f"at call {self.calls}")
            return self.start
        return self.start + self.jump

    @property
    def fired(self) -> bool:
        return self.calls >= self.fires


@contextmanager
def scripted(clock: Clock) -> Iterator[Clock]:
    """Everybody asks this clock."""
    with mock.patch.object(time, "monotonic", clock):
        yield clock


def at_every_call(run: Callable[[], object], jump: float | None, most: int = 40) -> Iterator[object]:
    """What a run comes to if the clock fires at its first call, at its second, and so on until a run ends
    without; Fired if it raised.

    Beyond `most` calls only every so many are tried, so that the number of runs stays bounded.
    """
    k = 1
    while True:
        with scripted(Clock(k, jump)) as clock:
            try:
                found = run()
            except Fired as error:
                found = error
        yield found
        if not clock.fired:
            return
        k += 1 + k // most
