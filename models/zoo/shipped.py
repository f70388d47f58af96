"""The tasks that ship with relucid, found by their files.

A folder here is a model in a known format.  Two files make a task of it: TASK.toml, a claim file without
network and program, and TASK.mask.json, the nodes of its circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MASK = ".mask.json"


@dataclass(frozen=True)
class ShippedTask:
    """A task that comes with relucid.

    Args:
        name: how the user names it.
        circuit: the model's folder.
        mask: the node mask that makes the task's circuit of it.
        domain: the claim file without network and program.
    """

    name: str
    circuit: Path
    mask: Path
    domain: Path


@cache
def shipped() -> dict[str, ShippedTask]:
    """Return the tasks that ship, by name."""
    masks = sorted(Path(__file__).resolve().parent.glob(f"*/*{_MASK}"))
    tasks = [(mask, mask.name.removesuffix(_MASK)) for mask in masks]
    return {
        name: ShippedTask(name, mask.parent, mask, mask.with_name(f"{name}.toml")) for mask, name in tasks
    }
