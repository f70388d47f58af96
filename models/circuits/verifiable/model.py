"""A verifiable transformer as a circuit: the model with some of its edges.

Nodes are the embedding, single heads before W_O, MLPs and the logits.  Each node reads the sum of the nodes
that have an edge to it; the others add nothing (zero ablation).  The heads of a layer share W_O, whose bias
comes along wherever one of them is read.  Attention is sparsemax or by rules, the MLP is LeakyReLU(0.01), the
norm is none or Signed L1 BandNorm.  Everything runs in float64.  `read.py` reads the files.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..circuit import CircuitSummary, DisplayedCircuit, checked_ids
from ..picture.graph import CircuitGraph, GraphEdge, GraphNode
from .attention_rules import RuleAttention
from .norms import band_norm, sparsemax

SLOPE = 0.01  # of LeakyReLU below zero
BATCH = 4096  # inputs that are run at once
ModelEdge = tuple[str, str]  # the names of two nodes


@dataclass(frozen=True)
class TransformerSizes:
    """The sizes of a model."""

    d_model: int
    n_layers: int
    n_heads: int
    vocab_size: int
    d_ff: int

    @property
    def head_width(self) -> int:
        """The width of one head."""
        return self.d_model // self.n_heads

    def nodes(self) -> tuple[str, ...]:
        """List all nodes, each before those that may read it."""
        layers, heads = range(self.n_layers), range(self.n_heads)
        inner = [[*(f"attn_{i}_h_{h}" for h in heads), f"mlp_{i}"] for i in layers]
        return ("emb", *itertools.chain.from_iterable(inner), "logits")

    def edges(self) -> frozenset[ModelEdge]:
        """List every edge of the whole model.  Heads of one layer do not read each other."""
        pairs = itertools.combinations(self.nodes(), 2)
        return frozenset(
            (a, b) for a, b in pairs if not (_is_head(a) and _is_head(b) and _layer(a) == _layer(b))
        )


def _is_head(node: str) -> bool:
    return node.startswith("attn")


def _layer(node: str) -> int:
    return int(node.split("_")[1])


def _head(node: str) -> int:
    return int(node.split("_")[3])


@dataclass(frozen=True, eq=False, repr=False)
class VerifiableTransformer(DisplayedCircuit):
    """The model with the edges that are kept.

    Args:
        name: for people.
        vocabulary: the token of each id.
        sizes: of the model.
        weights: float64 arrays by their names in the file.
        band: the two limits of Signed L1 BandNorm; None for no norm.
        rules: heads whose attention is by rules, by the head's node.
        edges: the edges that are kept.
        origin: where the circuit came from, for people.
    """

    name: str
    vocabulary: tuple[str, ...]
    sizes: TransformerSizes
    weights: dict[str, np.ndarray]
    band: tuple[float, float] | None
    rules: dict[str, RuleAttention]
    edges: frozenset[ModelEdge]
    origin: str = ""

    @cached_property
    def every_edge(self) -> frozenset[ModelEdge]:
        """The edges of the whole model."""
        return self.sizes.edges()

    @cached_property
    def active(self) -> frozenset[str]:
        """Nodes with an edge.  A head or MLP without one gives zero."""
        return frozenset(itertools.chain.from_iterable(self.edges))

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the model on int64 ids (batch, positions): float64 (batch, vocabulary) at the last position."""
        return self._batches(ids, -1)

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the model on int64 ids (batch, positions): float64 (batch, positions, vocabulary)."""
        return self._batches(ids, slice(None))

    def _batches(self, ids: np.ndarray, positions: int | slice) -> np.ndarray:
        ids = checked_ids(self.name, ids, len(self.weights["wpe"]), len(self.vocabulary))
        starts = range(0, max(len(ids), 1), BATCH)
        return np.concatenate([self._run(ids[start : start + BATCH], positions) for start in starts])

    def _run(self, ids: np.ndarray, positions: int | slice) -> np.ndarray:
        weights = self.weights
        outputs = {"emb": weights["wte"][ids] + weights["wpe"][: ids.shape[1]]}
        for node in self.sizes.nodes():
            if node not in self.active or node in ("emb", "logits"):
                continue
            if _is_head(node):
                x = self._norm(f"attn_{_layer(node)}", self._read(node, outputs))
                outputs[node] = self._attend(node, x, ids)
            else:
                x = self._norm(node, self._read(node, outputs))
                hidden = x @ weights[f"{node}_W_up"].T + weights[f"{node}_b_up"]
                hidden = np.where(hidden >= 0, hidden, SLOPE * hidden)
                outputs[node] = hidden @ weights[f"{node}_W_down"].T + weights[f"{node}_b_down"]
        last = self._norm("final", self._read("logits", {n: x[:, positions] for n, x in outputs.items()}))
        result: np.ndarray = last @ weights["lm_head"].T + weights["lm_head_bias"]
        return result

    def _read(self, child: str, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """Sum what has an edge to `child`, in the order of the nodes, so that it is the same on every run."""
        total = np.zeros_like(outputs["emb"])
        heads: dict[int, list[str]] = {}
        for parent in (n for n in outputs if (n, child) in self.edges):
            if _is_head(parent):
                heads.setdefault(_layer(parent), []).append(parent)
            else:
                total = total + outputs[parent]
        width = self.sizes.head_width
        for layer, names in heads.items():
            joined = np.zeros_like(total)
            for name in names:
                start = _head(name) * width
                joined[..., start : start + width] = outputs[name]
            total = total + joined @ self.weights[f"attn_{layer}_W_o"].T + self.weights[f"attn_{layer}_b_o"]
        return total

    def _attend(self, node: str, x: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return what one head mixes from x (batch, positions, d_model), before W_O."""
        layer, width = _layer(node), self.sizes.head_width
        rows = slice(_head(node) * width, (_head(node) + 1) * width)
        query, key, value = (
            x @ self.weights[f"attn_{layer}_W_{k}"][rows].T + self.weights[f"attn_{layer}_b_{k}"][rows]
            for k in "qkv"
        )
        if node in self.rules:
            ruled: np.ndarray = self.rules[node].attention(ids) @ value
            return ruled
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(width)
        scores[:, np.triu(np.ones(scores.shape[1:], dtype=bool), 1)] = -np.inf
        result: np.ndarray = sparsemax(scores) @ value
        return result

    def _norm(self, place: str, x: np.ndarray) -> np.ndarray:
        if self.band is None:
            return x
        gamma, beta = self.weights[f"{place}_norm_gamma"], self.weights[f"{place}_norm_beta"]
        result: np.ndarray = band_norm(x, *self.band) * gamma + beta
        return result

    def summary(self) -> CircuitSummary:
        """Return the circuit's sizes."""
        norm = "no norm" if self.band is None else "Signed L1 BandNorm"
        pruned = "" if self.edges == self.every_edge else ", pruned to some of its edges"
        return CircuitSummary(
            name=self.name,
            layers=self.sizes.n_layers,
            nodes_kept=len(self.active - {"emb", "logits"}),
            nodes_total=self.sizes.n_layers * (self.sizes.n_heads + 1),
            edges_kept=len(self.edges),
            edges_total=len(self.every_edge),
            weights_nonzero=sum(int(np.count_nonzero(w)) for w in self.weights.values()),
            weights_total=sum(w.size for w in self.weights.values()),
            origin=self.origin,
            kind=f"verifiable transformer (sparsemax, LeakyReLU, {norm}){pruned}",
        )

    def unpruned(self) -> VerifiableTransformer:
        """Return the whole model."""
        return replace(self, edges=self.every_edge)

    def partly_restored(self, rng: np.random.Generator) -> VerifiableTransformer:
        """Return a copy in which each pruned edge is back with probability one half."""
        back = {edge for edge in sorted(self.every_edge - self.edges) if rng.random() < 0.5}
        return replace(self, edges=self.edges | back)

    def edges_in_order(self) -> list[ModelEdge]:
        """List the edges of the whole model, from the input to the output."""
        order = {name: i for i, name in enumerate(self.sizes.nodes())}
        return sorted(self.every_edge, key=lambda edge: (order[edge[1]], order[edge[0]]))

    def with_edges(self, kept: frozenset[ModelEdge]) -> VerifiableTransformer:
        """Return the circuit that has these edges only."""
        return replace(self, edges=kept)

    def graph(self, tokens: Sequence[str] = (), labels: Sequence[str] = ()) -> CircuitGraph:
        """Return the kept edges and their nodes, by layer.

        An edge carries a vector, so that it has no weight.
        """
        layers = [f"layer {i}|{part}" for i in range(self.sizes.n_layers) for part in ("heads", "MLP")]
        rows = ["embedding", *layers, "logits"]
        ends = {"emb": 0, "logits": len(rows) - 1}
        nodes = [
            GraphNode(n, ends[n] if n in ends else 1 + 2 * _layer(n) + (not _is_head(n)), _readable(n))
            for n in self.sizes.nodes()
            if n in self.active or n in ends
        ]
        edges = [GraphEdge(a, b) for a, b in sorted(self.edges)]
        return CircuitGraph(self.name, tuple(rows), tuple(nodes), tuple(edges), widths="")


def _readable(node: str) -> str:
    """Name a node for people."""
    if node in ("emb", "logits"):
        return "embedding" if node == "emb" else node
    return f"head {_layer(node)}.{_head(node)}" if _is_head(node) else f"MLP {_layer(node)}"
