"""An attribution graph as circuit-tracer writes it, and its description for people.

Such a graph says which features fed which on one prompt.  It has no weights of a model and runs nothing, so
it is read as documentation and as a picture, never as a circuit: `relucid show` prints and draws it, `relucid
distill` refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..picture.graph import CircuitGraph

NOT_EXECUTABLE = (
    "an attribution graph alone is not executable: it has no weights, only what fed what on one prompt"
)
LONGEST = 400  # characters of a prompt that are printed
SHOWN = 8  # members of a supernode, outputs and edges that are printed


@dataclass(frozen=True)
class AttributionGraph:
    """What an attribution graph says.  The fields are the keys of `relucid show --json`.

    Args:
        prompt: the text that the model was given.
        tokens: the prompt's tokens.
        model: the model's name.
        graph: for pictures, with supernodes as groups.  An edge's strength is the share of the outputs that
            comes through it or, if `fed` is false, the size of its weight.
        supernodes: names of groups of nodes, with the nodes' ids.
        pinned: ids of nodes that somebody marked.
        kinds: feature types with the number of their nodes, most frequent first.
        outputs: tokens with their probabilities, likeliest first.
        called: what people call each node, by its id.
        repeated: how many nodes have the id of another; they are left out.
        lost: how many members of supernodes are no nodes of the graph.
        fed: whether an edge leads to an output.
    """

    prompt: str
    tokens: tuple[str, ...]
    model: str
    graph: CircuitGraph
    supernodes: tuple[tuple[str, tuple[str, ...]], ...]
    pinned: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, float], ...]
    called: dict[str, str]
    repeated: int
    lost: int
    fed: bool

    def lines(self) -> tuple[str, ...]:
        """Describe the graph to people, one fact per line."""
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.kinds)
        lines = [
            f"attribution graph (circuit-tracer), model {self.model}",
            f"prompt: {_shortened(self.prompt)!r}, {len(self.tokens)} tokens",
            f"{len(self.graph.nodes):,} nodes ({kinds}), {len(self.graph.edges):,} edges",
        ]
        if self.repeated:
            lines.append(f"{self.repeated} nodes have the id of another and are left out")
        if self.outputs:
            outputs = ", ".join(f"{token!r} {share:.1%}" for token, share in self.outputs[:SHOWN])
            lines.append(f"outputs: {outputs}")
        lines += [f"supernode {name!r}: {self._listed(members)}" for name, members in self.supernodes]
        if self.lost:
            lines.append(f"{self.lost} members of supernodes are no nodes of this graph")
        if self.pinned:
            lines.append(f"pinned: {self._listed(self.pinned)}")
        return (*lines, *self._strongest(), NOT_EXECUTABLE)

    def _strongest(self) -> list[str]:
        """Describe the edges that matter most."""
        strongest = sorted(self.graph.edges, key=lambda e: -e.size)[:SHOWN]
        if not strongest:
            return []
        title = "the edges of the largest weights (none leads to an output):"
        if self.fed:
            title = "the edges that most of the outputs come through:"
        through = [
            f"  {self.called[e.source]} -> {self.called[e.target]}: {e.weight:+.3g}"
            + (f", {e.size:.1%} of the outputs" if self.fed else "")
            for e in strongest
        ]
        return [title, *through]

    def _listed(self, members: Iterable[str]) -> str:
        names = [self.called.get(m, m) for m in members]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(names[:SHOWN]) + more


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
