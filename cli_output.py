"""What commands share: options, lists of names, JSON, a status line on stderr, and results that survive a reader who has gone away.

Under `cli.py` and its parts; imports nothing heavy at the top.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .common.supervise import answering
from .models.errors import InputError

quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress, and of the result only the first lines.")
html_option = click.option("--html", type=click.Path(path_type=Path), default=None, help="Write a report for the browser to this file.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

ablation_option = click.option(
    "--ablation", type=click.Choice(["mean", "zero"]), default=None,
    help="What stands in for nodes that the mask does not keep, taken over the domain [default: what the mask says].",
)  # fmt: skip

run_code_option = click.option("--run-code", is_flag=True, help="A TorchScript CIRCUIT (.pt) is a program: run it, with your rights.")


def names_in(backends: str | None) -> tuple[str, ...] | None:
    """The names in a list with commas."""
    if backends is None:
        return None
    found = tuple(name.strip() for name in backends.split(",") if name.strip())
    if not found:
        raise InputError("--backends", "names no backend", "see `relucid backends`")
    return found


def print_json(value: object) -> None:
    from .models.text import json_text

    text = json_text(value)
    answering()
    click.echo(text)


class Unwritable(Exception):
    """The result cannot be written: a full disk."""


@contextmanager
def writing() -> Iterator[None]:
    """Around the printing of a result: a reader that has gone away must not change the exit status, which is the answer too; and no limit holds any more."""
    answering()
    try:
        yield
        if sys.stdout is not None:  # it may have been closed
            sys.stdout.flush()
    except OSError as error:
        silence()
        if not isinstance(error, BrokenPipeError):
            raise Unwritable(error.strerror or str(error)) from None


def fail(message: str, status: int) -> int:
    """Say in one line on stderr what went wrong; the exit status."""
    from .models.text import visible

    answering()
    click.echo(f"relucid: {visible(' '.join(message.split()))}", err=True)
    return status


def silence() -> None:
    """So that what is left in the buffer does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def status_line(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A status line on stderr where somebody watches; silence where not."""
    if quiet or not sys.stderr.isatty():
        yield lambda message: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda message: status.update(message.replace("[", "\\["))
