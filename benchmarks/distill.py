"""`relucid bench distill`: for each behaviour a teacher, a surrogate, a program and a proof.

Behaviours come from `distill_behaviours.py`, teachers from `distill_teacher.py`; `distill_results.py` says
what is measured.  Results that are there (same behaviour, seed and limits) are not made again, so a run that
was stopped goes on.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
from ..verifiers.race.choose import choose
from ..verifiers.race.request import ProofRequest
from .distill_behaviours import Behaviour, suite_toml
from .distill_plan import DistillPlan, Progress, chosen_behaviours
from .distill_results import Measured, SuiteResult, summary_json
from .distill_teacher import Teacher, exact_teacher, train_teacher

SUMMARY = "distill.json"
RESULT = "measured.json"
LOG = "progress.txt"  # what was going on when
DRAWN = "suite.toml"  # random behaviours, as a suite


def run(plan: DistillPlan, progress: Progress = lambda text: None) -> SuiteResult:
    """Measure what has no result yet.  Returns the results of all behaviours that were asked for.

    An interrupt keeps what is finished.  Raises InputError.
    """
    choose(plan.backends)
    chosen = chosen_behaviours(plan, progress)
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
                text = json.dumps(asdict(known), indent=1, ensure_ascii=False) + "\n"
                write_files(plan.folder / behaviour.name, {RESULT: text})
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
    log, started, used = Log(progress, behaviour.name), time.monotonic(), _cpu_seconds()
    try:
        result = distill(
            teacher,
            Task(behaviour.domain, "one_hot", Decision("argmax", behaviour.labels), behaviour.name),
            out=plan.folder / behaviour.name,
            progress=log,
            budget=Budget(
                seconds=plan.timeout,
                memory_mb=plan.memory,
                workers=plan.workers or os.cpu_count() or 1,
                seed=plan.seed,
            ),
            request=ProofRequest(backends=plan.backends),
        )
    except (NoProgram, InputError) as error:  # the behaviours after this one are measured all the same
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
        reason = f"{error} (at the end: {log.last})"
        return Measured(
            **base,
            **nothing,
            exact_surrogate=False,
            verdict="unknown",
            reason=reason,
            seconds=round(time.monotonic() - started, 2),
            cpu_seconds=round(_cpu_seconds() - used, 2),
        )
    finally:
        write_files(plan.folder / behaviour.name, {LOG: log.text})
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
        cpu_seconds=round(_cpu_seconds() - used, 2),
    )


def _cpu_seconds() -> float:
    """Return the processor time of this process and of all children that have ended."""
    return sum(os.times()[:4])


class Log:
    """Passes on what is said of a behaviour, and keeps it with the seconds since the start."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name, self._started = progress, name, time.monotonic()
        self._lines: list[str] = []
        self.last = "the start"

    def __call__(self, text: str) -> None:
        self.last = text
        self._lines.append(f"{time.monotonic() - self._started:8.2f}  {text}\n")
        self._progress(f"{self._name}: {text}")

    @property
    def text(self) -> str:
        """Return a line for everything that was said."""
        return "".join(self._lines)


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
