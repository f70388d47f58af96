"""Files that a user or another file names: read up to a limit, and written whole or not at all.

Under every reader and writer of this package.  Pipes and devices are neither read nor replaced: a pipe may
never give its first byte, a device may never end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import InputError

_PREFIX = ".relucid-"
PIECE = 1 << 20


def as_path(argument: str, given: object, mend: str) -> Path:
    """Return the path that an argument of the Python API gives.  Raises InputError if it is none."""
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise InputError(argument, f"{type(given).__name__} is not a path", mend)
    return Path(given)


def read_file(path: str | Path, limit: int) -> bytes:
    """Read a file's bytes, at most `limit` + 1 of them: more than `limit` says that it is too large.

    Raises OSError, or ValueError for a name that holds NUL.
    """
    with open_file(path) as file:
        # ask for no more than the file says it has: that much memory is taken first
        data = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
        # read on: it may grow, or not say how large it is
        while len(data) <= limit and (more := file.read(min(limit + 1 - len(data), PIECE))):
            data += more
        return data


def open_file(path: str | Path) -> IO[bytes]:
    """Open a file to be read in pieces, without waiting for anything.

    Raises OSError, also for what is no regular file, or ValueError for a name that holds NUL.
    """
    # O_NONBLOCK: even opening a pipe waits
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(None, "not a regular file")
    return file


def decoded(data: bytes) -> str:
    """Decode a file's text from UTF-8, without the byte order mark that some editors put before it.

    Raises UnicodeDecodeError (a ValueError).
    """
    return data.decode("utf-8-sig")


class Draft:
    """A file that is being written and has no place yet: `file` to write to, `path` to read from what was
    settled.

    On Linux it has no name: nobody can reach it by a link or a guess, and nothing is left of it when this
    process is killed.  Elsewhere it has a name that nobody can guess.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._settled = folder, False
        self._name: Path | None = None
        handle = _nameless(folder)
        if handle is None:
            self._name, handle = _named(folder)
        self.file: IO[bytes] = os.fdopen(handle, "w+b")

    @property
    def path(self) -> Path:
        return self._name or Path(f"/proc/{os.getpid()}/fd/{self.file.fileno()}")

    def settle(self) -> int:
        """Bring everything that was written to the disk.

        Returns its size.  Raises OSError where there is no room.
        """
        if not self._settled:
            self.file.flush()
            os.fsync(self.file.fileno())
            self._settled = True
        return os.fstat(self.file.fileno()).st_size

    def place(self, target: Path) -> None:
        """Put the draft in the place of whatever has the name; a link is replaced itself."""
        with contextlib.suppress(OSError):
            old = os.lstat(target)
            if stat.S_ISREG(old.st_mode):  # as writing to it would
                os.fchmod(self.file.fileno(), stat.S_IMODE(old.st_mode) & 0o777)
        if self._name is None:
            self._link()
        assert self._name is not None
        os.replace(self._name, target)
        self._name = None

    def close(self) -> None:
        """Close the draft.  If it was not placed, nothing is left of it."""
        with contextlib.suppress(OSError):  # what could not be flushed
            self.file.close()
        if self._name is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._name)

    def _link(self) -> None:
        """Give a name to a file without one."""
        handle = self.file.fileno()
        # known before it is there, so that `close` sees to it
        self._name = name = self._folder / f"{_PREFIX}{secrets.token_hex(16)}"
        try:
            # it follows only with src_dir_fd
            os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle, follow_symlinks=True)
        except OSError:  # a file system that knows such files, but cannot name them
            name, copy = _named(self._folder)
            self._name = name
            with os.fdopen(copy, "wb") as out:
                self.file.seek(0)
                shutil.copyfileobj(self.file, out)
                out.flush()
                os.fsync(copy)


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[Draft]:
    """Yield a draft that takes the place of `target` when the block ends; after an error, what was there
    stays.

    A new file's permissions follow the umask, a replaced one's stay.  Nothing is ever written through a link:
    the link itself is replaced.  Raises OSError, before anything is written where `target` is a folder, a
    pipe or a device (or a link to one).
    """
    with contextlib.suppress(FileNotFoundError):  # a link to nothing is replaced, too
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, f"{target.name} is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"{target.name} is not a regular file")
    draft = Draft(target.parent)
    try:
        yield draft
        draft.settle()
        draft.place(target)
    finally:
        draft.close()


def write(target: Path, content: bytes | str) -> None:
    """Write a whole file, text in UTF-8, as `replaced` does.  Raises OSError: then what was there stays."""
    with replaced(target) as draft:
        draft.file.write(content.encode("utf-8") if isinstance(content, str) else content)


def _nameless(folder: Path) -> int | None:
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:  # a file system without; or no such folder, which the other way says
        return None


def _named(folder: Path) -> tuple[Path, int]:
    name = folder / f"{_PREFIX}{secrets.token_hex(16)}"
    return name, os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
