"""The inside of a supervised child: boots a module, and carries its messages to the parent.

`supervised.py` starts `boot` in a new Python.  The module's `main(request, parent)` reads its request from a
stream and sends messages, JSON objects of one line each.  Whatever a solver prints goes to stderr and cannot
be taken for a message.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from .lifeline import follow_parent
from .tree import keep_orphans

LINGER_SECONDS = 10.0  # that an answered child waits for its parent to end it
PROGRESS_SECONDS = 0.1  # at most one progress message per this
_outer_folder: str | None = None  # the parent's folder for temporary files


@dataclass
class Parent:
    """The way to the parent.  Any thread may use it."""

    fd: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: float = 0.0

    def send(self, message: Mapping[str, object]) -> None:
        """Write one message; waits until the parent has room for it.

        Raises OSError where the pipe is closed.
        """
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self.fd, data) :]

    def progress(self, text: str) -> None:
        """Send `{"progress": text}`, unless another was sent just before."""
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self.send({"progress": str(text)[:500]})


def boot(module: str, lifeline: int, folder: str) -> None:
    """Run `main(request, parent)` of a module: the request is stdin, messages go to what was stdout.

    Args:
        module: its full name.
        lifeline: the end of a pipe; this process group dies when the parent's end closes.
        folder: for temporary files; the parent removes it.

    An exception ends the process with a traceback on stderr and status 1.
    """
    follow_parent(lifeline)
    _be_a_good_child()
    _use_folder(folder)
    parent = Parent(os.dup(1))
    os.dup2(2, 1)
    with os.fdopen(os.dup(0), "rb") as request:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        importlib.import_module(module).main(request, parent)
    # Wait for the parent, so that it still finds below us what we started.
    select.select([lifeline], [], [], LINGER_SECONDS)
    os._exit(0)  # not through the interpreter's shutdown, which waits for a solver's threads


def outer_folder() -> str | None:
    """Return the folder for temporary files that outlive a supervised child (None: the system's)."""
    return _outer_folder


def _use_folder(folder: str) -> None:
    global _outer_folder
    _outer_folder = tempfile.gettempdir()
    tempfile.tempdir = os.environ["TMPDIR"] = folder


def _be_a_good_child() -> None:
    with contextlib.suppress(OSError, ImportError):  # a crash leaves no core file
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if the system runs out of memory, it ends us and not the parent
    keep_orphans()
