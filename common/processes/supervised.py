"""The one way to run long or untrusted work: a child process that is limited from outside.

The race runs its entrants this way, `relucid verify` its worker, `relucid bench` its attempts, and two
backends their solver.  The child has a session of its own; its limits hold for all that it starts.  It dies
with this process, and nothing is left of it.  What it says is bytes: whoever started it decides what to
believe.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..interrupts import interrupts_held
from ..scratch import scratch
from .lifeline import tie
from .limits import Ended, Limits
from .tree import ProcessInfo, ProcessTree, end, how_ended, snapshot

LOOK_SECONDS = 0.05  # between looks at the memory
READS = 16  # pieces from each pipe at one look: a child that writes without end must not keep us
PIECE = 1 << 16  # bytes
KEPT = 1 << 16  # bytes: the end of what it prints
LONGEST = 1 << 28  # bytes of an unfinished line: a child that writes without end must not fill our memory
REAP_SECONDS = 5.0
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from relucid.common.processes.inside import boot; boot(sys.argv[2], int(sys.argv[3]), sys.argv[4])"
)


@dataclass(frozen=True)
class Module:
    """A module whose `main(request, parent)` the child runs (`inside.py`)."""

    name: str


class Supervised:
    """A child process that runs.

    Args:
        command: a program with its arguments, or a `Module`.
        request: bytes for its stdin.
        environment: changes to this process's environment.
        folder: where it runs; None: here.

    Its messages are the lines of its stdout; of what it prints on stderr, the end is kept.  A module has a
    folder of its own for temporary files.  `close` has to be called, at best by `supervised`.

    Raises OSError where no process can be started.
    """

    def __init__(
        self,
        command: Sequence[str] | Module,
        request: bytes = b"",
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.ended: Ended | None = None  # set by `messages`
        self.silent = False  # it has closed its pipe for messages, or died
        self.peak_mb = self.resident_mb = self.cpu_seconds = 0.0
        self.turns = 0  # that are over
        self._line: list[bytes] = []  # the pieces of a line that is not complete
        self._printed = b""
        self._running_since: float | None = time.monotonic()
        self._spans: list[tuple[float, float]] = []  # of turns that are over
        self._cleared = contextlib.ExitStack()
        try:
            self._start(command, request, environment or {}, folder)
        except BaseException:
            self._cleared.close()
            raise
        self.tree = ProcessTree(self.process.pid)

    def _start(
        self,
        command: Sequence[str] | Module,
        request: bytes,
        environment: Mapping[str, str],
        folder: Path | None,
    ) -> None:
        with contextlib.ExitStack() as theirs:
            self._messages, messages_end = self._pipe(theirs)
            self._errors, errors_end = self._pipe(theirs)
            lifeline_end, lifeline = os.pipe()
            theirs.callback(os.close, lifeline_end)
            self._cleared.callback(os.close, lifeline)  # kills whoever of the group is still there
            # a file: writing to a pipe would block if the child does not read
            stdin = theirs.enter_context(tempfile.TemporaryFile())
            stdin.write(request)
            stdin.seek(0)
            if isinstance(command, Module):
                own = str(self._cleared.enter_context(scratch()))
                path = json.dumps([str(p) for p in sys.path])
                command = [sys.executable, "-P", "-c", BOOT, path, command.name, str(lifeline_end), own]
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=messages_end,
                stderr=errors_end,
                pass_fds=(lifeline_end,),
                start_new_session=True,
                env={**os.environ, **environment},
                cwd=folder,
            )
            tie(lifeline_end, self.process.pid)

    def _pipe(self, theirs: contextlib.ExitStack) -> tuple[int, int]:
        """Return our end, which never makes us wait, and the child's."""
        ours, its = os.pipe()
        self._cleared.callback(os.close, ours)
        theirs.callback(os.close, its)
        os.set_blocking(ours, False)
        return ours, its

    # What it says

    def fileno(self) -> int:
        """Return the pipe of its messages, for selectors."""
        return self._messages

    def read(self) -> list[bytes]:
        """Return the lines that have arrived, without their ends; never waits."""
        for data in self._arrived(self._errors):
            self._printed = (self._printed + data)[-KEPT:]
        lines: list[bytes] = []
        for data in self._arrived(self._messages):
            if not data:
                self.silent = True
                break
            first, *others = data.split(b"\n")
            self._line.append(first)
            for piece in others:
                lines.append(b"".join(self._line))
                self._line = [piece]
        return lines

    @staticmethod
    def _arrived(pipe: int) -> Iterator[bytes]:
        """Yield what is in the pipe; last nothing where it is closed."""
        with contextlib.suppress(OSError):
            for _ in range(READS):
                data = os.read(pipe, PIECE)
                yield data
                if not data:
                    return

    @property
    def unfinished(self) -> bytes:
        """The beginning of a line whose end has not arrived."""
        return b"".join(self._line)

    @property
    def unfinished_bytes(self) -> int:
        """How long `unfinished` is."""
        return sum(map(len, self._line))

    @property
    def printed(self) -> str:
        """The end of what it has printed on stderr."""
        return self._printed.decode(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line of `printed` that holds more than blanks."""
        return next((line for line in reversed(self.printed.splitlines()) if line.strip()), "")

    def messages(
        self, limits: Limits, stop: threading.Event | None = None, *, measured: bool = True
    ) -> Iterator[bytes]:
        """Yield lines as they come, until the child has ended, is over a limit, or `stop` is set.

        `ended` then says which.  `measured`: whether to look at what it takes, which a limit on memory needs.
        """
        looked, pause = -math.inf, 0.002
        while self.ended is None:
            seconds = max(0.0, min(limits.end - time.monotonic(), LOOK_SECONDS))
            if self.silent:  # it most often ends at once
                seconds, pause = min(seconds, pause), 2 * pause
            wait_for([self], seconds)
            yield from self.read()
            if (ended := how_ended(self.process.pid)) is not None:
                yield from self.read()
            elif stop is not None and stop.is_set():
                ended = Ended("interrupted")
            elif time.monotonic() >= limits.end:
                ended = Ended("timeout")
            elif self.unfinished_bytes > LONGEST:
                ended = Ended("memory")
            elif measured and time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                self.look(snapshot())
                ended = Ended("memory") if self.resident_mb > limits.memory_mb else None
            if ended is not None:
                self._spans, self._running_since = list(self.spans), None
            self.ended = ended

    # What it takes

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """From when to when it ran, in seconds of `time.monotonic`."""
        now = time.monotonic()
        return (*self._spans, *([] if self._running_since is None else [(self._running_since, now)]))

    @property
    def seconds(self) -> float:
        """Wall seconds that it ran, pauses not counted."""
        return sum(until - since for since, until in self.spans)

    @property
    def turn_seconds(self) -> float:
        """Wall seconds of the present turn."""
        return 0.0 if self._running_since is None else time.monotonic() - self._running_since

    def look(self, table: Mapping[int, ProcessInfo]) -> None:
        """Measure it and all that it has started: memory now and at its peak, and processor time."""
        self.resident_mb, cpu = self.tree.usage(table)
        self.peak_mb = max(self.peak_mb, self.resident_mb)
        self.cpu_seconds = max(self.cpu_seconds, cpu)
        self.see_high_water()

    def see_high_water(self) -> None:
        """Read the kernel's own record of the child's peak, which a look may have missed."""
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text(errors="replace").splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_mb = max(self.peak_mb, int(line.split()[1]) / 1024)

    # Turns, and the end

    def pause(self, table: Mapping[int, ProcessInfo]) -> None:
        """Stop it where it is; it keeps its memory."""
        self._spans, self._running_since, self.turns = list(self.spans), None, self.turns + 1
        self.tree.signal(signal.SIGSTOP, table)

    def resume(self, table: Mapping[int, ProcessInfo]) -> None:
        """Let it go on."""
        self._running_since = time.monotonic()
        self.tree.signal(signal.SIGCONT, table)

    def _reap(self) -> None:
        """Collect its status and processor time, and clear what it left; only after its tree was ended."""
        hard = time.monotonic() + REAP_SECONDS
        while self.process.returncode is None and time.monotonic() < hard:
            with contextlib.suppress(ChildProcessError):
                pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
                if pid:
                    self.process.returncode = os.waitstatus_to_exitcode(status)
                    self.cpu_seconds = max(self.cpu_seconds, usage.ru_utime + usage.ru_stime)
                    break
            time.sleep(0.002)
        self._cleared.close()


@contextlib.contextmanager
def supervised(
    command: Sequence[str] | Module,
    request: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Supervised]:
    """Start a child (see `Supervised`), and end it with the block, however that ends."""
    child = None
    try:
        with interrupts_held():
            child = Supervised(command, request, environment, folder)
        yield child
    finally:
        close([child] if child is not None else [])


def close(children: Sequence[Supervised]) -> None:
    """End children and all that they have started: politely, then by force.  Returns when nobody is left."""
    end(child.tree for child in children)
    for child in children:
        child._reap()


def wait_for(children: Iterable[Supervised], seconds: float) -> None:
    """Wait until one of them says something, at most so long."""
    with selectors.DefaultSelector() as selector:
        for child in children:
            if not child.silent:
                selector.register(child, selectors.EVENT_READ)
        selector.select(seconds)
