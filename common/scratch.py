"""Folders for temporary files: one that is gone when its work is over, and one that stays for the user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes.forked import leftover
from .processes.inside import outer_folder


@contextmanager
def scratch(prefix: str = "relucid-", inside: Path | None = None) -> Iterator[Path]:
    """Make a folder that only we can read, `inside` a folder or among the system's temporary files.

    It is removed with the block, even where this process is killed.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=inside) as folder, leftover(folder):
        yield Path(folder)


def lasting(prefix: str) -> Path:
    """Make a folder among the system's temporary files that nobody removes.

    A supervised child has a folder of its own for temporary files, which is removed with the child: not
    there.
    """
    return Path(tempfile.mkdtemp(prefix=prefix, dir=outer_folder()))
