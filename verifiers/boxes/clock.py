"""What time it is, for all of `verifiers/boxes` that has a deadline: read in one place, so that a test can write the script."""

from __future__ import annotations

import time
from collections.abc import Callable


def _monotonic() -> float:
    return time.monotonic()  # looked up at every call: whoever replaces it is asked


read: Callable[[], float] = _monotonic


def now() -> float:
    """In seconds, as deadlines are."""
    return read()


def share_of(deadline: float, share: float) -> float:
    """When so much of the time that is left is over."""
    start = now()
    return start + share * max(0.0, deadline - start)
