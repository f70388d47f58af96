"""`relucid bench vnncomp DIR`: every instance of a folder with an instances.csv, each in a process of its own, timed from outside.

Results are those of every benchmark (`results.jsonl`, so that `report` and `compare` read them), and a table in the competition's format:
category, network, property, preparation time, result, run time, limit; no header.  A run that was stopped goes on where it was;
counterexamples are kept beside the table.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common.deadline import MOST_SECONDS
from ..common.errors import InputError
from ..common.files import decoded, read_file
from ..common.folders import check_writable, write_files
from ..common.text import visible
from ..models.apart import network_files
from ..verifiers.boxes.verdicts import BACKENDS
from ..version import __version__
from .attempt import AttemptLimits, last_words, over, run_command, side_by_side
from .results import RESULTS, Result, append, machine, mend_torn_line, read
from .score import typical
from .tokens import matches

TABLE, WITNESSES, COLUMN = "results.csv", "counterexamples", "verify"
WORDS = ("sat", "unsat", "unknown", "timeout", "error")
LARGEST = 1 << 28  # bytes of an instances.csv
LONGEST_PART = 250  # bytes of a folder's or file's own name, with room for .gz
LONGEST_NAME = 4096  # bytes


@dataclass(frozen=True)
class Instance:
    network: str
    stated: str
    timeout: float

    @property
    def name(self) -> str:
        return f"{self.network} {self.stated}"


def instances(folder: Path) -> list[Instance]:
    """The lines of instances.csv: network, property, seconds.  Raises InputError."""
    path = folder / "instances.csv"
    try:
        text = decoded(read_file(path, LARGEST))
    except FileNotFoundError:
        raise InputError(
            str(folder), "holds no instances.csv", "give a folder of a VNN-COMP benchmark"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), f"cannot be read ({getattr(error, 'strerror', None) or error})", "check the file"
        ) from None
    found: list[Instance] = []
    known: set[tuple[str, str]] = set()
    for number, line in enumerate(_lines(path, text), start=1):
        if not any(cell.strip() for cell in line):
            continue
        try:
            network, stated, seconds = (cell.strip() for cell in line)
            limit = float(seconds)
            if not 0 < limit < float("inf") or not all(_is_a_name(n) for n in (network, stated)):
                raise ValueError
        except ValueError:
            raise InputError(
                f"{path}:{number}", "is not `network,property,seconds`", "mend the line"
            ) from None
        if (network, stated) in known:
            raise InputError(f"{path}:{number}", "is there twice", "remove the line")
        known.add((network, stated))
        found.append(Instance(network, stated, min(limit, MOST_SECONDS)))
    if not found:
        raise InputError(str(path), "has no instances", "give a folder of a VNN-COMP benchmark")
    return found


def _is_a_name(text: str) -> bool:
    """Whether a file could have this name."""
    parts = Path(text).parts
    return (
        bool(parts)
        and "\0" not in text
        and len(os.fsencode(text)) < LONGEST_NAME
        and all(len(os.fsencode(p)) < LONGEST_PART for p in parts)
    )


def _lines(path: Path, text: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text))
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}", f"is not CSV ({error})", "mend the line") from None


@dataclass(frozen=True)
class _Task:
    place: int
    instance: Instance
    backend: str
    limits: AttemptLimits
    repeat: int
    key: tuple[object, ...]


def run(
    folder: Path,
    out: Path,
    *,
    timeout: float | None,
    memory: int,
    workers: int | None,
    again: bool,
    progress: Callable[[str], None],
    seed: int = 0,
    repeat: int = 1,
    only: str = "",
    jobs: int = 1,
    backends: Sequence[str] = BACKENDS[:1],
) -> list[Result]:
    """Results of all instances whose name matches, all backends, and all repeats, `jobs` of them at a time.

    `timeout` lowers the instances' own limits.  Raises InputError.
    """
    for k, name in enumerate(backends):
        if name not in BACKENDS or name in backends[:k]:
            what = "twice" if name in BACKENDS else "no backend of verify"
            raise InputError("--backends", f"{name!r} is {what}", f"choose among {', '.join(BACKENDS)}")
    todo = [(place, i) for place, i in enumerate(instances(folder), start=1) if matches(only, i.name)]
    if not todo:
        raise InputError("--only", f"{only!r} matches no instance of {folder}", "leave it out")
    check_writable(out, (RESULTS, TABLE))
    out.mkdir(parents=True, exist_ok=True)
    mend_torn_line(out)
    known = {r.key: r for r in read(out)}
    if jobs > 1 and workers is None:  # side by side, they share the cores
        workers = max(1, (os.cpu_count() or 1) // jobs)
    tasks = []
    for k in range(repeat):  # all instances once before any twice
        for place, instance in todo:
            limits = AttemptLimits(
                instance.timeout if timeout is None else min(timeout, instance.timeout), memory, workers, seed
            )
            for backend in backends:  # in turns: what else the machine does hits all alike
                key = _result(folder, instance, backend, limits, k).key
                tasks.append(_Task(place, instance, backend, limits, k, key))
    missing = [t for t in tasks if again or t.key not in known]
    finished: set[tuple[object, ...]] = {t.key for t in tasks} - {t.key for t in missing}

    def started(task: _Task) -> None:
        name = f"{Path(task.instance.network).name} {Path(task.instance.stated).name}"
        progress(
            f"{tasks.index(task) + 1} of {len(tasks)}: {name}"
            + (f" by {task.backend}" if len(backends) > 1 else "")
        )

    def attempted(task: _Task, stop: threading.Event) -> dict[str, Any] | None:
        return _attempt(folder, out, task.instance, task.limits, task.place, stop, task.backend)

    def so_far() -> list[Result]:
        results = [known[t.key] for t in tasks if t.key in finished]
        by_name = {i.name: i for _, i in todo}
        tables = {
            (f"results-{name}.csv" if k else TABLE): _table(
                folder, by_name, [r for r in results if r.backend == column(name)]
            )
            for k, name in enumerate(backends)
        }
        write_files(out, tables)
        return results

    with closing(side_by_side(missing, jobs, attempted, started)) as attempts:
        for task, found in attempts:
            result = _result(folder, task.instance, task.backend, task.limits, task.repeat, **found)
            append(out, result)
            known[task.key] = result
            finished.add(task.key)
            so_far()
    return so_far()


def column(backend: str) -> str:
    """What results call a backend of `verify`."""
    return COLUMN if backend == BACKENDS[0] else f"{COLUMN}:{backend}"


def word(result: Result) -> str:
    """The competition's."""
    answers = {"proved": "unsat", "refuted": "sat"}
    return answers.get(result.verdict) or {"timeout": "timeout", "crashed": "error"}.get(
        result.outcome, "unknown"
    )


def _result(
    folder: Path, instance: Instance, backend: str, limits: AttemptLimits, repeat: int, **found: Any
) -> Result:
    """Without `found`, only its key counts."""
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
        claim=instance.name, digest=_digest(files), family=folder.resolve().name, domain_size="", length=0, tokens=0,
        backend=column(backend), version=__version__, timeout=limits.seconds, memory=limits.memory_mb, workers=limits.workers, seed=limits.seed, seeds="",
        machine=machine(), relucid=__version__, when=datetime.now(UTC).isoformat(timespec="seconds"),
        repeat=repeat,
        file=str(files[0]), spec=str(files[1]), **{**blank, **found},
    )  # fmt: skip


def _digest(files: list[Path]) -> str:
    """Of the two files as they are; of one that cannot be read, nothing."""
    total = hashlib.sha256()
    for path in files:
        try:
            data = path.read_bytes() if path.is_file() else b""
        except OSError:
            data = b""
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def _attempt(
    folder: Path,
    out: Path,
    instance: Instance,
    limits: AttemptLimits,
    place: int,
    stop: threading.Event,
    backend: str = BACKENDS[0],
) -> dict[str, Any] | None:
    files = [str(there(folder / name)) for name in (instance.network, instance.stated)]
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
    command += [] if backend == BACKENDS[0] else ["--backend", backend]
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
        _keep(out, place, answer["witness"])
    verdict = answer["verdict"]
    return {
        "outcome": verdict if verdict != "unknown" else "timeout" if answer["word"] == "timeout" else "unknown", "verdict": verdict,
        "trust": answer["trust"], "by": answer["backend"], "detail": answer["reason"] or "", "attempts": tuple(answer["attempts"]),
        "counterexample": answer["counterexample"], **ran.numbers,
    }  # fmt: skip


def _keep(out: Path, place: int, witness: dict[str, Any]) -> None:
    """As the competition wants it, with the numbers onnxruntime took and gave."""
    pairs = [f"(X_{i} {v})" for i, v in enumerate(witness["runtime_input"])]
    pairs += [f"(Y_{j} {v})" for j, v in enumerate(witness["runtime_output"] or witness["output"])]
    write_files(out / WITNESSES, {f"{place}.txt": "sat\n(" + "\n".join(pairs) + ")\n"})


def read_files(folder: Path) -> Iterator[Path]:
    """What is read of such a benchmark."""
    yield folder / "instances.csv"
    for instance in instances(folder):
        yield from network_files(there(folder / instance.network))
        yield there(folder / instance.stated)


def written_files(out: Path) -> list[Path]:
    return [out / RESULTS, out / TABLE]


def there(path: Path) -> Path:
    """The file, or its .gz."""
    packed = path.with_name(path.name + ".gz")
    return packed if not path.exists() and packed.exists() else path


def _table(folder: Path, stated: Mapping[str, Instance], results: list[Result]) -> str:
    """A line per instance; of repeats, the one with the median time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for r in typical(results):
        i = stated[r.claim]
        writer.writerow(
            [folder.resolve().name, i.network, i.stated, 0, word(r), f"{r.seconds:.3f}", f"{i.timeout:g}"]
        )
    return text.getvalue()


def summary(results: list[Result]) -> dict[str, object]:
    """Counts and seconds of one column."""
    results = typical(results)
    counts = {name: sum(word(r) == name for r in results) for name in WORDS}
    return {
        "instances": len(results),
        **counts,
        "seconds": round(sum(r.seconds for r in results), 3),
        "slowest": max((r.seconds for r in results), default=0.0),
    }
