"""Limits, which hold for every command: it runs in a child process, and reaching a limit is an honest answer.

`--timeout` and `--memory`, if a command has them, are for all that it does, from reading to printing.  If
relucid has the process for itself (`__main__.entry`), the limits are kept from outside
(`common/processes/forked.py`).  If `main` is called from Python, the work looks at the clock itself
(`common/deadline.py`).  Nothing heavy is imported before the fork, nor in the parent after it.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import click

from ..common.deadline import MOST_SECONDS, OutOfTime, until
from ..common.processes.forked import answering, split
from ..common.processes.limits import Ended, Limits
from .printing import fail, writing
from .status import INTERNAL, INTERRUPTED, UNKNOWN

Told = Callable[
    [str, dict[str, Any], float], None
]  # gets the reason, the command's options, and the seconds it took


class Seconds(click.ParamType[float]):
    """A time limit: more than nothing, and at most what clocks and solvers can count."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        if not 0 < seconds <= MOST_SECONDS:
            self.fail(
                f"{value} is not a time of more than 0 and at most {MOST_SECONDS} seconds (30 days).",
                param,
                ctx,
            )
        return seconds


def timeout_option(default: float, help: str = "Seconds for the whole command.") -> Callable[[Any], Any]:
    """Return the option `--timeout`."""
    return click.option("--timeout", type=Seconds(), default=default, show_default=True, help=help)


def memory_option(default: int, help: str = "Megabytes of relucid's process.") -> Callable[[Any], Any]:
    """Return the option `--memory`."""
    return click.option("--memory", type=click.IntRange(64), default=default, show_default=True, help=help)


class Limited(click.Command):
    """A command whose options `timeout` and `memory` limit all that it does.

    unknown: says that a limit was reached, if the command has words or a JSON object for it.  If not, that is
        one line on stderr.
    each: the limits are for each of several pieces of work, and the command sees to them itself.
    """

    def __init__(
        self, *arguments: Any, unknown: Told | None = None, each: bool = False, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.unknown, self.each = unknown, each

    def invoke(self, ctx: click.Context) -> Any:
        started = time.monotonic()
        options = {} if self.each else dict(ctx.params)
        limits = Limits(started + options.get("timeout", math.inf), options.get("memory", math.inf))
        if ctx.find_root().obj is ALONE and hasattr(os, "fork"):
            ended = split(limits)
            if ended is not None:
                raise click.exceptions.Exit(self._told(ended, ctx.params, started))
        try:
            with until(limits.end):
                return super().invoke(ctx)
        except OutOfTime:
            raise click.exceptions.Exit(self._told(Ended("timeout"), ctx.params, started)) from None
        except MemoryError:
            raise click.exceptions.Exit(self._told(Ended("memory"), ctx.params, started)) from None

    def _told(self, ended: Ended, options: dict[str, Any], started: float) -> int:
        """Say how the child ended, if it could not say so itself; return the exit status."""
        if ended.how == "exited" and ended.number != INTERRUPTED:
            return ended.number
        if ended.how in ("exited", "interrupted"):
            if ended.how == "interrupted" and ended.number != signal.SIGINT:
                _end_by(ended.number)
            return fail("interrupted", INTERRUPTED)
        if ended.how == "killed" and ended.number != signal.SIGKILL:
            return fail(
                f"internal error: the process was ended by {signal.Signals(ended.number).name}", INTERNAL
            )
        why = _reason(ended, options)
        answering()
        if self.unknown is None:
            return fail(f"unknown: {why}", UNKNOWN)
        with writing():
            self.unknown(why, options, time.monotonic() - started)
        return UNKNOWN


ALONE = object()  # the root context's object if relucid has this process for itself


def _reason(ended: Ended, options: dict[str, Any]) -> str:
    if ended.how == "timeout":
        return f"time: the limit of {options['timeout']:g} s was reached; raise it with --timeout"
    if ended.how == "killed":
        killed = "the process was killed from outside"
        return f"memory: {killed}; most often that is the system, where memory runs out"
    if "memory" not in options:
        return "memory: there is no more of it"
    return (
        f"memory: relucid's own process reached the limit of {options['memory']} MB; raise it with --memory"
    )


def _end_by(number: int) -> None:
    """End as this signal ends a process, so that its sender sees that."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)


def stopped(why: str, options: dict[str, Any], seconds: float) -> None:
    """Say that `train` or `prune` reached a limit; they keep what they have."""
    fail(f"unknown: {why}; the same command goes on from where it stopped", UNKNOWN)
