"""What commands share: options, lists of names, JSON, messages and a status line on stderr.

All commands import this, so it imports nothing heavy at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..common.errors import InputError
from ..common.processes.forked import answering

LONGEST_WORD, LONGEST_LINE = 400, 2000  # characters of a message

quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="Show no progress, and print the answer only."
)
html_option = click.option(
    "--html",
    type=click.Path(path_type=Path),
    default=None,
    help="Write a report for the browser to this file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

ablation_option = click.option(
    "--ablation",
    type=click.Choice(["mean", "zero"]),
    default=None,
    help="What replaces nodes that the mask does not keep, over the domain [default: what the mask says].",
)

run_code_option = click.option(
    "--run-code",
    is_flag=True,
    help="Run a TorchScript circuit (.pt).  It is a program, and runs with your rights.",
)


def names_in(backends: str | None) -> tuple[str, ...] | None:
    """Return the names in a list with commas; None stays None.  Raises InputError for an empty list."""
    if backends is None:
        return None
    found = tuple(name.strip() for name in backends.split(",") if name.strip())
    if not found:
        raise InputError("--backends", "names no backend", "see `relucid backends`")
    return found


def print_json(value: object) -> None:
    """Print a result as one line of JSON."""
    from ..common.text import json_text

    text = json_text(value)
    with writing():
        print(text)


@contextmanager
def writing() -> Iterator[None]:
    """Surround the printing of a result: no limit holds any more, and all of it is written.

    `common/streams.py` says what happens if it cannot be written.
    """
    answering()
    yield
    sys.stdout.flush()


def fail(message: str, status: int) -> int:
    """Say in one line on stderr what went wrong, and return the exit status."""
    from ..common.text import shortened, visible

    answering()
    words = (shortened(word, LONGEST_WORD) for word in message.split())
    say(f"relucid: {visible(shortened(' '.join(words), LONGEST_LINE))}")
    return status


def say(text: str) -> None:
    """Print a message to stderr."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def status_line(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a status line on stderr; it does nothing if stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda message: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda message: status.update(message.replace("[", "\\["))
