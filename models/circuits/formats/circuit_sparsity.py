"""A folder in the on-disk format of OpenAI's circuit_sparsity, as a `Circuit`.

The folder holds `beeg_config.json`, `final_model.pt` and `vocab.json`; a node mask makes the circuit of one task out of it.
Runs in float32 on the CPU, in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..circuit import CircuitSummary, checked_ids
from ..picture.graph import Graph
from ..pruning.control import Control, by_trained_masks, reported
from ..pruning.edges import count_edges
from ..pruning.mask import NodeMask, read_mask
from .checkpoint import VOCABULARY_FILE, WEIGHTS_FILE, read_vocabulary, read_weights
from .config import CONFIG_FILE, GptConfig, read_config
from .gpt import forward, node_widths
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

    @cached_property
    def effective(self) -> dict[str, Tensor]:
        """The weights without the edges that the mask cuts."""
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
        weights = self.effective  # made outside of inference mode, whose tensors no gradient passes
        with torch.inference_mode():
            for start in range(0, len(ids), BATCH):
                rows = slice(start, start + BATCH)
                out[rows] = forward(self.config, weights, whole[rows], self.mask, last_only).numpy()
        return out

    def summary(self) -> CircuitSummary:
        nodes = sum(node_widths(self.config).values()) * self.config.n_layer
        own = {
            k: w for k, w in self.weights.items() if not (self.config.tied_unembed and k == "lm_head.weight")
        }
        return CircuitSummary(
            name=self.name,
            layers=self.config.n_layer,
            nodes_kept=nodes if self.mask is None else self.mask.nodes_kept,
            nodes_total=nodes,
            edges_kept=count_edges(self.config, self.weights, self.mask),
            edges_total=count_edges(self.config, self.weights, None),
            weights_nonzero=sum(int((w != 0).sum()) for w in own.values()),
            weights_total=sum(w.numel() for w in own.values()),
            origin=self.origin,
            kind="weight-sparse transformer (circuit_sparsity format)"
            + ("" if self.mask is None else ", pruned to a node mask"),
        )

    def unpruned(self) -> SparseGpt:
        return replace(self, mask=None)

    def partly_restored(self, rng: np.random.Generator) -> SparseGpt:
        """Each node that was pruned, and each edge that was cut, is back with probability one half."""
        if self.mask is None:
            return self
        kept = {place: k | (rng.random(len(k)) < 0.5) for place, k in self.mask.kept.items()}
        cut = frozenset(edge for edge in sorted(self.mask.cut) if rng.random() < 0.5)
        return replace(self, mask=replace(self.mask, kept=kept, cut=cut))

    def control(
        self, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, seed: int, say: Callable[[str], None]
    ) -> Control:
        """What the mask's report remembers, else masks trained here."""
        known = None if self.mask is None else reported(self.mask.report)
        return known or by_trained_masks(self.unpruned(), ids, right, columns, seed, say)

    def graph(self, words: Sequence[str] = (), labels: Sequence[str] = ()) -> Graph:
        """Kept nodes that an edge touches, and which words (of the task, if it is known) feed them and are voted for: see `gpt_graph.py`."""
        from ..picture.gpt_graph import graph_of

        return graph_of(self, words, labels)


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
