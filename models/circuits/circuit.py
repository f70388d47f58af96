"""What a circuit is to the rest of relucid, and how one is found: by its folder or file, or by the name of one that ships.

A circuit is a function from token ids to logits; `teacher.py` turns it into labels over a domain.  Everything after
that (surrogate, program search, proofs) only sees the labels, so any other kind of teacher needs just these four members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from ...common.errors import InputError

if TYPE_CHECKING:
    from ..claims.task import Task
    from .pruning.control import Control


@dataclass(frozen=True)
class CircuitSummary:
    """Numbers worth printing; all zero for a circuit that is only executed.  Edges are nonzero weights between nodes; kept ones are between kept nodes."""

    name: str
    layers: int
    nodes_kept: int
    nodes_total: int
    edges_kept: int
    edges_total: int
    weights_nonzero: int
    weights_total: int
    origin: str
    kind: str

    def lines(self) -> tuple[str, ...]:
        """For people, one fact per line; of a circuit that is only executed, nothing is known inside."""
        if not self.layers:
            return (self.kind, f"origin: {self.origin}")
        return (
            f"{self.kind}, {self.layers} layer{'s' * (self.layers != 1)}",
            f"{self.nodes_kept:,} of {self.nodes_total:,} nodes, {self.edges_kept:,} of {self.edges_total:,} edges",
            f"{self.weights_nonzero:,} of {self.weights_total:,} weights are not zero",
            f"origin: {self.origin}",
        )


class Circuit(Protocol):
    """A teacher: logits for the token after a sequence."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> tuple[str, ...]: ...

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Float32 (batch, vocab) at the last position, for int64 ids (batch, positions)."""
        ...

    def summary(self) -> CircuitSummary: ...


def check_circuit(circuit: object) -> None:
    """Raises InputError where a member is missing: before the work, not after it."""
    missing = [
        member for member in ("name", "vocabulary", "logits", "summary") if not hasattr(circuit, member)
    ]
    if missing:
        what = f"{type(circuit).__name__} is not a circuit: it has no {', '.join(missing)}"
        raise InputError(
            "circuit",
            what,
            "give a folder, a shipped name, or an object as in relucid.models.circuits.circuit.Circuit",
        )


@runtime_checkable
class Pruned(Protocol):
    """A circuit that was cut out of a model and knows what was cut away: what `faithfulness.py` asks about."""

    def unpruned(self) -> Circuit: ...

    def partly_restored(self, rng: np.random.Generator) -> Circuit:
        """Each pruned part is back with probability one half."""
        ...

    def control(
        self, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, seed: int, say: Callable[[str], None]
    ) -> Control | None:
        """What the same pruning makes of random labels (`control.py`); None where that cannot be told."""
        ...


def checked_ids(name: str, ids: np.ndarray, positions: int, vocabulary: int) -> np.ndarray:
    """Token ids (batch, positions) as int64, or InputError where the model does not take them."""
    ids = np.asarray(ids)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise InputError(
            name, f"ids of shape {ids.shape} and type {ids.dtype}", "give integers (batch, positions)"
        )
    if not 1 <= ids.shape[1] <= positions:
        what = (
            f"a sequence of {ids.shape[1]} tokens does not fit: the model takes 1 to {positions} (block_size)"
        )
        raise InputError(name, what, "change the domain's length, prefix or suffix")
    if ids.size and (ids.min() < 0 or ids.max() >= vocabulary):
        raise InputError(name, f"a token id is outside 0 to {vocabulary - 1}", "use the vocabulary's ids")
    return ids.astype(np.int64)


@dataclass(frozen=True)
class ShippedTask:
    """A task that comes with relucid: `load_circuit(task.circuit, task.mask)` and the claim file without network and program."""

    name: str
    circuit: Path
    mask: Path
    domain: Path


MOST_DOMAINS = 100  # files that are looked at for one
_ZOO = Path(__file__).resolve().parent.parent / "zoo"
_TASKS = {"quote_closing": "quotes_and_brackets", "bracket_depth": "quotes_and_brackets"}


def shipped() -> dict[str, ShippedTask]:
    """The tasks that ship, by name."""
    return {
        task: ShippedTask(
            task, _ZOO / folder, _ZOO / folder / f"{task}.mask.json", _ZOO / folder / f"{task}.toml"
        )
        for task, folder in _TASKS.items()
    }


def load_circuit(where: str | Path, mask: Path | None = None, run_code: bool = False) -> Circuit:
    """The circuit in a folder or file of a known format (`load.py`), or a shipped one by name.

    A task's name ("quote_closing") brings its node mask; a shipped folder's name ("quotes_and_brackets") is the
    full model.  `mask` wins over both.  What exists as a file or folder wins over a shipped name.  `run_code` allows a
    TorchScript file, which is a program, to run; Python is only run where `where` is file.py:function.
    """
    from .load import read_any

    place = Path(where)
    if not place.is_dir():
        task = shipped().get(str(where))
        if task is not None:
            return read_any(str(task.circuit), mask or task.mask)
        if str(where) in _TASKS.values():
            return read_any(str(_ZOO / str(where)), mask)
    return read_any(str(where), mask, run_code)


def own_task(where: str, mask: Path | None, vocabulary: tuple[str, ...]) -> Task | None:
    """The domain that a circuit brings: a shipped task's, or the one claim file beside it, named as its mask if there are several.

    Only one that has neither network nor program and speaks of words of the vocabulary; None where there is none, or a choice.
    """
    from ..claims.task import load_task

    path = Path(where.rpartition(":")[0] if ".py:" in where else where)
    known = None if path.is_dir() else shipped().get(where)
    folders = [mask.parent] if mask else []
    if path.exists():
        folders.append(path if path.is_dir() else path.parent)
    name = (
        (mask or path)
        .name.removesuffix(".json")
        .removesuffix(".mask")
        .removeprefix("circuit_")
        .removesuffix(".py")
    )
    places = [place for folder in folders if (place := folder / f"{name}.toml").is_file()][:1]
    if not places and known is not None:
        places = [known.domain]
    elif not places and path.is_dir():
        places = sorted(path.glob("*.toml"))[:MOST_DOMAINS]
    found = []
    for place in places:
        try:
            task = load_task(place)
        except InputError:
            continue  # another kind of file
        domain = task.domain
        if {*domain.tokens, *domain.prefix, *domain.suffix, *task.decision.labels} <= set(vocabulary):
            found.append(task)
    return found[0] if len(found) == 1 else None
