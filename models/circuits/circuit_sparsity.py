"""A folder in the on-disk format of OpenAI's circuit_sparsity, as a `Circuit`.

The folder holds `beeg_config.json`, `final_model.pt` and `vocab.json`; a node mask makes the circuit of one task out of it.
Runs in float32 on the CPU, in batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .checkpoint import VOCABULARY_FILE, WEIGHTS_FILE, read_vocabulary, read_weights
from .circuit import CircuitSummary, checked_ids
from .config import CONFIG_FILE, GptConfig, read_config
from .gpt import NODE_LOCATIONS, forward, node_widths
from .mask import NodeMask, read_mask
from .viz_data import read_viz_data

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 4096


@dataclass(frozen=True, eq=False)
class SparseGpt:
    """A weight-sparse GPT, with a node mask or whole."""

    name: str
    vocabulary: tuple[str, ...]
    config: GptConfig
    weights: dict[str, Tensor]
    weights_sha256: str = ""
    mask: NodeMask | None = None
    origin: str = ""

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Float32 (batch, vocab) at the last position."""
        return self._run(ids, last_only=True)[:, 0]

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        """Float32 (batch, positions, vocab) at every position."""
        return self._run(ids, last_only=False)

    def _run(self, ids: np.ndarray, last_only: bool) -> np.ndarray:
        import torch

        ids = checked_ids(self.name, ids, self.config.block_size, self.config.vocab_size)
        positions = ids.shape[1]
        whole = torch.from_numpy(ids)
        out = np.empty((len(ids), 1 if last_only else positions, self.config.vocab_size), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(ids), BATCH):
                rows = slice(start, start + BATCH)
                out[rows] = forward(self.config, self.weights, whole[rows], self.mask, last_only).numpy()
        return out

    def summary(self) -> CircuitSummary:
        kept_edges, all_edges = count_edges(self.config, self.weights, self.mask)
        nodes = sum(node_widths(self.config).values()) * self.config.n_layer
        own = {k: w for k, w in self.weights.items() if not (self.config.tied_unembed and k == "lm_head.weight")}
        return CircuitSummary(
            name=self.name,
            layers=self.config.n_layer,
            nodes_kept=nodes if self.mask is None else self.mask.nodes_kept,
            nodes_total=nodes,
            edges_kept=kept_edges,
            edges_total=all_edges,
            weights_nonzero=sum(int((w != 0).sum()) for w in own.values()),
            weights_total=sum(w.numel() for w in own.values()),
            origin=self.origin,
            kind="weight-sparse transformer (circuit_sparsity format)" + ("" if self.mask is None else ", pruned to a node mask"),
        )


def count_edges(config: GptConfig, weights: dict[str, Tensor], mask: NodeMask | None) -> tuple[int, int]:
    """Nonzero weights between kept nodes, and between all nodes.

    The four weight matrices of each layer join node locations: attn_in to q, k and v; v to attn_out; mlp_in to neurons; neurons to mlp_out.
    """
    kept_edges = all_edges = 0
    for i in range(config.n_layer):
        whole = {location: np.ones(width, dtype=bool) for location, width in node_widths(config).items()}
        keep = whole if mask is None else {location: mask.kept[i, location] for location in NODE_LOCATIONS}
        heads = np.concatenate([keep["attn_q"], keep["attn_k"], keep["attn_v"]])
        name = f"transformer.h.{i}."
        for matrix, writes, reads in (
            ("attn.c_attn", heads, keep["attn_in"]),
            ("attn.c_proj", keep["attn_out"], keep["attn_v"]),
            ("mlp.c_fc", keep["mlp_neuron"], keep["mlp_in"]),
            ("mlp.c_proj", keep["mlp_out"], keep["mlp_neuron"]),
        ):
            nonzero = weights[f"{name}{matrix}.weight"].detach().numpy() != 0
            all_edges += int(nonzero.sum())
            kept_edges += int(nonzero[np.ix_(writes, reads)].sum())
    return kept_edges, all_edges


def read_circuit(folder: Path, mask: Path | None = None) -> SparseGpt:
    """The circuit in a folder; see `circuit.load_circuit`."""
    config = read_config(folder / CONFIG_FILE)
    vocabulary, origin = read_vocabulary(folder / VOCABULARY_FILE, config.vocab_size)
    weights, digest = read_weights(folder / WEIGHTS_FILE, config)
    node_mask = None if mask is None else _read_mask(Path(mask), config, digest)
    name = folder.resolve().name
    if node_mask is not None:
        name += f" ({Path(mask or '').name.removesuffix('.json').removesuffix('.pt').removesuffix('.mask')})"
        origin = "; ".join(t for t in (origin or str(folder), node_mask.origin) if t)
    return SparseGpt(name, vocabulary, config, weights, digest, node_mask, origin or str(folder))


def _read_mask(path: Path, config: GptConfig, digest: str) -> NodeMask:
    """relucid's own JSON, or the release's `viz_data.pt`."""
    if path.suffix == ".pt":
        return read_viz_data(path, config)
    return read_mask(path, config, digest)
