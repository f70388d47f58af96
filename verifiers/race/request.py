"""What is asked of a race besides the claim: who may decide, at which trust, and what is kept.  Data only."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
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

    Raises InputError for a trust that is none.
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

    @property
    def place(self) -> Path | None:
        """The file for the proof, or None."""
        return None if self.path is None else Path(self.path)

    @property
    def certify(self) -> bool:
        """Whether a proof has to be checked."""
        return self.path is not None or self.trust == "checked"


def check_limits(budget: Budget) -> None:
    """Raise InputError for limits that make no sense."""
    if not (budget.seconds > 0 and math.isfinite(budget.seconds)):
        raise InputError("timeout", f"{budget.seconds} seconds is not a time limit", "give a positive number")
    if budget.seconds > MOST_SECONDS:
        raise InputError("timeout", f"{budget.seconds:g} seconds is too long", f"give at most {MOST_SECONDS}")
    numbers = {
        "memory": budget.memory_mb,
        "workers": budget.workers,
        "counterexamples": budget.counterexamples,
    }
    for name, value in numbers.items():
        if value < 1:
            raise InputError(name, f"{value} is too few", "give at least 1")
