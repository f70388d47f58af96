"""Read a verifiable transformer: `smt_weights.json`, `vocab.json` and a pruned `circuit*.json`.

Anything that would make another function of the model is refused.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ....common.errors import InputError
from ..json_file import read_json
from ..vocabulary import VOCABULARY_FILE, read_vocabulary
from .attention_rules import RuleAttention, read_rules
from .model import ModelEdge, TransformerSizes, VerifiableTransformer

WEIGHTS_FILE = "smt_weights.json"
MOST_NODES = 1500  # heads and MLPs: a model has up to half the square of that in edges
MOST_EMBEDDING = 1 << 31  # numbers
MOST_SIZE = 1 << 24
_SIZES = ("d_model", "n_layers", "n_heads", "vocab_size", "d_ff")
_VARIANTS = {
    "attn_variant": ("sparsemax",),
    "activation_variant": ("leaky_relu",),
    "norm_variant": ("none", "signed_l1_band_norm"),
}
_SEE = "see docs/reference/circuits.md, verifiable-transformers"
_OTHER = "it belongs to another model"
_WHOLE = "it must be the model's whole export"


def read_verifiable_transformer(folder: Path, circuit: Path | None = None) -> VerifiableTransformer:
    """Read the model in a folder, whole or with the edges of a circuit file.

    Raises:
        InputError: a file is missing, or does not fit the others.
    """
    path = folder / WEIGHTS_FILE
    raw = read_json(path, f"the folder of a verifiable transformer holds {WEIGHTS_FILE}")
    if not isinstance(raw, dict):
        raise InputError(str(path), "is not a JSON object", _SEE)
    sizes, band = _sizes(str(path), raw), _band(str(path), raw)
    rules = _rules(path, raw.get("program_heads", {}), sizes)
    weights = _weights(str(path), raw, sizes, band)  # before the edges, which are more than the file is long
    edges = sizes.edges() if circuit is None else _edges(circuit, sizes)
    name = folder.resolve().name + ("" if circuit is None else f" ({circuit.stem.removeprefix('circuit_')})")
    vocabulary = _vocabulary(folder / VOCABULARY_FILE, sizes.vocab_size)
    return VerifiableTransformer(name, vocabulary, sizes, weights, band, rules, edges, str(circuit or folder))


def is_circuit_file(raw: object) -> bool:
    """Tell whether a JSON value is a circuit of this format."""
    return isinstance(raw, dict) and "edges" in raw and "n_layers" in raw and "links" not in raw


def _sizes(where: str, raw: dict[str, Any]) -> TransformerSizes:
    for key in _SIZES:
        if type(raw.get(key)) is not int or not 1 <= raw[key] <= MOST_SIZE:
            raise InputError(where, f"{key} is {raw.get(key)!r:.60}", "sizes are whole numbers from 1")
    sizes = TransformerSizes(**{key: raw[key] for key in _SIZES})
    if (
        sizes.d_model % sizes.n_heads
        or raw.get("head_dim", sizes.head_width) * sizes.n_heads != sizes.d_model
    ):
        raise InputError(where, f"d_model {sizes.d_model} is not n_heads times head_dim", _SEE)
    nodes = sizes.n_layers * (sizes.n_heads + 1)
    if nodes > MOST_NODES or sizes.vocab_size * sizes.d_model > MOST_EMBEDDING:
        raise InputError(where, "the model is too large", "take a smaller model")
    return sizes


def _band(where: str, raw: dict[str, Any]) -> tuple[float, float] | None:
    """Return the band of the norm, or None for no norm; refuse any variant that is not supported."""
    for key, known in _VARIANTS.items():
        if raw.get(key) not in known:
            what = f"{key} {raw.get(key)!r:.60} is not supported"
            raise InputError(where, what, f"it is {' or '.join(known)}")
    if raw["norm_variant"] == "none":
        return None
    low, high = raw.get("half_low"), raw.get("half_high")
    numbers = isinstance(low, int | float) and isinstance(high, int | float)
    if not numbers or not 0 <= low <= high < float("inf"):  # type: ignore[operator]
        what = f"half_low {low!r:.40} and half_high {high!r:.40} are no band"
        raise InputError(where, what, "write two numbers, 0 <= low <= high")
    return float(low), float(high)  # type: ignore[arg-type]


def _rules(path: Path, raw: object, sizes: TransformerSizes) -> dict[str, RuleAttention]:
    """Read the heads whose attention is by rules."""
    where = f"{path}: program_heads"
    if not isinstance(raw, dict):
        raise InputError(where, "is not an object", _SEE)
    rules = {}
    for place, stated in raw.items():
        layer, _, head = place.partition(".")
        node = f"attn_{layer}_h_{head}"
        if node not in sizes.nodes():
            raise InputError(where, f"{place!r} is no head of this model", "write layer.head, from 0.0")
        rules[node] = read_rules(f"{where} {place}", stated)
    return rules


def _shapes(sizes: TransformerSizes, band: object) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight; -1 for any size."""
    model, ff, vocab = sizes.d_model, sizes.d_ff, sizes.vocab_size
    shapes: dict[str, tuple[int, ...]] = {
        "wte": (vocab, model),
        "wpe": (-1, model),
        "lm_head": (vocab, model),
        "lm_head_bias": (vocab,),
    }
    normed = ["final"]
    for i in range(sizes.n_layers):
        shapes |= {f"attn_{i}_W_{k}": (model, model) for k in "qkvo"}
        shapes |= {f"attn_{i}_b_{k}": (model,) for k in "qkvo"}
        shapes |= {f"mlp_{i}_W_up": (ff, model), f"mlp_{i}_b_up": (ff,)}
        shapes |= {f"mlp_{i}_W_down": (model, ff), f"mlp_{i}_b_down": (model,)}
        normed += [f"attn_{i}", f"mlp_{i}"]
    if band is not None:
        shapes |= {f"{place}_norm_{k}": (model,) for place in normed for k in ("gamma", "beta")}
    return shapes


def _weights(where: str, raw: dict[str, Any], sizes: TransformerSizes, band: object) -> dict[str, np.ndarray]:
    out = {}
    for name, shape in _shapes(sizes, band).items():
        if name not in raw:
            raise InputError(where, f"{name} is missing", _WHOLE)
        try:
            value = np.array(raw[name], dtype=np.float64)
        except (ValueError, TypeError, OverflowError):
            raise InputError(where, f"{name} is not an array of numbers", _SEE) from None
        if value.ndim != len(shape) or any(
            wanted not in (-1, given) for wanted, given in zip(shape, value.shape, strict=True)
        ):
            raise InputError(where, f"{name} has shape {value.shape}, the sizes make it {shape}", _WHOLE)
        if not np.isfinite(value).all():
            raise InputError(where, f"{name} has values that are not finite", "retrain or repair the weights")
        out[name] = value
    return out


def _edges(path: Path, sizes: TransformerSizes) -> frozenset[ModelEdge]:
    """Read the kept edges.  An edge of a block of heads (`attn_0`) stands for those of all its heads."""
    raw, where = read_json(path, "a circuit is a JSON file"), str(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("edges"), list):
        raise InputError(where, 'has no list of "edges"', _SEE)
    layers, heads = sizes.n_layers, sizes.n_heads
    if raw.get("n_layers") != layers or raw.get("n_heads", heads) != heads:
        said = f"{raw.get('n_layers')!r:.20} layers of {raw.get('n_heads', heads)!r:.20} heads"
        what = f"is about a model with {said}; this one has {layers} of {heads}"
        raise InputError(where, what, _OTHER)
    if raw.get("ablation", "zero") != "zero":
        raise InputError(where, f"ablation {raw['ablation']!r:.40} is not supported", "it is zero")
    known, kept = sizes.edges(), set()
    for entry in raw["edges"]:
        ends = entry
        if isinstance(entry, dict):
            ends = [entry.get("source", entry.get("from")), entry.get("target", entry.get("to"))]
        if not isinstance(ends, list) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
            raise InputError(where, f"{entry!r:.80} is no edge", 'write {"source": "emb", "target": "mlp_0"}')
        sources, targets = (
            [f"{end}_h_{h}" for h in range(heads)] if re.fullmatch(r"attn_\d+", end) else [end]
            for end in ends
        )
        for pair in itertools.product(sources, targets):
            if pair not in known:
                raise InputError(where, f"the model has no edge from {pair[0]!r} to {pair[1]!r}", _OTHER)
            kept.add(pair)
    return frozenset(kept)


def _vocabulary(path: Path, size: int) -> tuple[str, ...]:
    """Read the format's `token_names` by id, or the list of tokens that relucid's own folders have.

    An id without a name is called <id>.
    """
    raw = read_json(path, "it names the tokens by id")
    if isinstance(raw, dict) and "tokens" in raw:
        return read_vocabulary(path, size)[0]
    names = raw.get("token_names") if isinstance(raw, dict) else None
    if not isinstance(names, dict) or not all(
        k.isascii() and k.isdigit() and isinstance(v, str) for k, v in names.items()
    ):
        raise InputError(str(path), 'has no "token_names" from ids to tokens', _SEE)
    by_id = {int(k): v for k, v in names.items()}
    if max(by_id, default=0) >= size:
        what = f"names token {max(by_id)} of a model with vocab_size {size}"
        raise InputError(str(path), what, _OTHER)
    tokens = tuple(by_id.get(i, f"<{i}>") for i in range(size))
    if len(set(tokens)) < size:
        twice = next(t for t, n in Counter(tokens).items() if n > 1)
        raise InputError(str(path), f"token {twice!r} is there twice", "name each id once")
    return tokens
