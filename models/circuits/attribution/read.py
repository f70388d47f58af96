"""Read an attribution graph: JSON with metadata, qParams, nodes and links.

That is circuit-tracer's schema_version 1, and Neuronpedia's schema of the same.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from ....common.errors import InputError
from ..json_file import read_json
from ..picture.graph import CircuitGraph, GraphEdge, GraphNode
from .entries import (
    MOST_TOKENS,
    Entry,
    check_entry,
    is_output,
    kind_of,
    label_of,
    layer_of,
    name_of,
    output_token,
    probability,
)
from .graph import AttributionGraph

MOST_NODES, MOST_LINKS = 100_000, 3_000_000
LARGEST_WEIGHT = 1e300
_SEE = "see docs/reference/circuits.md, attribution graphs"
Supernodes = tuple[tuple[str, tuple[str, ...]], ...]  # names, with the ids of their members


def is_attribution_graph(raw: object) -> bool:
    """Tell whether a JSON value looks like an attribution graph."""
    return isinstance(raw, dict) and "nodes" in raw and "links" in raw


def read_attribution_graph(path: Path, raw: object = None) -> AttributionGraph:
    """Read an attribution graph.

    Args:
        path: its file.
        raw: the file's JSON value, if it was read already.

    Raises:
        InputError: the file does not fit the schema, or is too large.
    """
    where = str(path)
    raw = read_json(path, "an attribution graph is a JSON file") if raw is None else raw
    if not isinstance(raw, dict) or not all(isinstance(raw.get(key), list) for key in ("nodes", "links")):
        raise InputError(where, 'has no lists "nodes" and "links"', _SEE)
    for key, most in (("nodes", MOST_NODES), ("links", MOST_LINKS)):
        if len(raw[key]) > most:
            what = f"{len(raw[key]):,} {key} are over {most:,}"
            raise InputError(where, what, "prune the graph with lower thresholds first")
    meta, params = raw.get("metadata") or {}, raw.get("qParams") or {}
    if not isinstance(meta, dict) or not isinstance(params, dict):
        raise InputError(where, "metadata or qParams is not an object", _SEE)
    tokens = _tokens(where, meta)
    entries: dict[str, Entry] = {}
    for entry in raw["nodes"]:
        check_entry(where, entry)
        entries.setdefault(entry["node_id"], entry)
    supernodes, pinned = _supernodes(where, params.get("supernodes") or []), params.get("pinnedIds") or []
    if not isinstance(pinned, list) or not all(isinstance(p, str) for p in pinned):
        raise InputError(where, "pinnedIds is not a list of node ids", _SEE)
    _check_texts(
        where, [*_texts(meta, entries), *tokens, *pinned, *(x for g in supernodes for x in (g[0], *g[1]))]
    )
    by_browser_id = _by_browser_id(entries)

    def members(member: str) -> list[str]:
        return [member] if member in entries else by_browser_id.get(member, [])

    lost = sum(not members(m) for _, group in supernodes for m in group)
    resolved = tuple(
        (name, tuple(dict.fromkeys(node for m in group for node in members(m)))) for name, group in supernodes
    )
    shown = tuple(tokens) or ("",) * (1 + max((e.get("ctx_idx", 0) for e in entries.values()), default=0))
    nodes, rows = _nodes(where, entries, resolved, shown)
    edges, fed = with_strengths([_edge(where, link, entries) for link in raw["links"]], nodes, entries)
    width = "how much of the outputs comes through an edge" if fed else "the size of an edge's weight"
    outputs = [(output_token(e), probability(e)) for e in entries.values() if is_output(e)]
    kinds = Counter(str(e.get("feature_type", "node")) for e in entries.values())
    return AttributionGraph(
        prompt=str(meta.get("prompt") or ""),
        tokens=tuple(tokens),
        model=str(meta.get("scan") or "?"),
        graph=CircuitGraph(str(meta.get("slug") or path.stem), rows, nodes, edges, shown, f"width: {width}"),
        supernodes=resolved,
        pinned=tuple(m for p in pinned for m in members(p) or [p]),
        kinds=tuple(kinds.most_common()),
        outputs=tuple(sorted(outputs, key=lambda o: -o[1])),
        called={name: name_of(e, shown) for name, e in entries.items()},
        repeated=len(raw["nodes"]) - len(entries),
        lost=lost,
        fed=fed,
    )


def _tokens(where: str, meta: dict[str, Any]) -> list[str]:
    """Return the prompt's tokens, and check the other texts of the metadata."""
    for key in ("slug", "scan", "prompt"):
        if not isinstance(meta.get(key) or "", str):
            raise InputError(where, f"{key} is {meta[key]!r:.40}", "it is a string")
    tokens = meta.get("prompt_tokens") or []
    if (
        not isinstance(tokens, list)
        or len(tokens) > MOST_TOKENS
        or not all(isinstance(t, str) for t in tokens)
    ):
        raise InputError(where, f"prompt_tokens is not a list of at most {MOST_TOKENS:,} strings", _SEE)
    return tokens


def _texts(meta: dict[str, Any], entries: dict[str, Entry]) -> list[str]:
    texts = [str(meta.get(key) or "") for key in ("slug", "scan", "prompt")]
    texts += [str(e.get(key) or "") for e in entries.values() for key in ("clerp", "feature_type")]
    return [*texts, *entries]


def _check_texts(where: str, texts: list[str]) -> None:
    """Raise InputError for what no terminal and no file can take."""
    try:
        "\0".join(texts).encode()
    except UnicodeEncodeError:
        what = "a string is no valid Unicode (a lone surrogate)"
        raise InputError(where, what, "write the character itself") from None


def _supernodes(where: str, raw: object) -> Supernodes:
    if not isinstance(raw, list) or not all(
        isinstance(g, list) and g and all(isinstance(x, str) for x in g) for g in raw
    ):
        raise InputError(where, "supernodes are lists of a name and node ids", _SEE)
    return tuple((g[0], tuple(g[1:])) for g in raw)


def _by_browser_id(entries: dict[str, Entry]) -> dict[str, list[str]]:
    """Return node ids by the id that the browser's page gives them, which several may share."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, entry in entries.items():
        found[str(entry.get("jsNodeId"))].append(name)
    return found


def _nodes(
    where: str, entries: dict[str, Entry], supernodes: Supernodes, tokens: tuple[str, ...]
) -> tuple[tuple[GraphNode, ...], tuple[str, ...]]:
    """Return the nodes of the picture, and the names of its rows."""
    layers = sorted({layer_of(e) for e in entries.values()})
    last = {layer_of(e) for e in entries.values() if is_output(e)}
    rows = tuple(
        "embedding" if layer < 0 else "output" if layer in last else f"layer {layer}" for layer in layers
    )
    beyond = next((e for e in entries.values() if e.get("ctx_idx", 0) >= len(tokens)), None)
    if beyond is not None:
        node = f"node {beyond['node_id']!r:.60}"
        what = f"{node} is over token {beyond['ctx_idx']} of a prompt of {len(tokens)}"
        raise InputError(where, what, "list every token in prompt_tokens")
    group = {m: name for name, members in supernodes for m in members}
    index = {layer: i for i, layer in enumerate(layers)}
    nodes = [
        GraphNode(
            name,
            index[layer_of(e)],
            label_of(e, tokens),
            group.get(name, ""),
            kind=kind_of(e),
            column=e.get("ctx_idx", 0),
        )
        for name, e in entries.items()
    ]
    return tuple(nodes), rows


def _edge(where: str, link: object, entries: dict[str, Entry]) -> GraphEdge:
    ends = [link.get("source"), link.get("target")] if isinstance(link, dict) else [None, None]
    weight = link.get("weight") if isinstance(link, dict) else None
    if not isinstance(weight, int | float) or type(weight) is bool or not abs(weight) <= LARGEST_WEIGHT:
        raise InputError(where, f"{link!r:.80} is no link", "a link has source, target and a finite weight")
    for end in ends:
        if not isinstance(end, str) or end not in entries:
            raise InputError(where, f"a link ends at {end!r:.60}, which is no node", "list every node")
    return GraphEdge(ends[0], ends[1], float(weight))  # type: ignore[arg-type]


def with_strengths(
    edges: list[GraphEdge], nodes: tuple[GraphNode, ...], entries: dict[str, Entry]
) -> tuple[tuple[GraphEdge, ...], bool]:
    """Give each edge the share of the outputs that comes through it.

    The outputs are worth their probabilities, scaled to the sum 1.  An edge's share is what its target is
    worth, times the edge's part of all that the target takes in.  Links run upwards; one that does not is
    worth nothing.

    Returns: the edges, and whether any of them is worth something.  If none is (there is no output, or no
        edge leads to one), strengths are the sizes of the weights.
    """
    taken: dict[str, float] = defaultdict(float)
    into: dict[str, list[int]] = defaultdict(list)
    row = {n.name: n.row for n in nodes}
    for i, edge in enumerate(edges):
        taken[edge.target] += abs(edge.weight)
        into[edge.target].append(i)
    outputs = [n for n in nodes if is_output(entries[n.name])]
    total = sum(probability(entries[n.name]) for n in outputs)
    worth: dict[str, float] = defaultdict(float)
    for node in outputs:
        worth[node.name] = probability(entries[node.name]) / total if total else 1 / len(outputs)
    strength = [0.0] * len(edges)
    for node in sorted(nodes, key=lambda n: -n.row):
        if not (worth[node.name] and math.isfinite(taken[node.name]) and taken[node.name]):
            continue
        for i in into[node.name]:
            edge = edges[i]
            if row[edge.source] < node.row:
                strength[i] = worth[node.name] * abs(edge.weight) / taken[node.name]
                worth[edge.source] += strength[i]
    fed = any(strength)
    if not fed:
        strength = [abs(e.weight) for e in edges]
    pairs = zip(edges, strength, strict=True)
    return tuple(GraphEdge(e.source, e.target, e.weight, strength=s) for e, s in pairs), fed
