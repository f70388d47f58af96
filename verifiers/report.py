"""A verdict as the JSON object and the exit status of DESIGN §3: what `--json` prints and scripts rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..common.text import decimal, rational
from .proof.certify import Certificate
from .verdict import Attempt, Counterexample, Proved, Refuted, Unknown, Verdict

PROVED, REFUTED, UNKNOWN = 0, 1, 3


def exit_status(verdict: Verdict) -> int:
    """0 proved, 1 refuted, 3 unknown."""
    if isinstance(verdict, Proved):
        return PROVED
    return REFUTED if isinstance(verdict, Refuted) else UNKNOWN


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Plain data for `json.dumps`.  `counterexamples`, `warnings`, `exact_in_float32`, `certificate`, `disagreeing` and `proved_inputs` are more than DESIGN §3 asks for, as are an attempt's `spans` and `sizes`."""
    proved, refuted = isinstance(verdict, Proved), isinstance(verdict, Refuted)
    found = [counterexample_json(c) for c in verdict.counterexamples] if isinstance(verdict, Refuted) else []
    return {
        "verdict": "proved" if proved else "refuted" if refuted else "unknown",
        "trust": verdict.trust if isinstance(verdict, Proved) else None,
        "reason": None if isinstance(verdict, Proved | Refuted) else verdict.reason,
        "backend": verdict.backend,
        "seconds": round(verdict.seconds, 3),
        "domain_size": None if verdict.domain_size is None else decimal(verdict.domain_size),
        "counterexample": found[0] if found else None,
        "proof": None if isinstance(verdict, Unknown) else verdict.proof,
        "attempts": [_attempt(a) for a in verdict.attempts],
        "counterexamples": found,
        "warnings": list(verdict.warnings),
        "exact_in_float32": verdict.exact_in_float32 if isinstance(verdict, Proved) else None,
        "certificate": (verdict.certificate or None) if isinstance(verdict, Proved) else None,
        "disagreeing": _disagreeing(verdict),
        "proved_inputs": decimal(verdict.proved_inputs)
        if isinstance(verdict, Unknown) and verdict.proved_inputs is not None
        else None,
    }


def _disagreeing(verdict: Verdict) -> str | None:
    """On how many inputs network and program differ: none where it is proved, else what `--count` found."""
    if isinstance(verdict, Proved):
        return "0"
    return (
        decimal(verdict.disagreeing)
        if isinstance(verdict, Refuted) and verdict.disagreeing is not None
        else None
    )


def certificate_json(certificate: Certificate | None, why: str, domain_size: int) -> dict[str, Any]:
    """What `check --json` prints: `accepted`, what the file shows (`proved`, `refuted` or null), the reason of a rejection, and numbers.

    `queries` and `steps` are those of a proof in another format, `parts`, `leaves` and `run` those of one in ours.
    """
    found = certificate.accepted if certificate else None
    other = certificate.convinced if certificate else None
    either = found or other
    return {
        "accepted": certificate is not None,
        "shows": certificate.shows if certificate else None,
        "reason": why or None,
        "domain_size": decimal(domain_size),
        "tokens": list(certificate.tokens) if certificate and certificate.shows == "refuted" else None,
        "parts": found.parts if found else None,
        "leaves": found.leaves if found else None,
        "run": found.run if found else None,
        "queries": other.queries if other else None,
        "steps": other.steps if other else None,
        "exact_in_float32": either.exact_in_float32 if either else None,
        "bytes": certificate.size if certificate else None,
        "seconds": round(certificate.seconds, 3) if certificate else None,
    }


def counterexample_json(found: Counterexample) -> dict[str, Any]:
    if found.both is not None:
        one, other = found.both
        return {
            "tokens": list(found.tokens),
            "network_label": one.label,
            "program_label": None,
            "network_b_label": other.label,
            "outputs": [rational(v) for v in one.outputs],
            "outputs_b": [rational(v) for v in other.outputs],
        }
    return {
        "tokens": list(found.tokens),
        "network_label": found.network_label,
        "program_label": found.program_label,
        "outputs": [rational(v) for v in found.outputs],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "backend": attempt.backend,
        "version": attempt.version,
        "outcome": attempt.outcome,
        "seconds": attempt.seconds,
        "peak_mb": attempt.peak_mb,
        "detail": attempt.detail,
        "spans": [list(span) for span in attempt.spans],
        "sizes": None if attempt.sizes is None else asdict(attempt.sizes),
    }
