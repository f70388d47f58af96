"""A clock that a test moves: it stands still until its k-th call, then something happens.

`time.monotonic` is what every engine, backend and the race ask; here it is replaced for the length of a run, in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

EVERY = 10**9  # calls
SLICE, FOR_EVER = 1.5, 1e7  # seconds: longer than any turn that an engine gives itself, and than any limit


class Fired(Exception):
    """What a clock that raises raises."""


class Clock:
    """Stands still; from call number `fires` on it is `jump` seconds later, or at that call (`jump` None) it raises Fired."""

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", clock)
        yield clock


def at_every_call(run: Callable[[], object], jump: float | None, most: int = 40) -> Iterator[object]:
    """What a run comes to if the clock fires at its first call, at its second, and so on until a run ends without; Fired if it raised.

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
