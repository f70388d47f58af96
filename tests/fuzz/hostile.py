"""Damaged and hostile files: whatever a file holds, every command ends in time, with a documented exit status
and at most one line of error.

Status 2 comes with exactly one line on stderr, nothing on stdout and nothing written; status 4 and tracebacks
are findings.  Most commands run in this process, some in one of their own.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import io
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from relucid.cli.main import main

from . import bases
from .mutation import other_bytes, other_json_text, other_text
from .registry import Case, Counts

SECONDS = 60.0
PROCESSOR = 10.0  # seconds, where the limit is 2: without the time that other processes take
ADDRESSES = 24 << 30  # bytes that a command may map
AS_PROCESS = 0.02
SUFFIXES = {
    ".toml": other_text,
    ".py": other_text,
    ".vnnlib": other_text,
    ".csv": other_text,
    ".json": other_json_text,
}


@cache
def root() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="relucid-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """So much more than it has may this process map, for a while: beyond, threads of others could
    not start.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESSES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        name = rng.choice(list(bases.MAKERS))
        base = bases.base(name, root())
        for _ in range(10):
            file = rng.choice(base.files)
            data = whole = (base.folder / file).read_bytes()
            change = SUFFIXES.get(Path(file).suffix, other_text if whole.isascii() else other_bytes)
            for _ in range(rng.choice((1, 1, 1, 2, 4))):
                data = (change if rng.random() < 0.75 else rng.choice((other_bytes, other_text)))(data, rng)
            yield {"base": name, "file": file, "content": base64.b64encode(data).decode(), "command": rng.choice(base.reading(file)).split(),
                   "process": rng.random() < AS_PROCESS}  # fmt: skip


def problem(case: Case, counts: Counts) -> str | None:
    base = bases.base(case["base"], root())
    folder = Path(tempfile.mkdtemp(dir=root()))
    try:
        shutil.copytree(base.folder, folder, dirs_exist_ok=True)
        (folder / case["file"]).write_bytes(base64.b64decode(case["content"]))
        before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
        command = list(case["command"])
        started = time.process_time()
        status, out, err = (as_process if case["process"] else here)(command, folder)
        spent = time.process_time() - started
        counts[f"{command[0]}, {Path(case['file']).suffix or 'proofs'}", f"status {status}"] += 1
        after = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
        return complaint(
            status, out, err, spent, [str(p.relative_to(folder)) for p in after if after[p] != before.get(p)]
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def complaint(status: int, out: str, err: str, spent: float, written: list[str]) -> str | None:
    shown = " ".join(err.split())[:300]
    if "Traceback" in err or "Traceback" in out:
        return f"shows a traceback: {shown}"
    if status not in (0, 1, 2, 3):
        return f"ends with status {status}: {shown}"
    if status == 2 and (out or err.count("\n") != 1 or not err.startswith("relucid: ")):
        return (
            f"status 2 with {err.count(chr(10))} lines of error and {len(out)} characters of output: {shown}"
        )
    if status == 2 and any(not w.startswith("checkpoint") for w in written):
        return f"status 2, and {', '.join(written)} was written"
    if spent > PROCESSOR:
        return f"takes {spent:.0f} s of processor time where 2 s are the limit"
    return None


def here(command: list[str], folder: Path) -> tuple[int, str, str]:
    out, err, back = io.StringIO(), io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        with bounded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(command)
    finally:
        os.chdir(back)
    return status, out.getvalue(), err.getvalue()


def as_process(command: list[str], folder: Path) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-P", "-m", "relucid", *command], cwd=folder, capture_output=True, text=True, errors="replace",
                          timeout=SECONDS - 5, check=False)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def smaller(case: Case) -> Iterator[Case]:
    """Nearer to the good file, then shorter."""
    data, good = (
        base64.b64decode(case["content"]),
        (bases.base(case["base"], root()).folder / case["file"]).read_bytes(),
    )
    start = next(
        (i for i, (a, b) in enumerate(zip(data, good, strict=False)) if a != b), min(len(data), len(good))
    )
    end = next((i for i, (a, b) in enumerate(zip(data[::-1], good[::-1], strict=False)) if a != b), 0)
    own = data[start : len(data) - end]
    for size in (len(own) // 2, len(own) // 4, 16, 4, 1):
        for i in range(0, len(own), size) if size else ():
            yield {
                **case,
                "content": base64.b64encode(
                    data[:start] + own[:i] + own[i + size :] + data[len(data) - end :]
                ).decode(),
            }
    for size in (len(data) // 2, len(data) // 4, 64, 8):
        for i in range(0, len(data), size) if size else ():
            yield {**case, "content": base64.b64encode(data[:i] + data[i + size :]).decode()}
    if case["process"]:
        yield {**case, "process": False}
