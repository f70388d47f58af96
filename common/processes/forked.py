"""The command line's own child process: forked before any work, and watched from outside.

`cli/limits.py` calls `split` once per command.  The parent does nothing but watch: the clock, the child's
memory, and signals.  So limits and interrupts hold whatever the child is in: a call into C, a loop that never
looks up, a `finally` that hangs.  Work that can be started from a module or a command line uses
`supervised.py` instead.

What the child tells its parent goes over a pipe (`answering`, `leftover`); in any other process these do
nothing. Imports next to nothing, as it is loaded before anything else.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .lifeline import follow_parent
from .limits import Ended, How, Limits
from .tree import how_ended, keep_orphans, kill_below, resident_mb

TICK = 0.02  # seconds between looks
# Seconds after the limit until the child is asked to stop.  It should have stopped itself before
# (`deadline.LATE`).
LATE = 1.0
TIDY = 0.4  # seconds that it then has to clear up
INTERRUPTED = 1.5  # the same for a child that is interrupted: it may keep what it has found
STILL = 0.3  # seconds in which a process that is sent SIGSTOP comes to stand
# a parent that has not looked for so long was stopped (Ctrl-Z) or starved, and the child with it
ASLEEP = 1.0
# seconds between looks at the memory, which may need a process
WEIGHING = TICK if os.path.exists("/proc/self/statm") else 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def split(limits: Limits) -> Ended | None:
    """Fork this process, and watch the child from the parent.

    Returns None in the child, which does the work; in the parent, when the child has ended, how it ended.

    To be called in the main thread, while there are no others.
    """
    line, line_end = os.pipe()
    lifeline_end, lifeline = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed or broken: not ours to tell
            stream.flush()
    # so that none is lost between the fork and the handlers
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid == 0:
        os.close(line)
        os.close(lifeline)
        follow_parent(lifeline_end, alone=True)
        _child.begin(line_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return None
    os.close(line_end)
    os.close(lifeline_end)
    watch = _Watch(pid, line, limits)
    watch.listen()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return watch.run()


# In the child


@dataclass
class _Child:
    """What this process knows of its parent, where it is such a child."""

    line: int | None = None
    answering: bool = False
    interrupted: bool = False

    def begin(self, line: int) -> None:
        self.line = line
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._interrupt if number == signal.SIGINT else self._stop)

    def _interrupt(self, number: int, frame: object) -> None:
        """Raise KeyboardInterrupt, once.

        A terminal interrupts the parent too, which passes it on: a second one must not disturb the clearing
        up.
        """
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: object) -> None:
        """Interrupt this process, so that there is one way to stop; but not once there is an answer."""
        if not self.answering:
            signal.raise_signal(signal.SIGINT)

    def tell(self, message: str) -> None:
        if self.line is not None:
            with contextlib.suppress(OSError):
                os.write(self.line, os.fsencode(message) + b"\0")


_child = _Child()


def in_child() -> bool:
    """Whether a parent watches this process."""
    return _child.line is not None


def answering() -> None:
    """Tell the parent that the answer, or an error, is there and will now be printed.

    From here on no limit holds, as whoever reads the output may be slow.
    """
    _child.answering = True
    _child.tell("answering")


@contextlib.contextmanager
def leftover(path: str | Path) -> Iterator[None]:
    """Have the parent remove a file or folder if this process is killed before the block is over."""
    _child.tell(f"+{os.path.abspath(path)}")
    try:
        yield
    finally:
        _child.tell(f"-{os.path.abspath(path)}")


# In the parent


@dataclass
class _Watch:
    pid: int
    line: int
    limits: Limits
    how: How | None = None  # why it was told to stop
    signals: list[int] = field(default_factory=list)  # that came for us
    handled: int = 0  # of them
    patience: float = math.inf  # when it is killed
    answering: bool = False
    leftovers: dict[str, None] = field(default_factory=dict)
    _heard: bytes = b""
    _wakeup: int = -1
    _ears: list[int] = field(default_factory=list)

    def listen(self) -> None:
        """Keep the signals that come from here on, and let them wake `run`."""
        self._wakeup, wakeup_end = os.pipe()
        for fd in (self._wakeup, wakeup_end, self.line):
            os.set_blocking(fd, False)
        self._ears = [self.line, self._wakeup]
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, frame: self.signals.append(number))
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def run(self) -> Ended:
        keep_orphans()
        looked = weighed = time.monotonic()
        end = self.limits.end
        while how_ended(self.pid) is None:
            self._hear(TICK)
            now = time.monotonic()
            if now - looked > ASLEEP:
                end += now - looked
            looked = now
            self._pass_on(now)
            if now > self.patience:
                self._kill()
            elif self.how is None and not self.answering:
                if now > end + LATE:
                    self._stop("timeout", signal.SIGTERM, now + TIDY)
                elif self.limits.memory_mb < math.inf and now - weighed >= WEIGHING:
                    weighed = now
                    if resident_mb(self.pid) > self.limits.memory_mb:
                        self._stop("memory", signal.SIGSTOP, now)
        self._hear(0)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if self.how is not None or status < 0:
            kill_below(os.getpid())  # those whom it had no time to end
            self._clear_up()
        if self.how is None or 0 <= status != 130:  # a library that is interrupted may end in any signal
            return Ended("exited", status) if status >= 0 else Ended("killed", -status)
        return Ended(self.how, self.signals[0] if self.how == "interrupted" else 0)

    def _stop(self, how: How, number: int, patience: float) -> None:
        self.how, self.patience = how, patience
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _pass_on(self, now: float) -> None:
        """Interrupt the child.  Whoever interrupts again does not want to wait: then it is killed."""
        if len(self.signals) > self.handled:
            again = self.handled > 0
            self.handled = len(self.signals)
            self._stop("interrupted", signal.SIGINT, now if again else now + INTERRUPTED)

    def _hear(self, seconds: float) -> None:
        """Take what the child says; waits for it at most so long."""
        ready = select.select(self._ears, [], [], seconds)[0]
        with contextlib.suppress(BlockingIOError):
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            while self.line in ready:
                data = os.read(self.line, 1 << 16)
                if not data:
                    self._ears.remove(self.line)  # a closed line is always ready
                    return
                *messages, self._heard = (self._heard + data).split(b"\0")
                for message in map(os.fsdecode, messages):
                    if message == "answering":
                        self.answering = True
                    elif message[:1] == "+":
                        self.leftovers[message[1:]] = None
                    else:
                        self.leftovers.pop(message[1:], None)

    def _kill(self) -> None:
        """Kill the child and all below it, unless it turns out to have its answer, which it will print."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
        hard = time.monotonic() + STILL
        while not _still(self.pid) and time.monotonic() < hard:
            time.sleep(0.002)
        self._hear(0)
        if self.answering and self.how != "interrupted":
            self.how, self.patience = None, math.inf
            os.kill(self.pid, signal.SIGCONT)
            return
        kill_below(os.getpid())

    def _clear_up(self) -> None:
        for path in self.leftovers:
            with contextlib.suppress(OSError):
                if os.path.isdir(path) and not os.path.islink(path):
                    import shutil

                    shutil.rmtree(path, ignore_errors=True)
                else:
                    os.unlink(path)
        if sys.stderr is not None and sys.stderr.isatty():
            # remove the status line that the child could not take back, and show the cursor that it hid
            sys.stderr.write("\r\x1b[2K\x1b[?25h")
            sys.stderr.flush()


def _still(pid: int) -> bool:
    """Whether a child is stopped or has ended."""
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True
