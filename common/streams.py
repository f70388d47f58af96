"""The standard streams as commands see them: failing to write a message never changes the exit status.

Messages go to stderr, and are lost where that cannot be written.  The result goes to stdout; if it cannot be
written, that is an error of its own, unless its reader has gone away and wants no more of it.  Imports next
to nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class Unwritable(Exception):
    """The result cannot be written: a full disk."""


class _Stream:
    """A text stream (None: it is closed) that is silent once it has failed; for `results`, it then raises
    Unwritable.
    """

    def __init__(self, stream: TextIO | None, *, results: bool) -> None:
        self._stream = (
            open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (ours until the process ends)
            if stream is None or getattr(stream, "closed", False)
            else stream
        )
        self._results, self._lost = results, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._failed(error)
        self._tell()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)
        self._tell()

    def _failed(self, error: OSError) -> None:
        with suppress(OSError, ValueError, AttributeError):  # what is left in the buffer must not fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._results and not isinstance(error, BrokenPipeError):
            self._lost = error.strerror or str(error)

    def _tell(self) -> None:
        """Raise from the first failure on, each time: libraries try streams, and ignore what they meet."""
        if self._lost:
            raise Unwritable(self._lost)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let writing to stderr never fail in this block, and writing to stdout fail only with Unwritable."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        cast(TextIO, _Stream(before[0], results=True)),
        cast(TextIO, _Stream(before[1], results=False)),
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def open_closed() -> None:
    """Open the null device for each standard stream that is closed.

    Otherwise another file, pipe or socket gets its number, and with it what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
