"""The graph of a weight-sparse GPT, for pictures: kept nodes, their channels, and tokens at both ends.

A lane of the picture is a channel of the residual stream, with what attention and MLP read from it and write
to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ....common.errors import InputError
from ..picture.graph import EMBEDS, VOTES, CircuitGraph, GraphEdge, GraphNode
from .config import GptConfig
from .edges import GptNode, count_edges, edges, ends
from .mask import NodeMask

if TYPE_CHECKING:
    from torch import Tensor

_ROWS = {  # location -> (row within the layer, what people call it)
    "attn_in": (0, "attention\nreads"), "attn_q": (1, "q k v"), "attn_k": (1, ""), "attn_v": (1, ""),
    "attn_out": (2, "attention\nwrites"),
    "mlp_in": (3, "MLP\nreads"), "mlp_neuron": (4, "neurons"), "mlp_out": (5, "MLP\nwrites"),
}  # fmt: skip
_ROWS_OF_A_LAYER = 6
_READS, _WRITES = ("attn_in", "mlp_in"), ("attn_out", "mlp_out")
_WIDTHS = "width: |weight|, relative to the largest from words, between nodes, to words"
MOST_EDGES = 10**6
TOKENS = 3  # that write most on a channel, or get most from it
LEAST = 0.2  # of the largest on that channel


class Wired(Protocol):
    """What the graph is made from: a weight-sparse GPT (`model.py`)."""

    @property
    def name(self) -> str: ...
    @property
    def vocabulary(self) -> tuple[str, ...]: ...
    @property
    def config(self) -> GptConfig: ...
    @property
    def weights(self) -> Mapping[str, Tensor]: ...
    @property
    def mask(self) -> NodeMask | None: ...


def graph_of(circuit: Wired, tokens: Sequence[str] = (), labels: Sequence[str] = ()) -> CircuitGraph:
    """Return the circuit's graph.

    Args:
        circuit: the model and its mask.
        tokens: the tokens that may stand at the input; all of the vocabulary if there are none.
        labels: the tokens that may stand at the output; all of the vocabulary if there are none.

    Raises:
        InputError: the circuit has too many edges for a picture.
    """
    config = circuit.config
    many = count_edges(config, circuit.weights, circuit.mask)
    if many > MOST_EDGES:
        what = f"{many:,} edges are too many for a picture"
        raise InputError(circuit.name, what, "give the --mask of a circuit in it")
    joined = [(*ends(config, edge), weight) for edge, weight in edges(config, circuit.weights, circuit.mask)]
    used = sorted({node for source, target, _ in joined for node in (source, target)})
    names = [
        f"layer {i}|{text}" for i in range(config.n_layer) for _, text in sorted(set(_ROWS.values())) if text
    ]
    rows = ("words", "residual\nstream", *names, "residual\nstream ", "next word")
    nodes = [_node(config, n) for n in used]
    links = [GraphEdge(_name(a), _name(b), w) for a, b, w in joined]
    read, written = (
        sorted({k for _, at, k in used if at in kinds and k < config.d_model}) for kinds in (_READS, _WRITES)
    )
    embedding, unembedding = (
        circuit.weights[f"{name}.weight"].detach().numpy() for name in ("transformer.wte", "lm_head")
    )
    sides = ((read, tokens, embedding, EMBEDS, 0), (written, labels, unembedding, VOTES, len(rows) - 1))
    for channels, among, table, kind, row in sides:
        found = [
            (c, token, w) for c in channels for token, w in _strongest(table[:, c], circuit.vocabulary, among)
        ]
        inner = 1 if kind == EMBEDS else row - 1
        nodes += [
            GraphNode(f"{kind} {c}", inner, str(c), lane=str(c)) for c in sorted({c for c, _, _ in found})
        ]
        seen = dict.fromkeys(token for _, token, _ in found)
        nodes += [GraphNode(f"{kind} {token!r}", row, token, kind="word") for token in seen]
        ordered = [(f"{kind} {token!r}", f"{kind} {c}", w) for c, token, w in found]
        links += [
            GraphEdge(a, b, w, kind) if kind == EMBEDS else GraphEdge(b, a, w, kind) for a, b, w in ordered
        ]
    return CircuitGraph(circuit.name, rows, tuple(nodes), tuple(links), widths=_WIDTHS)


def _strongest(
    column: np.ndarray, vocabulary: Sequence[str], among: Sequence[str]
) -> list[tuple[str, float]]:
    """Return the tokens with the largest entries of a channel, with those entries."""
    wanted = set(among)
    ids = [i for i, token in enumerate(vocabulary) if not wanted or token in wanted]
    order = sorted(ids, key=lambda i: -abs(column[i]))[:TOKENS]
    least = LEAST * abs(column[order[0]]) if order else 0.0
    return [(vocabulary[i], float(column[i])) for i in order if abs(column[i]) >= least and column[i] != 0]


def _name(node: GptNode) -> str:
    return f"{node[0]}.{node[1]}.{node[2]}"


def _node(config: GptConfig, node: GptNode) -> GraphNode:
    layer, location, k = node
    text, group, lane = str(k), "", ""
    if location in ("attn_q", "attn_k", "attn_v"):
        text, group = f"{location[-1]}{k}", f"head {k // config.d_head}"
    elif location in _READS and k >= config.d_model:
        text = f"p{k - config.d_model}"  # a channel of the position embedding
    elif location in (*_READS, *_WRITES):
        lane = str(k)
    row = 2 + _ROWS_OF_A_LAYER * layer + _ROWS[location][0]
    return GraphNode(_name(node), row, text, group, lane)
