"""One contestant on one claim: `relucid prove --json` in a process of its own, timed and watched from outside.

The time is that of the whole process, so starting Python and imports count.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from ..common.lifeline import tie
from ..common.processes import Tree, end, snapshot
from .suite import Case, Column

LOOK_SECONDS = 0.1  # between looks at memory
GRACE_SECONDS = 5.0  # after the time limit, for the process to say what happened
MAIN_MB = 1024  # what the process itself may hold beside its solver
ANSWER_BYTES = 8 << 20


@dataclass(frozen=True)
class Limits:
    """Of one attempt; `workers`: None leaves it to `prove` (one per core)."""

    seconds: float = 60.0
    memory_mb: int = 4096
    workers: int | None = None
    seed: int = 0


Item = TypeVar("Item")


def side_by_side(
    todo: Sequence[Item],
    jobs: int,
    run: Callable[[Item, threading.Event], dict[str, Any] | None],
    started: Callable[[Item], object] = lambda item: None,
) -> Generator[tuple[Item, dict[str, Any]], None, None]:
    """Attempts as they finish, `jobs` at a time.  Whatever ends this early ends the processes that are running: `run` heeds the event."""
    waiting, stop = iter(todo), threading.Event()
    running: dict[Future[dict[str, Any] | None], Item] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                while len(running) < jobs:
                    for item in waiting:
                        started(item)
                        running[pool.submit(run, item, stop)] = item
                        break
                    else:
                        break
                if not running:
                    return
                # not for ever: an interrupt that the kernel gives to another thread is seen when this one looks up
                for future in wait(running, LOOK_SECONDS, FIRST_COMPLETED).done:
                    item, found = running.pop(future), future.result()
                    if found is not None:
                        yield item, found
        finally:
            stop.set()


@dataclass(frozen=True)
class Ended:
    """How a process ended: "exited", "memory", "timeout" (from outside) or "stopped"; and what it took, its children included."""

    how: str
    status: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def numbers(self) -> dict[str, float]:
        return {
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_mb": round(self.peak_mb, 1),
        }


def watched(
    command: list[str],
    seconds: float,
    memory_mb: float | None,
    stop: threading.Event,
    out: IO[bytes],
    err: IO[bytes],
) -> Ended:
    """Run it in a process group of its own, within limits that are enforced from outside; `out` and `err` get what it says."""
    started = time.monotonic()
    lifeline, ours = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=(lifeline,),
            )
            tie(
                lifeline, process.pid
            )  # a benchmark that is killed leaves nothing that would disturb the next one
        finally:
            os.close(lifeline)
        watch = _Watch(
            process, None if memory_mb is None else memory_mb + MAIN_MB, started + seconds + GRACE_SECONDS
        )
        try:
            how = watch.until_it_ends(stop)
            wall = time.monotonic() - started
        finally:
            end([watch.tree])
            watch.waiter.join()
    finally:
        os.close(ours)
    return Ended(how, process.returncode, wall, watch.cpu_seconds, watch.peak_mb)


def attempt(case: Case, column: Column, limits: Limits, stop: threading.Event) -> dict[str, Any] | None:
    """outcome, verdict, trust, seconds, cpu_seconds, peak_mb, detail, by and what else `_read` finds; None where `stop` was set on the way."""
    memory = None if column.backends is None else limits.memory_mb  # the race keeps its own entrants'
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ended = watched(_command(case, column, limits), limits.seconds, memory, stop, out, err)
        if ended.how == "stopped":
            return None
        if ended.how != "exited":
            return {
                "outcome": ended.how,
                "verdict": "unknown",
                "trust": None,
                "by": None,
                "detail": over(ended.how, limits),
                **ended.numbers,
            }
        return {**_read(out, err, ended.status, column), **ended.numbers}


def over(how: str, limits: Limits) -> str:
    return (
        f"over {limits.memory_mb} MB" if how == "memory" else f"over {limits.seconds:g} s, ended from outside"
    )


def _command(case: Case, column: Column, limits: Limits) -> list[str]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "relucid",
        "prove",
        str(case.path),
        "--json",
        "--trust",
        column.trust,
    ]
    command += [
        "--timeout",
        f"{limits.seconds:g}",
        "--memory",
        str(limits.memory_mb),
        "--seed",
        str(limits.seed),
    ]
    command += [] if column.backends is None else ["--backends", column.backends]
    return command + ([] if limits.workers is None else ["--workers", str(limits.workers)])


@dataclass
class _Watch:
    """Looks at the process and all it has started.  The race keeps its own entrants' memory; others are kept here as well."""

    process: subprocess.Popen[bytes]
    memory_mb: float | None
    deadline: float
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.tree = Tree(self.process.pid)
        self.waiter = threading.Thread(target=self._wait, daemon=True)
        self.waiter.start()

    def _wait(self) -> None:
        """Reap it, with the processor time of all whom it has reaped itself."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = max(self.cpu_seconds, usage.ru_utime + usage.ru_stime)

    def until_it_ends(self, stop: threading.Event) -> str:
        """ "exited", or why it has to be ended: "memory", "timeout", "stopped"."""
        while True:
            self.waiter.join(LOOK_SECONDS)
            if not self.waiter.is_alive():
                return "exited"
            if stop.is_set():
                return "stopped"
            if time.monotonic() >= self.deadline:
                return "timeout"
            table = snapshot()
            held = self.tree.resident_mb(table)
            self.peak_mb = max(self.peak_mb, held)
            self.cpu_seconds = max(
                self.cpu_seconds, self.tree.cpu_seconds(table)
            )  # of solvers that nobody reaps, too
            if self.memory_mb is not None and held > self.memory_mb:
                return "memory"


def _read(out: IO[bytes], err: IO[bytes], status: int, column: Column) -> dict[str, Any]:
    """What the process said, as the fields of a result."""
    out.seek(0)
    try:
        said = json.loads(out.read(ANSWER_BYTES))
        verdict, tries = said["verdict"], said["attempts"]
    except (ValueError, KeyError, TypeError):
        err.seek(0)
        lines = err.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        outcome = "contradiction" if status == 4 and "contradict" in " ".join(lines) else "crashed"
        detail = lines[-1][:400] if lines else f"exit status {status} without a word"
        return {"outcome": outcome, "verdict": "unknown", "trust": None, "by": None, "detail": detail}
    own = tries[-1] if tries else {}
    if verdict in ("proved", "refuted"):
        outcome = verdict
        own = next((t for t in tries if t["backend"] == said["backend"] and t["outcome"] == verdict), own)
    elif column.backends is None:
        outcome = "timeout" if any(t["outcome"] == "timeout" for t in tries) else "unknown"
    else:
        outcome = own.get("outcome", "unknown")
    detail = str(said.get("reason") or own.get("detail", ""))[:400]
    more = {
        "counterexample": said.get("counterexample"),
        "sizes": own.get("sizes") if column.backends else None,
        "attempts": [] if column.backends else tries,
    }
    return {
        "outcome": outcome,
        "verdict": verdict,
        "trust": said.get("trust"),
        "by": said.get("backend"),
        "detail": detail,
        **more,
    }


def finite(value: object) -> bool:
    """Whether this is a number that times can be."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )
