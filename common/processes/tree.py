"""Processes seen from outside: who belongs to a tree of them, what they hold, and how they all end.

`supervised.py` and `forked.py` stand on it.  A tree's leader leads its own session.  What it starts is found
by process group and by parentage, so that helpers which left the group are still counted and ended.  Nothing
here trusts the watched process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .limits import Ended

PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
TICKS = os.sysconf("SC_CLK_TCK")
GRACE_SECONDS = 0.3  # between SIGTERM and SIGKILL
PR_SET_CHILD_SUBREAPER = 36  # Linux, <sys/prctl.h>


@dataclass(frozen=True)
class ProcessInfo:
    """One line of the process table.  `start` tells a process from a later one with the same number."""

    parent: int
    group: int
    start: str
    resident_kb: int
    zombie: bool
    cpu_seconds: float = 0.0  # its own and that of children it has reaped; 0 where there is only `ps`


def snapshot() -> dict[int, ProcessInfo]:
    """Return the process table: from /proc, or from `ps` where there is none."""
    if not os.path.exists("/proc/self/stat"):
        return _snapshot_ps()
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                table[int(name)] = _stat(Path(f"/proc/{name}/stat").read_text(errors="replace"))
    return table


def _stat(line: str) -> ProcessInfo:
    # the command's name may hold spaces and brackets: the fields start after the last bracket
    fields = line.rpartition(")")[2].split()
    cpu = sum(map(int, fields[11:15])) / TICKS
    return ProcessInfo(
        int(fields[1]), int(fields[2]), fields[19], int(fields[21]) * PAGE_KB, fields[0] in "ZX", cpu
    )


def _snapshot_ps() -> dict[int, ProcessInfo]:
    lines = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,pgid=,rss=,stat=,lstart="], capture_output=True, text=True, check=False
    ).stdout
    table = {}
    for line in lines.splitlines():
        pid, parent, group, resident, state, start = line.split(None, 5)
        table[int(pid)] = ProcessInfo(int(parent), int(group), start, int(resident), state.startswith("Z"))
    return table


def below(pids: Iterable[int], table: Mapping[int, ProcessInfo]) -> set[int]:
    """Return the descendants of these processes."""
    children: dict[int, list[int]] = {}
    for pid, info in table.items():
        children.setdefault(info.parent, []).append(pid)
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        fresh = [p for p in children.get(waiting.pop(), ()) if p not in found]
        found.update(fresh)
        waiting += fresh
    return found


@dataclass
class ProcessTree:
    """A leader's processes: its group, their descendants, and all who were among them at an earlier look."""

    leader: int
    seen: dict[int, str] = field(default_factory=dict)

    def members(self, table: Mapping[int, ProcessInfo]) -> list[int]:
        """Return the living processes of the tree, the leader first if it lives."""
        inside = {
            p
            for p, i in table.items()
            if i.group == self.leader or p == self.leader or self.seen.get(p) == i.start
        }
        inside |= below(inside, table)
        self.seen.update({p: table[p].start for p in inside})
        return sorted((p for p in inside if not table[p].zombie), key=lambda p: (p != self.leader, p))

    def usage(self, table: Mapping[int, ProcessInfo]) -> tuple[float, float]:
        """Return megabytes held now, and processor seconds of the living and of their reaped children."""
        members = self.members(table)
        held = sum(table[p].resident_kb for p in members) / 1024
        return held, sum(table[p].cpu_seconds for p in members)

    def signal(self, number: signal.Signals, table: Mapping[int, ProcessInfo]) -> bool:
        """Send a signal to everyone in it.  Returns False where nobody was left."""
        members = self.members(table)
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        return bool(members)


def end(trees: Iterable[ProcessTree]) -> None:
    """End trees: SIGTERM, a short grace, then SIGKILL until nobody is left."""
    left = list(trees)
    table = snapshot()
    for tree in left:
        tree.signal(signal.SIGTERM, table)
        tree.signal(signal.SIGCONT, table)  # a stopped process gets its SIGTERM only when it goes on
    patience = time.monotonic() + GRACE_SECONDS
    hard = patience + 10.0  # SIGKILL waits for a process in uninterruptible sleep; do not wait for ever
    while left and time.monotonic() < hard:
        table = snapshot()
        left = [tree for tree in left if tree.members(table)]
        if time.monotonic() >= patience:
            for tree in left:
                tree.signal(signal.SIGKILL, table)
        if left:
            time.sleep(0.01)


def kill_below(pid: int) -> None:
    """Send SIGKILL to every descendant of a process until none is alive; not to the process itself."""
    hard = time.monotonic() + 10.0
    while time.monotonic() < hard:
        table = snapshot()
        alive = [p for p in below([pid], table) if not table[p].zombie]
        if not alive:
            return
        for p in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(p, signal.SIGKILL)
        time.sleep(0.005)


def resident_mb(pid: int) -> float:
    """Return the megabytes that one process holds; 0 where it has ended."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        if os.path.exists("/proc/self/statm"):
            return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_KB / 1024
        return (
            int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False).stdout)
            / 1024
        )
    return 0.0


def how_ended(pid: int) -> Ended | None:
    """Return how a child has ended by itself, or None where it lives.

    It is reaped later: until then its number cannot go to another process.
    """
    try:
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # somebody else has reaped it
        return Ended("exited", 0)
    if info is None:
        return None
    return Ended("exited" if info.si_code == os.CLD_EXITED else "killed", info.si_status)


def keep_orphans() -> None:
    """Adopt processes whose parent dies, so that they are still found below this one (Linux)."""
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
