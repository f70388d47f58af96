"""From a judged race to the verdict: warnings, reasons, and the plainest counterexamples.

After `judge.py`; the last step before `prove_claim` asks for a checked proof.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...models.claims.position_claims import PositionClaims
from ...models.claims.word_claim import WordClaim
from ...models.claims.words import counts_by_length
from ..attempts import Attempt, Outcome
from ..counterexamples import WordCounterexample
from ..evidence import Coverage
from ..verdict import Proved, Refuted, Unknown, Verdict
from .backend import Budget
from .judge import Judge, reaches
from .shrink import plainest


def conclude(judge: Judge, budget: Budget, started: float, warnings: tuple[str, ...]) -> Verdict:
    """Return the verdict of a race that is over; `started` is its start on the monotonic clock."""
    claim, attempts = judge.claim, tuple(since(a, started) for a in judge.attempts)
    if judge.refutation is not None:
        found, finding = _counterexamples(judge, budget)
        name = judge.refutation.backend
        seconds = time.monotonic() - started
        if not found:
            reason = f"rounding: {finding}; this is a finding about the network's rounding, not an answer"
            return Unknown(name, seconds, claim.domain_size, attempts, warnings, reason)
        if judge.replay.missing:
            warnings = (*warnings, judge.replay.missing)
        return Refuted(name, seconds, claim.domain_size, attempts, warnings, found)
    if judge.proof is not None:
        from ...models.network.float32 import exact_in_float32

        exact = exact_in_float32(claim.network, claim.domain.positions).ok
        trust = judge.proof.trust
        assert trust is not None
        evidence = Coverage.of(claim, judge.proof.evidence)
        seconds, ours = time.monotonic() - started, judge.certifies
        return Proved(
            judge.proof.backend,
            seconds,
            claim.domain_size,
            attempts,
            warnings,
            trust,
            exact,
            evidence,
            certifiable=ours,
        )
    shares = [min(a.proved_inputs, claim.domain_size) for a in attempts if a.proved_inputs is not None]
    reason = reason_of(attempts, budget, judge)
    return Unknown(
        None,
        time.monotonic() - started,
        claim.domain_size,
        attempts,
        warnings,
        reason,
        max(shares, default=None),
    )


def since(attempt: Attempt, started: float) -> Attempt:
    """Return the attempt with its spans as seconds since `started`."""
    return attempt.with_(
        spans=tuple((round(a - started, 3), round(b - started, 3)) for a, b in attempt.spans)
    )


def _counterexamples(judge: Judge, budget: Budget) -> tuple[tuple[WordCounterexample, ...], str]:
    """Return the plainest words that survive the full replay; if none does, what the first replay found."""
    finding = ""

    def survives(word: tuple[int, ...]) -> bool:
        nonlocal finding
        replayed = judge.replay(word)
        finding = finding or (replayed.detail if replayed.status == "rounding" else "")
        return replayed.status == "differs"

    words = plainest(judge.claim, [r.word for r in judge.survivors], budget.counterexamples, survives)
    found = [judge.replay(word).counterexample for word in words]
    return tuple(c for c in found if c is not None), finding


def reason_of(attempts: Sequence[Attempt], budget: Budget, judge: Judge) -> str:
    """Say why nobody answered: which limits were reached, who failed, and what to do about it."""
    parts = []
    proofs = [a for a in attempts if a.outcome == "proved"]
    if proofs:
        said = ", ".join(f"{a.backend} says proved at trust {a.trust}" for a in proofs)
        best = max(
            proofs, key=lambda a: sum(reaches(a.trust, t) for t in ("float", "exact", "checked"))
        ).trust
        parts.append(f"trust: {said}, but {judge.asked} was asked for; accept it with --trust {best}")

    def group(outcome: Outcome, word: Callable[[str], str]) -> None:
        names = [a for a in attempts if a.outcome == outcome]
        if names:
            parts.append(word(", ".join(a.backend for a in names)))

    def detailed(outcome: Outcome, start: str) -> None:
        group(
            outcome,
            lambda _: (
                start + ", ".join(f"{a.backend} ({a.detail})" for a in attempts if a.outcome == outcome)
            ),
        )

    group(
        "timeout",
        lambda names: f"time: {budget.seconds:g} s limit reached by {names}; raise it with --timeout",
    )
    group(
        "memory",
        lambda names: f"memory: {budget.memory_mb} MB limit reached by {names}; raise it with --memory",
    )
    detailed("unknown", "no answer: ")
    detailed("crashed", "crashed: ")
    detailed("rejected", "wrong counterexamples: ")
    if not parts or all(a.outcome in ("unsupported", "crashed", "cancelled") for a in attempts):
        detailed("unsupported", "unsupported: ")
    return "; ".join(parts) or "no backend was asked"


def vacuity(claim: WordClaim | PositionClaims) -> tuple[str, ...]:
    """Return warnings about claims that say less than they seem to."""
    warnings = []
    parts = claim.parts.values() if isinstance(claim, PositionClaims) else (claim,)
    # of two networks nothing is known beforehand
    two = isinstance(claim, WordClaim) and claim.comparison is not None
    labels = () if two else claim.decision.labels
    # every final state is reached by some input
    occurring = {label for part in parts for label in part.language.labels}
    used = [label for i, label in enumerate(labels) if i in occurring]
    never = [label for i, label in enumerate(labels) if i not in occurring]
    if len(used) == 1:
        warnings.append(f"vacuous: the program gives the label {used[0]!r} on every input of the domain")
    if never and len(labels) > 1:
        labels_are = "the label" if len(never) == 1 else "the labels"
        warnings.append(f"the program never gives {labels_are} {', '.join(map(repr, never))}")
    lost = empty_lengths(claim)
    if lost:
        warnings.append(f"vacuous: `where` keeps no input of length {', '.join(map(str, lost))}")
    return tuple(warnings)


def empty_lengths(claim: WordClaim | PositionClaims) -> tuple[int, ...]:
    """Return the lengths of which the domain holds no input at all."""
    domain = claim.domain
    counts = counts_by_length(claim.language, len(domain.tokens))
    return tuple(n for n in range(domain.min_length, domain.max_length + 1) if not counts[n])
