"""Tells how a run goes: what is done, what runs, who has solved how much, how long it will take.

`bench.py` calls a `Watch`, which only counts.  `watching` returns one that shows it: a live table on a
terminal, a line now and then where stderr is piped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..common.text import visible
from .suite import BenchClaim, Column

if TYPE_CHECKING:
    from rich.console import Group

    from .results import Result

PIPE_SECONDS = 10.0  # between lines where stderr is no terminal


@dataclass(frozen=True)
class BenchTask:
    """One attempt that is to be made."""

    case: BenchClaim
    column: Column
    repeat: int = 0


@dataclass
class Watch:
    """Counts, and shows nothing."""

    total: int = 0
    there: int = 0
    done: int = 0
    started_at: float = 0.0
    running: dict[BenchTask, float] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    solved: dict[str, int] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Hear that something is done before the first attempt."""

    def begin(self, todo: Sequence[BenchTask], there: int) -> None:
        self.total, self.there, self.started_at = len(todo), there, time.monotonic()
        self.tried = dict.fromkeys((t.column.name for t in todo), 0)
        self.solved = dict(self.tried)
        self.changed()

    def started(self, task: BenchTask) -> None:
        self.running[task] = time.monotonic()
        self.changed()

    def finished(self, task: BenchTask, result: Result) -> None:
        self.running.pop(task, None)
        self.done += 1
        self.tried[task.column.name] += 1
        self.solved[task.column.name] += result.answered
        self.changed()

    def changed(self) -> None:
        """Hear that the numbers are new."""

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the mean of what is done; None before anything is."""
        if not self.done:
            return None
        return (time.monotonic() - self.started_at) / self.done * (self.total - self.done)

    def line(self) -> str:
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        there = f" ({self.there} were there)" if self.there else ""
        solved = ", ".join(f"{name} {self.solved[name]}/{self.tried[name]}" for name in self.tried)
        return f"{self.done} of {self.total} attempts{there}{left}; solved: {solved}"


def duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


class _Lines(Watch):
    """Where stderr is piped: a plain line every ten seconds."""

    said_at = float("-inf")

    def changed(self) -> None:
        """Hear that the numbers are new."""
        now = time.monotonic()
        if now - max(self.said_at, self.started_at) >= PIPE_SECONDS:
            self.said_at = now
            print(f"relucid: {visible(self.line())}", file=sys.stderr, flush=True)


class _Live(Watch):
    """What a terminal shows, drawn anew several times a second."""

    saying = ""

    def say(self, text: str) -> None:
        """Hear that something is done before the first attempt."""
        self.saying = text

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if not self.started_at:
            return Group(Text(visible(self.saying)))
        now = time.monotonic()
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        head = Table.grid(padding=(0, 1))
        there = f", {self.there} were there" if self.there else ""
        head.add_row(
            ProgressBar(self.total or 1, self.done, width=30),
            Text(f"{self.done} of {self.total} attempts{there}{left}"),
        )
        table = Table(box=None, pad_edge=False)
        for heading in ("column", "tried", "solved"):
            table.add_column(heading, justify="left" if heading == "column" else "right")
        for name, tried in self.tried.items():
            table.add_row(Text(visible(name)), str(tried), str(self.solved[name]))
        lines = [
            Text(visible(f"  {t.column.name} on {t.case.name}, {now - since:.0f} s"), "dim")
            for t, since in list(self.running.items())
        ]
        return Group(head, table, *lines)


@contextmanager
def watching(quiet: bool = False) -> Iterator[Watch]:
    """Yield the watch that fits stderr; `quiet`: one that shows nothing."""
    if quiet:
        yield Watch()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console
        from rich.live import Live

        watch = _Live()
        with Live(watch, console=Console(stderr=True), refresh_per_second=4, transient=True):
            yield watch
