"""`relucid bench`: every column on every claim, one after the other, and what came out.

Claims come from `suite.py`.  Attempts are made by `attempt.py` and kept by `results.py`; `score.py` counts,
`report.py` prints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..models.apart import claim_files
from ..models.claims.claim_file import load_word_claim
from ..verifiers.backends.shared.queries import QueryBackend
from ..verifiers.race.choose import choose
from ..verifiers.race.dump import check_new, dump_claim
from .attempt import AttemptLimits, attempt, side_by_side
from .results import (
    RESULTS,
    TABLE,
    Result,
    append,
    key_of,
    latest,
    mend_torn_line,
    read,
    read_file,
    result_of,
    table,
)
from .score import Summary, summarise
from .suite import BenchClaim, Column, cases, claim_paths, columns
from .summary_json import summary_json
from .tokens import Seeds, matches
from .watch import BenchTask, Watch

SUMMARY = "summary.json"


@dataclass(frozen=True)
class BenchPlan:
    """What was asked for."""

    suite: str
    out: Path
    backends: tuple[str, ...] | None = None
    seeds: Seeds = "tune"
    limits: AttemptLimits = field(default_factory=AttemptLimits)
    only: str = ""
    jobs: int = 1
    repeat: int = 1
    again: bool = False
    dump: Path | None = None


def plan_of(
    suite: str | None, *, timeout: float, memory: int, workers: int | None, seed: int, **options: Any
) -> BenchPlan:
    """Make the plan from the command line's options.  Raises InputError."""
    if not suite:
        raise InputError(
            "SUITE", "names nothing to run", 'give "tokens", a folder of claim files, or --report FOLDER'
        )
    return BenchPlan(suite, limits=AttemptLimits(timeout, memory, workers, seed), **options)


def read_files(suite: str) -> Iterator[Path]:
    """Yield every file that a suite's claims are read from."""
    if suite != "tokens":
        yield from (file for claim in claim_paths(Path(suite)) for file in claim_files(claim))


def written_files(out: Path) -> list[Path]:
    """Return the files that a run writes."""
    return [out / name for name in (RESULTS, TABLE, SUMMARY)]


def run(plan: BenchPlan, watch: Watch | None = None) -> Summary:
    """Make the attempts that are missing, then write results.csv and summary.json.

    An interrupt leaves everything that is finished, reports on it and is raised again.  Raises InputError.
    """
    watch = watch or Watch()
    contestants = columns(plan.backends)
    if plan.jobs > 1 and plan.limits.workers is None:  # side by side, they share the cores
        plan = replace(plan, limits=replace(plan.limits, workers=max(1, (os.cpu_count() or 1) // plan.jobs)))
    check_writable(plan.out, (RESULTS, TABLE, SUMMARY))
    plan.out.mkdir(parents=True, exist_ok=True)
    mend_torn_line(plan.out)
    read(plan.out)  # raises before the work starts
    claims = cases(plan.suite, plan.out, plan.seeds, plan.only, watch.say)
    if plan.dump is not None:
        _dump(plan, plan.dump, claims, contestants, watch)
    try:
        _make(plan, claims, contestants, watch)
    finally:
        summary = _reported(plan, claims)
    return summary


def _dump(
    plan: BenchPlan, folder: Path, claims: Sequence[BenchClaim], contestants: Sequence[Column], watch: Watch
) -> None:
    """Write the formulas of every claim and column, a folder per claim, before anything is timed."""
    check_new(folder)
    columns = [c.backends for c in contestants if c.backends is not None and _has_formulas(c.backends)]
    if not columns:
        raise InputError(
            "--dump", "none of these columns has formulas", "name solver backends, such as z3-bv or highs"
        )
    for case in claims:
        dump_claim(load_word_claim(case.path), columns, folder / case.name, plan.limits.seconds, watch.say)


def _has_formulas(name: str) -> bool:
    (backend,) = choose([name])
    return isinstance(backend, QueryBackend) and backend.export is not None


def _reported(plan: BenchPlan, claims: Sequence[BenchClaim]) -> Summary:
    """Summarise the results of these claims, as they are now, under these limits."""
    wanted = {(case.name, case.digest) for case in claims}
    limits = (plan.limits.seconds, plan.limits.memory_mb, plan.limits.workers, plan.limits.seed)
    kept = [
        r
        for r in read(plan.out)
        if (r.claim, r.digest) in wanted and (r.timeout, r.memory, r.workers, r.seed) == limits
    ]
    return _written(plan.out, kept)


def report(out: Path, only: str = "") -> Summary:
    """Summarise the results in a folder, the last one of each claim and column, and write the tables anew."""
    return _written(out, _found(out, read(out), only))


def summary_of(path: Path, only: str = "") -> Summary:
    """Summarise a file of results, which stays as it is."""
    return summarise(_found(path, read_file(path), only))


def _found(where: Path, results: Sequence[Result], only: str) -> list[Result]:
    found = [r for r in latest(results) if matches(only, r.claim)]
    if not found:
        what = f"holds no results of claims that match {only!r}" if only else f"holds no results ({RESULTS})"
        raise InputError(str(where), what, "run `relucid bench tokens --out ...` first")
    return found


def _written(out: Path, results: list[Result]) -> Summary:
    summary = summarise(results)
    if results:
        files: dict[str, bytes | str] = {SUMMARY: json.dumps(summary_json(summary), indent=1) + "\n"}
        if not any(r.spec for r in results):  # instances have the competition's table under this name
            files[TABLE] = table(results)
        write_files(out, files)
    return summary


def _make(plan: BenchPlan, claims: Sequence[BenchClaim], contestants: Sequence[Column], watch: Watch) -> None:
    done = set() if plan.again else {r.key for r in read(plan.out)}
    # repeats last: a run that is stopped has every claim once before any twice
    tasks = [
        BenchTask(case, column, k) for k in range(plan.repeat) for case in claims for column in contestants
    ]
    todo = [t for t in tasks if key_of(t.case, t.column, plan.limits, t.repeat) not in done]
    seeds = plan.seeds if plan.suite == "tokens" else ""
    watch.begin(todo, len(tasks) - len(todo))
    with closing(
        side_by_side(
            todo, plan.jobs, lambda t, stop: attempt(t.case, t.column, plan.limits, stop), watch.started
        )
    ) as finished:
        for task, found in finished:
            result = result_of(task.case, task.column, plan.limits, task.repeat, seeds, found)
            append(plan.out, result)
            watch.finished(task, result)
