"""verifiable-transformers (N. Somani): `smt_weights.json` and a pruned `circuit*.json`, run as their author defines them.

Nodes are the embedding, single heads before W_O, MLPs and the logits.  Each node reads the sum of the nodes that have an edge to it
(zero ablation: the others add nothing); a layer's heads pass W_O together, whose bias comes along wherever one of them is read.
Attention is sparsemax or a frozen program, the MLP LeakyReLU(0.01), the norm none or Signed L1 BandNorm.  Runs in float64.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ....common.errors import InputError
from ..circuit import CircuitSummary, checked_ids
from ..picture.graph import Edge, Graph, Node
from ..pruning.control import Control, edge_by_edge
from .attention_program import AttentionProgram, read_program
from .config import MOST_PARAMETERS, read_json

WEIGHTS_FILE = "smt_weights.json"
VOCABULARY_FILE = "vocab.json"
SLOPE = 0.01
BATCH = 4096
MOST_PARTS = 1500  # heads and MLPs: a model has up to half the square of that in edges
_SIZES = ("d_model", "n_layers", "n_heads", "vocab_size", "d_ff")
_SEE = "see docs/reference/circuits.md, verifiable-transformers"
Link = tuple[str, str]


def node_names(layers: int, heads: int) -> tuple[str, ...]:
    """All nodes, each before those that may read it."""
    inner = [[*(f"attn_{i}_h_{h}" for h in range(heads)), f"mlp_{i}"] for i in range(layers)]
    return ("emb", *itertools.chain.from_iterable(inner), "logits")


def all_links(layers: int, heads: int) -> frozenset[Link]:
    """Every edge of the whole model: heads of one layer do not read each other."""
    names = node_names(layers, heads)
    pairs = itertools.combinations(names, 2)
    return frozenset(
        (a, b)
        for a, b in pairs
        if not (a.startswith("attn") and b.startswith("attn") and _layer(a) == _layer(b))
    )


def _layer(node: str) -> int:
    return int(node.split("_")[1])


@dataclass(frozen=True, eq=False)
class VerifiableTransformer:
    """The model with the edges that are kept."""

    name: str
    vocabulary: tuple[str, ...]
    sizes: dict[str, int]
    weights: dict[str, np.ndarray]
    band: tuple[float, float] | None  # half_low and half_high of Signed L1 BandNorm; None: no norm
    programs: dict[Link, AttentionProgram]  # by (layer, head) as texts
    links: frozenset[Link]
    origin: str = ""

    @cached_property
    def every_link(self) -> frozenset[Link]:
        return all_links(self.sizes["n_layers"], self.sizes["n_heads"])

    @cached_property
    def active(self) -> frozenset[str]:
        """Nodes with an edge; a head or MLP without one gives zero."""
        return frozenset(itertools.chain.from_iterable(self.links))

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Float64 (batch, vocab) at the last position."""
        ids = checked_ids(self.name, ids, len(self.weights["wpe"]), len(self.vocabulary))
        parts = [self._run(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.vocabulary)))

    def _run(self, ids: np.ndarray) -> np.ndarray:
        weights = self.weights
        outputs = {"emb": weights["wte"][ids] + weights["wpe"][: ids.shape[1]]}
        for node in node_names(self.sizes["n_layers"], self.sizes["n_heads"]):
            if node not in self.active or node in ("emb", "logits"):
                continue
            i = _layer(node)
            if node.startswith("attn"):
                x = self._norm(f"attn_{i}", self._read(node, outputs))
                outputs[node] = self._head(i, int(node.split("_")[3]), x, ids)
            else:
                hidden = (
                    self._norm(node, self._read(node, outputs)) @ weights[f"{node}_W_up"].T
                    + weights[f"{node}_b_up"]
                )
                outputs[node] = (
                    np.where(hidden >= 0, hidden, SLOPE * hidden) @ weights[f"{node}_W_down"].T
                    + weights[f"{node}_b_down"]
                )
        last = self._norm("final", self._read("logits", {n: x[:, -1] for n, x in outputs.items()}))
        return last @ weights["lm_head"].T + weights["lm_head_bias"]

    def _read(self, child: str, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """The sum of what has an edge to `child`, in the order of the nodes so that it is the same on every run."""
        total = np.zeros_like(outputs["emb"])
        heads: dict[int, list[str]] = {}
        for parent in (n for n in outputs if (n, child) in self.links):
            if parent.startswith("attn"):
                heads.setdefault(_layer(parent), []).append(parent)
            else:
                total = total + outputs[parent]
        width = self.sizes["d_model"] // self.sizes["n_heads"]
        for layer, names in heads.items():
            joined = np.zeros_like(total)
            for name in names:
                start = int(name.split("_")[3]) * width
                joined[..., start : start + width] = outputs[name]
            total = total + joined @ self.weights[f"attn_{layer}_W_o"].T + self.weights[f"attn_{layer}_b_o"]
        return total

    def _head(self, layer: int, head: int, x: np.ndarray, ids: np.ndarray) -> np.ndarray:
        width = self.sizes["d_model"] // self.sizes["n_heads"]
        rows = slice(head * width, (head + 1) * width)
        query, key, value = (
            x @ self.weights[f"attn_{layer}_W_{k}"][rows].T + self.weights[f"attn_{layer}_b_{k}"][rows]
            for k in "qkv"
        )
        program = self.programs.get((str(layer), str(head)))
        if program is not None:
            return program.attention(ids) @ value
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(width)
        scores[:, np.triu(np.ones(scores.shape[1:], dtype=bool), 1)] = -np.inf
        return sparsemax(scores) @ value

    def _norm(self, place: str, x: np.ndarray) -> np.ndarray:
        if self.band is None:
            return x
        return (
            band_norm(x, *self.band) * self.weights[f"{place}_norm_gamma"]
            + self.weights[f"{place}_norm_beta"]
        )

    def summary(self) -> CircuitSummary:
        layers, heads = self.sizes["n_layers"], self.sizes["n_heads"]
        kind = "verifiable transformer (sparsemax, LeakyReLU, " + (
            "no norm)" if self.band is None else "Signed L1 BandNorm)"
        )
        return CircuitSummary(
            name=self.name,
            layers=layers,
            nodes_kept=len(self.active - {"emb", "logits"}),
            nodes_total=layers * (heads + 1),
            edges_kept=len(self.links),
            edges_total=len(self.every_link),
            weights_nonzero=sum(int(np.count_nonzero(w)) for w in self.weights.values()),
            weights_total=sum(w.size for w in self.weights.values()),
            origin=self.origin,
            kind=kind + ("" if self.links == self.every_link else ", pruned to some of its edges"),
        )

    def unpruned(self) -> VerifiableTransformer:
        return replace(self, links=self.every_link)

    def partly_restored(self, rng: np.random.Generator) -> VerifiableTransformer:
        """Each edge that was pruned is back with probability one half."""
        return replace(
            self,
            links=self.links | {link for link in sorted(self.every_link - self.links) if rng.random() < 0.5},
        )

    def control(
        self, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, seed: int, say: Callable[[str], None]
    ) -> Control | None:
        order = {name: i for i, name in enumerate(node_names(self.sizes["n_layers"], self.sizes["n_heads"]))}
        links = sorted(self.every_link, key=lambda link: (order[link[1]], order[link[0]]))
        return edge_by_edge(links, lambda kept: replace(self, links=kept), ids, right, columns, seed, say)

    def graph(self, words: Sequence[str] = (), labels: Sequence[str] = ()) -> Graph:
        """Nodes by layer and the edges that are kept; an edge carries a whole vector, so that it has no weight."""
        rows = [
            "embedding",
            *(f"layer {i}|{part}" for i in range(self.sizes["n_layers"]) for part in ("heads", "MLP")),
            "logits",
        ]
        ends = {"emb": 0, "logits": len(rows) - 1}
        names = [
            n
            for n in node_names(self.sizes["n_layers"], self.sizes["n_heads"])
            if n in self.active | set(ends)
        ]
        nodes = [
            Node(n, ends[n] if n in ends else 1 + 2 * _layer(n) + n.startswith("mlp"), _called(n))
            for n in names
        ]
        return Graph(
            self.name, tuple(rows), tuple(nodes), tuple(Edge(a, b) for a, b in sorted(self.links)), widths=""
        )


def _called(node: str) -> str:
    """As people call it."""
    kind, *numbers = node.split("_")
    return {"emb": "embedding", "logits": "logits"}.get(kind) or (
        f"head {numbers[0]}.{numbers[2]}" if kind == "attn" else f"MLP {numbers[0]}"
    )


def sparsemax(scores: np.ndarray) -> np.ndarray:
    """The projection of each last-axis row onto the simplex; minus infinity stays out."""
    z = scores - scores.max(axis=-1, keepdims=True)
    ordered = -np.sort(-z, axis=-1)
    sums = ordered.cumsum(axis=-1)
    count = (1 + np.arange(1, z.shape[-1] + 1) * ordered > sums).sum(axis=-1, keepdims=True)
    threshold = (np.take_along_axis(sums, count - 1, axis=-1) - 1.0) / count
    return np.maximum(z - threshold, 0.0)


def band_norm(x: np.ndarray, half_low: float, half_high: float) -> np.ndarray:
    """Signed L1 BandNorm before its affine part: the positive and the negative half each get an L1 mass within the band."""
    centred = x - x.mean(axis=-1, keepdims=True)
    even = (np.arange(x.shape[-1]) % 2 == 0).astype(np.float64)
    halves = [
        _into_band(np.maximum(sign * centred, 0.0), half_low, half_high, spare)
        for sign, spare in ((1, even), (-1, 1 - even))
    ]
    z = halves[0] - halves[1]
    return z - z.mean(axis=-1, keepdims=True)


def _into_band(y: np.ndarray, low: float, high: float, spare: np.ndarray) -> np.ndarray:
    """Too much mass: project onto the L1 ball.  Too little: lift the active coordinates evenly (`spare` where none is active)."""
    ordered = -np.sort(-y, axis=-1)
    candidates = (ordered.cumsum(axis=-1) - high) / np.arange(1, y.shape[-1] + 1)
    last = np.maximum((ordered > candidates).sum(axis=-1, keepdims=True) - 1, 0)
    projected = np.maximum(y - np.take_along_axis(candidates, last, axis=-1), 0.0)
    y = np.where(y.sum(axis=-1, keepdims=True) <= high, y, projected)
    active = (y > 0).astype(np.float64)
    active = np.where(active.sum(axis=-1, keepdims=True) == 0, spare, active)
    mass = y.sum(axis=-1, keepdims=True)
    return np.where(
        mass >= low, y, y + active * (low - mass) / np.maximum(active.sum(axis=-1, keepdims=True), 1.0)
    )


def read_verifiable_transformer(folder: Path, circuit: Path | None = None) -> VerifiableTransformer:
    """The model in a folder, whole or with the edges of a circuit file."""
    path = folder / WEIGHTS_FILE
    raw = read_json(path, f"the folder of a verifiable transformer holds {WEIGHTS_FILE}")
    if not isinstance(raw, dict):
        raise InputError(str(path), "is not a JSON object", _SEE)
    sizes, band = _sizes(str(path), raw), _variants(str(path), raw)
    layers, heads = sizes["n_layers"], sizes["n_heads"]
    heads_given = raw.get("program_heads", {})
    if not isinstance(heads_given, dict):
        raise InputError(f"{path}: program_heads", "is not an object", _SEE)
    programs: dict[Link, AttentionProgram] = {}
    for place, text in heads_given.items():
        layer, _, head = place.partition(".")
        if f"attn_{layer}_h_{head}" not in node_names(layers, heads):
            raise InputError(
                f"{path}: program_heads", f"{place!r} is no head of this model", "write layer.head, from 0.0"
            )
        programs[layer, head] = read_program(f"{path}: program_heads {place}", text)
    weights = _weights(
        str(path), raw, sizes, band
    )  # before the edges, which are many more than the file is long
    links = all_links(layers, heads) if circuit is None else _links(circuit, layers, heads)
    name = folder.resolve().name + ("" if circuit is None else f" ({circuit.stem.removeprefix('circuit_')})")
    vocabulary = _vocabulary(folder / VOCABULARY_FILE, sizes["vocab_size"])
    return VerifiableTransformer(
        name, vocabulary, sizes, weights, band, programs, links, str(circuit or folder)
    )


def _sizes(where: str, raw: dict[str, Any]) -> dict[str, int]:
    for key in _SIZES:
        if type(raw.get(key)) is not int or not 1 <= raw[key] <= 1 << 24:
            raise InputError(where, f"{key} is {raw.get(key)!r:.60}", "sizes are whole numbers from 1")
    sizes = {key: raw[key] for key in _SIZES}
    if (
        sizes["d_model"] % sizes["n_heads"]
        or raw.get("head_dim", sizes["d_model"] // sizes["n_heads"]) * sizes["n_heads"] != sizes["d_model"]
    ):
        raise InputError(where, f"d_model {sizes['d_model']} is not n_heads times head_dim", _SEE)
    if (
        sizes["n_layers"] * (sizes["n_heads"] + 1) > MOST_PARTS
        or sizes["vocab_size"] * sizes["d_model"] > MOST_PARAMETERS
    ):
        raise InputError(where, "the model is too large", "take a smaller model")
    return sizes


def _variants(where: str, raw: dict[str, Any]) -> tuple[float, float] | None:
    """The band of the norm, or None; anything that would compute something else is refused."""
    for key, known in (
        ("attn_variant", ("sparsemax",)),
        ("activation_variant", ("leaky_relu",)),
        ("norm_variant", ("none", "signed_l1_band_norm")),
    ):
        if raw.get(key) not in known:
            raise InputError(
                where, f"{key} {raw.get(key)!r:.60} is not supported", f"it is {' or '.join(known)}"
            )
    if raw["norm_variant"] == "none":
        return None
    low, high = raw.get("half_low"), raw.get("half_high")
    if (
        not isinstance(low, int | float)
        or not isinstance(high, int | float)
        or not 0 <= low <= high < float("inf")
    ):
        raise InputError(
            where,
            f"half_low {low!r:.40} and half_high {high!r:.40} are no band",
            "write two numbers, 0 <= low <= high",
        )
    return float(low), float(high)


def _weights(where: str, raw: dict[str, Any], sizes: dict[str, int], band: object) -> dict[str, np.ndarray]:
    model, ff, vocab = sizes["d_model"], sizes["d_ff"], sizes["vocab_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "wte": (vocab, model),
        "wpe": (-1, model),
        "lm_head": (vocab, model),
        "lm_head_bias": (vocab,),
    }
    places = []
    for i in range(sizes["n_layers"]):
        shapes |= {f"attn_{i}_W_{k}": (model, model) for k in "qkvo"} | {
            f"attn_{i}_b_{k}": (model,) for k in "qkvo"
        }
        shapes |= {
            f"mlp_{i}_W_up": (ff, model),
            f"mlp_{i}_b_up": (ff,),
            f"mlp_{i}_W_down": (model, ff),
            f"mlp_{i}_b_down": (model,),
        }
        places += [f"attn_{i}", f"mlp_{i}"]
    if band is not None:
        shapes |= {f"{place}_norm_{k}": (model,) for place in (*places, "final") for k in ("gamma", "beta")}
    out = {}
    for name, shape in shapes.items():
        if name not in raw:
            raise InputError(where, f"{name} is missing", "it must be the model's whole export")
        try:
            value = np.array(raw[name], dtype=np.float64)
        except (ValueError, TypeError, OverflowError):
            raise InputError(where, f"{name} is not an array of numbers", _SEE) from None
        if value.ndim != len(shape) or any(
            wanted not in (-1, given) for wanted, given in zip(shape, value.shape, strict=True)
        ):
            raise InputError(
                where,
                f"{name} has shape {value.shape}, the sizes make it {shape}",
                "it must be the model's whole export",
            )
        if not np.isfinite(value).all():
            raise InputError(where, f"{name} has values that are not finite", "retrain or repair the weights")
        out[name] = value
    return out


def is_circuit_file(raw: object) -> bool:
    """Whether a JSON value looks like one of this format's circuit files."""
    return isinstance(raw, dict) and "edges" in raw and "n_layers" in raw and "links" not in raw


def _links(path: Path, layers: int, heads: int) -> frozenset[Link]:
    """The kept edges; those of a block-granular circuit stand for all heads of the block."""
    raw, where = read_json(path, "a circuit is a JSON file"), str(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("edges"), list):
        raise InputError(where, 'has no list of "edges"', _SEE)
    if raw.get("n_layers") != layers or raw.get("n_heads", heads) != heads:
        said = f"{raw.get('n_layers')!r:.20} layers of {raw.get('n_heads', heads)!r:.20} heads"
        raise InputError(
            where,
            f"is about a model with {said}; this one has {layers} of {heads}",
            "it belongs to another model",
        )
    if raw.get("ablation", "zero") != "zero":
        raise InputError(where, f"ablation {raw['ablation']!r:.40} is not supported", "it is zero")
    known, links = all_links(layers, heads), set()
    for edge in raw["edges"]:
        ends = (
            [edge.get("source", edge.get("from")), edge.get("target", edge.get("to"))]
            if isinstance(edge, dict)
            else edge
        )
        if not isinstance(ends, list) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
            raise InputError(where, f"{edge!r:.80} is no edge", 'write {"source": "emb", "target": "mlp_0"}')
        source, target = (
            [f"{end}_h_{h}" for h in range(heads)] if re.fullmatch(r"attn_\d+", end) else [end]
            for end in ends
        )
        for pair in itertools.product(source, target):
            if pair not in known:
                raise InputError(
                    where,
                    f"the model has no edge from {pair[0]!r} to {pair[1]!r}",
                    "it belongs to another model",
                )
            links.add(pair)
    return frozenset(links)


def _vocabulary(path: Path, size: int) -> tuple[str, ...]:
    """Its own `token_names` by id (ids without a name are called <id>), or the list that relucid's own folders have."""
    raw = read_json(path, "it names the tokens by id")
    if isinstance(raw, dict) and "tokens" in raw:
        from .checkpoint import read_vocabulary

        return read_vocabulary(path, size)[0]
    names = raw.get("token_names") if isinstance(raw, dict) else None
    if not isinstance(names, dict) or not all(
        k.isascii() and k.isdigit() and isinstance(v, str) for k, v in names.items()
    ):
        raise InputError(str(path), 'has no "token_names" from ids to words', _SEE)
    by_id = {int(k): v for k, v in names.items()}
    if max(by_id, default=0) >= size:
        raise InputError(
            str(path),
            f"names token {max(by_id)} of a model with vocab_size {size}",
            "it belongs to another model",
        )
    words = tuple(by_id.get(i, f"<{i}>") for i in range(size))
    if len(set(words)) < size:
        twice = next(w for w, n in Counter(words).items() if n > 1)
        raise InputError(str(path), f"token {twice!r} is there twice", "name each id once")
    return words
