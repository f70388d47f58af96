"""The graph of a weight-sparse GPT's circuit: kept nodes, the channels of the residual stream that join them, and the words at both ends.

`circuit_sparsity.py` gives it to `drawing.py`.  A lane is a channel: what attention and MLP read from it and write to it, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....common.errors import InputError
from ..pruning.edges import Node as Place
from ..pruning.edges import count_edges, edges, ends
from .graph import EMBEDS, VOTES, Edge, Graph, Node

if TYPE_CHECKING:
    from ..formats.circuit_sparsity import SparseGpt

_ROWS = {  # location -> (row within the layer, what people call it)
    "attn_in": (0, "attention\nreads"), "attn_q": (1, "q k v"), "attn_k": (1, ""), "attn_v": (1, ""), "attn_out": (2, "attention\nwrites"),
    "mlp_in": (3, "MLP\nreads"), "mlp_neuron": (4, "neurons"), "mlp_out": (5, "MLP\nwrites"),
}  # fmt: skip
_READS, _WRITES = ("attn_in", "mlp_in"), ("attn_out", "mlp_out")
MOST_EDGES = 10**6
WORDS = 3  # that write most on a channel, or get most from it
LEAST = 0.2  # of the largest on that channel


def graph_of(circuit: SparseGpt, words: Sequence[str] = (), labels: Sequence[str] = ()) -> Graph:
    """`words` and `labels`: those of the task, if one is known; else all of the vocabulary."""
    config = circuit.config
    many = count_edges(config, circuit.weights, circuit.mask)
    if many > MOST_EDGES:
        raise InputError(
            circuit.name, f"{many:,} edges are too many for a picture", "give the --mask of a circuit in it"
        )
    joined = [(*ends(config, edge), weight) for edge, weight in edges(config, circuit.weights, circuit.mask)]
    used = sorted({node for source, target, _ in joined for node in (source, target)})
    names = [
        f"layer {i}|{text}" for i in range(config.n_layer) for _, text in sorted(set(_ROWS.values())) if text
    ]
    rows = ("words", "residual\nstream", *names, "residual\nstream ", "next word")
    nodes = [
        Node(
            _name(n),
            2 + 6 * n[0] + _ROWS[n[1]][0],
            _text(n, config.d_model),
            _head(circuit, n),
            _lane(n, config.d_model),
        )
        for n in used
    ]
    links = [Edge(_name(a), _name(b), w) for a, b, w in joined]
    read, written = (
        sorted({k for _, at, k in used if at in kinds and k < config.d_model}) for kinds in (_READS, _WRITES)
    )
    embedding, unembedding = (
        circuit.weights[f"{name}.weight"].detach().numpy() for name in ("transformer.wte", "lm_head")
    )
    sides = ((read, words, embedding, EMBEDS, 0), (written, labels, unembedding, VOTES, len(rows) - 1))
    for channels, among, table, kind, row in sides:
        found = [
            (c, word, w) for c in channels for word, w in _strongest(table[:, c], circuit.vocabulary, among)
        ]
        inner = 1 if kind == EMBEDS else row - 1
        nodes += [Node(f"{kind} {c}", inner, str(c), lane=str(c)) for c in sorted({c for c, _, _ in found})]
        nodes += [
            Node(f"{kind} {word!r}", row, word, kind="word")
            for word in dict.fromkeys(word for _, word, _ in found)
        ]
        ordered = [(f"{kind} {word!r}", f"{kind} {c}", w) for c, word, w in found]
        links += [Edge(a, b, w, kind) if kind == EMBEDS else Edge(b, a, w, kind) for a, b, w in ordered]
    return Graph(
        circuit.name,
        rows,
        tuple(nodes),
        tuple(links),
        widths="width: |weight|, relative to the largest from words, between nodes, to words",
    )


def _strongest(
    column: np.ndarray, vocabulary: Sequence[str], among: Sequence[str]
) -> list[tuple[str, float]]:
    """The words with the largest entries of a channel."""
    wanted = set(among)
    ids = [i for i, word in enumerate(vocabulary) if not wanted or word in wanted]
    order = sorted(ids, key=lambda i: -abs(column[i]))[:WORDS]
    least = LEAST * abs(column[order[0]]) if order else 0.0
    return [(vocabulary[i], float(column[i])) for i in order if abs(column[i]) >= least and column[i] != 0]


def _name(node: Place) -> str:
    return f"{node[0]}.{node[1]}.{node[2]}"


def _text(node: Place, width: int) -> str:
    _, location, k = node
    if location in ("attn_q", "attn_k", "attn_v"):
        return f"{location[-1]}{k}"
    return f"p{k - width}" if location in _READS and k >= width else str(k)


def _lane(node: Place, width: int) -> str:
    return str(node[2]) if node[1] in (*_READS, *_WRITES) and node[2] < width else ""


def _head(circuit: SparseGpt, node: Place) -> str:
    return f"head {node[2] // circuit.config.d_head}" if node[1] in ("attn_q", "attn_k", "attn_v") else ""
