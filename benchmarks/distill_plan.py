"""What `relucid bench distill` was asked for, and the behaviours that this means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..common.errors import InputError
from ..models.circuits.teacher import LARGEST_DOMAIN
from .distill_behaviours import Behaviour, behaviours, check_reference, read_suite
from .distill_random import Draw
from .tokens import matches

Progress = Callable[[str], None]
TeacherKind = Literal["exact", "trained"]


@dataclass(frozen=True)
class DistillPlan:
    """What was asked for on the command line.

    suite: a file of behaviours; None for those that ship.
    draw: random behaviours instead; None for none.
    teacher: None for the default of the suite.
    large: take the behaviours' large domains; those that have none are left out.
    search_only: only search, and prove nothing.
    """

    out: Path
    suite: Path | None = None
    draw: Draw | None = None
    teacher: TeacherKind | None = None
    large: bool = False
    search_only: bool = False
    only: str = ""
    again: bool = False
    timeout: float = 60.0
    memory: int = 4096
    workers: int | None = None
    seed: int = 0
    backends: tuple[str, ...] | None = None

    @property
    def taught_by(self) -> TeacherKind:
        """Return the kind of teacher: trained for the suite that ships, else exact."""
        ships = self.suite is None and self.draw is None
        return self.teacher or ("trained" if ships else "exact")

    @property
    def folder(self) -> Path:
        """Return where results go; those on large domains replace no others."""
        return self.out / "large" if self.large else self.out


@dataclass(frozen=True)
class Chosen:
    """The behaviours that were asked for, and the names of those that have no large domain."""

    behaviours: tuple[Behaviour, ...]
    left_out: tuple[str, ...] = ()


def chosen_behaviours(plan: DistillPlan, progress: Progress) -> Chosen:
    """Return the behaviours that were asked for, each checked on its small domain.

    Raises InputError: the file is malformed, none is meant, or a reference fails on some input.
    """
    if plan.draw is not None:
        everything = plan.draw.behaviours(progress)
    else:
        everything = behaviours() if plan.suite is None else read_suite(plan.suite)
    wanted = [b for b in everything if matches(plan.only, b.name)]
    if not wanted:
        raise InputError(
            "--only",
            f"no behaviour matches {plan.only!r}",
            f"they are {', '.join(b.name for b in everything)}",
        )
    for behaviour in wanted:
        check_reference(behaviour)
    if plan.taught_by == "trained" or plan.search_only:
        for behaviour in wanted:
            _check_labelling(behaviour)
    if not plan.large:
        return Chosen(tuple(wanted))
    if plan.taught_by == "trained":
        what = "a network is trained on every input, which a large domain has too many of"
        raise InputError("--large", what, "add --teacher exact")
    large = tuple(b for behaviour in wanted if (b := behaviour.enlarged()) is not None)
    if not large:
        raise InputError("--large", "none of the behaviours has a large_length", "leave --large out")
    return Chosen(large, tuple(b.name for b in wanted if b.large is None))


def _check_labelling(behaviour: Behaviour) -> None:
    """Raise InputError if the domain is too large to label each of its inputs."""
    if behaviour.inputs > LARGEST_DOMAIN:
        what = f"{behaviour.inputs} inputs are too many to learn all their labels"
        raise InputError(
            f"{behaviour.reference.origin}: length", what, "shorten it, or distil it from an exact teacher"
        )
