"""What is asked of a race besides the claim: who may decide, at which trust, and what is kept.  Data only."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from ...common.deadline import MOST_SECONDS
from ...common.errors import InputError
from ..attempts import TRUST_ORDER, Trust
from .backend import Budget


@dataclass(frozen=True)
class ProofRequest:
    """What the user wants to have in the end.

    Attributes:
        trust: how far a proof must be trusted.  None reaches for "checked" where one of our engines has
            proved the claim and a proof is affordable, and settles for "exact".
        path: a file for the proof, or for the witness of a refutation; it implies trust "checked".
        form: the proof's format, "relucid" or the name of another one; only with `path`.
        count: whether to count the inputs on which a refuted claim's sides differ, in the time that is left.
        backends: names of those that may decide ("module:attribute" for one that is not registered), or one
            text that lists them with commas; None: all.

    Raises InputError for a trust that is none, and a path or backends that cannot be.
    """

    trust: Trust | None = None
    path: str | os.PathLike[str] | None = None
    form: str = "relucid"
    count: bool = False
    backends: Sequence[str] | str | None = None

    def __post_init__(self) -> None:
        if self.trust is not None and self.trust not in TRUST_ORDER:
            raise InputError(
                "trust", f"{self.trust!r} is not a trust level", 'use "checked", "exact" or "float"'
            )
        if not isinstance(self.path, str | os.PathLike | None):
            raise InputError("path", f"{self.path!r} is not a path", "name a file for the proof")
        if not isinstance(self.backends, Iterable | None):
            raise InputError("backends", f"{self.backends!r} names no backend", "give a list of names")

    @property
    def place(self) -> Path | None:
        """The file for the proof, or None."""
        return None if self.path is None else Path(self.path)

    @property
    def certify(self) -> bool:
        """Whether a proof has to be checked."""
        return self.path is not None or self.trust == "checked"


def asked(
    budget: Budget | None, request: ProofRequest | None, seconds: float = Budget.seconds
) -> tuple[Budget, ProofRequest]:
    """Return what the user asks for; where it is None, so many seconds and one solver for each core.

    Raises InputError for what is of another type, and for limits that make no sense.
    """
    budget = Budget(seconds, workers=os.cpu_count() or 1) if budget is None else budget
    request = ProofRequest() if request is None else request
    for name, given, wanted in (("budget", budget, Budget), ("request", request, ProofRequest)):
        if not isinstance(given, wanted):
            what = f"{type(given).__name__} is not a {wanted.__name__}"
            raise InputError(name, what, f"pass relucid.{wanted.__name__}(...)")
    check_limits(budget)
    return budget, request


def check_limits(budget: Budget) -> None:
    """Raise InputError for limits that make no sense."""
    if not isinstance(budget.seconds, Real):
        raise InputError("seconds", f"{budget.seconds!r} is not a number", "give a number of seconds")
    if not (budget.seconds > 0 and math.isfinite(budget.seconds)):
        raise InputError("seconds", f"{budget.seconds} seconds is not a time limit", "give a positive number")
    if budget.seconds > MOST_SECONDS:
        raise InputError("seconds", f"{budget.seconds:g} seconds is too long", f"give at most {MOST_SECONDS}")
    numbers = {
        "memory_mb": budget.memory_mb,
        "workers": budget.workers,
        "counterexamples": budget.counterexamples,
    }
    for name, value in {**numbers, "seed": budget.seed}.items():
        if not isinstance(value, Integral):
            raise InputError(name, f"{value!r} is not a whole number", "give one")
    for name, value in numbers.items():
        if value < 1:
            raise InputError(name, f"{value} is too few", "give at least 1")
