"""Small random checkpoints in the circuit_sparsity format, written to a temporary folder."""

import json

import numpy as np
import pytest

BASE = {
    "block_size": 6,
    "vocab_size": 7,
    "n_layer": 2,
    "n_head": 2,
    "d_model": 8,
    "d_mlp": 12,
    "tied_unembed": False,
}


def _random_state(config, rng):
    state = {}
    for name, shape in config.shapes().items():
        scale = 1.0 if len(shape) == 1 else 1.5 / np.sqrt(shape[-1])
        state[name] = (rng.normal(size=shape) * scale).astype(np.float32)
    if config.tied_unembed:
        state["lm_head.weight"] = state["transformer.wte.weight"]
    return state


@pytest.fixture
def checkpoint(tmp_path):
    """checkpoint(**config changes) -> (folder, config dict, state dict of numpy arrays)."""
    import torch
    from relucid.models.circuits.sparse_gpt.config import read_config

    torch.set_num_threads(1)
    made = 0

    def make(seed=0, **changes):
        nonlocal made
        made += 1
        folder = tmp_path / f"model{made}"
        folder.mkdir()
        values = {k: v for k, v in {**BASE, **changes}.items()}
        (folder / "beeg_config.json").write_text(json.dumps(values))
        state = _random_state(read_config(folder / "beeg_config.json"), np.random.default_rng(seed))
        torch.save({k: torch.from_numpy(v) for k, v in state.items()}, folder / "final_model.pt")
        (folder / "vocab.json").write_text(
            json.dumps({"tokens": [f"t{i}" for i in range(values["vocab_size"])]})
        )
        return folder, values, state

    return make
