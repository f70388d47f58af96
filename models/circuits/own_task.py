"""The domain that a circuit brings with it, so that the user need not name one."""

from __future__ import annotations

from pathlib import Path

from ...common.errors import InputError
from ..claims.task import Task, load_task
from ..zoo.shipped import shipped
from .source import Source

MOST_DOMAINS = 100  # files of a folder that are looked at


def own_task(
    where: str, mask: Path | None, vocabulary: tuple[str, ...], *, everywhere: bool = False
) -> Task | None:
    """Find the task of a circuit: a claim file without network and program.

    A shipped task has one.  Otherwise it is the file named as the mask (or as the circuit's file) beside it;
    failing that, the only one in the circuit's folder.

    Args:
        where: the circuit, as the user named it.
        mask: its mask, if the user named one.
        vocabulary: the circuit's tokens; a task with other tokens is not its own.
        everywhere: whether the task may ask for a label at every position.

    Returns: the task; None if there is none, or more than one.
    """
    found = []
    for place in _places(where, mask):
        try:
            task = load_task(place, everywhere=everywhere)
        except InputError:
            continue  # another kind of file
        domain = task.domain
        if {*domain.tokens, *domain.prefix, *domain.suffix, *task.decision.labels} <= set(vocabulary):
            found.append(task)
    return found[0] if len(found) == 1 else None


def _places(where: str, mask: Path | None) -> list[Path]:
    """List the files that may state the task."""
    path = Source(where).path
    known = None if path.is_dir() else shipped().get(where)
    folders = [mask.parent] if mask else []
    if path.exists():
        folders.append(path if path.is_dir() else path.parent)
    name = (mask or path).name
    for ending in (".json", ".mask"):
        name = name.removesuffix(ending)
    name = name.removeprefix("circuit_").removesuffix(".py")
    named = [place for folder in folders if (place := folder / f"{name}.toml").is_file()]
    if named:
        return named[:1]
    if known is not None:
        return [known.domain]
    return sorted(path.glob("*.toml"))[:MOST_DOMAINS] if path.is_dir() else []
