"""What a solver backend is.  One file in `backends/` each, found by `registry.py`, run by `race.py`.

A backend gets a claim and a budget and returns an `Attempt`: "proved", "refuted" with words, "unknown",
"timeout" or "unsupported".  It never decides what is reported: the race replays words and compares trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from ...common.errors import InputError
from ...models.claims.word_claim import WordClaim
from ..verdict import Attempt, Trust


@dataclass(frozen=True)
class Budget:
    """Limits and knobs: wall seconds, megabytes, workers, seed, counterexamples wanted.

    Of one attempt: `workers` are its threads.  Of a race (`prove_claim`): seconds in all, megabytes for each entrant,
    `workers` entrants side by side.  `checkpoint` names a file in which an engine that can go on later keeps what it has done.
    """

    seconds: float = 60.0
    memory_mb: int = 4096
    workers: int = 1
    seed: int = 0
    counterexamples: int = 1
    checkpoint: str | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do: how far its "proved" is trusted, and what it is good for.

    `in_process`: cheap and pure enough to run in the race's own process first.  `certified`: one of our engines, whose "proved" is put to
    the proof checker by default.
    """

    trust: Trust
    in_process: bool = False
    certified: bool = False
    description: str = ""


def installed_version(package: str) -> str | None:
    """A package's version from its metadata, without importing it; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class UnknownOption(InputError):
    """Of a backend: it does not have this option."""

    def __init__(self, option: str, backend: str, known: Iterable[str]) -> None:
        options = ", ".join(known)
        super().__init__(
            "--backends",
            f"{backend} has no option {option!r}",
            f"known are {options}" if options else f"write {backend} alone",
        )


class Backend(Protocol):
    """`available()` probes without importing the solver: its version, or None.  `unfit(claim)` says in one line why not, or None.

    A backend that can be had in several ways also has `options`, names with what they do, and `with_options(options)`,
    a backend of that kind whose name is "name:option:option"; it raises `UnknownOption` (docs/reference/add-a-backend.md).
    """

    name: str
    capabilities: Capabilities

    def available(self) -> str | None: ...

    def unfit(self, claim: WordClaim) -> str | None: ...

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt: ...


def options_of(backend: Backend) -> Mapping[str, str]:
    """Its options with what they do; backends need not have any."""
    return getattr(backend, "options", {}) if hasattr(backend, "with_options") else {}
