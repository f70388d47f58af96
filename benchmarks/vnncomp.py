"""`relucid bench vnncomp DIR`: every instance of a VNN-COMP benchmark, each in a process of its own.

Instances come from `instances.py`, attempts are made as `attempt.py` makes them.  Results are those of every
benchmark (`results.jsonl`, which `report` and `compare` read), and a table in the competition's format:
category, network, property, preparation time, result, run time, limit; no header.  Counterexamples are kept
beside the table.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..common.text import visible
from ..verifiers.boxes.verdicts import BACKENDS
from ..version import __version__
from .attempt import AttemptLimits, last_words, over, run_command, side_by_side
from .instances import Instance, instances, there
from .results import RESULTS, Result, append, machine, mend_torn_line, read
from .score import typical
from .tokens import matches

TABLE, WITNESSES, COLUMN = "results.csv", "counterexamples", "verify"
WORDS = ("sat", "unsat", "unknown", "timeout", "error")


@dataclass(frozen=True)
class VnncompPlan:
    """What is to be run.

    `timeout` (seconds) lowers the instances' own limits.  `memory_mb` and `workers` hold for each attempt;
    `workers` None leaves their number to `verify`.  `jobs` attempts run side by side.  `again`: also those
    that have a result.
    """

    folder: Path
    out: Path
    timeout: float | None = None
    memory_mb: int = 4096
    workers: int | None = None
    seed: int = 0
    repeat: int = 1
    jobs: int = 1
    only: str = ""
    again: bool = False
    backends: tuple[str, ...] = BACKENDS[:1]

    def limits(self, instance: Instance) -> AttemptLimits:
        """Return the limits of one attempt at an instance."""
        seconds = instance.timeout if self.timeout is None else min(self.timeout, instance.timeout)
        workers = self.workers
        if self.jobs > 1 and workers is None:  # side by side, they share the cores
            workers = max(1, (os.cpu_count() or 1) // self.jobs)
        return AttemptLimits(seconds, self.memory_mb, workers, self.seed)

    def check(self) -> None:
        """Raise InputError for backends that `verify` does not have, or that are named twice."""
        for k, name in enumerate(self.backends):
            if name not in BACKENDS or name in self.backends[:k]:
                what = "twice" if name in BACKENDS else "no backend of verify"
                raise InputError("--backends", f"{name!r} is {what}", f"choose among {', '.join(BACKENDS)}")


@dataclass(frozen=True)
class _Task:
    place: int
    instance: Instance
    backend: str
    limits: AttemptLimits
    repeat: int
    key: tuple[object, ...]


def run(plan: VnncompPlan, progress: Callable[[str], None]) -> list[Result]:
    """Run all instances whose name matches, with all backends and repeats, and write the tables.

    Attempts that have a result are not made again, so that a run that was stopped goes on.  Raises
    InputError.
    """
    plan.check()
    chosen = {
        place: instance
        for place, instance in enumerate(instances(plan.folder), start=1)
        if matches(plan.only, instance.name)
    }
    if not chosen:
        raise InputError("--only", f"{plan.only!r} matches no instance of {plan.folder}", "leave it out")
    check_writable(plan.out, (RESULTS, TABLE))
    plan.out.mkdir(parents=True, exist_ok=True)
    mend_torn_line(plan.out)
    known = {r.key: r for r in read(plan.out)}
    tasks = [
        _Task(place, instance, backend, limits, k, _result(plan.folder, instance, backend, limits, k).key)
        for k in range(plan.repeat)  # all instances once before any twice
        for place, instance in chosen.items()
        for limits in [plan.limits(instance)]
        for backend in plan.backends  # in turns, so that what else the machine does hits all alike
    ]
    missing = [t for t in tasks if plan.again or t.key not in known]
    finished = {t.key for t in tasks} - {t.key for t in missing}

    def started(task: _Task) -> None:
        name = f"{Path(task.instance.network).name} {Path(task.instance.stated).name}"
        by = f" by {task.backend}" if len(plan.backends) > 1 else ""
        progress(f"{tasks.index(task) + 1} of {len(tasks)}: {name}{by}")

    def attempted(task: _Task, stop: threading.Event) -> dict[str, Any] | None:
        return _attempt(plan, task, stop)

    def so_far() -> list[Result]:
        results = [known[t.key] for t in tasks if t.key in finished]
        write_files(plan.out, _tables(plan, list(chosen.values()), results))
        return results

    with closing(side_by_side(missing, plan.jobs, attempted, started)) as attempts:
        for task, found in attempts:
            result = _result(plan.folder, task.instance, task.backend, task.limits, task.repeat, **found)
            append(plan.out, result)
            known[task.key] = result
            finished.add(task.key)
            so_far()
    return so_far()


def column(backend: str) -> str:
    """Return what results call a backend of `verify`."""
    return COLUMN if backend == BACKENDS[0] else f"{COLUMN}:{backend}"


def word(result: Result) -> str:
    """Return the competition's word for a result."""
    answers = {"proved": "unsat", "refuted": "sat"}
    return answers.get(result.verdict) or {"timeout": "timeout", "crashed": "error"}.get(
        result.outcome, "unknown"
    )


def _result(
    folder: Path, instance: Instance, backend: str, limits: AttemptLimits, repeat: int, **found: Any
) -> Result:
    """Return the result of an attempt; without `found`, only its key counts."""
    files = [there(folder / name) for name in (instance.network, instance.stated)]
    blank: dict[str, Any] = {
        "outcome": "",
        "verdict": "unknown",
        "trust": None,
        "by": None,
        "detail": "",
        "seconds": 0.0,
        "peak_mb": None,
    }
    return Result(
        claim=instance.name,
        digest=_digest(files),
        family=folder.resolve().name,
        domain_size="",
        length=0,
        tokens=0,
        backend=column(backend),
        version=__version__,
        timeout=limits.seconds,
        memory=limits.memory_mb,
        workers=limits.workers,
        seed=limits.seed,
        seeds="",
        machine=machine(),
        relucid=__version__,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        repeat=repeat,
        file=str(files[0]),
        spec=str(files[1]),
        **{**blank, **found},
    )


def _digest(files: list[Path]) -> str:
    """Return a digest of the files as they are; one that cannot be read counts as empty."""
    total = hashlib.sha256()
    for path in files:
        try:
            data = path.read_bytes() if path.is_file() else b""
        except OSError:
            data = b""
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def _attempt(plan: VnncompPlan, task: _Task, stop: threading.Event) -> dict[str, Any] | None:
    """Run one attempt.  Returns the fields of a result; None where `stop` was set on the way."""
    limits, backend = task.limits, task.backend
    files = [str(there(plan.folder / name)) for name in (task.instance.network, task.instance.stated)]
    command = [
        sys.executable,
        "-P",
        "-m",
        "relucid",
        "verify",
        *files,
        "--json",
        "--timeout",
        f"{limits.seconds:g}",
    ]
    command += ["--memory", str(limits.memory_mb), "--seed", str(limits.seed)]
    command += [] if limits.workers is None else ["--workers", str(limits.workers)]
    command += [] if backend == BACKENDS[0] else ["--backends", backend]
    command += ["--trust", "float"] if backend == "milp" else []  # no proof of its would show otherwise
    ran = run_command(command, limits.seconds, limits.memory_mb, stop)
    how = ran.ended.how
    if how == "interrupted":
        return None
    if how in ("timeout", "memory"):
        return {"outcome": how, "detail": over(how, limits), **ran.numbers}
    try:
        answer = json.loads(ran.out)
    except ValueError:
        return {"outcome": "crashed", "detail": visible(last_words(ran)), **ran.numbers}
    if answer["word"] == "sat":
        _keep(plan.out, task.place, answer["witness"])
    verdict = answer["verdict"]
    return {
        "outcome": verdict
        if verdict != "unknown"
        else "timeout"
        if answer["word"] == "timeout"
        else "unknown",
        "verdict": verdict,
        "trust": answer["trust"],
        "by": answer["backend"],
        "detail": answer["reason"] or "",
        "attempts": tuple(answer["attempts"]),
        "counterexample": answer["counterexample"],
        **ran.numbers,
    }


def _keep(out: Path, place: int, witness: dict[str, Any]) -> None:
    """Keep a witness in the competition's form, with the numbers that onnxruntime took and gave."""
    pairs = [f"(X_{i} {v})" for i, v in enumerate(witness["runtime_input"])]
    pairs += [f"(Y_{j} {v})" for j, v in enumerate(witness["runtime_output"] or witness["output"])]
    write_files(out / WITNESSES, {f"{place}.txt": "sat\n(" + "\n".join(pairs) + ")\n"})


def written_files(out: Path) -> list[Path]:
    """Return the files that a run writes."""
    return [out / RESULTS, out / TABLE]


def _tables(
    plan: VnncompPlan, chosen: Sequence[Instance], results: Sequence[Result]
) -> dict[str, bytes | str]:
    """Return a table per backend, by file name."""
    stated = {instance.name: instance for instance in chosen}
    return {
        (f"results-{name}.csv" if k else TABLE): _table(
            plan.folder, stated, [r for r in results if r.backend == column(name)]
        )
        for k, name in enumerate(plan.backends)
    }


def _table(folder: Path, stated: Mapping[str, Instance], results: list[Result]) -> str:
    """Return the competition's table: a line per instance; of repeats, the one with the median time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for r in typical(results):
        i = stated[r.claim]
        writer.writerow(
            [folder.resolve().name, i.network, i.stated, 0, word(r), f"{r.seconds:.3f}", f"{i.timeout:g}"]
        )
    return text.getvalue()


def summary(results: list[Result]) -> dict[str, object]:
    """Return counts and seconds of one column, for `--json`."""
    results = typical(results)
    counts = {name: sum(word(r) == name for r in results) for name in WORDS}
    return {
        "instances": len(results),
        **counts,
        "seconds": round(sum(r.seconds for r in results), 3),
        "slowest": max((r.seconds for r in results), default=0.0),
    }
