"""The proof file as a stream of JSON lines: how it is written, and how it is read without trusting it.

docs/proof-format.md says what the lines mean.  A file may be gzipped.  It is read line by line, in bounded memory: lines, numbers
and nesting have limits, and so has what a compressed file may expand to.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

FORMAT = "relucid proof 1"
LINE_LIMIT = 1 << 24  # bytes of one line
FILE_LIMIT = 1 << 33  # bytes after decompression
DIGITS = 400  # of one number


class Rejected(Exception):
    """The file does not prove the claim; one line that says why and where."""


class LimitReached(Exception):
    """Neither accepted nor rejected: the check would take longer than it may."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines as objects.  Raises Rejected where the file is none of ours, OSError where it cannot be read."""
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if start == b"\x1f\x8b" else raw
        number = total = 0
        while True:
            number += 1
            try:
                line = file.readline(LINE_LIMIT + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                raise Rejected(f"line {number}: the file is damaged or cut off") from None
            if not line:
                return
            total += len(line)
            if len(line) > LINE_LIMIT or total > FILE_LIMIT:
                raise Rejected(f"line {number}: the file is larger than any proof")
            yield _object(line, number)


def _object(line: bytes, number: int) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise Rejected(f"line {number}: the file is cut off")
    try:
        found = json.loads(line, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError):
        raise Rejected(f"line {number}: it is not a line of a proof") from None
    if not isinstance(found, dict):
        raise Rejected(f"line {number}: it is not a line of a proof")
    return found


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def _no_float(text: str) -> None:
    raise ValueError(f"{text}: all numbers of a proof are integers")


def _packed(raw: IO[bytes], path: Path) -> AbstractContextManager[IO[bytes]]:
    """Gzipped where the name says so, the same bytes for the same lines."""
    if path.suffix != ".gz":
        return nullcontext(raw)
    return cast(AbstractContextManager[IO[bytes]], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    """Write them, gzipped where the name ends in .gz, all or nothing; returns the size in bytes.  Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "wb") as raw, _packed(raw, path) as file:
            for line in lines:
                file.write(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
        size = part.stat().st_size
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return size
