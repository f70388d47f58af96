"""The exit statuses of the command line: the one place that maps verdicts to them."""

from __future__ import annotations

from ..verifiers.verdict import Verdict

ACCEPTED, REJECTED, BAD_INPUT, UNKNOWN, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130
_STATUS = {"proved": 0, "refuted": 1, "unknown": UNKNOWN}


def exit_status(verdict: Verdict) -> int:
    """Return 0 for a proof, 1 for a refutation, and 3 if nothing was decided."""
    return _STATUS[verdict.outcome]
