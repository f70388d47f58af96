"""How long the work may go on: one time limit for everything that is called below it.

Whoever has to decide something in time says so once (`until`).  Whatever may take long below it calls `check`
now and then, which raises `OutOfTime`.  The limit travels with the call instead of through every signature,
as cancel scopes do in structured concurrency; threads do not inherit it.  A limit within a limit cannot make
it longer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_SECONDS = 30 * 86_400  # solvers count milliseconds in 32 bits
# Seconds after the end until `check` raises.  An engine with a budget of its own stops before, and says how
# far it came.
LATE = 0.5


class OutOfTime(TimeoutError):
    """The time limit was reached."""


# A reached limit is no fault of what is being read or run: `except LIMITS: raise` stands before code that
# blames
# all other exceptions on that.
LIMITS = (OutOfTime, MemoryError)


@dataclass(frozen=True)
class _Limit:
    end: float
    clock: Callable[[], float]


_limit: ContextVar[_Limit | None] = ContextVar("_limit", default=None)


@contextmanager
def until(end: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Let nothing in this block go on after `end` (by `clock`), or after the end of the limit around it."""
    token = _limit.set(_Limit(min(end, ends()), clock))
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def unlimited() -> Iterator[None]:
    """Let no limit hold in this block: for short work that has to be finished once it has begun."""
    token = _limit.set(None)
    try:
        yield
    finally:
        _limit.reset(token)


def ends() -> float:
    """Return when the limit ends, by its clock; infinity where there is none."""
    limit = _limit.get()
    return math.inf if limit is None else limit.end


def left() -> float:
    """Return the seconds until `check` raises."""
    limit = _limit.get()
    return math.inf if limit is None else limit.end + LATE - limit.clock()


def check() -> None:
    """Raise OutOfTime if the limit has been over for LATE seconds."""
    if left() < 0:
        raise OutOfTime("the time limit was reached")
