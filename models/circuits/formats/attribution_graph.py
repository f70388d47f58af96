"""Attribution graphs as circuit-tracer writes them: JSON with metadata, qParams, nodes and links (its schema_version 1, and Neuronpedia's schema of the same).

Such a graph says which features fed which on one prompt; it has no weights of a model and runs nothing.  So it is read as documentation and as
a picture, and never as a circuit: `relucid show` prints and draws it, `relucid distill` says why it cannot take it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....common.errors import InputError
from ..picture.graph import Edge, Graph, Node
from .config import read_json

NOT_EXECUTABLE = (
    "an attribution graph alone is not executable: it has no weights, only what fed what on one prompt"
)
MOST_NODES, MOST_LINKS, MOST_TOKENS = 100_000, 3_000_000, 20_000
LONGEST = 400  # characters of a prompt that are printed
SHOWN = 8  # supernodes' members, outputs and edges that are printed
_SEE = "see docs/reference/circuits.md, attribution graphs"


@dataclass(frozen=True)
class AttributionGraph:
    """`graph` has the supernodes as groups and, as an edge's strength, how much of the outputs comes through it; `kinds` counts nodes by feature type.

    `outputs` are the words with their probabilities, likeliest first; `lost` counts supernodes' members that are no nodes.  Where no edge leads to
    an output (`fed` is false), an edge's strength is the size of its weight, which is no share of anything.
    """

    prompt: str
    tokens: tuple[str, ...]
    model: str
    graph: Graph
    supernodes: tuple[tuple[str, tuple[str, ...]], ...]
    pinned: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, float], ...]
    called: dict[str, str]
    repeated: int
    lost: int
    fed: bool

    def lines(self) -> tuple[str, ...]:
        """For people, one fact per line."""
        strongest = sorted(self.graph.edges, key=lambda e: -e.size)[:SHOWN]
        title = (
            "the edges that most of the outputs come through:"
            if self.fed
            else "the edges of the largest weights (none leads to an output):"
        )
        through = [
            f"  {self.called[e.source]} -> {self.called[e.target]}: {e.weight:+.3g}"
            + (f", {e.size:.1%} of the outputs" if self.fed else "")
            for e in strongest
        ]
        words = ", ".join(f"{word!r} {share:.1%}" for word, share in self.outputs[:SHOWN])
        return (
            f"attribution graph (circuit-tracer), model {self.model}",
            f"prompt: {_short(self.prompt)!r}, {len(self.tokens)} tokens",
            f"{len(self.graph.nodes):,} nodes ({', '.join(f'{n:,} {kind}' for kind, n in self.kinds)}), {len(self.graph.edges):,} edges",
            *([f"{self.repeated} nodes have the id of another and are left out"] if self.repeated else []),
            *([f"outputs: {words}"] if words else []),
            *(f"supernode {name!r}: {self._listed(members)}" for name, members in self.supernodes),
            *([f"{self.lost} members of supernodes are no nodes of this graph"] if self.lost else []),
            *([f"pinned: {self._listed(self.pinned)}"] if self.pinned else []),
            *([title, *through] if through else []),
            NOT_EXECUTABLE,
        )

    def _listed(self, members: Iterable[str]) -> str:
        found = [self.called.get(m, m) for m in members]
        return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def is_attribution_graph(raw: object) -> bool:
    """Whether a JSON value looks like one."""
    return isinstance(raw, dict) and "nodes" in raw and "links" in raw


def read_attribution_graph(path: Path, raw: object = None) -> AttributionGraph:
    """The graph in a file (or in its JSON value, if that was read already), or one clear line."""
    where = str(path)
    raw = read_json(path, "an attribution graph is a JSON file") if raw is None else raw
    if (
        not isinstance(raw, dict)
        or not isinstance(raw.get("nodes"), list)
        or not isinstance(raw.get("links"), list)
    ):
        raise InputError(where, 'has no lists "nodes" and "links"', _SEE)
    for key, most in (("nodes", MOST_NODES), ("links", MOST_LINKS)):
        if len(raw[key]) > most:
            raise InputError(
                where,
                f"{len(raw[key]):,} {key} are over {most:,}",
                "prune the graph with lower thresholds first",
            )
    meta, params = raw.get("metadata") or {}, raw.get("qParams") or {}
    if not isinstance(meta, dict) or not isinstance(params, dict):
        raise InputError(where, "metadata and qParams are objects", _SEE)
    for key in ("slug", "scan", "prompt"):
        if not isinstance(meta.get(key) or "", str):
            raise InputError(where, f"{key} is {meta[key]!r:.40}", "it is a text")
    tokens = meta.get("prompt_tokens") or []
    if (
        not isinstance(tokens, list)
        or len(tokens) > MOST_TOKENS
        or not all(isinstance(t, str) for t in tokens)
    ):
        raise InputError(where, f"prompt_tokens is not a list of at most {MOST_TOKENS:,} strings", _SEE)
    entries: dict[str, dict[str, Any]] = {}
    for entry in raw["nodes"]:
        _check_node(where, entry)
        entries.setdefault(entry["node_id"], entry)
    supernodes, pinned = _supernodes(where, params.get("supernodes") or []), params.get("pinnedIds") or []
    if not isinstance(pinned, list) or not all(isinstance(p, str) for p in pinned):
        raise InputError(where, "pinnedIds is not a list of node ids", _SEE)
    texts = [str(meta.get(key) or "") for key in ("slug", "scan", "prompt")] + [
        *tokens,
        *pinned,
        *(x for g in supernodes for x in (g[0], *g[1])),
    ]
    _check_texts(
        where,
        [
            *texts,
            *entries,
            *(str(e.get(key) or "") for e in entries.values() for key in ("clerp", "feature_type")),
        ],
    )
    supernodes, lost = _resolved(supernodes, entries)
    member = {m: name for name, members in supernodes for m in members}
    layers = sorted({_layer(e) for e in entries.values()})
    last = {_layer(e) for e in entries.values() if e.get("feature_type") == "logit"}
    rows = tuple(
        "embedding" if layer < 0 else "output" if layer in last else f"layer {layer}" for layer in layers
    )
    index = {layer: i for i, layer in enumerate(layers)}
    shown_tokens = tuple(tokens) or tuple(
        "" for _ in range(1 + max((e.get("ctx_idx", 0) for e in entries.values()), default=0))
    )
    beyond = next((e for e in entries.values() if e.get("ctx_idx", 0) >= len(shown_tokens)), None)
    if beyond is not None:
        what = f"node {beyond['node_id']!r:.60} is over token {beyond['ctx_idx']} of a prompt of {len(shown_tokens)}"
        raise InputError(where, what, "list every token in prompt_tokens")
    nodes = tuple(
        Node(
            name,
            index[_layer(e)],
            _label(e, shown_tokens),
            member.get(name, ""),
            kind=_kind(e),
            column=e.get("ctx_idx", 0),
        )
        for name, e in entries.items()
    )
    edges, fed = _weighed([_edge(where, link, entries) for link in raw["links"]], nodes, entries)
    width = "how much of the outputs comes through an edge" if fed else "the size of an edge's weight"
    graph = Graph(str(meta.get("slug") or path.stem), rows, nodes, edges, shown_tokens, f"width: {width}")
    outputs = sorted(
        (
            (_word(e), float(e.get("token_prob") or 0.0))
            for e in entries.values()
            if e.get("feature_type") == "logit"
        ),
        key=lambda o: -o[1],
    )
    return AttributionGraph(
        str(meta.get("prompt") or ""), tuple(tokens), str(meta.get("scan") or "?"), graph, supernodes,
        tuple(m for p in pinned for m in _members(p, entries, _by_js(entries)) or [p]),
        tuple(Counter(str(e.get("feature_type", "node")) for e in entries.values()).most_common()), tuple(outputs),
        {name: _called(e, shown_tokens) for name, e in entries.items()}, len(raw["nodes"]) - len(entries), lost, fed,
    )  # fmt: skip


def _check_node(where: str, entry: object) -> None:
    """Raises InputError where what is used of a node does not fit."""
    good = isinstance(entry, dict) and isinstance(entry.get("node_id"), str) and _is_layer(entry.get("layer"))
    if not good:
        raise InputError(
            where, f"{entry!r:.80} is no node", 'a node has "node_id" and "layer", "E" or a number'
        )
    assert isinstance(entry, dict)
    place = entry.get("ctx_idx", 0)
    if type(place) is not int or not 0 <= place < MOST_TOKENS:
        raise InputError(
            where,
            f"node {entry['node_id']!r:.60} has ctx_idx {place!r:.40}",
            "it is the token's place in the prompt, from 0",
        )
    for key in ("clerp", "feature_type"):
        if not isinstance(entry.get(key) or "", str):
            raise InputError(
                where, f"node {entry['node_id']!r:.60} has {key} {entry[key]!r:.40}", "it is a text"
            )
    share = entry.get("token_prob") or 0.0
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InputError(
            where, f"node {entry['node_id']!r:.60} has token_prob {share!r:.40}", "it is a number from 0 to 1"
        )


def _check_texts(where: str, texts: list[str]) -> None:
    """Raises InputError for what no terminal and no file can take."""
    try:
        "\0".join(texts).encode()
    except UnicodeEncodeError:
        raise InputError(
            where, "a text is no valid Unicode (a lone surrogate)", "write the character itself"
        ) from None


def _is_layer(layer: object) -> bool:
    if isinstance(layer, str):
        return layer == "E" or (layer.isascii() and layer.isdigit() and len(layer) < 7)
    return type(layer) is int and 0 <= layer < 10**6


def _layer(entry: dict[str, Any]) -> int:
    return -1 if entry["layer"] == "E" else int(entry["layer"])


def _edge(where: str, link: object, entries: dict[str, Any]) -> Edge:
    ends = [link.get("source"), link.get("target")] if isinstance(link, dict) else [None, None]
    weight = link.get("weight") if isinstance(link, dict) else None
    if type(weight) not in (int, float) or not abs(weight) <= 1e300:  # type: ignore[arg-type,operator]
        raise InputError(where, f"{link!r:.80} is no link", "a link has source, target and a finite weight")
    for end in ends:
        if not isinstance(end, str) or end not in entries:
            raise InputError(where, f"a link ends at {end!r:.60}, which is no node", "list every node")
    return Edge(ends[0], ends[1], float(weight))  # type: ignore[arg-type]


def _weighed(
    edges: list[Edge], nodes: tuple[Node, ...], entries: dict[str, Any]
) -> tuple[tuple[Edge, ...], bool]:
    """Each edge with the share of the outputs that comes through it: its part of all that its target takes in, times what that is worth.

    The outputs are worth their probabilities, in sum 1.  Links run upwards; one that does not is worth nothing.  False where no link is
    worth anything (no outputs, or none is reached): then strengths are the sizes of the weights.
    """
    taken: dict[str, float] = defaultdict(float)
    into: dict[str, list[int]] = defaultdict(list)
    row = {n.name: n.row for n in nodes}
    for i, edge in enumerate(edges):
        taken[edge.target] += abs(edge.weight)
        into[edge.target].append(i)
    ends = [n for n in nodes if entries[n.name].get("feature_type") == "logit"]
    worth: dict[str, float] = defaultdict(float)
    total = sum(float(entries[n.name].get("token_prob") or 0.0) for n in ends)
    for node in ends:
        worth[node.name] = (
            float(entries[node.name].get("token_prob") or 0.0) / total if total else 1 / len(ends)
        )
    strength = [0.0] * len(edges)
    for node in sorted(nodes, key=lambda n: -n.row):
        for i in (
            into[node.name]
            if worth[node.name] and math.isfinite(taken[node.name]) and taken[node.name]
            else ()
        ):
            edge = edges[i]
            if row[edge.source] < node.row:
                strength[i] = worth[node.name] * abs(edge.weight) / taken[node.name]
                worth[edge.source] += strength[i]
    fed = any(strength)
    if not fed:
        strength = [abs(e.weight) for e in edges]
    return tuple(
        Edge(e.source, e.target, e.weight, strength=s) for e, s in zip(edges, strength, strict=True)
    ), fed


def _supernodes(where: str, raw: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(raw, list) or not all(
        isinstance(g, list) and g and all(isinstance(x, str) for x in g) for g in raw
    ):
        raise InputError(where, "supernodes are lists of a name and node ids", _SEE)
    return tuple((g[0], tuple(g[1:])) for g in raw)


def _by_js(entries: dict[str, Any]) -> dict[str, list[str]]:
    """Node ids by the id that the browser's page knows them by, which several may share."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, entry in entries.items():
        found[str(entry.get("jsNodeId"))].append(name)
    return found


def _members(member: str, entries: dict[str, Any], by_js: dict[str, list[str]]) -> list[str]:
    return [member] if member in entries else by_js.get(member, [])


def _resolved(
    supernodes: tuple[tuple[str, tuple[str, ...]], ...], entries: dict[str, Any]
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], int]:
    """Their members as node ids, and how many are none."""
    by_js, lost, out = _by_js(entries), 0, []
    for name, members in supernodes:
        found = [_members(m, entries, by_js) for m in members]
        lost += sum(not f for f in found)
        out.append((name, tuple(dict.fromkeys(m for f in found for m in f))))
    return tuple(out), lost


def _kind(entry: dict[str, Any]) -> str:
    feature = str(entry.get("feature_type") or "")
    return "word" if feature in ("embedding", "logit") else "error" if "error" in feature else ""


def _word(entry: dict[str, Any]) -> str:
    """Of an output: its word, which is in its label only."""
    text = str(entry.get("clerp") or "")
    first, last = text.find('"'), text.rfind('"')
    return text[first + 1 : last] if 0 <= first < last else text or str(entry["node_id"])


def _label(entry: dict[str, Any], tokens: tuple[str, ...]) -> str:
    """In the picture: a word, what somebody called the feature, or its number."""
    feature = entry.get("feature_type")
    if feature == "logit":
        return f"{_word(entry)} {float(entry.get('token_prob') or 0.0):.0%}"
    if feature == "embedding":
        return tokens[entry.get("ctx_idx", 0)] if entry.get("ctx_idx", 0) < len(tokens) else ""
    return "err" if _kind(entry) == "error" else str(entry.get("clerp") or _number(entry))


def _number(entry: dict[str, Any]) -> str:
    """The feature's index in its layer: `feature` itself is paired with the layer."""
    parts = str(entry["node_id"]).split("_")
    return parts[1] if len(parts) == 3 else str(entry["node_id"])


def _called(entry: dict[str, Any], tokens: tuple[str, ...]) -> str:
    """In text."""
    place = entry.get("ctx_idx", 0)
    over = f" over {tokens[place]!r}" if place < len(tokens) and tokens[place] else f" over token {place}"
    kind = entry.get("feature_type")
    if kind == "embedding":
        return f"token {place} {tokens[place]!r}"
    if kind == "logit":
        return f"output {_word(entry)!r}"
    if _kind(entry) == "error":
        return f"error of layer {entry['layer']}{over}"
    label = f" ({entry['clerp']})" if entry.get("clerp") else ""
    return f"feature {entry['layer']}/{_number(entry)}{over}{label}"
