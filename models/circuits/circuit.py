"""What a circuit is to the rest of relucid: a function from token ids to logits.

`load.py` finds and reads circuits, `teacher.py` turns their logits into labels over a domain.  Everything
after that (surrogate, search, proof) sees the labels only, so that any object with the members of `Circuit`
can be distilled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from ...common.displayed import Displayed
from ...common.errors import InputError
from ...common.text import visible
from .picture.graph import CircuitGraph

_MEMBERS = ("name", "vocabulary", "logits", "summary")


@dataclass(frozen=True)
class CircuitSummary(Displayed):
    """The sizes of a circuit.  All of them are zero for a circuit that is only executed.

    An edge is a nonzero weight between two nodes.  It is kept if both of its nodes are.
    """

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
        """Describe the circuit to people, one fact per line."""
        if not self.layers:  # only executed: nothing is known of its inside
            return (self.kind, f"origin: {self.origin}")
        edges = f"{self.edges_kept:,} of {self.edges_total:,} edges"
        return (
            f"{self.kind}, {self.layers} layer{'s' * (self.layers != 1)}",
            f"{self.nodes_kept:,} of {self.nodes_total:,} nodes, {edges}",
            f"{self.weights_nonzero:,} of {self.weights_total:,} weights are not zero",
            f"origin: {self.origin}",
        )


class Circuit(Protocol):
    """A function from a token sequence to the logits of the next token."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The token of each id."""
        ...

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the circuit on int64 ids (batch, positions): float (batch, vocabulary) at the last position."""
        ...

    def summary(self) -> CircuitSummary:
        """Return its sizes."""
        ...


@runtime_checkable
class AnswersEverywhere(Circuit, Protocol):
    """A circuit that also gives its logits at every position."""

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the circuit on int64 ids (batch, positions): float (batch, positions, vocabulary)."""
        ...


class DisplayedCircuit(Displayed):
    """A circuit that shows its name and sizes, in a line and as HTML.  What implements `Circuit` may derive
    from it.
    """

    def summary(self) -> CircuitSummary:
        """Return the circuit's sizes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        found = self.summary()
        kept = f", {found.nodes_kept:,} of {found.nodes_total:,} nodes" if found.layers else ""
        return visible(f"<Circuit {found.name}: {found.kind}{kept}>")


@runtime_checkable
class PrunedCircuit(Circuit, Protocol):
    """A circuit that was cut out of a model and knows what was cut away."""

    def unpruned(self) -> Circuit:
        """Return the whole model."""
        ...

    def partly_restored(self, rng: np.random.Generator) -> Circuit:
        """Return a copy in which each pruned node or edge is back with probability one half."""
        ...


@runtime_checkable
class EdgePruned(PrunedCircuit, Protocol):
    """A pruned circuit that is the set of its edges, so that any set of edges makes another circuit."""

    def edges_in_order(self) -> Sequence[Any]:
        """List the edges of the whole model, from the input to the output."""
        ...

    def with_edges(self, kept: frozenset[Any]) -> Self:
        """Return the circuit that has these edges only."""
        ...


@runtime_checkable
class Drawable(Protocol):
    """A circuit whose inside is known, so that it can be drawn."""

    def graph(self, tokens: Sequence[str] = (), labels: Sequence[str] = ()) -> CircuitGraph:
        """Return the graph, with the tokens and labels of a task or, if none is known, the vocabulary."""
        ...


def check_circuit(circuit: object) -> None:
    """Check before any work that an object has the members of `Circuit`.

    Raises:
        InputError: a member is missing.
    """
    missing = [member for member in _MEMBERS if not hasattr(circuit, member)]
    if missing:
        what = f"{type(circuit).__name__} is not a circuit: it has no {', '.join(missing)}"
        mend = "give a folder, a shipped name, or an object as in relucid.models.circuits.circuit.Circuit"
        raise InputError("circuit", what, mend)


def checked_ids(name: str, ids: np.ndarray, positions: int, vocabulary: int) -> np.ndarray:
    """Check token ids before a model reads them.

    Args:
        name: the circuit's name, for messages.
        ids: integers (batch, positions).
        positions: how many positions the model has.
        vocabulary: how many tokens the model has.

    Returns: the ids as int64.

    Raises:
        InputError: the shape, the type, the length or an id does not fit.
    """
    ids = np.asarray(ids)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        what = f"ids of shape {ids.shape} and type {ids.dtype}"
        raise InputError(name, what, "give integers (batch, positions)")
    if not 1 <= ids.shape[1] <= positions:
        what = f"a sequence of {ids.shape[1]} tokens does not fit: the model takes 1 to {positions}"
        raise InputError(name, f"{what} (block_size)", "change the domain's length, prefix or suffix")
    if ids.size and (ids.min() < 0 or ids.max() >= vocabulary):
        raise InputError(name, f"a token id is outside 0 to {vocabulary - 1}", "use the vocabulary's ids")
    return ids.astype(np.int64)
