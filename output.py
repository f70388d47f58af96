"""Writing results: all files of a folder, or none.  The last step of `distill`.

Every file is first written whole under a temporary name in the same folder and then renamed, so that an interrupt or
a full disk leaves no half-written file; what was there before stays until then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from .models.errors import InputError
from .verifiers.limits import interrupts_held


def check_writable(folder: Path, names: Iterable[str] = ()) -> None:
    """Fail before the work starts: raises InputError where `folder` can neither be written nor made, or `names` in it cannot."""
    here = folder
    while not here.exists() and not here.is_symlink():
        if here.parent == here:
            break
        here = here.parent
    if not here.is_dir():
        what = "is a file" if here.exists() else "is a link to nothing"
        raise InputError(str(folder), f"{here} {what}, not a folder", "choose another --out")
    in_the_way = next((name for name in names if (folder / name).is_dir()), None)
    if in_the_way:
        raise InputError(str(folder), f"{in_the_way} in it is a folder", "choose another --out")
    try:  # tried rather than asked for: read-only file systems and root's rights make os.access lie
        os.rmdir(tempfile.mkdtemp(prefix=".relucid-", dir=here))
    except OSError as error:
        raise InputError(str(folder), f"cannot write in {here} ({error.strerror})", "choose another --out") from None


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write `files` (name -> content) into `folder`, made if need be; raises InputError and leaves nothing half-written."""
    waiting: list[tuple[str, Path]] = []
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    done = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            waiting.append((temporary, folder / name))
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
        for _, final in waiting:
            if final.is_dir():  # found before the first file is replaced
                raise IsADirectoryError(errno.EISDIR, f"{final.name} in it is a folder")
        with interrupts_held():  # the files of two runs are never mixed
            for temporary, final in waiting:
                os.replace(temporary, final)
            done = True
    except OSError as error:
        raise InputError(str(folder), f"cannot write ({error.strerror or error})", "choose another --out or make room") from None
    finally:
        if not done:
            for temporary, _ in waiting:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            for place in made:
                with contextlib.suppress(OSError):
                    place.rmdir()
