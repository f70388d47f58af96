"""Runs one kind: case after case until the time is over or something is found, which is made small and saved.

A case that hangs, or that ends the process, is a finding too: the number of the case at work is always in a
file.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .registry import DEFAULT_SECONDS, Case, Counts, Kind, kind

SHRINKING = 60.0  # seconds for making a failing case small
TRIES = 3  # whether a smaller case fails may depend on the clock
NOW = time.perf_counter  # `time.monotonic` is what some kinds script
SPIN = "while True: pass"


@dataclass(frozen=True)
class Run:
    """What the command line asks for."""

    kind: str
    seed: int | None
    minutes: float
    count: int | None
    skip: int
    out: Path
    json: Path | None
    busy: int
    failures: int


class Hang(BaseException):
    """A case takes too long; no Exception, so that nobody who catches those can swallow it."""


def run(asked: Run) -> int:
    """Exit status: 0 nothing found, 1 something."""
    seed = int.from_bytes(os.urandom(4), "little") if asked.seed is None else asked.seed
    print(f"{asked.kind}: seed {seed}", flush=True)
    hunted, counts, found = kind(asked.kind), Counter(), []  # type: ignore[var-annotated]
    asked.out.mkdir(parents=True, exist_ok=True)
    began, until = NOW(), None if asked.count is not None else NOW() + 60 * asked.minutes
    cases = islice(enumerate(hunted.cases(random.Random(f"{asked.kind} {seed}"))), asked.skip, None)
    place = os.open(asked.out / f"{asked.kind}-{seed}.at", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    done, known = 0, set[str]()
    with others(asked.busy):
        for number, case in cases:
            if (NOW() > until) if until is not None else (done == asked.count):
                break
            os.pwrite(place, b"%-20d" % number, 0)
            done += 1
            complaint = judged(hunted, case, counts)
            if complaint is not None and alike(complaint) in known:
                counts["known already", alike(complaint)[:60]] += 1
            elif complaint is not None:
                known.add(alike(complaint))
                found.append(saved(asked, seed, number, hunted, case, complaint))
                if len(found) >= asked.failures:
                    break
    os.close(place)
    (asked.out / f"{asked.kind}-{seed}.at").unlink()
    seconds = NOW() - began
    report(asked, seed, done, seconds, counts, found)
    return 1 if found else 0


def alike(complaint: str) -> str:
    """Complaints that differ in numbers and names of files only are one."""
    return re.sub(r"\d+|/\S+", "#", complaint)


def judged(hunted: Kind, case: Case, counts: Counts) -> str | None:
    """The case's problem; raising and hanging are problems."""
    try:
        with watched(getattr(hunted, "SECONDS", DEFAULT_SECONDS)):
            return hunted.problem(case, counts)
    except Hang:
        return "it hangs"
    except Exception as error:
        return f"raises {type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def others(count: int) -> Iterator[None]:
    """Other processes that eat the cores."""
    eaters = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for eater in eaters:
            eater.kill()
            eater.wait()


def shrunk(hunted: Kind, case: Case, complaint: str) -> tuple[Case, str]:
    """The smallest case that still fails, as far as it is found in time, and what is wrong with it."""
    until = NOW() + SHRINKING
    while True:
        for smaller in hunted.smaller(case):
            if NOW() > until:
                return case, complaint
            said = next((s for _ in range(TRIES) if (s := judged(hunted, smaller, Counter()))), None)
            if said is not None:
                case, complaint = smaller, said
                break
        else:
            return case, complaint


def saved(asked: Run, seed: int, number: int, hunted: Kind, case: Case, complaint: str) -> dict[str, Any]:
    """The failing case in a file, made small, with the way back to it."""
    small, said = shrunk(hunted, case, complaint)
    path = asked.out / f"{asked.kind}-{seed}-{number}.json"
    origin = f"python -m tests.fuzz {asked.kind} --seed {seed} --skip {number} --count 1"
    content = {
        "kind": asked.kind,
        "problem": said,
        "before": complaint,
        "found by": origin,
        "commit": commit(),
        "case": small,
        "whole": case,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(
        f"{asked.kind}: {said}\n  saved: {path}\n  once more: python -m tests.fuzz replay {path}\n  from its seed: {origin}",
        flush=True,
    )
    return {"problem": said, "file": str(path), "command": origin}


def report(
    asked: Run, seed: int, done: int, seconds: float, counts: Counts, found: list[dict[str, Any]]
) -> None:
    for row in sorted({row for row, _ in counts}):
        print(
            f"  {row}: " + ", ".join(f"{column} {n}" for (r, column), n in sorted(counts.items()) if r == row)
        )
    print(f"{asked.kind}: {done} cases in {seconds:.1f} s, {len(found)} failed", flush=True)
    if asked.json is not None:
        rows: dict[str, dict[str, int]] = {}
        for (row, column), n in sorted(counts.items()):
            rows.setdefault(row, {})[column] = n
        content = {"kind": asked.kind, "seed": seed, "commit": commit(), "cases": done, "seconds": round(seconds, 1), "busy": asked.busy,
                   "counts": rows, "failed": found}  # fmt: skip
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def replay(path: Path) -> int:
    """Check a saved case once more, a few times where the clock may matter."""
    content = json.loads(path.read_text(encoding="utf-8"))
    hunted = kind(content["kind"])
    for name in ("case", "whole"):
        said = next((s for _ in range(TRIES) if (s := judged(hunted, content[name], Counter()))), None)
        if said is not None:
            print(f"{content['kind']}: {said}" + (" (before it was made small)" if name == "whole" else ""))
            return 1
    print(f"{content['kind']}: nothing is wrong any more; it was: {content['problem']}")
    return 0


def commit() -> str:
    """The commit that is checked out, with a + where files differ from it."""
    try:
        name, changes = (
            subprocess.run(
                ["git", *words], capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for words in (["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return name + ("+" if changes else "")
