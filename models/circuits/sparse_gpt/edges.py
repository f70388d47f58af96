"""The edges of a weight-sparse GPT: nonzero weights between its nodes, in four matrices of each layer.

They run from attn_in to q, k and v (c_attn), from v to attn_out (attention's c_proj), from mlp_in to the
neurons (c_fc) and from the neurons to mlp_out (the MLP's c_proj).  Counting, cutting and drawing edges all
use the table here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .config import GptConfig
from .forward import node_widths
from .mask import GptEdge, NodeMask

if TYPE_CHECKING:
    from torch import Tensor

# matrix -> the locations of its rows (what it writes), in order, and of its columns (what it reads)
MATRICES: dict[str, tuple[tuple[str, ...], str]] = {
    "attn.c_attn": (("attn_q", "attn_k", "attn_v"), "attn_in"),
    "attn.c_proj": (("attn_out",), "attn_v"),
    "mlp.c_fc": (("mlp_neuron",), "mlp_in"),
    "mlp.c_proj": (("mlp_out",), "mlp_neuron"),
}
GptNode = tuple[int, str, int]  # layer, location, number


def edges(
    config: GptConfig, weights: Mapping[str, Tensor], mask: NodeMask | None
) -> list[tuple[GptEdge, float]]:
    """List the edges between kept nodes that the mask does not cut, each with its weight."""
    found: list[tuple[GptEdge, float]] = []
    for i in range(config.n_layer):
        for matrix in MATRICES:
            weight = weights[f"transformer.h.{i}.{matrix}.weight"].detach().numpy()
            for row, column in np.argwhere((weight != 0) & _between_kept(config, mask, i, matrix)):
                edge = (i, matrix, int(row), int(column))
                if mask is None or edge not in mask.cut:
                    found.append((edge, float(weight[row, column])))
    return found


def count_edges(config: GptConfig, weights: Mapping[str, Tensor], mask: NodeMask | None) -> int:
    """Count what `edges` lists, without listing it: dense models have many millions of edges."""
    total = 0
    for i in range(config.n_layer):
        for matrix in MATRICES:
            weight = weights[f"transformer.h.{i}.{matrix}.weight"].detach().numpy()
            there = (weight != 0) & _between_kept(config, mask, i, matrix)
            total += int(there.sum())
            if mask is not None:
                total -= sum(bool(there[e[2], e[3]]) for e in mask.cut if e[:2] == (i, matrix))
    return total


def ends(config: GptConfig, edge: GptEdge) -> tuple[GptNode, GptNode]:
    """Return the node that an edge comes from and the one that it goes to."""
    layer, matrix, row, column = edge
    writes, reads = MATRICES[matrix]
    width = node_widths(config)[writes[0]]
    return (layer, reads, column), (layer, writes[row // width], row % width)


def _between_kept(config: GptConfig, mask: NodeMask | None, layer: int, matrix: str) -> np.ndarray | bool:
    """Return bools (rows, columns), or True for all: whether the nodes at both ends of a weight are kept."""
    if mask is None:
        return True
    writes, reads = MATRICES[matrix]
    rows = np.concatenate([mask.kept[layer, location] for location in writes])
    return rows[:, None] & mask.kept[layer, reads][None, :]
