"""What comes out: attempts, and the three verdicts.  Last in the flow; everything that reports reads these.

A verdict is never a bool: `if prove(...)` raises, so that Unknown cannot pass for Refuted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, NoReturn

from ..common.text import number, rational
from ..models.claims.decision import Label
from ..models.claims.question import NetworkOutput
from .evidence import Coverage, Settled

Trust = Literal["checked", "exact", "float"]
TRUST_ORDER: tuple[Trust, ...] = ("float", "exact", "checked")
Outcome = Literal[
    "proved",  # the backend says: no input differs
    "refuted",  # the backend gave words that differ
    "timeout",  # over the wall limit, killed from outside or gave up in time
    "memory",  # over the memory limit
    "crashed",  # died, raised, or wrote nonsense
    "unsupported",  # cannot take this claim, or is not installed
    "unknown",  # answered that it does not know
    "rejected",  # its counterexample did not survive the exact replay
    "cancelled",  # another entrant won, or the run was interrupted
]


@dataclass(frozen=True)
class Sizes:
    """What a solver was asked: how far bounds came, summed over the labels, and how large the formulas were that they left open.

    `queries` are pairs of label and rival, `settled` those that bounds answer; `dead` and `active` ReLUs have one sign on all inputs of a
    label, `unstable` ones do not.  `variables`, `constraints` and `arcs` (of the automaton) are those of the neutral formulas.
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
    """One backend's run on one claim.  `words` are its proposed counterexamples (padded symbol indices), not yet replayed.

    `proved_inputs`: on how many inputs of the domain it has shown that network and program agree, where it did not finish.
    `evidence`: what it has settled; "proved" counts only where this adds up to the whole domain (`evidence.py`).
    `sizes`: what its solver was asked; None for engines without formulas.  `spans`: from when to when it ran (it may have been paused in
    between), by the monotonic clock, and in a verdict as seconds since the race began.
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

    def with_(self, **changes: object) -> Attempt:
        return replace(self, **changes)  # type: ignore[arg-type]

    def __str__(self) -> str:
        peak = f", {self.peak_mb:.0f} MB" if self.peak_mb is not None else ""
        return f"{self.backend}: {self.outcome} in {self.seconds:.2f} s{peak}" + (
            f" ({self.detail})" if self.detail else ""
        )


@dataclass(frozen=True)
class Counterexample:
    """An input on which network and program differ, replayed exactly and in onnxruntime (where the network has an ONNX form)."""

    tokens: tuple[str, ...]
    network_label: Label
    program_label: Label
    outputs: tuple[Fraction, ...]
    both: tuple[NetworkOutput, NetworkOutput] | None = (
        None  # of a claim about two networks: what each of them says
    )

    def __str__(self) -> str:
        if self.both is not None:
            one, other = (
                repr(t.label) if t.label is not None else ", ".join(map(rational, t.outputs))
                for t in self.both
            )
            return f"{list(self.tokens)}: network {one}, network_b {other}"
        return f"{list(self.tokens)}: network {self.network_label!r}, program {self.program_label!r}"


@dataclass(frozen=True, repr=False)
class _Verdict:
    backend: str | None
    seconds: float
    domain_size: int | None
    attempts: tuple[Attempt, ...]
    warnings: tuple[str, ...]

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a bool: match on Proved, Refuted and Unknown")

    def _said(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        """What a notebook shows: the verdict, who answered, and what to be careful about."""
        lines = [self._said(), *(f"warning: {w}" for w in self.warnings), *(f"  {a}" for a in self.attempts)]
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Proved(_Verdict):
    """Network and program agree on all `domain_size` inputs, as far as `trust` goes.

    `evidence`: what settled every one of them; there is no other way to build this.  `proof`: the file with the checked proof, where one
    was asked for; `certificate`: what there is to say about it, or why there is none.  `certifiable`: it is the word of one of our
    engines, which is put to the proof checker unless another trust was asked for.
    """

    domain_size: int
    trust: Trust
    exact_in_float32: bool
    evidence: Coverage
    proof: str | None = None
    certificate: str = ""
    certifiable: bool = False

    def __post_init__(self) -> None:
        if type(self.evidence) is not Coverage or self.evidence.inputs != self.domain_size:
            raise ValueError(f"the evidence does not cover all {self.domain_size} inputs")

    def _said(self) -> str:
        how = f"{self.backend}, {self.seconds:.2f} s, trust: {self.trust}"
        float32 = (
            "float32 arithmetic gives the same"
            if self.exact_in_float32
            else "of exact arithmetic: float32 may round differently"
        )
        return (
            f"Proved: network and program agree on all {number(self.domain_size)} inputs ({how}; {float32})"
        )


@dataclass(frozen=True, repr=False)
class Refuted(_Verdict):
    """They differ; the first counterexample is the plainest that was found.

    `disagreeing`: on exactly how many inputs, where that was asked for and ended in time.  `proof`: the file with the witness.
    """

    domain_size: int
    counterexamples: tuple[Counterexample, ...]
    disagreeing: int | None = None
    proof: str | None = None

    @property
    def counterexample(self) -> Counterexample:
        return self.counterexamples[0]

    def _said(self) -> str:
        how = f"({self.backend}, {self.seconds:.2f} s, {number(self.domain_size)} inputs in the domain)"
        return "\n".join(
            [f"Refuted: network and program differ {how}", *(f"  on {c}" for c in self.counterexamples)]
        )


@dataclass(frozen=True, repr=False)
class Unknown(_Verdict):
    """Nobody answered within the limits, at the trust that was asked for.  `domain_size`: None where the time was over before the inputs were counted.

    `proved_inputs`: on how many inputs of the domain some engine has shown that network and program agree (exact); None: not told.
    """

    reason: str
    proved_inputs: int | None = None

    def _said(self) -> str:
        inputs = "" if self.domain_size is None else f", {number(self.domain_size)} inputs in the domain"
        return f"Unknown ({self.seconds:.2f} s{inputs}): {self.reason}"


Verdict = Proved | Refuted | Unknown


class Contradiction(Exception):
    """Backends contradict each other or a proof is contradicted by a replayed input: a bug, never an answer.  Exit status 4."""

    def __init__(self, message: str, artefacts: str = "") -> None:
        super().__init__(message)
        self.artefacts = artefacts

    def __str__(self) -> str:
        return super().__str__() + (f"; artefacts are in {self.artefacts}" if self.artefacts else "")
