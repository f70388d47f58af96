"""Results as a folder: all files are written, or none.  The last step of `distill` and of `bench`.

Every file is first written whole, without its name, and then all get their places (`common/files.py`).  So an
interrupt or a full disk leaves no half-written file; what was there before stays until then.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import InputError
from .files import replaced
from .interrupts import interrupts_held


def check_writable(folder: Path, names: Iterable[str] = ()) -> None:
    """Fail before the work starts: raise InputError where `folder` cannot be written or made, or `names` in
    it cannot.
    """
    here = folder
    while not here.exists() and not here.is_symlink():
        if here.parent == here:
            break
        here = here.parent
    if not here.is_dir():
        what = "is a file" if here.exists() else "is a link to nothing"
        raise InputError(str(folder), f"{here} {what}, not a folder", "choose another --out")
    in_the_way = next(
        (place for name in names if (place := folder / name).exists() and not place.is_file()), None
    )
    if in_the_way:
        what = "a folder" if in_the_way.is_dir() else "not a regular file"
        raise InputError(str(folder), f"{in_the_way.name} in it is {what}", "choose another --out")
    try:  # tried rather than asked for: read-only file systems and root's rights make os.access lie
        os.rmdir(tempfile.mkdtemp(prefix=".relucid-", dir=here))
    except OSError as error:
        raise InputError(
            str(folder), f"cannot write in {here} ({error.strerror})", "choose another --out"
        ) from None


def write_files(folder: Path, files: Mapping[str, bytes | str], obsolete: Iterable[str] = ()) -> None:
    """Write `files` (name -> content) into `folder`, which is made if need be.

    Then remove those of `obsolete` that are not among them: they are from a run before this one.  Raises
    InputError, and then leaves nothing half-written.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    done = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as waiting:
            for name, content in files.items():
                draft = waiting.enter_context(replaced(folder / name))
                draft.file.write(content.encode("utf-8") if isinstance(content, str) else content)
                draft.settle()
            with interrupts_held():  # the files of two runs are never mixed
                waiting.pop_all().close()
                done = True
                for name in set(obsolete) - set(files):
                    (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            str(folder), f"cannot write ({error.strerror or error})", "choose another --out or make room"
        ) from None
    finally:
        if not done:
            for place in made:
                with contextlib.suppress(OSError):
                    place.rmdir()
