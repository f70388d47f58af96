"""What time it is, for all of `verifiers/boxes` that has a deadline: read in one place, and never by another name, so that a test can write the script."""

from __future__ import annotations

import time


def now() -> float:
    """In seconds, as deadlines are."""
    return time.monotonic()


def share_of(deadline: float, share: float) -> float:
    """When so much of the time that is left is over."""
    start = now()
    return start + share * max(0.0, deadline - start)
