"""Writes proof files, gzipped where the name ends in .gz, all or nothing.  Nothing here is trusted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

from ...common.files import replaced


def _packed(raw: IO[bytes], path: Path) -> AbstractContextManager[IO[bytes]]:
    """Gzipped where the name says so, the same bytes for the same lines."""
    if path.suffix != ".gz":
        return nullcontext(raw)
    return cast(
        AbstractContextManager[IO[bytes]], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
    )


def write_lines(
    path: Path, lines: Iterable[dict[str, Any]], confirm: Callable[[Path], None] = lambda path: None
) -> int:
    """Write lines of JSON; returns the size in bytes.  Raises OSError, and what `confirm` raises: then there is no file."""
    return write_pieces(
        path, (json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n" for line in lines), confirm
    )


def write_pieces(
    path: Path, pieces: Iterable[bytes], confirm: Callable[[Path], None] = lambda path: None
) -> int:
    """Write them, gzipped where the name ends in .gz, all or nothing; returns the size in bytes.

    `confirm` gets the complete file before it has its name.  Raises OSError, and what `confirm` raises.
    """
    with replaced(path) as draft:
        with _packed(draft.file, path) as file:
            for piece in pieces:
                file.write(piece)
        size = draft.settle()
        confirm(draft.path)
    return size
