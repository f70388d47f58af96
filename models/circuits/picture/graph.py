"""A circuit as a picture's data: nodes in rows from the input to the output, edges with weights.

Every circuit whose inside is known gives one (`circuit.Drawable`); `drawing.py` draws it and
`pipeline/distilled.py` stores it.  Nothing is computed from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ....common.errors import InputError

EMBEDS, VOTES = "embeds", "votes"  # kinds of edges that come from a token, or go to an output


@dataclass(frozen=True)
class GraphNode:
    """One node.

    Args:
        name: unique in the graph.
        row: index into the graph's rows.
        text: what is written in it; "" for its name.
        group: joins nodes that belong together, such as those of one head.
        lane: joins nodes of one channel of the residual stream.
        kind: how it looks: "", "word" (a token), "error" or "super" (a group as one node).
        column: in a graph of one prompt, the token that it stands over.
    """

    name: str
    row: int
    text: str = ""
    group: str = ""
    lane: str = ""
    kind: str = ""
    column: int = 0


@dataclass(frozen=True)
class GraphEdge:
    """One edge.

    Args:
        source: the name of the node that it comes from.
        target: the name of the node that it goes to.
        weight: its sign is shown.
        kind: "" between nodes, EMBEDS or VOTES.
        strength: decides which edges are drawn and how wide; None for the weight's size.
    """

    source: str
    target: str
    weight: float = 1.0
    kind: str = ""
    strength: float | None = None

    @property
    def size(self) -> float:
        """The strength or, if there is none, the size of the weight."""
        return abs(self.weight) if self.strength is None else self.strength


@dataclass(frozen=True)
class CircuitGraph:
    """A circuit's graph.

    Args:
        title: the circuit's name.
        rows: the names of the rows, from the input to the output.
        nodes: with unique names.
        edges: between these nodes.
        columns: the tokens of the prompt, if the graph is about one.
        widths: what an edge's width means, for the picture's key; "" if it means nothing.

    Raises:
        InputError: two nodes have one name, or an edge ends at no node.
        ValueError: a node stands outside of the rows and columns.
    """

    title: str
    rows: tuple[str, ...]
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    columns: tuple[str, ...] = ()
    widths: str = "width: |weight|"

    def __post_init__(self) -> None:
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                what = f"node {node.name!r} is there twice"
                raise InputError(self.title, what, "give each node a name of its own")
            names.add(node.name)
            if not 0 <= node.row < len(self.rows) or not 0 <= node.column < max(1, len(self.columns)):
                place = f"row {node.row} of {len(self.rows)}, column {node.column}"
                raise ValueError(f"node {node.name} is in {place}")
        for edge in self.edges:
            if edge.source not in names or edge.target not in names:
                what = f"the edge {edge.source!r} to {edge.target!r} ends at no node"
                raise InputError(self.title, what, "list every node")


def graph_json(graph: CircuitGraph) -> dict[str, Any]:
    """Return the graph as plain data."""
    return asdict(graph)


def read_graph(data: object, where: str) -> CircuitGraph:
    """Read what `graph_json` gave.

    Args:
        data: a JSON value.
        where: its place, for messages.

    Raises:
        InputError: it is something else.
    """
    try:
        assert isinstance(data, dict)
        parts = {
            "rows": tuple(data["rows"]),
            "columns": tuple(data.get("columns", ())),
            "nodes": tuple(GraphNode(**n) for n in data["nodes"]),
            "edges": tuple(GraphEdge(**e) for e in data["edges"]),
        }
        graph = CircuitGraph(**{**data, **parts})
        texts = [graph.title, graph.widths, *graph.rows, *graph.columns, *(e.kind for e in graph.edges)]
        texts += [t for n in graph.nodes for t in (n.name, n.text, n.group, n.lane, n.kind)]
        assert all(isinstance(t, str) for t in texts)
        numbers = [v for e in graph.edges for v in (e.weight, 0.0 if e.strength is None else e.strength)]
        assert all(type(v) in (int, float) and abs(v) < 1e300 for v in numbers)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(where, "is no graph of a circuit", "distil again") from None
    return graph
