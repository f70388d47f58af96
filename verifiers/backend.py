"""What a solver backend is.  One file in `backends/` each, found by `registry.py`, run by `race.py`.

A backend gets a claim and a budget and returns an `Attempt`: "proved", "refuted" with words, "unknown",
"timeout" or "unsupported".  It never decides what is reported: the race replays words and compares trust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from ..models.claim import Claim
from .verdict import Attempt, Trust


@dataclass(frozen=True)
class Budget:
    """Limits and knobs: wall seconds, megabytes, workers, seed, counterexamples wanted.

    Of one attempt: `workers` are its threads.  Of a race (`prove_claim`): seconds in all, megabytes for each entrant,
    `workers` entrants side by side.
    """

    seconds: float = 60.0
    memory_mb: int = 4096
    workers: int = 1
    seed: int = 0
    counterexamples: int = 1


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do: how far its "proved" is trusted, and what it is good for.

    `in_process`: cheap and pure enough to run in the race's own process first.
    """

    trust: Trust
    in_process: bool = False
    description: str = ""


def installed_version(package: str) -> str | None:
    """A package's version from its metadata, without importing it; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Backend(Protocol):
    """`available()` probes without importing the solver: its version, or None.  `unfit(claim)` says in one line why not, or None."""

    name: str
    capabilities: Capabilities

    def available(self) -> str | None: ...

    def unfit(self, claim: Claim) -> str | None: ...

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt: ...
