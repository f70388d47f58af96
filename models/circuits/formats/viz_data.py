"""The node masks that OpenAI's circuit_sparsity release publishes: `viz_data.pt`, whose `circuit_data` lists the kept nodes by location.

Read with torch's `weights_only`, so nothing in it runs.  The file has no means for the nodes that are not kept: they are zero here.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ....common.errors import InputError
from ..pruning.mask import NodeMask
from .checkpoint import read_torch
from .config import GptConfig
from .gpt import node_widths

MOST_BYTES = 1 << 31
LOCATIONS = {
    "attn.act_in": "attn_in", "attn.q": "attn_q", "attn.k": "attn_k", "attn.v": "attn_v", "attn.resid_delta": "attn_out",
    "mlp.act_in": "mlp_in", "mlp.post_act": "mlp_neuron", "mlp.resid_delta": "mlp_out",
}  # fmt: skip
_SEE = "see docs/reference/circuits.md, node masks"


def read_viz_data(path: Path, config: GptConfig) -> NodeMask:
    """The mask of a `viz_data.pt` (or of its `circuit_data` alone) for a model."""
    nodes = _circuit_data(path)
    widths = node_widths(config)
    kept = {
        (i, location): np.zeros(width, dtype=bool)
        for i in range(config.n_layer)
        for location, width in widths.items()
    }
    for key, value in nodes.items():
        match = re.fullmatch(r"(\d{1,6})\.(\w+\.\w+)", str(key))
        where = f"{path}: circuit_data {key!r:.60}"
        if match is None or match[2] not in LOCATIONS or int(match[1]) >= config.n_layer:
            if not hasattr(value, "numel"):  # the release keeps its prune_config there too
                continue
            raise InputError(
                where,
                "is no place of this model",
                "the file belongs to another model, or is of a newer release",
            )
        width = widths[LOCATIONS[match[2]]]
        indices = _indices(where, value, width)
        if len(indices) and not (indices.min() >= 0 and indices.max() < width):
            raise InputError(
                where, f"has a node outside 0 to {width - 1}", "the file belongs to another model"
            )
        kept[int(match[1]), LOCATIONS[match[2]]][indices] = True
    means = {place: np.zeros(len(k), dtype=np.float32) for place, k in kept.items()}
    return NodeMask(kept, means, f"{path.name}, others at zero: it has no means")


def _circuit_data(path: Path) -> dict[object, object]:
    where = str(path)
    whole, _ = read_torch(path, MOST_BYTES, "give the release's viz_data.pt", _SEE)
    nodes = whole.get("circuit_data", whole) if isinstance(whole, dict) else None
    if not isinstance(nodes, dict) or not any(hasattr(v, "numel") for v in nodes.values()):
        raise InputError(where, 'has no "circuit_data" with the kept nodes by location', _SEE)
    return nodes


def _indices(where: str, value: object, width: int) -> np.ndarray:
    import torch

    plain = (
        isinstance(value, torch.Tensor)
        and value.ndim == 1
        and value.layout == torch.strided
        and value.device.type == "cpu"
    )
    if not plain or value.is_quantized or value.dtype.is_floating_point or value.dtype.is_complex:  # type: ignore[attr-defined]
        raise InputError(where, "is not a list of node numbers", _SEE)
    assert isinstance(value, torch.Tensor)
    if value.numel() > width:  # a tensor may say that it is longer than its file
        raise InputError(where, f"has {value.numel()} nodes of {width}", "list each node once")
    indices = value.numpy()
    return np.flatnonzero(indices) if indices.dtype == bool else indices.astype(np.int64)
