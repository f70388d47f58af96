"""What the user named as a circuit, and what a file format is.

`load.py` asks each `CircuitFormat` of the folder `formats/` whether it recognises the `Source`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .circuit import Circuit
from .json_file import read_json

_FUNCTION = re.compile(r"(?P<file>.+\.py):(?P<name>[^\W\d]\w*)")


@dataclass(frozen=True)
class Source:
    """A path, or `file.py:function`, as the user wrote it.

    Args:
        where: the text.
        mask: the file that says which part of the model is the circuit.
        run_code: whether the user allowed a file that contains code to run.
    """

    where: str
    mask: Path | None = None
    run_code: bool = False

    @property
    def path(self) -> Path:
        """The file or folder."""
        function = _FUNCTION.fullmatch(self.where)
        return Path(function["file"] if function else self.where)

    @property
    def function(self) -> str | None:
        """The name of the function in `file.py:function`."""
        function = _FUNCTION.fullmatch(self.where)
        return function["name"] if function else None

    @property
    def suffix(self) -> str:
        """The ending of a file's name in lower case; "" for a folder and for `file.py:function`."""
        return "" if self.function or self.path.is_dir() else self.path.suffix.lower()

    def folder_has(self, name: str) -> bool:
        """Tell whether it is a folder with a file of this name."""
        return not self.function and self.path.is_dir() and (self.path / name).exists()

    @cached_property
    def json(self) -> object:
        """What a .json file holds; None for anything else.  Raises InputError if it is not JSON."""
        return read_json(self.path) if self.suffix == ".json" else None


@dataclass(frozen=True)
class CircuitFormat:
    """One way in which circuits are stored: each file of the folder `formats/` has one as `FORMAT`.

    Args:
        given_as: how a user names such a circuit, for messages.
        recognises: decides by names (and for JSON by keys), never by a file's other bytes.
        read: reads a source that was recognised; raises InputError with one line if something does not fit.
        files: names of files in the circuit's folder that `read` may open.
    """

    given_as: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Circuit]
    files: tuple[str, ...] = ()
