"""results.jsonl: one line per attempt, written at once, so that a killed run goes on where it was."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..models.errors import InputError
from ..verifiers.limits import interrupts_held
from ..version import __version__
from .attempt import Limits, finite
from .suite import Case, Column

RESULTS, TABLE = "results.jsonl", "results.csv"


@dataclass(frozen=True)
class Result:
    """One attempt.  `backend` is the column; `trust` that of a proof; `by` who answered (in the race)."""

    claim: str
    digest: str
    family: str
    domain_size: str
    length: int
    tokens: int
    backend: str
    version: str
    outcome: str
    verdict: str
    trust: str | None
    seconds: float
    peak_mb: float | None
    by: str | None
    detail: str
    timeout: float
    memory: int
    workers: int | None
    seed: int
    seeds: str
    machine: str
    relucid: str
    when: str

    @property
    def key(self) -> tuple[Any, ...]:
        """Attempts that agree on this need not be made twice."""
        return (self.claim, self.digest, self.backend, self.timeout, self.memory, self.workers, self.seed)

    @property
    def answered(self) -> bool:
        """Proved or refuted, within the time limit as measured from outside."""
        return self.verdict in ("proved", "refuted") and self.seconds <= self.timeout


def key_of(case: Case, column: Column, limits: Limits) -> tuple[Any, ...]:
    return (case.name, case.digest, column.name, limits.seconds, limits.memory_mb, limits.workers, limits.seed)


def result_of(case: Case, column: Column, limits: Limits, seeds: str, found: dict[str, Any]) -> Result:
    """What `attempt` found, as a result."""
    return Result(
        claim=case.name, digest=case.digest, family=case.family, domain_size=case.size_text, length=case.length, tokens=case.tokens,
        backend=column.name, version=column.version, outcome=found["outcome"], verdict=found["verdict"], trust=found["trust"],
        seconds=found["seconds"], peak_mb=found["peak_mb"], by=found["by"], detail=found["detail"],
        timeout=limits.seconds, memory=limits.memory_mb, workers=limits.workers, seed=limits.seed, seeds=seeds,
        machine=machine(), relucid=__version__, when=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def append(folder: Path, result: Result) -> None:
    """The line is whole, or not there."""
    data = (json.dumps(asdict(result), ensure_ascii=False) + "\n").encode()
    try:
        with interrupts_held(), open(folder / RESULTS, "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(
            str(folder / RESULTS), f"cannot write ({error.strerror})", "make room, then run again: it goes on from here"
        ) from None


def read(folder: Path) -> list[Result]:
    """All results, the last one where an attempt was made again.  A torn last line is passed over, any other raises InputError."""
    path = folder / RESULTS
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise InputError(str(path), f"cannot read ({error.strerror})", "check the path") from None
    found: dict[tuple[Any, ...], Result] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        result = _parsed(line)
        if result is None:
            if number == len(lines):  # the run was killed while it wrote
                continue
            raise InputError(f"{path}:{number}", "is no result", "remove the line; the attempt will be made again")
        found.pop(result.key, None)  # so that the order is that of the last attempts
        found[result.key] = result
    return list(found.values())


def latest(results: Iterable[Result]) -> list[Result]:
    """One result per claim and column: the last one, whatever its limits were."""
    return list({(r.claim, r.backend): r for r in results}.values())


def _parsed(line: str) -> Result | None:
    try:
        data = json.loads(line)
        result = Result(**{f.name: data[f.name] for f in fields(Result)})
        int(result.domain_size)
    except (ValueError, KeyError, TypeError):
        return None
    good = (
        finite(result.seconds)
        and finite(result.timeout)
        and all(isinstance(v, str) for v in (result.claim, result.backend, result.verdict))
    )
    return result if good else None


def mend_torn_line(folder: Path) -> None:
    """End a line that a killed run left half-written, so that the next one does not grow on it: it is cut off."""
    path = folder / RESULTS
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def table(results: Iterable[Result]) -> str:
    """results.csv."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Result)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in results)
    return out.getvalue()


def machine() -> str:
    """Processor, cores and Python, as far as they can be found."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
