"""Read the node masks that OpenAI's circuit_sparsity release publishes: `viz_data.pt`.

Its `circuit_data` lists the kept nodes by location.  The file has no means for the other nodes: they are zero
here. torch's `weights_only` reader reads it, so that nothing in it runs.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ....common.errors import InputError
from .checkpoint import read_torch
from .config import GptConfig
from .forward import node_widths
from .mask import NodeMask, every_node

MOST_BYTES = 1 << 31
LOCATIONS = {  # the release's names -> ours
    "attn.act_in": "attn_in", "attn.q": "attn_q", "attn.k": "attn_k", "attn.v": "attn_v",
    "attn.resid_delta": "attn_out",
    "mlp.act_in": "mlp_in", "mlp.post_act": "mlp_neuron", "mlp.resid_delta": "mlp_out",
}  # fmt: skip
_OTHER = "the file belongs to another model"
_SEE = "see docs/reference/circuits.md, node masks"


def read_viz_data(path: Path, config: GptConfig) -> NodeMask:
    """Read the mask in a `viz_data.pt`, or in a file of its `circuit_data` alone.

    Raises:
        InputError: it is no such file, or one of another model.
    """
    nodes = _circuit_data(path)
    widths = node_widths(config)
    kept = {place: ~every for place, every in every_node(config).items()}
    for key, value in nodes.items():
        match = re.fullmatch(r"(\d{1,6})\.(\w+\.\w+)", str(key))
        where = f"{path}: circuit_data {key!r:.60}"
        if match is None or match[2] not in LOCATIONS or int(match[1]) >= config.n_layer:
            if not hasattr(value, "numel"):  # the release keeps its prune_config there too
                continue
            raise InputError(where, "is no place of this model", f"{_OTHER}, or is of a newer release")
        width = widths[LOCATIONS[match[2]]]
        indices = _indices(where, value, width)
        if len(indices) and not (indices.min() >= 0 and indices.max() < width):
            raise InputError(where, f"has a node outside 0 to {width - 1}", _OTHER)
        kept[int(match[1]), LOCATIONS[match[2]]][indices] = True
    means = {place: np.zeros(len(k), dtype=np.float32) for place, k in kept.items()}
    return NodeMask(kept, means, f"{path.name}, others at zero: it has no means")


def _circuit_data(path: Path) -> dict[object, object]:
    whole, _ = read_torch(path, MOST_BYTES, "give the release's viz_data.pt", _SEE)
    nodes = whole.get("circuit_data", whole) if isinstance(whole, dict) else None
    if not isinstance(nodes, dict) or not any(hasattr(v, "numel") for v in nodes.values()):
        raise InputError(str(path), 'has no "circuit_data" with the kept nodes by location', _SEE)
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
    if value.numel() > width:  # a tensor may claim to be longer than its file
        raise InputError(where, f"has {value.numel()} nodes of {width}", "list each node once")
    indices = value.numpy()
    return np.flatnonzero(indices) if indices.dtype == bool else indices.astype(np.int64)
