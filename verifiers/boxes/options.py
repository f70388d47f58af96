"""How a question about boxes is to be decided.

All deciders in this room take the same options: time, threads, who may decide, and how far a solver is
believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


def silent(text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class BoxOptions:
    """What all deciders of questions about boxes take.

    deadline: when to stop, by `common.clock`.
    seed: of everything random.
    threads: how many searches run side by side.
    backend: one of `verdicts.BACKENDS`.
    trust: "exact", or "float" to take the word of a solver with tolerances.
    progress: gets a line of text from time to time.
    """

    deadline: float
    seed: int = 0
    threads: int = 1
    backend: str = "race"
    trust: str = "exact"
    progress: Progress = silent
