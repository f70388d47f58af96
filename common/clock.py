"""The clock of everything that decides claims about boxes.

Deadlines are in its seconds.  It is read through this module only (`clock.now()`), so that a test can replace
it.
"""

from __future__ import annotations

import time


def now() -> float:
    """Return the monotonic time in seconds."""
    return time.monotonic()


def share_of(deadline: float, share: float) -> float:
    """Return the time at which the given share (0 to 1) of what is left until the deadline is over."""
    start = now()
    return start + share * max(0.0, deadline - start)
