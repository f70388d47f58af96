"""Reading a file that a user or another file names: regular files only, up to a limit.

Under every reader of this package.  A pipe may never give its first byte and a device may never end, so neither is read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_file(path: str | Path, limit: int) -> bytes:
    """The file's bytes, at most `limit` + 1 of them: more than `limit` says that it is too large.  Raises OSError or ValueError (NUL)."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a directory, open says what it is
        raise OSError(None, "not a regular file")
    with open(path, "rb") as file:
        return file.read(limit + 1)
