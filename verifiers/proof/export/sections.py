"""Reads the file that holds proofs in other formats: the solver's text, under one line of ours per query.

A line of ours is a JSON object; no line of a solver's text begins with {.  The file is read as a stream and
is not trusted: lines and the file have size limits, after decompression too.  docs/reference/proof-format.md
says what our lines mean.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from ....common.files import open_file
from ..format import FILE_LIMIT, LimitReached, Rejected

LINE_LIMIT = 1 << 22  # bytes of one line
HEADER_LIMIT = 10_000  # characters of a line of ours


class Sections:
    """Reads the lines once, in order.

    file: opened, and unpacked.
    number: the number of the last line that was read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.number = 0
        self._read = 0
        self._ahead: str | None = None

    def header(self) -> dict[str, Any] | None:
        """Read the next line as one of ours; return None at the end of the file.

        Raises Rejected if it is not one, and LimitReached if it is too long.
        """
        line = self._next()
        if line is None:
            return None
        try:
            found = json.loads(line) if len(line) <= HEADER_LIMIT else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.rejected("a line that says what follows is missing")
        return found

    def lines(self) -> Iterator[str]:
        """Yield the lines up to the next one of ours, or to the end of the file."""
        while (line := self._next()) is not None:
            if line.startswith("{"):
                self._ahead = line
                return
            yield line

    def rejected(self, why: str) -> Rejected:
        """Make the exception that names the current line."""
        return Rejected(f"line {self.number}: {why}")

    def _next(self) -> str | None:
        """Read a line; return None at the end."""
        if self._ahead is not None:
            line, self._ahead = self._ahead, None
            return line
        self.number += 1
        try:
            raw = self.file.readline(LINE_LIMIT + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise self.rejected("the file is damaged or cut off") from None
        if not raw:
            return None
        self._read += len(raw)
        if len(raw) > LINE_LIMIT:
            raise LimitReached(f"line {self.number}: it is longer than {LINE_LIMIT:,} bytes")
        if self._read > FILE_LIMIT:
            raise LimitReached(f"line {self.number}: the file is longer than {FILE_LIMIT:,} bytes")
        if not raw.endswith(b"\n"):
            raise self.rejected("the file is cut off")
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError:
            raise self.rejected("it is not a line of a proof") from None


@contextmanager
def opened(path: Path) -> Iterator[Sections]:
    """Open a file, packed or not.

    Raises OSError if it cannot be read.
    """
    with open_file(path) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        yield Sections(cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw)
