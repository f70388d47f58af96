"""The JSON objects of `report.py` and `check` where nothing could be decided.  On its own, as it imports nothing: it is told when a limit was reached."""

from __future__ import annotations

from typing import Any

_NOTHING = ("trust", "reason", "backend", "seconds", "domain_size", "counterexample", "proof")
_CHECK = (
    "shows",
    "reason",
    "domain_size",
    "tokens",
    "parts",
    "leaves",
    "run",
    "queries",
    "steps",
    "exact_in_float32",
    "bytes",
    "seconds",
)


def undecided_json(reason: str, seconds: float | None = None) -> dict[str, Any]:
    """The keys of `verdict_json` where no claim came about, or none was decided."""
    empty: dict[str, Any] = dict.fromkeys(_NOTHING)
    lists: dict[str, Any] = {"attempts": [], "counterexamples": [], "warnings": []}
    empty |= {"reason": reason, "seconds": None if seconds is None else round(seconds, 3)}
    others = dict.fromkeys(("exact_in_float32", "certificate", "disagreeing", "proved_inputs"))
    return {"verdict": "unknown", **empty, **lists, **others}


def unchecked_json(reason: str, seconds: float | None = None) -> dict[str, Any]:
    """The keys of `certificate_json` where the check did not end."""
    return {
        "accepted": False,
        **dict.fromkeys(_CHECK),
        "reason": reason,
        "seconds": None if seconds is None else round(seconds, 3),
    }
