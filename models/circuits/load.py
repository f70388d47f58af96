"""Find a circuit by its path or by the name of one that ships, and read it.

The formats are the files of the folder `formats/`.  To add one, add a file there; nothing else lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...common.errors import InputError
from ...common.modules import modules_in
from ..zoo.shipped import shipped
from . import formats
from .circuit import Circuit
from .source import CircuitFormat, Source


@cache
def known_formats() -> tuple[CircuitFormat, ...]:
    """Return the formats, in the alphabetical order of their files."""
    return tuple(module.FORMAT for module in modules_in(formats))


def load_circuit(where: str | Path, mask: Path | None = None, run_code: bool = False) -> Circuit:
    """Read the circuit in a file or folder of a known format, or one that ships.

    A shipped task ("quote_closing") brings its node mask; a shipped folder ("quotes_and_brackets") is the
    whole model.  A folder that exists wins over a shipped name.

    Args:
        where: a path, `file.py:function`, or a shipped name.
        mask: which part of the model is the circuit; it wins over a shipped task's own.
        run_code: allow a TorchScript file, which contains code, to run.  A Python file only runs if `where`
            is `file.py:function`.

    Raises:
        InputError: there is no such circuit, or it does not fit its format.
    """
    if not Path(where).is_dir():
        task = shipped().get(str(where))
        if task is not None:
            return _read(Source(str(task.circuit), mask or task.mask))
        folder = next((t.circuit for t in shipped().values() if t.circuit.name == str(where)), None)
        if folder is not None:
            return _read(Source(str(folder), mask))
    return _read(Source(str(where), mask, run_code))


def _read(source: Source) -> Circuit:
    path = source.path
    if source.mask is not None and (source.function or (path.exists() and not path.is_dir())):
        folders = "a mask belongs to a folder with beeg_config.json or smt_weights.json"
        raise InputError("mask", f"{source.where} takes no mask", folders)
    if not path.exists() and not source.function:
        names = dict.fromkeys((*shipped(), *(task.circuit.name for task in shipped().values())))
        what = "there is no such folder and no such shipped circuit"
        raise InputError(source.where, what, f"{_give()}, or one of: {', '.join(names)}")
    for known in known_formats():
        if known.recognises(source):
            return known.read(source)
    if source.suffix == ".py":
        raise InputError(source.where, "names no function", f"write {source.where}:function")
    kind = "is JSON of no known circuit format"
    if path.is_dir():
        kind = "is a folder of no known circuit format"
    elif source.suffix != ".json":
        kind = "is a file of no known format, not a folder"
    raise InputError(source.where, kind, _give())


def _give() -> str:
    """Say what a circuit can be."""
    ways = [known.given_as for known in known_formats() if known.given_as]
    return f"give {', '.join(ways[:-1])} or {ways[-1]}"


def files_of(where: str) -> Iterator[Path]:
    """List the files that reading a circuit may open, as far as its path tells.

    Used to keep a command from overwriting them, so that it names too many rather than too few.
    """
    path = Source(where).path
    if not path.exists():
        return
    folder = path if path.is_dir() else path.parent
    if not path.is_dir():
        yield path
    names = {name for known in known_formats() for name in known.files}
    for name in sorted(names):
        yield folder / name
        yield folder / f"{path.stem}.{name}"
