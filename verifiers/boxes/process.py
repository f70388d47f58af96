"""`relucid verify` as seen from outside: one child process, its time and its memory.

The parent imports nothing heavy, so a trivial instance costs one start of numpy; and whatever the child does (a file of
gigabytes, a solver that hangs), the limits are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.interrupts import interrupts_held
from ...common.processes import Tree, end, exited, snapshot
from .answer import Answer

GRACE_SECONDS = 0.5  # after the limit: a child that knows its deadline says how far it came
LOOK_SECONDS = 0.05
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {} import main; main(int(sys.argv[2]), int(sys.argv[3]))"


class Crashed(Exception):
    """The child died without an answer: an internal error."""


def verify_files(
    network: str | Path,
    stated: str | Path,
    *,
    timeout: float = 60.0,
    memory_mb: int = 4096,
    seed: int = 0,
    threads: int | None = None,
    proof: Path | None = None,
    proof_format: str = "relucid",
    progress: Callable[[str], None] | None = None,
    against: str | Path | None = None,
    epsilon: Fraction | None = None,
    same_label: bool = False,
    backend: str = "race",
    trust: str | None = "exact",
) -> Answer:
    """The answer for an ONNX file and a VNN-LIB file; `proof`: where one is written, in the format "relucid" or "aptp".

    `trust`: "float" takes a solver's word, "checked" wants a proof that the checker accepts, None has one made and checked where that is affordable.
    Raises InputError, Crashed, and Contradiction where the checker rejects what was proved.
    """
    started = time.monotonic()
    job = {
        "network": str(network),
        "property": str(stated),
        "deadline": started + timeout,
        "seed": seed,
        "threads": threads or os.cpu_count() or 1,
        "proof": None if proof is None else str(proof),
        "format": proof_format,
        "progress": progress is not None,
        "against": None if against is None else str(against),
        "epsilon": None if epsilon is None else str(epsilon),
        "same_label": same_label,
        "backend": backend,
        "trust": trust,
    }
    child = None
    try:
        with interrupts_held():
            child = _Child(job)
        found = child.answer(started + timeout + GRACE_SECONDS, memory_mb, progress)
    finally:
        if child is not None:
            child.close()
    seconds = time.monotonic() - started
    if isinstance(found, str):
        out_of_time = found == "timeout"
        reason = "the time limit was reached" if out_of_time else found
        if child.decided is None:
            return Answer("unknown", reason, seconds=seconds, timeout=out_of_time, peak_mb=child.peak_mb)
        found = {**child.decided, "certificate": f"not checked: {reason}"}
    plain = dict(found)
    plain["seconds"], plain["peak_mb"] = seconds, child.peak_mb
    return Answer.from_plain(plain)


class _Child:
    def __init__(self, job: dict[str, Any]) -> None:
        answers, answers_end = os.pipe()
        lifeline_end, lifeline = os.pipe()
        self._fds, self._answers, self.peak_mb = [answers, lifeline], answers, 0.0
        self.decided: dict[str, Any] | None = None  # an answer that stands, whatever becomes of its proof
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (until close)
        module = f"{__package__}.worker"
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(job).encode())
            stdin.seek(0)
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    _BOOT.format(module),
                    json.dumps([str(p) for p in sys.path]),
                    str(answers_end),
                    str(lifeline_end),
                ],
                stdin=stdin,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=(answers_end, lifeline_end),
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        for fd in (answers_end, lifeline_end):
            os.close(fd)
        self.tree = Tree(self.process.pid)

    def answer(
        self, limit: float, memory_mb: int, progress: Callable[[str], None] | None
    ) -> dict[str, Any] | str:
        """The answer's plain form, or "timeout", or what happened to the memory.  Raises InputError and Crashed."""
        buffer = b""
        looked = 0.0
        while True:
            left = limit - time.monotonic()
            if left <= 0:
                return "timeout"
            ready = bool(select.select([self._answers], [], [], min(left, LOOK_SECONDS))[0])
            data = os.read(self._answers, 1 << 20) if ready else b""
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "progress" in message:
                    if progress is not None:
                        progress(message["progress"])
                elif "decided" in message:
                    self.decided = message["decided"]
                elif "contradiction" in message:
                    from ..verdict import Contradiction

                    raise Contradiction(*message["contradiction"])
                elif "input_error" in message:
                    raise InputError(*message["input_error"])
                else:
                    return message["answer"]
            if ready and not data:
                raise Crashed(self._last_words())
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                held = self.tree.resident_mb(snapshot())
                self.peak_mb = max(self.peak_mb, round(held, 1))
                if held > memory_mb:
                    return f"it needs more memory than the limit of {memory_mb} MB"
                if exited(self.process.pid) and not select.select([self._answers], [], [], 0)[0]:
                    raise Crashed(self._last_words())

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        return (
            lines[-1][:400]
            if lines
            else f"the child process ended with status {self.process.poll()} without an answer"
        )

    def close(self) -> None:
        end([self.tree])
        for fd in self._fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self._errors.close()
