"""Folders for what a piece of work needs on the way: gone when it is over, however it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .supervise import leftover


@contextmanager
def scratch(prefix: str = "relucid-", inside: Path | None = None) -> Iterator[Path]:
    """A new folder that only we can read, `inside` a folder or among the system's temporary files; removed even where this process is killed."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=inside) as folder, leftover(folder):
        yield Path(folder)
