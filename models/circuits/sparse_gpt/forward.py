"""The forward pass of a weight-sparse GPT over a state dict, as the circuit_sparsity release computes it.

After `config.py` and `checkpoint.py`.  One differentiable function with one hook, which sees the activations
at every node location right after their sparsity and may replace them.  Pruning, mean ablation and recording
activations are such hooks; without one the whole model runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .config import NORM_EPS, GptConfig

if TYPE_CHECKING:
    from torch import Tensor

NODE_LOCATIONS = ("attn_in", "attn_q", "attn_k", "attn_v", "attn_out", "mlp_in", "mlp_neuron", "mlp_out")
Hook = Callable[[int, str, "Tensor"], "Tensor"]


def node_widths(config: GptConfig) -> dict[str, int]:
    """Return how many nodes each location of a layer has."""
    heads, model, read = config.d_heads, config.d_model, config.d_model_in
    return dict(
        zip(NODE_LOCATIONS, (read, heads, heads, heads, model, read, config.d_mlp, model), strict=True)
    )


def forward(
    config: GptConfig,
    weights: Mapping[str, Tensor],
    ids: Tensor,
    at: Hook | None = None,
    last_only: bool = False,
) -> Tensor:
    """Run the model.

    Args:
        config: the model's configuration.
        weights: its tensors by name.
        ids: token ids (batch, positions).
        at: called as `at(layer, location, activations)` at every node location; its answer replaces the
            activations.
        last_only: compute the last position alone.  In the last layer, earlier positions then only give keys
            and values.

    Returns: logits (batch, positions or 1, vocabulary).
    """
    import torch
    import torch.nn.functional as F

    def sparse(layer: int, location: str, x: Tensor) -> Tensor:
        keep = config.keeps(location, x.shape[-1])
        if keep is not None:
            _, kept = torch.topk(x.abs(), keep, dim=-1, sorted=False)
            x = torch.zeros_like(x).scatter(-1, kept, x.gather(-1, kept))
        return at(layer, location, x) if at is not None and location in NODE_LOCATIONS else x

    def norm(name: str, x: Tensor) -> Tensor:
        weight = weights[name + ".weight"]
        if config.rms_norm:
            return F.rms_norm(x, (x.shape[-1],), weight)
        return F.layer_norm(x, (x.shape[-1],), weight, weights.get(name + ".bias"), NORM_EPS)

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, weights[name + ".weight"], weights.get(name + ".bias"))

    batch, positions = ids.shape
    embedded_positions = weights["transformer.wpe.weight"][:positions].unsqueeze(0)
    x = F.embedding(ids, weights["transformer.wte.weight"])
    if config.d_pos_emb is None:
        x = x + embedded_positions
    residual = torch.relu if config.residual_activation_type == "relu" else (lambda x: x)
    activation = torch.relu if config.activation_type == "relu" else F.gelu
    future = torch.ones(positions, positions, dtype=torch.bool, device=ids.device).triu(1)

    def read(norm_name: str, position_norm: str, x: Tensor) -> Tensor:
        """Normalise what a sublayer reads: the residual stream and a concatenated position embedding."""
        x = norm(norm_name, x)
        if config.d_pos_emb is None:
            return x
        tail = norm(position_norm, embedded_positions[:, -x.shape[1] :])
        return torch.cat([x, tail.expand(len(x), -1, -1)], dim=-1)

    def split_heads(x: Tensor) -> Tensor:
        return x.reshape(batch, -1, config.n_head, config.d_head).transpose(1, 2)

    for i in range(config.n_layer):
        name = f"transformer.h.{i}."
        only = last_only and i == config.n_layer - 1
        heads = linear(name + "attn.c_attn", sparse(i, "attn_in", read(name + "ln_1", name + "ln_p1", x)))
        query, key, value = heads.split(config.d_heads, dim=-1)  # type: ignore[no-untyped-call]
        if only:
            query, x, future = query[:, -1:], x[:, -1:], future[-1:]
        key = split_heads(sparse(i, "attn_k", key))
        query = split_heads(sparse(i, "attn_q", query))
        value = split_heads(sparse(i, "attn_v", value))
        scores = (query @ key.transpose(-2, -1)) * (1.0 / math.sqrt(config.d_head))
        scores = scores.masked_fill(future, -math.inf)
        if config.sink:  # one more slot to attend to, with a learnt logit and value zero
            sink = (
                weights[name + "attn.attn_imp.sink_logit"]
                .view(1, -1, 1, 1)
                .expand(batch, config.n_head, scores.shape[2], 1)
            )
            attention = torch.softmax(torch.cat([sink, scores], dim=-1), dim=-1)[..., 1:]
        else:
            attention = torch.softmax(scores, dim=-1)
        mixed = (attention @ value).transpose(1, 2).reshape(batch, -1, config.d_heads)
        x = residual(x + sparse(i, "attn_out", linear(name + "attn.c_proj", mixed)))
        x = sparse(i, "resid_post_attn", x)
        hidden = activation(
            linear(name + "mlp.c_fc", sparse(i, "mlp_in", read(name + "ln_2", name + "ln_p2", x)))
        )
        x = residual(x + sparse(i, "mlp_out", linear(name + "mlp.c_proj", sparse(i, "mlp_neuron", hidden))))
        x = sparse(i, "resid_post_mlp", x)

    tokens = ids
    if last_only:  # also if there is no layer, which would have done it
        x, tokens = x[:, -1:], ids[:, -1:]
    logits = F.linear(norm("transformer.ln_f", x), weights["lm_head.weight"]) + weights["final_logits_bias"]
    return logits + F.embedding(tokens, weights["bigram_table"]) if config.enable_bigram_table else logits
