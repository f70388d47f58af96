"""A circuit as a picture's data: nodes in rows, edges with weights.

Every reader that knows its circuit's inside gives one (`graph()`); `drawing.py` draws it, `distilled.py` keeps it.  Nothing is computed from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from ..errors import InputError


@dataclass(frozen=True)
class Node:
    """`row` is its layer in the picture, from the bottom; `group` joins nodes that belong together (a head, a supernode)."""

    name: str
    row: int
    text: str = ""
    group: str = ""


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    weight: float = 1.0


@dataclass(frozen=True)
class Graph:
    """Nodes and edges; `rows` names the layers from the bottom."""

    title: str
    rows: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        names = {node.name for node in self.nodes}
        if len(names) != len(self.nodes):
            seen: set[str] = set()
            twice = next(n.name for n in self.nodes if n.name in seen or seen.add(n.name))  # type: ignore[func-returns-value]
            raise InputError(self.title, f"node {twice!r} is there twice", "give each node a name of its own")
        lost = next((e for e in self.edges if e.source not in names or e.target not in names), None)
        if lost is not None:
            raise InputError(self.title, f"the edge {lost.source!r} to {lost.target!r} ends at no node", "list every node")
        beyond = next((n for n in self.nodes if not 0 <= n.row < len(self.rows)), None)
        if beyond is not None:
            raise ValueError(f"node {beyond.name} is in row {beyond.row} of {len(self.rows)}")


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
            "nodes": tuple(Node(**n) for n in data["nodes"]),
            "edges": tuple(Edge(**e) for e in data["edges"]),
        }
        graph = Graph(**{**data, **parts})
        texts = (graph.title, *graph.rows, *(t for n in graph.nodes for t in (n.name, n.text, n.group)))
        assert all(isinstance(t, str) for t in texts)
        assert all(type(e.weight) in (int, float) and abs(e.weight) < 1e300 for e in graph.edges)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(where, "is no graph of a circuit", "distil again") from None
    return graph
