"""The JSON objects that `--json` prints, for verdicts and for checked proofs.  Scripts rely on their keys.

`docs/reference/json.md` describes them.  The objects for a command that reached a limit before there was a
verdict are here too, so nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..common.text import decimal, rational
from .attempts import Attempt
from .counterexamples import Counterexample, PointCounterexample, WordCounterexample
from .evidence import Tiling
from .verdict import BoxDetails, Proved, Refuted, Unknown, Verdict

if TYPE_CHECKING:
    from .proof.certificate import Certificate

VNNCOMP_WORDS = {"proved": "unsat", "refuted": "sat", "unknown": "unknown"}


def vnncomp_word(verdict: Verdict) -> str:
    """Return VNN-COMP's word: sat, unsat, unknown or timeout."""
    late = verdict.boxes is not None and verdict.boxes.timeout
    return "timeout" if late else VNNCOMP_WORDS[verdict.outcome]


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as plain data: some keys for all verdicts, and some for words or for boxes only."""
    every = {
        "verdict": verdict.outcome,
        "trust": verdict.trust if isinstance(verdict, Proved) else None,
        "reason": verdict.reason if isinstance(verdict, Unknown) else None,
        "backend": verdict.backend,
        "seconds": round(verdict.seconds, 3),
        "domain_size": None if verdict.domain_size is None else decimal(verdict.domain_size),
        "counterexample": counterexample_json(verdict.counterexample)
        if isinstance(verdict, Refuted)
        else None,
        "proof": None if isinstance(verdict, Unknown) else verdict.proof,
        "attempts": [_attempt(a, verdict.boxes is None) for a in verdict.attempts],
        "warnings": list(verdict.warnings),
        "certificate": (verdict.certificate or None) if isinstance(verdict, Proved) else None,
    }
    return every | (_words(verdict) if verdict.boxes is None else _boxes(verdict, verdict.boxes))


def _words(verdict: Verdict) -> dict[str, Any]:
    """Return the keys that only claims about words have."""
    disagreeing = 0 if isinstance(verdict, Proved) else getattr(verdict, "disagreeing", None)
    proved = getattr(verdict, "proved_inputs", None)
    return {
        "counterexamples": [counterexample_json(c) for c in getattr(verdict, "counterexamples", ())],
        "exact_in_float32": verdict.exact_in_float32 if isinstance(verdict, Proved) else None,
        "disagreeing": None if disagreeing is None else decimal(disagreeing),
        "proved_inputs": None if proved is None else decimal(proved),
    }


def _boxes(verdict: Verdict, details: BoxDetails) -> dict[str, Any]:
    """Return the keys that only claims about boxes have."""
    point = verdict.counterexample if isinstance(verdict, Refuted) else details.point
    apart = details.difference
    return {
        "word": vnncomp_word(verdict),
        "witness": None if point is None else _point(point),
        "peak_mb": details.peak_mb,
        "epsilon": None if apart is None else repr(apart.bound),
        "seen": None if apart is None else rational(apart.seen),
        "evidence": _tiling(verdict.evidence)
        if isinstance(verdict, Proved) and isinstance(verdict.evidence, Tiling)
        else None,
    }


def _point(point: PointCounterexample) -> dict[str, Any]:
    runtime = point.runtime_output
    return {
        **counterexample_json(point),
        "runtime_input": list(point.runtime_input),
        "runtime_output": None if runtime is None else list(runtime),
        "distance": rational(point.distance),
    }


def _tiling(evidence: Tiling) -> dict[str, Any]:
    return {
        "cases": evidence.cases,
        "polyhedra": evidence.polyhedra,
        "parts": {how.lower(): n for how, n in evidence.settled},
    }


def counterexample_json(found: Counterexample) -> dict[str, Any]:
    """Return a counterexample as plain data; rational numbers are strings."""
    if isinstance(found, PointCounterexample):
        return {"input": list(map(rational, found.input)), "output": list(map(rational, found.output))}
    assert isinstance(found, WordCounterexample)
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
        **({} if found.position is None else {"position": found.position}),
    }


def _attempt(attempt: Attempt, words: bool) -> dict[str, Any]:
    """Return an attempt.  Engines over boxes share a process, and have neither spans nor formulas."""
    found: dict[str, Any] = {
        "backend": attempt.backend,
        "version": attempt.version,
        "outcome": attempt.outcome,
        "seconds": attempt.seconds,
        "peak_mb": attempt.peak_mb,
        "detail": attempt.detail,
    }
    if words:
        found["spans"] = [list(span) for span in attempt.spans]
        found["sizes"] = None if attempt.sizes is None else asdict(attempt.sizes)
    return found


def undecided_json(reason: str, seconds: float | None = None) -> dict[str, Any]:
    """Return the object of `verdict_json` for a claim about words that could not be read in time."""
    found = verdict_json(Unknown(None, seconds or 0.0, None, (), (), reason))
    return found if seconds is not None else found | {"seconds": None}


# -- checked proofs ------------------------------------------------------------------------------------------


def certificate_json(certificate: Certificate | None, why: str, domain_size: int) -> dict[str, Any]:
    """Return what `check --json` prints for a claim about words.

    certificate: what was accepted; None if nothing was, and `why` says why.

    `queries` and `steps` are numbers of a proof in another format; `parts`, `leaves` and `run` of one in
    ours.
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


def unchecked_json(reason: str, seconds: float | None = None) -> dict[str, Any]:
    """Return the object of `certificate_json` for a check that reached a limit."""
    found = certificate_json(None, reason, 0)
    return found | {"domain_size": None, "seconds": None if seconds is None else round(seconds, 3)}


def box_certificate_json(certificate: Certificate | None, why: str) -> dict[str, Any]:
    """Return what `check --json` prints for a claim about boxes; `why`: the reason if it was not accepted."""
    found = certificate.accepted if certificate else None
    return {
        "accepted": certificate is not None,
        "reason": None if certificate is not None else why,
        "leaves": None if certificate is None else found.leaves if found else 0,
    }
