"""One column on one claim: `relucid prove --json` in a process of its own, timed and limited from outside.

`bench.py` and `vnncomp.py` make their attempts here, `side_by_side`.  The time is that of the whole process,
so starting Python and imports count.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from ..common.processes.limits import Ended, Limits
from ..common.processes.supervised import supervised
from .suite import BenchClaim, Column

LOOK_SECONDS = 0.1  # between looks at memory
GRACE_SECONDS = 5.0  # after the time limit, for the process to say what happened
MAIN_MB = 1024  # what the process itself may hold beside its solver
ANSWER_BYTES = 1 << 28  # of stdout that are kept


@dataclass(frozen=True)
class AttemptLimits:
    """What one attempt may take; `workers` None leaves their number to `prove` (one per core)."""

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
    """Run attempts, `jobs` at a time, and yield each item with its result as it finishes.

    `run` has to heed its event: however this ends early, the event is set and the processes that run are
    ended.
    """
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
                # not for ever: an interrupt that the kernel gives to another thread is seen when this one
                # looks up
                for future in wait(running, LOOK_SECONDS, FIRST_COMPLETED).done:
                    item, found = running.pop(future), future.result()
                    if found is not None:
                        yield item, found
        finally:
            stop.set()


@dataclass(frozen=True)
class Ran:
    """A command that is over: how it ended, what it took (its children included), and what it said."""

    ended: Ended
    seconds: float
    cpu_seconds: float
    peak_mb: float
    out: bytes
    complaints: str  # the end of its stderr

    @property
    def numbers(self) -> dict[str, float]:
        """The fields of a result that say what it took."""
        return {
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_mb": round(self.peak_mb, 1),
        }


def run_command(command: list[str], seconds: float, memory_mb: float | None, stop: threading.Event) -> Ran:
    """Run a command within limits that are enforced from outside.

    It gets GRACE_SECONDS and MAIN_MB beyond them, to say itself which it has reached.  `stop` interrupts it.
    """
    limits = Limits(
        time.monotonic() + seconds + GRACE_SECONDS, math.inf if memory_mb is None else memory_mb + MAIN_MB
    )
    lines: list[bytes] = []
    with supervised(command) as child:
        size = 0
        for line in child.messages(limits, stop):
            size += len(line)
            if size <= ANSWER_BYTES:
                lines.append(line)
    assert child.ended is not None
    out = b"\n".join([*lines, child.unfinished])
    return Ran(child.ended, child.seconds, child.cpu_seconds, child.peak_mb, out, child.printed)


def attempt(
    case: BenchClaim, column: Column, limits: AttemptLimits, stop: threading.Event
) -> dict[str, Any] | None:
    """Run one attempt.  Returns the fields of a result; None where `stop` was set on the way.

    The fields are outcome, verdict, trust, seconds, cpu_seconds, peak_mb, detail, by, and what else `_read`
    finds.
    """
    memory = None if column.backends is None else limits.memory_mb  # the race keeps its own entrants'
    ran = run_command(_command(case, column, limits), limits.seconds, memory, stop)
    how = ran.ended.how
    if how == "interrupted":
        return None
    if how in ("timeout", "memory"):
        ended = {"outcome": how, "verdict": "unknown", "trust": None, "by": None, "detail": over(how, limits)}
        return {**ended, **ran.numbers}
    return {**_read(ran, column), **ran.numbers}


def over(how: str, limits: AttemptLimits) -> str:
    """Say which limit was reached."""
    return (
        f"over {limits.memory_mb} MB" if how == "memory" else f"over {limits.seconds:g} s, ended from outside"
    )


def _command(case: BenchClaim, column: Column, limits: AttemptLimits) -> list[str]:
    """Return the command line of an attempt."""
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


def _read(ran: Ran, column: Column) -> dict[str, Any]:
    """Return what the process said, as the fields of a result."""
    try:
        said = json.loads(ran.out)
        verdict, tries = said["verdict"], said["attempts"]
    except (ValueError, KeyError, TypeError):
        contradicts = ran.ended == Ended("exited", 4) and "contradict" in ran.complaints
        outcome = "contradiction" if contradicts else "crashed"
        detail = last_words(ran)[:400]
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


def last_words(ran: Ran) -> str:
    """Return the last line of what a command complained about, or how it ended."""
    return (ran.complaints.strip().splitlines() or [f"{ran.ended} without a word"])[-1]


def finite(value: object) -> bool:
    """Whether this is a number that can be a time."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )
