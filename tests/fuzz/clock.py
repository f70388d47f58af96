"""A clock that leaps: time.monotonic says the truth so many times, and then that everything is long over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

LATER = 1e7


@contextmanager
def leaping(after: int | None) -> Iterator[None]:
    """After so many calls a deadline that anybody has is over; None: the clock is right."""
    if after is None:
        yield
        return
    true, left = time.monotonic, after

    def told() -> float:
        nonlocal left
        left -= 1
        return true() + (LATER if left < 0 else 0.0)

    time.monotonic = told
    try:
        yield
    finally:
        time.monotonic = true
