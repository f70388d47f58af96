"""Verdicts about boxes: how the deciders build them, and how they travel between processes.

What arrives in the parent is checked as it is read: the evidence is added up again, and a `Proved` cannot be
built without it.  Integers travel in hexadecimal, because they have no upper limit.  Nothing heavy is
imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any, get_args

from ..attempts import Attempt, Outcome, Trust
from ..counterexamples import PointCounterexample
from ..evidence import Tiling
from ..verdict import BoxDetails, Difference, Proved, Refuted, Unknown, Verdict

BACKENDS = (
    "race",
    "split",
    "lp",
    "milp",
)  # what may be asked to decide; the first, all of them, is the default


def proved(
    backend: str,
    evidence: Tiling,
    seconds: float = 0.0,
    attempts: Sequence[Attempt] = (),
    warnings: Sequence[str] = (),
    details: BoxDetails | None = None,
) -> Proved:
    """Return a proof at the trust that its evidence carries.

    That is "float" if some of it is the word of a solver with tolerances, else "exact".
    """
    trust: Trust = "float" if evidence.by_word else "exact"
    details = details or BoxDetails()
    said = tuple(attempts), tuple(warnings)
    certifiable = not evidence.by_word
    return Proved(
        backend, seconds, None, *said, trust, False, evidence, certifiable=certifiable, boxes=details
    )


def refuted(
    backend: str,
    point: PointCounterexample,
    seconds: float = 0.0,
    attempts: Sequence[Attempt] = (),
    warnings: Sequence[str] = (),
    details: BoxDetails | None = None,
) -> Refuted:
    """Return a refutation by a replayed point."""
    details = details or BoxDetails()
    return Refuted(backend, seconds, None, tuple(attempts), tuple(warnings), (point,), boxes=details)


def unknown(
    reason: str,
    seconds: float = 0.0,
    attempts: Sequence[Attempt] = (),
    warnings: Sequence[str] = (),
    details: BoxDetails | None = None,
) -> Unknown:
    """Return that nothing was decided, and why."""
    details = details or BoxDetails()
    return Unknown(None, seconds, None, tuple(attempts), tuple(warnings), reason, boxes=details)


def late(reason: str, seconds: float = 0.0, peak_mb: float | None = None) -> Unknown:
    """Return that the time limit was reached."""
    return unknown(reason, seconds, details=BoxDetails(timeout=True, peak_mb=peak_mb))


def to_plain(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as plain data for JSON, which `from_plain` reads."""
    details = verdict.boxes or BoxDetails()
    plain: dict[str, Any] = {
        "outcome": verdict.outcome,
        "backend": verdict.backend,
        "seconds": verdict.seconds,
        "attempts": [[a.backend, a.outcome, a.version, a.seconds, a.detail] for a in verdict.attempts],
        "warnings": list(verdict.warnings),
        "timeout": details.timeout,
        "peak_mb": details.peak_mb,
        "difference": None
        if details.difference is None
        else [repr(details.difference.bound), _plain(details.difference.seen)],
        "point": None if details.point is None else _plain_point(details.point),
    }
    if isinstance(verdict, Proved):
        assert isinstance(verdict.evidence, Tiling)
        plain |= {
            "trust": verdict.trust,
            "evidence": asdict(verdict.evidence),
            "certificate": verdict.certificate,
            "certifiable": verdict.certifiable,
            "proof": verdict.proof,
        }
    elif isinstance(verdict, Refuted):
        plain |= {"counterexample": _plain_point(verdict.counterexample), "proof": verdict.proof}
    else:
        plain["reason"] = verdict.reason
    return plain


def from_plain(plain: Mapping[str, Any]) -> Verdict:
    """Read what `to_plain` and JSON made of a verdict.

    Raises TypeError, ValueError or KeyError for anything that is no verdict.
    """
    backend, reason = _text(plain["backend"], True), _text(plain.get("reason"), True)
    seconds = float(plain["seconds"])
    attempts = tuple(_attempt(*entry) for entry in plain["attempts"])
    warnings = tuple(map(_text, plain["warnings"]))
    apart, point, peak = plain["difference"], plain["point"], plain["peak_mb"]
    details = BoxDetails(
        plain["timeout"] is True,
        None if peak is None else float(peak),
        None if apart is None else Difference(float(apart[0]), _fraction(apart[1])),
        None if point is None else _point(point),
    )
    common: tuple[Any, Any, Any, Any, Any] = (backend, seconds, None, attempts, warnings)
    if plain["outcome"] == "proved":
        if plain["evidence"] is None:
            raise ValueError("proved needs evidence")
        if plain["trust"] not in get_args(Trust):
            raise ValueError(f"trust {plain['trust']!r}")
        return Proved(
            *common,
            plain["trust"],
            False,
            Tiling.from_plain(plain["evidence"]),
            _text(plain["proof"], True),
            _text(plain["certificate"]) or "",
            plain["certifiable"] is True,
            boxes=details,
        )
    if plain["outcome"] == "refuted":
        found = _point(plain["counterexample"])
        return Refuted(*common, (found,), None, _text(plain["proof"], True), boxes=details)
    if plain["outcome"] != "unknown":
        raise ValueError(f"{plain['outcome']!r} is no verdict")
    if reason is None:
        raise ValueError("unknown without a reason")
    return Unknown(*common, reason, boxes=details)


def _attempt(backend: str, outcome: Outcome, version: str, seconds: float, detail: str) -> Attempt:
    if outcome not in get_args(Outcome):
        raise ValueError(f"{outcome!r} is no outcome")
    texts = [_text(value) or "" for value in (backend, version, detail)]
    return Attempt(texts[0], outcome, texts[1], seconds=float(seconds), detail=texts[2])


def _plain_point(point: PointCounterexample) -> dict[str, Any]:
    return {
        "input": list(map(_plain, point.input)),
        "output": list(map(_plain, point.output)),
        "runtime_input": list(point.runtime_input),
        "runtime_output": None if point.runtime_output is None else list(point.runtime_output),
        "distance": _plain(point.distance),
    }


def _point(plain: Mapping[str, Any]) -> PointCounterexample:
    seen = plain["runtime_output"]
    return PointCounterexample(
        tuple(map(_fraction, plain["input"])),
        tuple(map(_fraction, plain["output"])),
        tuple(_text(v) or "" for v in plain["runtime_input"]),
        None if seen is None else tuple(_text(v) or "" for v in seen),
        _fraction(plain["distance"]),
    )


def _plain(value: Fraction) -> list[str]:
    return [hex(value.numerator), hex(value.denominator)]


def _fraction(plain: Sequence[str]) -> Fraction:
    numerator, denominator = (int(text, 16) for text in plain)
    if denominator == 0:
        raise ValueError("a denominator is 0")
    return Fraction(numerator, denominator)


def _text(value: Any, empty: bool = False) -> Any:
    if not isinstance(value, str) and not (empty and value is None):
        raise TypeError(f"{type(value).__name__} is no text")
    return value
