"""What each backend did on a claim: attempts, their outcomes, and how far a "proved" is trusted.

The race (`race/`) collects attempts while it runs, and a verdict (`verdict.py`) lists them all.  They travel
between processes, so nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..version import __version__
from .evidence import Settled

Trust = Literal["checked", "exact", "float"]
TRUST_ORDER: tuple[Trust, ...] = ("float", "exact", "checked")
Outcome = Literal[
    "proved",  # the backend says: there is no counterexample
    "refuted",  # the backend gave counterexamples
    "timeout",  # over the time limit: it gave up, or was killed from outside
    "memory",  # over the memory limit
    "crashed",  # died, raised, or wrote nonsense
    "unsupported",  # cannot take this claim, or is not installed
    "unknown",  # answered that it does not know
    "rejected",  # its counterexample did not survive the exact replay
    "cancelled",  # another entrant won, or the run was interrupted
]


@dataclass(frozen=True)
class Sizes:
    """How large the questions were that a solver was asked, summed over the labels.

    queries: pairs of a label and a rival.
    settled: the queries that bounds answer without the solver.
    dead, active, unstable: ReLUs whose input is never positive on the inputs of a label, never negative, or
        either.
    variables, constraints: the sizes of the formulas.
    arcs: the size of the automata.
    """

    queries: int = 0
    settled: int = 0
    dead: int = 0
    active: int = 0
    unstable: int = 0
    variables: int = 0
    constraints: int = 0
    arcs: int = 0


@dataclass(frozen=True)
class Attempt:
    """One backend's run on one claim.

    trust: how far its "proved" is trusted.
    seconds, peak_mb: wall time and memory (None: not measured).
    words: proposed counterexamples (padded symbol indices) that are not replayed yet.
    proved_inputs: on how many inputs it has shown that the claim holds, if it did not finish.
    sizes: what its solver was asked; None for engines without formulas.
    spans: from when to when it ran, because it may be paused in between.  Seconds of the monotonic clock; in
        a verdict, seconds since the race began.
    evidence: what it has settled.  "proved" counts only if this adds up to the whole domain.
    """

    backend: str
    outcome: Outcome
    version: str = ""
    trust: Trust | None = None
    seconds: float = 0.0
    peak_mb: float | None = None
    detail: str = ""
    words: tuple[tuple[int, ...], ...] = ()
    proved_inputs: int | None = None
    sizes: Sizes | None = None
    spans: tuple[tuple[float, float], ...] = ()
    evidence: tuple[Settled, ...] = ()

    @classmethod
    def own(cls, backend: str, outcome: Outcome, seconds: float = 0.0, detail: str = "") -> Attempt:
        """Return the attempt of an engine of relucid that ran in-process."""
        return cls(backend, outcome, __version__, seconds=round(seconds, 3), detail=detail)

    def with_(self, **changes: object) -> Attempt:
        """Return a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def __str__(self) -> str:
        peak = f", {self.peak_mb:.0f} MB" if self.peak_mb is not None else ""
        return f"{self.backend}: {self.outcome} in {self.seconds:.2f} s{peak}" + (
            f" ({self.detail})" if self.detail else ""
        )
