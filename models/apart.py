"""What a command writes stays apart from what it reads, and its results from each other.

`check_apart` is asked before any work; the other functions list the files that an input consists of.  They
believe nothing that they read, and pass over what cannot be read: whoever needs it says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..common.errors import InputError


def check_apart(outputs: Sequence[tuple[str, Path | None]], inputs: Iterable[Path]) -> None:
    """Raises InputError where one of the outputs, each with the option that names it, is one of the inputs,
    or another output.
    """
    places = [(option, place) for option, place in outputs if place is not None]
    for k, (option, place) in enumerate(places):
        for other, earlier in places[:k]:
            if _name(place) == _name(earlier):
                raise InputError(option, f"{place} is written by {other}, too", "choose another file")
    there = [
        (option, place) for option, place in places if os.path.lexists(place)
    ]  # nothing else can be written over
    for file in inputs if there else ():
        for option, place in there:
            if same_file(place, file):
                raise InputError(option, f"{place} names an input", "choose another file")


def _name(place: Path) -> Path:
    """Links to folders are followed; a link in the place itself is replaced (`files.py`)."""
    return Path(os.path.realpath(place.parent)) / place.name


def same_file(one: Path, other: Path) -> bool:
    """By whatever name: links are followed."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)


def claim_files(claim: Path) -> Iterator[Path]:
    """A claim file or task, and what it names."""
    from .claims.toml_table import read_table

    yield claim
    try:
        table = read_table(claim)
    except InputError:
        return
    domain = table.get("domain")
    named = [(table, "network"), (table, "network_b"), (table, "program")]
    named += [(domain, "where"), (domain, "box")] if isinstance(domain, dict) else []
    for where, key in named:
        name = where.get(key)
        if isinstance(name, str):
            path = claim.parent / (name.rpartition(":")[0] if key in ("program", "where") else name)
            yield from network_files(path) if key.startswith("network") else (path,)


def network_files(model: Path) -> Iterator[Path]:
    """An ONNX file, and those in which it keeps weights."""
    from .onnx.files import locations

    yield model
    try:
        names = locations(model)
    except InputError:
        return
    yield from (model.parent / name for name in names)


def circuit_files(where: str, mask: Path | None = None, task: str | Path | None = None) -> Iterator[Path]:
    """List the files of a circuit.

    Args:
        where: the circuit, as the user named it.
        mask: its mask.
        task: its claim file without network and program; None for those that lie beside it.
    """
    from .circuits.load import files_of
    from .circuits.source import Source

    path = Source(where).path
    if mask is not None:
        yield mask
    yield from files_of(where)
    if path.suffix == ".onnx" and path.exists():
        yield from network_files(path)
    if task is not None:
        yield from claim_files(Path(task))
        return
    for folder in {p if p.is_dir() else p.parent for p in (path, mask) if p is not None and p.exists()}:
        tasks = [place for place in sorted(folder.glob("*.toml")) if _is_task(place)]
        yield from (file for place in tasks for file in claim_files(place))


def _is_task(file: Path) -> bool:
    from .claims.toml_table import read_table

    try:
        return not {"network", "program"} & read_table(file).keys()
    except InputError:
        return False
