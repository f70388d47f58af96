"""A circuit as a picture's data: nodes in rows from the input to the output, edges with weights.

Every reader that knows its circuit's inside gives one (`graph()`); `drawing.py` draws it, `pipeline/distilled.py` keeps it.  Nothing is computed from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from ....common.errors import InputError

EMBEDS, VOTES = (
    "embeds",
    "votes",
)  # kinds of edges beside the weights between nodes: from a token, to an output


@dataclass(frozen=True)
class Node:
    """`row` is its layer; `group` joins nodes that belong together (a head); `lane` those of one channel of the residual stream.

    `column` is the token that it stands over, in a graph of one prompt; `kind` decides how it looks: "", "word", "error".
    """

    name: str
    row: int
    text: str = ""
    group: str = ""
    lane: str = ""
    kind: str = ""
    column: int = 0


@dataclass(frozen=True)
class Edge:
    """`strength` decides which edges are drawn and how wide; None: the weight's size."""

    source: str
    target: str
    weight: float = 1.0
    kind: str = ""
    strength: float | None = None

    @property
    def size(self) -> float:
        return abs(self.weight) if self.strength is None else self.strength


@dataclass(frozen=True)
class Graph:
    """`rows` names the layers in order; `columns` the tokens of the prompt, where it is about one; `widths` says what an edge's width means."""

    title: str
    rows: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    columns: tuple[str, ...] = ()
    widths: str = "width: |weight|"

    def __post_init__(self) -> None:
        names = {node.name for node in self.nodes}
        if len(names) != len(self.nodes):
            seen: set[str] = set()
            twice = next(n.name for n in self.nodes if n.name in seen or seen.add(n.name))  # type: ignore[func-returns-value]
            raise InputError(self.title, f"node {twice!r} is there twice", "give each node a name of its own")
        lost = next((e for e in self.edges if e.source not in names or e.target not in names), None)
        if lost is not None:
            raise InputError(
                self.title, f"the edge {lost.source!r} to {lost.target!r} ends at no node", "list every node"
            )
        beyond = next(
            (
                n
                for n in self.nodes
                if not 0 <= n.row < len(self.rows) or not 0 <= n.column < max(1, len(self.columns))
            ),
            None,
        )
        if beyond is not None:
            raise ValueError(
                f"node {beyond.name} is in row {beyond.row} of {len(self.rows)}, column {beyond.column}"
            )


@runtime_checkable
class Drawable(Protocol):
    """A circuit whose inside is known."""

    def graph(self) -> Graph: ...


def graph_json(graph: Graph) -> dict[str, Any]:
    return asdict(graph)


def read_graph(data: object, where: str) -> Graph:
    """What `graph_json` gave.  Raises InputError for anything else."""
    try:
        assert isinstance(data, dict)
        parts = {
            "rows": tuple(data["rows"]),
            "columns": tuple(data.get("columns", ())),
            "nodes": tuple(Node(**n) for n in data["nodes"]),
            "edges": tuple(Edge(**e) for e in data["edges"]),
        }
        graph = Graph(**{**data, **parts})
        texts = [graph.title, graph.widths, *graph.rows, *graph.columns, *(e.kind for e in graph.edges)]
        texts += [t for n in graph.nodes for t in (n.name, n.text, n.group, n.lane, n.kind)]
        assert all(isinstance(t, str) for t in texts)
        numbers = [v for e in graph.edges for v in (e.weight, 0.0 if e.strength is None else e.strength)]
        assert all(type(v) in (int, float) and abs(v) < 1e300 for v in numbers)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(where, "is no graph of a circuit", "distil again") from None
    return graph
