"""`relucid bench vnncomp DIR`: every instance of a folder with an instances.csv, each in a process of its own, timed from outside.

The results are in the competition's format: category, network, property, preparation time, result, run time; no header.  A
run that was stopped goes on where it was; counterexamples are kept beside the table.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..models.errors import InputError
from ..verifiers.limits import Tree, end

RESULTS, WITNESSES = "results.csv", "counterexamples"
WORDS = ("sat", "unsat", "unknown", "timeout", "error")
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Instance:
    network: str
    stated: str
    timeout: float


@dataclass(frozen=True)
class Result:
    instance: Instance
    word: str
    seconds: float
    detail: str = ""


def instances(folder: Path) -> list[Instance]:
    """The lines of instances.csv: network, property, seconds.  Raises InputError."""
    path = folder / "instances.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(str(folder), "holds no instances.csv", "give a folder of a VNN-COMP benchmark") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read ({error})", "check the file") from None
    found = []
    for number, line in enumerate(csv.reader(io.StringIO(text)), start=1):
        if not any(cell.strip() for cell in line):
            continue
        try:
            network, stated, seconds = (cell.strip() for cell in line)
            limit = float(seconds)
            if not 0 < limit < float("inf") or not network or not stated:
                raise ValueError
        except ValueError:
            raise InputError(f"{path}:{number}", "is not `network,property,seconds`", "mend the line") from None
        found.append(Instance(network, stated, limit))
    if not found:
        raise InputError(str(path), "has no instances", "give a folder of a VNN-COMP benchmark")
    return found


def run(
    folder: Path, out: Path, *, timeout: float | None, memory: int, workers: int | None, again: bool, progress: Callable[[str], None]
) -> list[Result]:
    """Results of all instances; `timeout` lowers the instances' own limits."""
    todo = instances(folder)
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS
    known = {} if again else {r.instance: r for r in _read(path)}
    found: list[Result] = []
    for number, instance in enumerate(todo, start=1):
        limit = instance.timeout if timeout is None else min(timeout, instance.timeout)
        progress(f"{number} of {len(todo)}: {Path(instance.network).name} {Path(instance.stated).name}")
        found.append(known.get(instance) or _one(folder, out, instance, limit, memory, workers, number))
        _write(path, folder, found)
    return found


def _one(folder: Path, out: Path, instance: Instance, limit: float, memory: int, workers: int | None, number: int) -> Result:
    files = [there(folder / name) for name in (instance.network, instance.stated)]
    command = [
        sys.executable,
        "-P",
        "-m",
        "relucid",
        "verify",
        *map(str, files),
        "--json",
        "--timeout",
        f"{limit:g}",
        "--memory",
        str(memory),
    ]
    command += [] if workers is None else ["--workers", str(workers)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=complained, start_new_session=True)
        try:
            process.wait(limit + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            end([Tree(process.pid)])
            process.wait()
        seconds = round(time.monotonic() - started, 3)
        said.seek(0)
        complained.seek(0)
        try:
            answer = json.loads(said.read())
        except ValueError:
            lines = complained.read(1 << 16).decode(errors="replace").strip().splitlines()
            return Result(instance, "error" if lines else "timeout", seconds, lines[-1] if lines else "")
    if answer["word"] == "sat":
        text = "\n".join(f"(X_{i} {v})" for i, v in enumerate(answer["witness"]["runtime_input"]))
        values = answer["witness"]["runtime_output"] or answer["witness"]["output"]
        text += "\n" + "\n".join(f"(Y_{j} {v})" for j, v in enumerate(values))
        (out / WITNESSES).mkdir(exist_ok=True)
        (out / WITNESSES / f"{number}.txt").write_text(f"sat\n({text})\n", encoding="utf-8")
    return Result(instance, answer["word"], seconds, answer["reason"] or "")


def there(path: Path) -> Path:
    """The file, or its .gz."""
    packed = path.with_name(path.name + ".gz")
    return packed if not path.exists() and packed.exists() else path


def _write(path: Path, folder: Path, results: list[Result]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for r in results:
        writer.writerow(
            [folder.resolve().name, r.instance.network, r.instance.stated, 0, r.word, f"{r.seconds:.3f}", f"{r.instance.timeout:g}"]
        )
    partial = path.with_name(path.name + ".part")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(path)


def _read(path: Path) -> Iterator[Result]:
    if not path.exists():
        return
    for line in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
        try:
            _, network, stated, _, word, seconds, limit = line
            if word in WORDS:
                yield Result(Instance(network, stated, float(limit)), word, float(seconds))
        except ValueError:
            raise InputError(str(path), "is no table of results", "give another --out, or --again") from None


def summary(results: list[Result]) -> dict[str, object]:
    counts = {word: sum(r.word == word for r in results) for word in WORDS}
    return {
        "instances": len(results),
        **counts,
        "seconds": round(sum(r.seconds for r in results), 3),
        "slowest": max((r.seconds for r in results), default=0.0),
    }
