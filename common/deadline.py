"""How long the work may go on: one time limit for everything that is called below it.

Whoever is asked to decide something in time says so once (`until`); whatever may take long below it asks now and then (`check`), and ends
with `OutOfTime`.  The limit travels with the call and not through every signature, as cancel scopes do in structured concurrency; threads do not
inherit it.  A limit within a limit cannot make it longer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_SECONDS = 30 * 86_400  # solvers count milliseconds in 32 bits
LATE = 0.5  # seconds after the end until `check` raises: whoever has a budget of its own stops before, and says how far it came


class OutOfTime(TimeoutError):
    """The time limit was reached."""


LIMITS = (
    OutOfTime,
    MemoryError,
)  # no fault of what is being read or run: `except LIMITS: raise` stands before whatever blames all else on that


@dataclass(frozen=True)
class _Limit:
    end: float
    clock: Callable[[], float]


_limit: ContextVar[_Limit | None] = ContextVar("_limit", default=None)


@contextmanager
def until(end: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Below, nothing goes on after `end` (by `clock`), or after the end of the limit around it."""
    token = _limit.set(_Limit(min(end, ends()), clock))
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def unlimited() -> Iterator[None]:
    """Below, no limit holds: for what has to be finished once it has begun, and is short."""
    token = _limit.set(None)
    try:
        yield
    finally:
        _limit.reset(token)


def ends() -> float:
    """When the limit ends, by its clock; infinity where there is none."""
    limit = _limit.get()
    return math.inf if limit is None else limit.end


def left() -> float:
    """Seconds until `check` raises."""
    limit = _limit.get()
    return math.inf if limit is None else limit.end + LATE - limit.clock()


def check() -> None:
    """Raises OutOfTime where the limit is over, and has been for LATE seconds."""
    if left() < 0:
        raise OutOfTime("the time limit was reached")
