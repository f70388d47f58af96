"""Attribution graphs as circuit-tracer writes them: JSON with metadata, qParams, nodes and links.

Such a graph says which features fed which on one prompt; it has no weights and runs nothing.  So it is read as documentation and as
a picture, and never as a circuit: `relucid show` prints and draws it, `relucid distill` says why it cannot take it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .config import read_json
from .graph import Edge, Graph, Node

NOT_EXECUTABLE = "an attribution graph alone is not executable: it has no weights, only what fed what on one prompt"
_SEE = "see docs/circuits.md, attribution graphs"


@dataclass(frozen=True)
class AttributionGraph:
    """`graph` has the supernodes as groups; `kinds` counts nodes by feature type."""

    prompt: str
    tokens: tuple[str, ...]
    model: str
    graph: Graph
    supernodes: tuple[tuple[str, tuple[str, ...]], ...]
    kinds: tuple[tuple[str, int], ...]
    repeated: int

    def lines(self) -> tuple[str, ...]:
        """For people, one fact per line."""
        texts = {n.name: n.text for n in self.graph.nodes}
        strongest = sorted(self.graph.edges, key=lambda e: -abs(e.weight))[:5]
        return (
            f"attribution graph (circuit-tracer), model {self.model}",
            f"prompt: {self.prompt!r}",
            f"{len(self.graph.nodes):,} nodes ({', '.join(f'{n:,} {kind}' for kind, n in self.kinds)}), {len(self.graph.edges):,} edges",
            *([f"{self.repeated} nodes have the id of another and are left out"] if self.repeated else []),
            *(f"supernode {name!r}: {', '.join(texts.get(m) or m for m in members)}" for name, members in self.supernodes),
            *(f"edge {e.source} to {e.target}: {e.weight:+.3g}" for e in strongest),
            NOT_EXECUTABLE,
        )


def is_attribution_graph(raw: object) -> bool:
    """Whether a JSON value looks like one."""
    return isinstance(raw, dict) and "nodes" in raw and "links" in raw


def read_attribution_graph(path: Path) -> AttributionGraph:
    """The graph in a file, or one clear line."""
    where, raw = str(path), read_json(path, "an attribution graph is a JSON file")
    if not isinstance(raw, dict) or not isinstance(raw.get("nodes"), list) or not isinstance(raw.get("links"), list):
        raise InputError(where, 'has no lists "nodes" and "links"', _SEE)
    meta, params = raw.get("metadata") or {}, raw.get("qParams") or {}
    if not isinstance(meta, dict) or not isinstance(params, dict):
        raise InputError(where, "metadata and qParams are objects", _SEE)
    supernodes = _supernodes(where, params.get("supernodes") or [])
    member = {m: name for name, members in supernodes for m in members}
    rows = _rows(where, raw["nodes"])
    nodes, kinds = {}, Counter()  # type: dict[str, Node], Counter[str]
    for entry in raw["nodes"]:
        name, kind = entry["node_id"], str(entry.get("feature_type", "node"))
        if name not in nodes:
            kinds[kind] += 1
            nodes[name] = Node(name, rows.index(entry["layer"]), str(entry.get("clerp") or ""), member.get(name, ""))
    edges = tuple(_edge(where, link, nodes) for link in raw["links"])
    tokens = meta.get("prompt_tokens") or []
    shown = tuple("embedding" if row == "E" else f"layer {row}" for row in rows)
    graph = Graph(str(meta.get("slug") or path.stem), shown, tuple(nodes.values()), edges)
    return AttributionGraph(
        str(meta.get("prompt", "")), tuple(map(str, tokens)) if isinstance(tokens, list) else (), str(meta.get("scan", "?")),
        graph, supernodes, tuple(kinds.most_common()), len(raw["nodes"]) - len(nodes),
    )  # fmt: skip


def _rows(where: str, entries: list[object]) -> list[str]:
    """The layers in order: the embedding, then by number."""
    layers = set()
    for entry in entries:
        good = isinstance(entry, dict) and isinstance(entry.get("node_id"), str) and isinstance(entry.get("layer"), str)
        if not good or not (entry["layer"] == "E" or (entry["layer"].isascii() and entry["layer"].isdigit())):  # type: ignore[index,call-overload]
            raise InputError(where, f"{entry!r:.80} is no node", 'a node has "node_id" and "layer", "E" or a number')
        layers.add(entry["layer"])  # type: ignore[index,call-overload]
    return sorted(layers, key=lambda layer: -1 if layer == "E" else int(layer[:9]))


def _edge(where: str, link: object, nodes: dict[str, Node]) -> Edge:
    ends = [link.get("source"), link.get("target")] if isinstance(link, dict) else [None, None]
    weight = link.get("weight", 1.0) if isinstance(link, dict) else None
    if type(weight) not in (int, float) or not math.isfinite(weight):  # type: ignore[arg-type]
        raise InputError(where, f"{link!r:.80} is no link", "a link has source, target and a finite weight")
    lost = next((end for end in ends if not isinstance(end, str) or end not in nodes), None)
    if lost is not None or None in ends:
        raise InputError(where, f"a link ends at {lost!r:.60}, which is no node", "list every node")
    return Edge(ends[0], ends[1], float(weight))  # type: ignore[arg-type]


def _supernodes(where: str, raw: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(raw, list) or not all(isinstance(g, list) and g and all(isinstance(x, str) for x in g) for g in raw):
        raise InputError(where, "supernodes are lists of a name and node ids", _SEE)
    return tuple((g[0], tuple(g[1:])) for g in raw)
