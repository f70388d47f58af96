"""How results, messages and a status line are printed: results on stdout, everything else on stderr.

Every file of commands in `cli/` uses it.  Nothing heavy is imported at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..common.processes.forked import answering

LONGEST_WORD, LONGEST_LINE = 400, 2000  # characters of a message


def print_json(value: object) -> None:
    """Print one JSON object."""
    from ..common.text import json_text

    text = json_text(value)
    with writing():
        print(text)


@contextmanager
def writing() -> Iterator[None]:
    """Print a result inside of this: no limit holds any more, and all of it is written.

    `common/streams.py` says what happens if it cannot be written.
    """
    answering()
    yield
    sys.stdout.flush()


def fail(message: str, status: int) -> int:
    """Say in one line on stderr what went wrong; return the exit status."""
    from ..common.text import shortened, visible

    answering()
    words = (shortened(word, LONGEST_WORD) for word in message.split())
    say(f"relucid: {visible(shortened(' '.join(words), LONGEST_LINE))}")
    return status


def say(text: str) -> None:
    """Print a message on stderr."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def status_line(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows progress on stderr if somebody watches, and does nothing if not."""
    if quiet or not sys.stderr.isatty():
        yield lambda message: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda message: status.update(message.replace("[", "\\["))
