"""The weight-sparse GPT as a circuit: the whole model, or with a node mask the circuit of one task.

`read_sparse_gpt` reads a folder with `beeg_config.json`, `final_model.pt` and `vocab.json`.  The model runs
in float32 on the CPU, in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..circuit import CircuitSummary, DisplayedCircuit, checked_ids
from ..picture.graph import CircuitGraph
from ..vocabulary import VOCABULARY_FILE, read_vocabulary
from .checkpoint import WEIGHTS_FILE, read_weights
from .config import CONFIG_FILE, GptConfig, read_config
from .edges import count_edges
from .forward import forward, node_widths
from .graph import graph_of
from .mask import NodeMask, read_mask
from .viz_data import read_viz_data

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 4096  # inputs that are run at once


@dataclass(frozen=True, eq=False, repr=False)
class SparseGpt(DisplayedCircuit):
    """A weight-sparse GPT, whole or with a node mask.

    Args:
        name: for people.
        vocabulary: the token of each id.
        config: the model's configuration.
        weights: its tensors by their names in the release, float32.
        weights_sha256: of the file that they were read from.
        mask: the nodes of the circuit; None for the whole model.
        origin: where the circuit came from, for people.
    """

    name: str
    vocabulary: tuple[str, ...]
    config: GptConfig
    weights: dict[str, Tensor]
    weights_sha256: str = ""
    mask: NodeMask | None = None
    origin: str = ""

    @cached_property
    def effective(self) -> dict[str, Tensor]:
        """The weights, with zero for the edges that the mask cuts."""
        if self.mask is None or not self.mask.cut:
            return self.weights
        weights = dict(self.weights)
        for layer, matrix, row, column in self.mask.cut:
            name = f"transformer.h.{layer}.{matrix}.weight"
            if weights[name] is self.weights[name]:
                weights[name] = weights[name].clone()
            weights[name][row, column] = 0.0
        return weights

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the model on int64 ids (batch, positions): float32 (batch, vocabulary) at the last position."""
        return self._run(ids, last_only=True)[:, 0]

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        """Run the model on int64 ids (batch, positions): float32 (batch, positions, vocabulary)."""
        return self._run(ids, last_only=False)

    def _run(self, ids: np.ndarray, last_only: bool) -> np.ndarray:
        import torch

        ids = checked_ids(self.name, ids, self.config.block_size, self.config.vocab_size)
        positions = ids.shape[1]
        whole = torch.from_numpy(ids)
        out = np.empty((len(ids), 1 if last_only else positions, self.config.vocab_size), dtype=np.float32)
        weights = self.effective  # made outside of inference mode, whose tensors carry no gradient
        with torch.inference_mode():
            for start in range(0, len(ids), BATCH):
                rows = slice(start, start + BATCH)
                out[rows] = forward(self.config, weights, whole[rows], self.mask, last_only).numpy()
        return out

    def summary(self) -> CircuitSummary:
        """Return the circuit's sizes."""
        nodes = sum(node_widths(self.config).values()) * self.config.n_layer
        tied = self.config.tied_unembed
        own = [w for name, w in self.weights.items() if not (tied and name == "lm_head.weight")]
        pruned = "" if self.mask is None else ", pruned to a node mask"
        return CircuitSummary(
            name=self.name,
            layers=self.config.n_layer,
            nodes_kept=nodes if self.mask is None else self.mask.nodes_kept,
            nodes_total=nodes,
            edges_kept=count_edges(self.config, self.weights, self.mask),
            edges_total=count_edges(self.config, self.weights, None),
            weights_nonzero=sum(int((w != 0).sum()) for w in own),
            weights_total=sum(w.numel() for w in own),
            origin=self.origin,
            kind=f"weight-sparse transformer (circuit_sparsity format){pruned}",
        )

    def unpruned(self) -> SparseGpt:
        """Return the whole model."""
        return replace(self, mask=None)

    def partly_restored(self, rng: np.random.Generator) -> SparseGpt:
        """Return a copy in which each pruned node and each cut edge is back with probability one half."""
        if self.mask is None:
            return self
        kept = {place: k | (rng.random(len(k)) < 0.5) for place, k in self.mask.kept.items()}
        cut = frozenset(edge for edge in sorted(self.mask.cut) if rng.random() < 0.5)
        return replace(self, mask=replace(self.mask, kept=kept, cut=cut))

    def graph(self, tokens: Sequence[str] = (), labels: Sequence[str] = ()) -> CircuitGraph:
        """Return the graph of the kept nodes that an edge touches; see `graph.py`."""
        return graph_of(self, tokens, labels)


def read_sparse_gpt(folder: Path, mask: Path | None = None) -> SparseGpt:
    """Read the model in a folder.

    Args:
        folder: holds the configuration, the weights and the vocabulary.
        mask: relucid's own mask file (.json) or the release's `viz_data.pt`.

    Raises:
        InputError: a file is missing or does not fit the others.
    """
    config = read_config(folder / CONFIG_FILE)
    vocabulary, origin = read_vocabulary(folder / VOCABULARY_FILE, config.vocab_size)
    weights, digest = read_weights(folder / WEIGHTS_FILE, config)
    name, origin = folder.resolve().name, origin or str(folder)
    if mask is None:
        return SparseGpt(name, vocabulary, config, weights, digest, None, origin)
    read = read_viz_data(mask, config) if mask.suffix == ".pt" else read_mask(mask, config, digest)
    task = mask.name.removesuffix(".json").removesuffix(".pt").removesuffix(".mask")
    origin = "; ".join(text for text in (origin, read.origin) if text)
    return SparseGpt(f"{name} ({task})", vocabulary, config, weights, digest, read, origin)
