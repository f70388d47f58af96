"""Edges of a weight-sparse GPT: the nonzero weights between its nodes, each in one of four matrices of a layer.

attn_in to q, k and v (c_attn); v to attn_out (attention's c_proj); mlp_in to neurons (c_fc); neurons to mlp_out (c_proj).
Counting, cutting and drawing all stand on the table here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..formats.config import GptConfig
from ..formats.gpt import node_widths
from .mask import Cut, NodeMask

if TYPE_CHECKING:
    from torch import Tensor

# matrix -> the locations of its rows (what it writes), one after the other, and of its columns (what it reads)
MATRICES: dict[str, tuple[tuple[str, ...], str]] = {
    "attn.c_attn": (("attn_q", "attn_k", "attn_v"), "attn_in"),
    "attn.c_proj": (("attn_out",), "attn_v"),
    "mlp.c_fc": (("mlp_neuron",), "mlp_in"),
    "mlp.c_proj": (("mlp_out",), "mlp_neuron"),
}
Node = tuple[int, str, int]


def edges(config: GptConfig, weights: Mapping[str, Tensor], mask: NodeMask | None) -> list[tuple[Cut, float]]:
    """(layer, matrix, row, column) with the weight, for each edge between kept nodes that the mask does not cut."""
    found: list[tuple[Cut, float]] = []
    for i in range(config.n_layer):
        for matrix, (writes, reads) in MATRICES.items():
            weight = weights[f"transformer.h.{i}.{matrix}.weight"].detach().numpy()
            rows = np.concatenate([_kept(config, mask, i, location) for location in writes])
            places = np.argwhere((weight != 0) & rows[:, None] & _kept(config, mask, i, reads)[None, :])
            listed = [
                ((i, matrix, int(row), int(column)), float(weight[row, column])) for row, column in places
            ]
            found += [(edge, value) for edge, value in listed if mask is None or edge not in mask.cut]
    return found


def count_edges(config: GptConfig, weights: Mapping[str, Tensor], mask: NodeMask | None) -> int:
    """How many `edges` lists, without listing them: dense models have many millions."""
    total = 0
    for i in range(config.n_layer):
        for matrix, (writes, reads) in MATRICES.items():
            kept = weights[f"transformer.h.{i}.{matrix}.weight"].detach().numpy() != 0
            if mask is not None:
                rows = np.concatenate([_kept(config, mask, i, location) for location in writes])
                kept = kept & rows[:, None] & _kept(config, mask, i, reads)[None, :]
                total -= sum(
                    bool(kept[row, column])
                    for layer, name, row, column in mask.cut
                    if (layer, name) == (i, matrix)
                )
            total += int(kept.sum())
    return total


def ends(config: GptConfig, edge: Cut) -> tuple[Node, Node]:
    """The node an edge comes from and the one it goes to."""
    layer, matrix, row, column = edge
    writes, reads = MATRICES[matrix]
    width = node_widths(config)[writes[0]]
    return (layer, reads, column), (layer, writes[row // width], row % width)


def _kept(config: GptConfig, mask: NodeMask | None, layer: int, location: str) -> np.ndarray:
    return np.ones(node_widths(config)[location], dtype=bool) if mask is None else mask.kept[layer, location]
