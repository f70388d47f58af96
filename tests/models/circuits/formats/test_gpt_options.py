"""Every option of the format against a second implementation: float64, one position and one head
at a time.
"""

import math

import numpy as np
import pytest
from relucid.models.circuits.sparse_gpt.config import SPARSITY_LOCATIONS, GptConfig
from relucid.models.circuits.sparse_gpt.mask import NodeMask
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt


class Reference:
    def __init__(self, config, state, ablate=None):
        self.c = config
        self.w = {k: v.astype(np.float64) for k, v in state.items()}
        self.ablate = ablate or {}  # (layer, location, node) -> value

    def top(self, layer, where, vector):
        vector = vector.copy()
        frac = self.c.get("afrac")
        if frac is not None and where in self.c.get(
            "afrac_loctypes", "attn_in,attn_out,mlp_in,mlp_out"
        ).split(","):
            keep = int(frac * len(vector))
            for k in np.argsort(-np.abs(vector), kind="stable")[keep:]:
                vector[k] = 0.0
        for (i, place, node), value in self.ablate.items():
            if (i, place) == (layer, where):
                vector[node] = value
        return vector

    def norm(self, name, v):
        if self.c.get("rms_norm"):
            return v / math.sqrt(np.mean(v * v) + np.finfo(np.float32).eps) * self.w[name + ".weight"]
        out = (v - v.mean()) / math.sqrt(v.var() + 1e-5) * self.w[name + ".weight"]
        return out + self.w[name + ".bias"] if self.c.get("ln_bias", True) else out

    def linear(self, name, v):
        out = self.w[name + ".weight"] @ v
        return out + self.w[name + ".bias"] if self.c.get("bias", True) else out

    def act(self, v):
        if self.c.get("activation_type", "gelu") == "relu":
            return np.array([max(0.0, x) for x in v])
        return np.array([0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in v])

    def residual(self, v):
        return np.maximum(v, 0) if self.c.get("residual_activation_type") == "relu" else v

    def run(self, ids):
        c, w, n = self.c, self.w, len(ids)
        pos = [w["transformer.wpe.weight"][t] for t in range(n)]
        cat = c.get("d_pos_emb") is not None
        xs = [w["transformer.wte.weight"][i] + (0 if cat else pos[t]) for t, i in enumerate(ids)]
        d = c.get("d_head") or c["d_model"] // c["n_head"]
        width = d * c["n_head"]
        for layer in range(c["n_layer"]):
            h = f"transformer.h.{layer}."

            def read(ln, lp, v, t, h=h):
                v = self.norm(h + ln, v)
                return np.concatenate([v, self.norm(h + lp, pos[t])]) if cat else v

            q, k, v = [], [], []
            for t in range(n):
                out = self.linear(
                    h + "attn.c_attn", self.top(layer, "attn_in", read("ln_1", "ln_p1", xs[t], t))
                )
                q.append(self.top(layer, "attn_q", out[:width]))
                k.append(self.top(layer, "attn_k", out[width : 2 * width]))
                v.append(self.top(layer, "attn_v", out[2 * width :]))
            for t in range(n):
                heads = []
                for a in range(c["n_head"]):
                    part = slice(a * d, (a + 1) * d)
                    weights = [math.exp(q[t][part] @ k[s][part] / math.sqrt(d)) for s in range(t + 1)]
                    total = sum(weights) + (
                        math.exp(w[h + "attn.attn_imp.sink_logit"][a]) if c.get("sink") else 0
                    )
                    heads.append(sum(weights[s] * v[s][part] for s in range(t + 1)) / total)
                out = self.top(layer, "attn_out", self.linear(h + "attn.c_proj", np.concatenate(heads)))
                x = self.top(layer, "resid_post_attn", self.residual(xs[t] + out))
                hidden = self.act(
                    self.linear(h + "mlp.c_fc", self.top(layer, "mlp_in", read("ln_2", "ln_p2", x, t)))
                )
                out = self.top(
                    layer, "mlp_out", self.linear(h + "mlp.c_proj", self.top(layer, "mlp_neuron", hidden))
                )
                xs[t] = self.top(layer, "resid_post_mlp", self.residual(x + out))
        logits = []
        for t, x in enumerate(xs):
            y = w["lm_head.weight"] @ self.norm("transformer.ln_f", x) + w["final_logits_bias"]
            logits.append(y + w["bigram_table"][ids[t]] if c.get("enable_bigram_table") else y)
        return np.array(logits)


ALL_LOCATIONS = {"afrac": 0.6, "afrac_loctypes": ",".join(SPARSITY_LOCATIONS), "sink": True, "rms_norm": True}
ALL_RELU = {"activation_type": "relu", "residual_activation_type": "relu"}
OPTIONS = {
    "defaults_of_the_release": {},
    "relu": {"activation_type": "relu"},
    "tied": {"tied_unembed": True},
    "rms_norm": {"rms_norm": True},
    "no_biases": {"bias": False, "ln_bias": False},
    "sink": {"sink": True},
    "bigram": {"enable_bigram_table": True, "learnable_bigram_table": True},
    "residual_relu": {"residual_activation_type": "relu"},
    "cat_pos_emb": {"d_pos_emb": 4},
    "cat_pos_emb_rms_sparse": {"d_pos_emb": 5, "rms_norm": True, "afrac": 0.4},
    "wide_heads": {"d_head": 6, "d_mlp": None},
    "one_layer_one_head": {"n_layer": 1, "n_head": 1},
    "afrac_default_locations": {"afrac": 0.5},
    "afrac_one": {"afrac": 1, "afrac_loctypes": "mlp_in"},
    "afrac_zero": {"afrac": 0.0, "afrac_loctypes": "mlp_out"},
    "everything": {**ALL_LOCATIONS, **ALL_RELU, "enable_bigram_table": True, "d_pos_emb": 4},
    **{f"afrac_{place}": {"afrac": 0.5, "afrac_loctypes": place} for place in SPARSITY_LOCATIONS},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_option_agrees_with_the_loop(option, checkpoint):
    folder, config, state = checkpoint(seed=len(option), **OPTIONS[option])
    circuit = read_sparse_gpt(folder)
    ids = np.random.default_rng(1).integers(0, config["vocab_size"], size=(5, config["block_size"]))
    expected = np.array([Reference(config, state).run(row) for row in ids])
    assert np.abs(circuit.all_logits(ids) - expected).max() < 1e-4
    assert np.abs(circuit.logits(ids) - expected[:, -1]).max() < 1e-4, "the last position alone"
    short = ids[:, :3]
    assert (
        np.abs(
            circuit.logits(short) - np.array([Reference(config, state).run(row)[-1] for row in short])
        ).max()
        < 1e-4
    )


def test_options_differ_from_each_other(checkpoint):
    """Else the comparison above could not see an option that is ignored."""
    _, config, state = checkpoint(**ALL_LOCATIONS, enable_bigram_table=True)
    ids = np.arange(6) % config["vocab_size"]
    whole = Reference(config, state).run(ids)
    changes = {"rms_norm": False, "sink": False, "enable_bigram_table": False, **ALL_RELU}
    state |= {k.replace(".weight", ".bias"): np.zeros_like(v) for k, v in state.items() if "ln_" in k}
    for name, value in changes.items():
        assert np.abs(Reference({**config, name: value}, state).run(ids) - whole).max() > 1e-2, name
    dense = Reference({**config, "afrac": None}, state).run(ids)
    for place in SPARSITY_LOCATIONS:
        assert np.abs(Reference({**config, "afrac_loctypes": place}, state).run(ids) - dense).max() > 1e-2, (
            place
        )


@pytest.mark.parametrize("changes", [{"sink": True}, ALL_LOCATIONS, {"d_pos_emb": 3}])
def test_mean_ablation_agrees_with_the_loop(changes, checkpoint):
    folder, config, state = checkpoint(seed=5, **changes)
    model = read_sparse_gpt(folder)
    rng = np.random.default_rng(2)
    kept, means, ablate = {}, {}, {}
    from relucid.models.circuits.sparse_gpt.forward import node_widths

    for i in range(config["n_layer"]):
        for place, width in node_widths(model.config).items():
            kept[i, place] = rng.random(width) < 0.6
            means[i, place] = np.where(kept[i, place], 0, rng.normal(size=width)).astype(np.float32)
            ablate |= {(i, place, int(k)): float(means[i, place][k]) for k in np.flatnonzero(~kept[i, place])}
    assert ablate
    NodeMask(kept, means).write(folder / "some.mask.json")
    ids = rng.integers(0, config["vocab_size"], size=(4, 6))
    expected = np.array([Reference(config, state, ablate).run(row) for row in ids])
    assert np.abs(read_sparse_gpt(folder, folder / "some.mask.json").all_logits(ids) - expected).max() < 1e-4
    assert np.abs(model.all_logits(ids) - expected).max() > 1e-2


def test_half_precision_weights_are_read(checkpoint):
    import torch

    folder, config, state = checkpoint()
    torch.save({k: torch.from_numpy(v).half() for k, v in state.items()}, folder / "final_model.pt")
    rounded = {k: v.astype(np.float16) for k, v in state.items()}
    ids = np.array([[0, 1, 2, 3]])
    assert (
        np.abs(read_sparse_gpt(folder).logits(ids)[0] - Reference(config, rounded).run(ids[0])[-1]).max()
        < 1e-4
    )


def test_older_names_and_files_of_the_release(checkpoint):
    """n_mlp for d_mlp, no final_logits_bias, a tied matrix stored once, causal masks among the tensors."""
    import json

    import torch

    folder, config, state = checkpoint(tied_unembed=True)
    state["final_logits_bias"][:] = 0
    kept = {
        k: torch.from_numpy(v) for k, v in state.items() if k not in ("final_logits_bias", "lm_head.weight")
    }
    for i in range(2):
        kept[f"transformer.h.{i}.attn.bias"] = torch.ones(6, 6).tril().view(1, 1, 6, 6)
    torch.save(kept, folder / "final_model.pt")
    old = {**config, "n_mlp": config["d_mlp"], "use_tied_aux_matrix": False}
    del old["d_mlp"]
    (folder / "beeg_config.json").write_text(json.dumps(old))
    ids = np.array([[3, 1, 2, 6, 0]])
    assert (
        np.abs(read_sparse_gpt(folder).all_logits(ids)[0] - Reference(config, state).run(ids[0])).max() < 1e-4
    )


def test_config_defaults_are_those_of_the_release():
    config = GptConfig(block_size=4, vocab_size=5, n_layer=1, n_head=2, d_model=8)
    assert (config.d_head, config.d_mlp, config.tied_unembed, config.bias, config.ln_bias) == (
        4,
        32,
        True,
        True,
        True,
    )
    assert config.sparse_locations == frozenset() and not config.sink and not config.rms_norm
