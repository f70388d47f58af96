"""What a backend is, and what it is given.  Backends are in `backends/`, one file each; `race.py` runs them.

A backend gets a claim and a budget and returns an `Attempt`: "proved", "refuted" with words, "unknown",
"timeout" or "unsupported".  It never decides what is reported: the race replays words and compares trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

from ...common.errors import InputError
from ..attempts import Attempt, Trust

if TYPE_CHECKING:  # so that limits can be stated without numpy
    from ...models.claims.word_claim import WordClaim


@dataclass(frozen=True)
class Budget:
    """Limits and settings of one attempt, or of a race.

    Attributes:
        seconds: wall time; of a race: in all.
        memory_mb: megabytes; of a race: for each entrant.
        workers: threads of one attempt; of a race: entrants side by side.
        seed: of everything random.
        counterexamples: how many distinct ones to look for.
        checkpoint: a file in which an engine that can be resumed keeps what it has done.
    """

    seconds: float = 60.0
    memory_mb: int = 4096
    workers: int = 1
    seed: int = 0
    counterexamples: int = 1
    checkpoint: str | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do.

    Attributes:
        trust: how far its "proved" is trusted.
        in_process: whether it is cheap and pure enough to run in the race's own process first.
        certified: whether it is one of our engines, whose "proved" is put to the proof checker by default.
        description: a line for `relucid backends`.
    """

    trust: Trust
    in_process: bool = False
    certified: bool = False
    description: str = ""


def installed_version(package: str) -> str | None:
    """Return a package's version from its metadata, without importing it; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class UnknownOption(InputError):
    """A backend does not have this option."""

    def __init__(self, option: str, backend: str, known: Iterable[str]) -> None:
        options = ", ".join(known)
        super().__init__(
            "backends",
            f"{backend} has no option {option!r}",
            f"known are {options}" if options else f"write {backend} alone",
        )


class Backend(Protocol):
    """A backend of the race.

    `available()` returns its version, or None, without importing the solver.  `unfit(claim)` says in one line
    why it cannot take a claim, or returns None.  `solve` decides the claim.

    A backend with variants also has `options` (names with what they do) and `with_options(options)`, which
    returns a backend called "name:option:option" or raises `UnknownOption` (docs/reference/add-a-backend.md).
    """

    name: str
    capabilities: Capabilities

    def available(self) -> str | None: ...

    def unfit(self, claim: WordClaim) -> str | None: ...

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt: ...


def options_of(backend: Backend) -> Mapping[str, str]:
    """Return a backend's options with what they do; backends need not have any."""
    return getattr(backend, "options", {}) if hasattr(backend, "with_options") else {}
