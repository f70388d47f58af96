"""Starved budgets: time limits from 0 upward, or a scripted clock that leaps, or raises, at one
of its calls.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from clocks import FOR_EVER, SLICE, Clock, Fired, scripted

__all__ = ["Fired", "ample", "is_starved", "kept_by", "starved"]

LEAPS = 0.6  # of the starved budgets, how many have a clock that leaps
JUMPS = (FOR_EVER, FOR_EVER, SLICE, None)  # seconds; None: it raises


def ample(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "leap": None}


def starved(rng: random.Random, limits: Sequence[float], seconds: float, calls: int) -> dict[str, Any]:
    """`leap`: the call at which the clock leaps, up to `calls`, and by how much."""
    if rng.random() < LEAPS:
        return {"seconds": seconds, "leap": [int(calls ** rng.random()), rng.choice(JUMPS)]}
    return {"seconds": rng.choice(limits), "leap": None}


def is_starved(case: dict[str, Any], seconds: float) -> bool:
    return case["leap"] is not None or case["seconds"] < seconds


@contextmanager
def kept_by(case: dict[str, Any]) -> Iterator[None]:
    """The case's clock.  What asks it may raise Fired."""
    if case["leap"] is None:
        yield
        return
    with scripted(Clock(*case["leap"])):
        yield
