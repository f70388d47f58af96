"""A child process dies with its parent: when the parent's end of a pipe closes.

`inside.py` and `forked.py` follow their parent from inside the child; `supervised.py` ties a child from
outside, whatever it runs.  Imports next to nothing.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def follow_parent(lifeline_fd: int, *, alone: bool = False) -> None:
    """Die with the parent, process group and all (`alone`: only this process), when the other end of the pipe
    closes.

    On Linux the kernel itself sends the signal (F_SETSIG), so no solver that holds the interpreter can delay
    it.
    """
    import fcntl

    target = os.getpid() if alone else -os.getpgrp()
    os.set_inheritable(lifeline_fd, False)
    if hasattr(fcntl, "F_SETSIG"):
        _tie(lifeline_fd, target)
        if select.select([lifeline_fd], [], [], 0)[0]:  # it closed before we listened
            os.kill(target, signal.SIGKILL)
        return

    def watch() -> None:
        os.read(lifeline_fd, 1)
        os.kill(target, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def tie(lifeline_fd: int, group: int) -> None:
    """Have the kernel kill a process group when the other end of the pipe closes, as long as one of it holds
    this end.

    Only on Linux; elsewhere nothing happens.
    """
    import fcntl

    if hasattr(fcntl, "F_SETSIG"):
        _tie(lifeline_fd, -group)


def _tie(lifeline_fd: int, target: int) -> None:
    """Tie a target to the pipe: a process, or a group with a minus, as `kill` takes them."""
    import fcntl

    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, target)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, fcntl.fcntl(lifeline_fd, fcntl.F_GETFL) | os.O_ASYNC)
