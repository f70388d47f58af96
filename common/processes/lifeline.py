"""A child process dies with its parent: when the other end of a pipe closes.

Used by the child in which a command runs (`forked.py`), by those of the race (`verifiers/race/worker.py`) and
of `relucid verify` (`verifiers/boxes/worker.py`), which follow by themselves, and for the attempts of
`relucid bench`, which are tied from outside; imports next to nothing.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def follow_parent(lifeline_fd: int, *, alone: bool = False) -> None:
    """Die, group and all (`alone`: this process only), when the parent does: when the other end of this pipe
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
    """On Linux: the kernel kills this process group when the other end of the pipe closes, as long as one of
    it holds this end.

    Elsewhere nothing happens.
    """
    import fcntl

    if hasattr(fcntl, "F_SETSIG"):
        _tie(lifeline_fd, -group)


def _tie(lifeline_fd: int, target: int) -> None:
    """`target`: a process, or a group with a minus, as `kill` takes them."""
    import fcntl

    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, target)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, fcntl.fcntl(lifeline_fd, fcntl.F_GETFL) | os.O_ASYNC)
