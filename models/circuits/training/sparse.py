"""Weight sparsity in training: first weights, and keeping only the largest of each matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..sparse_gpt.config import GptConfig

if TYPE_CHECKING:
    from torch import Generator, Tensor

ANNEAL = 0.5  # of the steps, in which the share of nonzero weights falls
PER_NEURON = 4  # weights that each neuron or attention channel keeps
DENSE = ("transformer.wpe.weight",)  # position embeddings, norms and biases stay dense
TABLES = ("transformer.wte.weight", "lm_head.weight", "bigram_table")


def initial_weights(config: GptConfig, generator: Generator) -> dict[str, Tensor]:
    """Draw the first weights: normal with variance 1 / inputs, norms one, biases and bigram table zero."""
    import torch

    weights = {}
    for name, shape in config.shapes().items():
        if len(shape) == 2 and name != "bigram_table":
            weights[name] = torch.randn(shape, generator=generator) / math.sqrt(shape[1])
        elif name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")):
            weights[name] = torch.ones(shape)
        else:
            weights[name] = torch.zeros(shape)
    return weights


def density_at(done: float, final: float) -> float:
    """Return the share of weights kept after a share `done` of the steps: from 1 evenly down to `final`."""
    return 1 - (1 - final) * min(1.0, done / ANNEAL)


def keep_largest(weights: dict[str, Tensor], density: float) -> None:
    """Set all but the largest magnitudes of each matrix to zero, in place.

    Every neuron and every attention channel keeps at least PER_NEURON weights, if it has as many.
    """
    import torch

    for name, weight in weights.items():
        if weight.ndim != 2 or name in DENSE or density >= 1:
            continue
        size = weight.abs()
        kept = torch.zeros_like(size, dtype=torch.bool).flatten()
        kept[size.flatten().topk(math.ceil(density * size.numel())).indices] = True
        kept = kept.view_as(size)
        if name not in TABLES:
            # a row of c_attn and c_fc, a column of the two c_proj, belongs to a neuron or channel
            axis = 0 if name.endswith("c_proj.weight") else 1
            best = size.topk(min(PER_NEURON, size.shape[axis]), dim=axis).indices
            kept.scatter_(axis, best, True)
        weight.masked_fill_(~kept, 0.0)
