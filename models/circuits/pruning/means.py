"""The means of a model's activations: the constants that stand in for nodes that are not kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..circuit import checked_ids
from ..sparse_gpt.forward import forward
from ..sparse_gpt.mask import GptEdge, Kept, NodeMask, Place
from ..sparse_gpt.model import BATCH, SparseGpt

if TYPE_CHECKING:
    from torch import Tensor

Means = dict[Place, np.ndarray]  # for each place, a float32 per node


def activation_means(model: SparseGpt, batches: Iterable[np.ndarray]) -> Means:
    """Average each node's activations in the whole model, over inputs and positions.

    Args:
        model: its mask is ignored.
        batches: int64 ids (n, positions); each batch has one length.
    """
    import torch

    sums: dict[Place, np.ndarray] = {}
    seen = 0

    def record(layer: int, location: str, x: Tensor) -> Tensor:
        sums[layer, location] = sums.get((layer, location), 0) + x.double().sum(dim=(0, 1)).numpy()
        return x

    config = model.config
    with torch.inference_mode():
        for ids in batches:
            seen += ids.size
            for start in range(0, len(ids), BATCH):
                rows = ids[start : start + BATCH]
                rows = checked_ids(model.name, rows, config.block_size, config.vocab_size)
                forward(config, model.weights, torch.from_numpy(rows), record)
    return {place: (total / seen).astype(np.float32) for place, total in sums.items()}


def mask_of(
    model: SparseGpt, kept: Kept, means: Means, cut: frozenset[GptEdge] = frozenset(), origin: str = ""
) -> NodeMask:
    """Return the mask that keeps some nodes and puts `means` in place of the others."""
    instead = {p: np.where(k, np.float32(0), means[p]) for p, k in kept.items()}
    return NodeMask(kept, instead, origin, model.weights_sha256, cut)
