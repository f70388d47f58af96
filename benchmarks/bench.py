"""`relucid bench`: every contestant on every claim, one after the other, and what came out.

Claims come from `suite.py`, attempts are made by `attempt.py` and kept by `results.py`; `score.py` counts, `report.py` prints.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..models.errors import InputError
from ..output import check_writable, write_files
from .attempt import Limits, attempt
from .results import RESULTS, TABLE, Result, append, key_of, latest, mend_torn_line, read, result_of, table
from .score import Summary, summarise, summary_json
from .suite import Case, Column, Progress, cases, columns
from .tokens import Seeds, matches

SUMMARY, PLOTS = "summary.json", ("cactus.svg", "growth.svg")


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    suite: str
    out: Path
    backends: tuple[str, ...] | None = None
    seeds: Seeds = "tune"
    limits: Limits = field(default_factory=Limits)
    only: str = ""
    jobs: int = 1
    again: bool = False


def plan_of(suite: str | None, *, timeout: float, memory: int, workers: int | None, seed: int, **options: Any) -> Plan:
    """From the command line's options.  Raises InputError."""
    if not suite:
        raise InputError("SUITE", "names nothing to run", 'give "tokens", a folder of claim files, or --report FOLDER')
    return Plan(suite, limits=Limits(timeout, memory, workers, seed), **options)


def run(plan: Plan, progress: Progress = lambda text: None) -> Summary:
    """Make the attempts that are missing, then write results.csv, summary.json and the plots.

    An interrupt leaves everything that is finished, reports on it and is raised again.  Raises InputError.
    """
    contestants = columns(plan.backends)
    if plan.jobs > 1 and plan.limits.workers is None:  # side by side, they share the cores
        plan = replace(plan, limits=replace(plan.limits, workers=max(1, (os.cpu_count() or 1) // plan.jobs)))
    check_writable(plan.out, (RESULTS, TABLE, SUMMARY, *PLOTS))
    plan.out.mkdir(parents=True, exist_ok=True)
    mend_torn_line(plan.out)
    read(plan.out)  # raises before the work starts
    claims = cases(plan.suite, plan.out, plan.seeds, plan.only, progress)
    try:
        _make(plan, claims, contestants, progress)
    finally:
        summary = _reported(plan, claims)
    return summary


def _reported(plan: Plan, claims: Sequence[Case]) -> Summary:
    """Results of these claims, as they are now, under these limits."""
    wanted = {(case.name, case.digest) for case in claims}
    limits = (plan.limits.seconds, plan.limits.memory_mb, plan.limits.workers, plan.limits.seed)
    kept = [r for r in read(plan.out) if (r.claim, r.digest) in wanted and (r.timeout, r.memory, r.workers, r.seed) == limits]
    return _written(plan.out, kept)


def report(out: Path, only: str = "") -> Summary:
    """From the results that are there, the last one of each claim and column."""
    found = [r for r in latest(read(out)) if matches(only, r.claim)]
    if not found:
        what = f"holds no results of claims that match {only!r}" if only else f"holds no results ({RESULTS})"
        raise InputError(str(out), what, "run `relucid bench tokens --out ...` first")
    return _written(out, found)


def _written(out: Path, results: list[Result]) -> Summary:
    from .plots import plots

    summary = summarise(results)
    if results:
        files: dict[str, bytes | str] = {TABLE: table(results), SUMMARY: json.dumps(summary_json(summary), indent=1) + "\n"}
        write_files(out, {**files, **plots(summary)})
    return summary


def _make(plan: Plan, claims: Sequence[Case], contestants: Sequence[Column], progress: Progress) -> None:
    done = set() if plan.again else {r.key for r in read(plan.out)}
    todo = [(case, column) for case in claims for column in contestants if key_of(case, column, plan.limits) not in done]
    started, stop = time.monotonic(), threading.Event()
    skipped = len(claims) * len(contestants) - len(todo)
    seeds = plan.seeds if plan.suite == "tokens" else ""
    with closing(_attempts(todo, plan.limits, plan.jobs, stop, lambda k: _say(progress, todo, k, started, skipped))) as finished:
        for case, column, found in finished:
            append(plan.out, result_of(case, column, plan.limits, seeds, found))


def _say(progress: Progress, todo: Sequence[tuple[Case, Column]], k: int, started: float, skipped: int) -> None:
    case, column = todo[k]
    spent = time.monotonic() - started
    left = f", about {spent / k * (len(todo) - k) / 60:.0f} min left" if k >= 10 else ""
    progress(f"{k + 1} of {len(todo)}{f' ({skipped} are there)' if skipped else ''}: {column.name} on {case.name}{left}")


def _attempts(
    todo: Sequence[tuple[Case, Column]], limits: Limits, jobs: int, stop: threading.Event, starting: Callable[[int], None]
) -> Generator[tuple[Case, Column, dict[str, Any]], None, None]:
    """Attempts as they finish, `jobs` side by side.  Whatever ends this early ends the processes that are running."""
    waiting = iter(enumerate(todo))
    running: dict[Future[dict[str, Any] | None], tuple[Case, Column]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                while len(running) < jobs and (following := next(waiting, None)) is not None:
                    k, (case, column) = following
                    starting(k)
                    running[pool.submit(attempt, case, column, limits, stop)] = case, column
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    case, column = running.pop(future)
                    found = future.result()
                    if found is not None:
                        yield case, column, found
        finally:
            stop.set()
