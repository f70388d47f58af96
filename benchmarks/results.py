"""results.jsonl: one line per attempt, written at once, so that a killed run goes on where it was.

Written by `bench.py` and `vnncomp.py`, read by all that reports.
"""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import MISSING, Field, asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_file as read_bytes
from ..common.files import write
from ..common.interrupts import interrupts_held
from ..common.text import parsed_json
from ..verifiers.attempts import Sizes
from ..version import __version__
from .attempt import AttemptLimits, finite
from .suite import BenchClaim, Column

RESULTS, TABLE = "results.jsonl", "results.csv"
LARGEST = 1 << 30  # bytes of results that are read


@dataclass(frozen=True)
class Result:
    """One attempt.  `backend` is the column, `trust` that of a proof, `by` who answered (in the race).

    Fields with a default came later; older files lack them.
    """

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
    repeat: int = 0
    options: tuple[str, ...] = ()
    cpu_seconds: float | None = None
    sizes: dict[str, int] | None = None  # bounds and formula (`attempts.Sizes`), of a backend with formulas
    attempts: tuple[dict[str, Any], ...] = ()  # as `prove --json` tells them
    counterexample: dict[str, Any] | None = None
    known: str | None = None  # the answer that came with the claim
    # The claim file; of an instance (`vnncomp.py`) the network, and then there are no tokens, lengths or
    # domain size.
    file: str = ""
    spec: str = ""  # of an instance: its property

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies an attempt: two that agree on this need not both be made."""
        return (*self.conditions, self.repeat)

    @property
    def conditions(self) -> tuple[Any, ...]:
        """What repeats agree on."""
        return (self.claim, self.digest, self.backend, self.timeout, self.memory, self.workers, self.seed)

    @property
    def answered(self) -> bool:
        """Whether it is proved or refuted within the time limit, as measured from outside."""
        return self.verdict in ("proved", "refuted") and self.seconds <= self.timeout


def key_of(case: BenchClaim, column: Column, limits: AttemptLimits, repeat: int) -> tuple[Any, ...]:
    """Return the key of an attempt that has not been made."""
    return (
        case.name,
        case.digest,
        column.name,
        limits.seconds,
        limits.memory_mb,
        limits.workers,
        limits.seed,
        repeat,
    )


def result_of(
    case: BenchClaim, column: Column, limits: AttemptLimits, repeat: int, seeds: str, found: dict[str, Any]
) -> Result:
    """Return what `attempt` found as a result."""
    return Result(
        claim=case.name,
        digest=case.digest,
        family=case.family,
        domain_size=case.size_text,
        length=case.length,
        tokens=case.tokens,
        backend=column.name,
        version=column.version,
        outcome=found["outcome"],
        verdict=found["verdict"],
        trust=found["trust"],
        seconds=found["seconds"],
        peak_mb=found["peak_mb"],
        by=found["by"],
        detail=found["detail"],
        timeout=limits.seconds,
        memory=limits.memory_mb,
        workers=limits.workers,
        seed=limits.seed,
        seeds=seeds,
        machine=machine(),
        relucid=__version__,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        repeat=repeat,
        options=column.options,
        cpu_seconds=found.get("cpu_seconds"),
        sizes=found.get("sizes"),
        attempts=tuple(found.get("attempts", ())),
        counterexample=found.get("counterexample"),
        known=case.known,
        file=str(case.path),
    )


def append(folder: Path, result: Result) -> None:
    """Append a result.  After a failure its line is not there."""
    data = (json.dumps(asdict(result), ensure_ascii=False) + "\n").encode()
    try:
        with interrupts_held(), open(folder / RESULTS, "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(
            str(folder / RESULTS),
            f"cannot write ({error.strerror})",
            "make room, then run again: it goes on from here",
        ) from None


def results_path(path: Path) -> Path:
    """Return the results in a folder, or the file itself."""
    return path / RESULTS if path.is_dir() else path


def read(folder: Path) -> list[Result]:
    """Read all results; of an attempt that was made again, the last.

    A torn last line is passed over; any other bad line raises InputError.
    """
    path = folder / RESULTS
    return read_file(path) if path.exists() else []


def read_file(path: Path) -> list[Result]:
    """Read one file by its name, as `read` does."""
    try:
        data = read_bytes(path, LARGEST)
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), f"cannot read ({getattr(error, 'strerror', None) or error})", "check the path"
        ) from None
    if len(data) > LARGEST:
        raise InputError(str(path), f"is over {LARGEST} bytes", "report on a part of it")
    lines = data.decode("utf-8-sig", errors="replace").split("\n")
    found: dict[tuple[Any, ...], Result] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        result = _parsed(line)
        if result is None:
            if number == len(lines):  # the run was killed while it wrote
                continue
            raise InputError(
                f"{path}:{number}", "is no result", "remove the line; the attempt will be made again"
            )
        found.pop(result.key, None)  # so that the order is that of the last attempts
        found[result.key] = result
    return list(found.values())


def latest(results: Iterable[Result]) -> list[Result]:
    """Return the last result of each claim and column, whatever its limits were, with its repeats."""
    kept: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        there = kept.get((r.claim, r.backend), [])
        kept[r.claim, r.backend] = [*(there if there and there[0].conditions == r.conditions else []), r]
    return [r for rows in kept.values() for r in rows]


def _parsed(line: str) -> Result | None:
    try:
        data = parsed_json(line)
        result = Result(**{f.name: data[f.name] for f in fields(Result) if f.name in data or _needed(f)})
        result = replace(result, options=tuple(result.options), attempts=tuple(result.attempts))
        assert not result.domain_size or int(result.domain_size) >= 0
    except (AssertionError, ValueError, KeyError, TypeError):
        return None
    good = (
        finite(result.seconds)
        and finite(result.timeout)
        and all(isinstance(v, str) for v in (result.claim, result.backend, result.verdict))
    )
    return result if good and _extras_good(result) else None


def _needed(one: Field[Any]) -> bool:
    return one.default is MISSING


def _extras_good(r: Result) -> bool:
    """Whether optional fields have the right types: a line that somebody has edited is not shown as it
    stands.
    """
    objects = (*r.attempts, *(v for v in (r.sizes, r.counterexample) if v is not None))
    return (
        all(isinstance(v, dict) for v in objects)
        and (r.cpu_seconds is None or finite(r.cpu_seconds))
        and isinstance(r.repeat, int)
        and all(isinstance(o, str) for o in r.options)
        and all(
            isinstance(v, str)
            for v in (r.family, r.version, r.outcome, r.detail, r.machine, r.relucid, r.file, r.spec)
        )
        and all(finite(v) for v in (r.length, r.tokens))
    )


def mend_torn_line(folder: Path) -> None:
    """Cut off a last line that a killed run left half-written, so that the next one does not grow on it."""
    path = folder / RESULTS
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        write(path, data[: data.rfind(b"\n") + 1])


def table(results: Iterable[Result]) -> str:
    """Write results.csv: a column per number of `sizes`, options and counterexample as text, without the
    race's entrants.
    """
    out = io.StringIO()
    plain = [f.name for f in fields(Result) if f.name not in ("sizes", "attempts", "counterexample")]
    sizes = [f.name for f in fields(Sizes)]
    writer = csv.DictWriter(out, [*plain, *sizes, "counterexample"], lineterminator="\n")
    writer.writeheader()
    for r in results:
        row = {name: getattr(r, name) for name in plain} | {name: (r.sizes or {}).get(name) for name in sizes}
        shown = (
            " ".join(map(str, r.counterexample.get("tokens") or r.counterexample.get("input") or ()))
            if r.counterexample
            else None
        )
        writer.writerow({**row, "options": ":".join(r.options), "counterexample": shown})
    return out.getvalue()


def machine() -> str:
    """Name processor, cores and Python, as far as they can be found."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")), name
            )
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
