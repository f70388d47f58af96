"""One entrant of the race: a backend in a child process, watched from outside.

`race.py` starts and feeds entrants; this module turns whatever the child does (answer, die, hang, eat memory, write
nonsense) into one `Attempt`.  Nothing that comes back from the child is unpickled or believed: it is JSON, limited
in length and checked field by field, and its words are replayed later.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...common.processes import ProcessInfo, Tree, exited
from ...models.claims.word_claim import WordClaim
from ..evidence import Settled
from ..verdict import TRUST_ORDER, Attempt, Outcome, Sizes, Trust
from .backend import Backend, Budget
from .worker import Task

ANSWER_LIMIT = 4 << 20  # bytes that a child's answer may have
READS = 16  # of 64 KB from each pipe at one look: a child that writes for ever must not keep us
OUTPUT_KEPT = 4096  # last bytes of what it prints
SAYABLE: tuple[Outcome, ...] = ("proved", "refuted", "unknown", "timeout", "memory", "unsupported", "crashed")
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {} import main; main(int(sys.argv[2]), int(sys.argv[3]))"


class Entrant:
    """A running child.  `attempt` is None until it is finished; the owner then ends and reaps it (`processes.end`, `close`)."""

    def __init__(
        self,
        backend: Backend,
        version: str,
        claim: WordClaim,
        budget: Budget,
        progress: Callable[[str], None],
    ) -> None:
        self.backend, self.version, self.budget = backend, version, budget
        self.attempt: Attempt | None = None
        self.silent = False  # nothing more can come: it closed its answer pipe, or died
        self.turns = 0  # that are over
        self.peak_mb = 0.0
        self._progress = progress
        self._buffer, self._printed, self._resident = b"", b"", 0.0
        self._running_since: float | None = time.monotonic()
        self._spans: list[tuple[float, float]] = []  # of turns that are over
        self._fds: list[int] = []
        try:
            self._start(pickle.dumps(Task(backend, claim, budget, time.monotonic() + budget.seconds)))
        except BaseException:
            self._close_fds()
            raise
        self.tree = Tree(self.process.pid)

    def _start(self, task: bytes) -> None:
        answers, answers_end = os.pipe()
        printed, printed_end = os.pipe()
        lifeline_end, lifeline = os.pipe()
        self._fds = [answers, printed, lifeline]
        try:
            with (
                tempfile.TemporaryFile() as stdin
            ):  # a file and not a pipe: a child that never reads cannot block us
                stdin.write(task)
                stdin.seek(0)
                threads = str(max(1, self.budget.workers))
                path = json.dumps([str(p) for p in sys.path])
                self.process = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",
                        "-c",
                        _BOOT.format(Task.__module__),
                        path,
                        str(answers_end),
                        str(lifeline_end),
                    ],
                    stdin=stdin,
                    stdout=printed_end,
                    stderr=printed_end,
                    pass_fds=(answers_end, lifeline_end),
                    start_new_session=True,
                    env={
                        "OMP_NUM_THREADS": threads,
                        **os.environ,
                        "PYTHONHASHSEED": str(self.budget.seed % 2**32),
                    },
                )
        finally:
            for fd in (answers_end, printed_end, lifeline_end):
                os.close(fd)
        self.answers, self.printed = answers, printed
        for fd in (answers, printed):
            os.set_blocking(fd, False)

    @property
    def seconds(self) -> float:
        """Wall seconds that it ran, pauses not counted."""
        return sum(until - since for since, until in self.spans)

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """From when to when it ran, by the monotonic clock."""
        return (
            *self._spans,
            *(() if self._running_since is None else ((self._running_since, time.monotonic()),)),
        )

    @property
    def turn_seconds(self) -> float:
        """Wall seconds of the present turn."""
        return 0.0 if self._running_since is None else time.monotonic() - self._running_since

    def pause(self, table: Mapping[int, ProcessInfo]) -> None:
        self._spans, self._running_since, self.turns = list(self.spans), None, self.turns + 1
        self.tree.signal(signal.SIGSTOP, table)

    def resume(self, table: Mapping[int, ProcessInfo]) -> None:
        self._running_since = time.monotonic()
        self.tree.signal(signal.SIGCONT, table)

    def read(self) -> None:
        """Take what has arrived on both pipes, without waiting."""
        with contextlib.suppress(OSError):
            for _ in range(READS):
                data = os.read(self.printed, 1 << 16)
                if not data:
                    break
                self._printed = (self._printed + data)[-OUTPUT_KEPT:]
        for _ in range(READS):
            if self.attempt is not None:
                return
            try:
                data = os.read(self.answers, 1 << 16)
            except OSError:
                return
            if not data:
                self.silent = True
                return
            if len(self._buffer) > ANSWER_LIMIT:
                self.finish("crashed", f"wrote more than {ANSWER_LIMIT >> 20} MB as its answer")
                return
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                if self.attempt is None:
                    self._line(line)

    def look(self, table: Mapping[int, ProcessInfo], memory_mb: int) -> None:
        """Memory and life: finishes the attempt where the limit is passed or the child has died without an answer."""
        self._measure(table)
        if self.attempt is None and self._resident > memory_mb:
            self.finish("memory", f"{self._resident:.0f} MB, over the limit of {memory_mb} MB")
        if self.attempt is None and exited(self.process.pid):
            self.read()  # its last words
            if self.attempt is None:
                self.finish("crashed", self._death())

    def _measure(self, table: Mapping[int, ProcessInfo]) -> None:
        self._resident = self.tree.resident_mb(table)
        self.peak_mb = max(self.peak_mb, self._resident, _high_water_mb(self.process.pid))

    def finish(
        self,
        outcome: Outcome,
        detail: str = "",
        version: str = "",
        trust: Trust | None = None,
        words: tuple = (),
        proved: int | None = None,
        sizes: Sizes | None = None,
        evidence: tuple[Settled, ...] = (),
    ) -> None:
        self.peak_mb = max(self.peak_mb, _high_water_mb(self.process.pid))
        said = self._last_line()
        if outcome == "crashed" and said and said not in detail:
            detail = f"{detail}: {said}" if detail else said
        self.attempt = Attempt(
            self.backend.name,
            outcome,
            one_line(version, 60) or self.version,
            trust,
            round(self.seconds, 3),
            round(self.peak_mb, 1) if self.peak_mb else None,
            one_line(detail, 400),
            words,
            proved,
            sizes,
            self.spans,
            evidence,
        )

    def _line(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("not an object")
            if "progress" in message:
                self._progress(f"{self.backend.name}: {one_line(str(message['progress']), 200)}")
                return
            outcome, trust = message["outcome"], message.get("trust")
            if outcome not in SAYABLE or trust not in (None, *TRUST_ORDER):
                raise ValueError(f"outcome {outcome!r}, trust {trust!r}")
            words = tuple(tuple(word) for word in message.get("words", ()))
            proved = message.get("proved_inputs")
            proved = None if proved is None else int(proved, 16)
            if any(type(s) is not int for word in words for s in word):
                raise ValueError("words are not lists of integers")
            sizes = None if message.get("sizes") is None else Sizes(**message["sizes"])
            if sizes is not None and any(type(n) is not int or n < 0 for n in vars(sizes).values()):
                raise ValueError("sizes are not numbers")
            evidence = tuple(map(_settled, message.get("evidence") or ()))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.finish("crashed", f"wrote nonsense as its answer ({type(error).__name__}: {error})")
            return
        if outcome == "refuted" and not words:
            self.finish("crashed", "said refuted without an input that shows it")
            return
        self.finish(
            outcome,
            str(message.get("detail") or ""),
            str(message.get("version") or ""),
            trust,
            words,
            proved,
            sizes,
            evidence,
        )

    def _death(self) -> str:
        info = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if info is None or info.si_code == os.CLD_EXITED:
            return f"ended with status {info.si_status if info else '?'} without an answer"
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(info.si_status).name}"
        return f"killed by signal {info.si_status}"

    def _last_line(self) -> str:
        lines = [
            text
            for line in self._printed.decode(errors="replace").splitlines()
            if (text := one_line(line, 200))
        ]
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Reap the child and close the pipes; only after its tree was ended."""
        self._close_fds()  # closing the lifeline kills whoever of the group is still there
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)

    def _close_fds(self) -> None:
        for fd in self._fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fds = []


def _settled(entry: Sequence[Any]) -> Settled:
    """One entry of a child's evidence, whose numbers `evidence.py` looks at.  Raises ValueError or TypeError where it is none."""
    label, rivals, inputs, by = entry
    return Settled(label, None if rivals is None else tuple(rivals), int(inputs, 16), one_line(str(by), 60))


def _high_water_mb(pid: int) -> float:
    """The kernel's own record of a living process's largest resident size."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def one_line(text: str, limit: int) -> str:
    """One line without control characters, cut to size."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
