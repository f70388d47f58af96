"""`relucid bench distill`: for each behaviour a teacher, a surrogate, a program and a proof.

Behaviours come from `distill_behaviours.py`, teachers from `distill_teacher.py`; `distill_results.py` says
what is measured.  Results that are there (same behaviour, seed and limits) are not made again, so a run that
was stopped goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..common.text import parsed_json
from ..models.circuits.black_box import BlackBox
from ..models.claims.decision import Decision
from ..models.claims.task import Task
from ..models.program.program import Program
from ..pipeline.distillation import NoProgram, distill
from ..pipeline.result_files import distillation_json
from ..search.rank import description_length
from ..verifiers.race.backend import Budget
from ..verifiers.race.request import ProofRequest
from .distill_behaviours import Behaviour, behaviours, check_reference, read_suite, suite_toml
from .distill_random import Draw
from .distill_results import Measured, SuiteResult, summary_json
from .distill_teacher import Teacher, exact_teacher, train_teacher
from .tokens import matches

SUMMARY = "distill.json"
RESULT = "measured.json"
DRAWN = "suite.toml"  # random behaviours, as a suite

Progress = Callable[[str], None]


TeacherKind = Literal["exact", "trained"]


@dataclass(frozen=True)
class DistillPlan:
    """What was asked for on the command line.

    suite: a file of behaviours; None for those that ship.
    draw: random behaviours instead; None for none.
    teacher: None for the default of the suite.
    large: take the behaviours' large domains; those that have none are left out.
    """

    out: Path
    suite: Path | None = None
    draw: Draw | None = None
    teacher: TeacherKind | None = None
    large: bool = False
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


def chosen_behaviours(plan: DistillPlan) -> Chosen:
    """Return the behaviours that were asked for, each checked on its small domain.

    Raises InputError: the file is malformed, none is meant, or a reference fails on some input.
    """
    if plan.draw is not None:
        everything = plan.draw.behaviours()
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
    if not plan.large:
        return Chosen(tuple(wanted))
    if plan.taught_by == "trained":
        what = "a network is trained on every input, which a large domain has too many of"
        raise InputError("--large", what, "add --teacher exact")
    large = tuple(b for behaviour in wanted if (b := behaviour.enlarged()) is not None)
    if not large:
        raise InputError("--large", "none of the behaviours has a large_length", "leave --large out")
    return Chosen(large, tuple(b.name for b in wanted if b.large is None))


def run(plan: DistillPlan, progress: Progress = lambda text: None) -> SuiteResult:
    """Measure what has no result yet.  Returns the results of all behaviours that were asked for.

    An interrupt keeps what is finished.  Raises InputError.
    """
    chosen = chosen_behaviours(plan)
    wanted = chosen.behaviours
    check_writable(plan.folder, (SUMMARY, DRAWN))
    if plan.draw is not None:
        write_files(plan.folder, {DRAWN: suite_toml(wanted)})
    found: list[Measured] = []
    try:
        for k, behaviour in enumerate(wanted):
            key = _key(behaviour, plan)
            known = None if plan.again else _kept(plan.folder / behaviour.name, key)
            if known is None:
                known = measure(
                    behaviour,
                    plan,
                    lambda text, k=k: progress(f"{k + 1} of {len(wanted)}: {text}"),  # type: ignore[misc]
                )
                write_files(
                    plan.folder / behaviour.name,
                    {RESULT: json.dumps(asdict(known), indent=1, ensure_ascii=False) + "\n"},
                )
            found.append(known)
    finally:
        result = SuiteResult(tuple(found), chosen.left_out)
        if found:
            text = json.dumps(summary_json(result), indent=1, ensure_ascii=False) + "\n"
            write_files(plan.folder, {SUMMARY: text})
    return result


def measure(behaviour: Behaviour, plan: DistillPlan, progress: Progress = lambda text: None) -> Measured:
    """Make a teacher and distil it.

    The distillation sees the teacher only; the reference program stays here.
    """
    started = time.monotonic()
    teacher: Teacher | BlackBox
    if plan.taught_by == "trained":
        progress(f"training a teacher of {behaviour.name}")
        teacher = train_teacher(behaviour, plan.seed, progress)
    else:
        teacher = exact_teacher(behaviour)
    made = time.monotonic() - started
    base: dict[str, Any] = {
        "name": behaviour.name,
        "key": _key(behaviour, plan),
        "inputs": behaviour.inputs,
        "teacher": plan.taught_by,
        "agreement": teacher.agreement if isinstance(teacher, Teacher) else 1.0,
        "teacher_seconds": round(made, 2),
        "reference_lines": code_lines(behaviour.reference),
        "reference_length": behaviour.reference_length,
        "reference": behaviour.reference.source,
    }
    started = time.monotonic()
    try:
        result = distill(
            teacher,
            Task(behaviour.domain, "one_hot", Decision("argmax", behaviour.labels), behaviour.name),
            out=plan.folder / behaviour.name,
            progress=lambda text: progress(f"{behaviour.name}: {text}"),
            budget=Budget(
                seconds=plan.timeout,
                memory_mb=plan.memory,
                workers=plan.workers or os.cpu_count() or 1,
                seed=plan.seed,
            ),
            request=ProofRequest(backends=plan.backends),
        )
    except NoProgram as error:
        nothing: dict[str, Any] = dict.fromkeys(
            (
                "hidden",
                "nonzeros",
                "weight_bits",
                "corrections",
                "found_by",
                "template",
                "lines",
                "length",
                "trust",
                "program",
            )
        )
        seconds = round(time.monotonic() - started, 2)
        return Measured(
            **base, **nothing, exact_surrogate=False, verdict="unknown", reason=str(error), seconds=seconds
        )
    answer = distillation_json(result)
    return Measured(
        **base,
        exact_surrogate=True,
        hidden=tuple(result.surrogate.hidden),
        nonzeros=result.surrogate.nonzeros,
        weight_bits=result.surrogate.weight_bits,
        corrections=result.surrogate.corrections,
        found_by=result.candidate.way,
        template=result.candidate.template,
        lines=code_lines(result.claim.program),
        length=description_length(result.claim.program.source),
        verdict=answer["verdict"],
        trust=answer["trust"],
        reason=answer["reason"],
        program=result.claim.program.source,
        seconds=round(time.monotonic() - started, 2),
    )


def code_lines(program: Program) -> int:
    """Count the lines that are not empty and not of the docstring."""
    import ast

    tree = ast.parse(program.source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return sum(bool(line.strip()) for line in ast.unparse(tree).splitlines())


def _key(behaviour: Behaviour, plan: DistillPlan) -> str:
    backends = ",".join(plan.backends or ()) or "all"
    limits = f"seed {plan.seed} timeout {plan.timeout:g} backends {backends}"
    return f"{behaviour.digest[:16]} {plan.taught_by} teacher {limits}"


def _kept(folder: Path, key: str) -> Measured | None:
    """Return an earlier run's result; None if there is none for this key, or it cannot be read."""
    try:
        row = parsed_json((folder / RESULT).read_text(encoding="utf-8"))
        row["hidden"] = None if row["hidden"] is None else tuple(row["hidden"])
        known = Measured(**row)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return known if known.key == key else None
