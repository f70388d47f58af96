"""Reads a proof file as a stream of JSON objects, one per line, without trusting it (`writing.py` writes it).

The first step of every check; `lines.py` and `tree.py` follow.  A file may be gzipped.  It is read in bounded
memory: lines, numbers and nesting have limits, and so has what a compressed file may expand to.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from ...common.files import open_file

FORMAT = "relucid proof 3"
WITNESS = "relucid witness 2"
WORDS, BOXES = "words", "boxes"  # kinds of proofs and witnesses
POSITIONS = "positions"  # proofs about words, one for each position
LINE_LIMIT = 1 << 24  # bytes of one line
FILE_LIMIT = 1 << 33  # bytes after decompression
DIGITS = 400  # of one number


class Rejected(Exception):
    """The file does not prove the claim; one line that says why and where."""


class ProofTooLarge(Rejected):
    """It is longer, or leaves more to be run, than a checker goes along with."""


class LimitReached(Exception):
    """Neither accepted nor rejected: the check would take longer than it may."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines as objects.  Raises Rejected if the file is not ours, OSError if it cannot be read."""
    with open_file(path) as raw:
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
                raise ProofTooLarge(f"line {number}: the file is larger than any proof")
            yield _object(line, number)


def _object(line: bytes, number: int) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise Rejected(f"line {number}: the file is cut off")
    try:
        found = json.loads(
            line, object_pairs_hook=_once, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError):
        raise Rejected(f"line {number}: it is not a line of a proof") from None
    if not isinstance(found, dict):
        raise Rejected(f"line {number}: it is not a line of a proof")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that is there twice")
    return found


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def _no_float(text: str) -> None:
    raise ValueError(f"{text}: all numbers of a proof are integers")
