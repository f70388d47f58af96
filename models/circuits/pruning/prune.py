"""Pruning a model to a node mask that decides one task like the whole model: how the shipped masks were made.

Greedy, with mean ablation: nodes that matter least go first, and a removal stays only where every input is still decided
with a margin.  Most removals are tried on a sample; what the whole domain then shows to be wrong joins the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..circuit import checked_ids
from ..formats.circuit_sparsity import SparseGpt
from ..formats.gpt import forward, node_widths
from .mask import NodeMask

Node = tuple[int, str, int]


def activation_means(model: SparseGpt, batches: Iterable[np.ndarray]) -> dict[tuple[int, str], np.ndarray]:
    """Each node's mean over inputs and positions, in the whole model; a batch is of one length."""
    import torch

    sums: dict[tuple[int, str], np.ndarray] = {}
    seen = 0

    def record(layer: int, location: str, x: torch.Tensor) -> torch.Tensor:
        sums[layer, location] = sums.get((layer, location), 0) + x.double().sum(dim=(0, 1)).numpy()
        return x

    with torch.inference_mode():
        for ids in batches:
            seen += ids.size
            for start in range(0, len(ids), 4096):
                rows = checked_ids(
                    model.name, ids[start : start + 4096], model.config.block_size, model.config.vocab_size
                )
                forward(model.config, model.weights, torch.from_numpy(rows), record)
    return {place: (total / seen).astype(np.float32) for place, total in sums.items()}


def importance(
    model: SparseGpt,
    ids: np.ndarray,
    right: np.ndarray,
    columns: np.ndarray,
    means: dict[tuple[int, str], np.ndarray],
) -> dict[Node, float]:
    """First-order estimate of what mean-ablating each node does to the margins: mean |gradient x (activation - mean)|."""
    import torch

    seen: dict[tuple[int, str], torch.Tensor] = {}

    def record(layer: int, location: str, x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_() if not x.requires_grad else x
        x.retain_grad()
        seen[layer, location] = x
        return x

    logits = forward(model.config, model.weights, torch.from_numpy(ids), record)[:, -1][
        :, torch.from_numpy(columns)
    ]
    rows = torch.arange(len(ids))
    chosen = torch.from_numpy(right)
    others = (
        logits.masked_fill(torch.nn.functional.one_hot(chosen, len(columns)).bool(), -torch.inf)
        .max(dim=1)
        .values
    )
    (logits[rows, chosen] - others).sum().backward()
    out: dict[Node, float] = {}
    for (layer, location), x in seen.items():
        gradient = torch.zeros_like(x) if x.grad is None else x.grad
        effect = (gradient * (x - torch.from_numpy(means[layer, location]))).sum(dim=1).abs().mean(dim=0)
        out.update({(layer, location, k): float(e) for k, e in enumerate(effect.detach())})
    return out


def prune(
    model: SparseGpt,
    ids: np.ndarray,
    right: np.ndarray,
    columns: np.ndarray,
    *,
    margin: float,
    seed: int = 0,
    sample: int = 1024,
    origin: str = "",
    say: Callable[[str], None] = lambda text: None,
) -> NodeMask:
    """A mask under which `right` (label indices into `columns`) is ahead by `margin` on all of `ids`.

    Passes over the nodes until one removes nothing.  Raises ValueError where the whole model itself does not reach the margin.
    """
    rng = np.random.default_rng(seed)
    means = activation_means(model, [ids])
    widths = node_widths(model.config)
    kept = {
        (i, location): np.ones(width, dtype=bool)
        for i in range(model.config.n_layer)
        for location, width in widths.items()
    }

    def build() -> NodeMask:
        return NodeMask({p: k.copy() for p, k in kept.items()}, {p: np.where(kept[p], np.float32(0), means[p]) for p in kept},
                        origin, model.weights_sha256)  # fmt: skip

    def wrong(rows: np.ndarray) -> np.ndarray:
        gaps = margins(
            SparseGpt("", model.vocabulary, model.config, model.weights, mask=build()),
            ids[rows],
            right[rows],
            columns,
        )
        return rows[gaps < margin]

    everything = np.arange(len(ids))
    if len(wrong(everything)):
        raise ValueError(f"the whole model does not decide every input by a margin of {margin}")
    watched = rng.permutation(len(ids))[:sample]
    effects = importance(model, ids[watched], right[watched], columns, means)
    order = sorted(effects, key=lambda node: (effects[node], node))
    while True:
        before = sum(int(k.sum()) for k in kept.values())
        unchecked: list[Node] = []

        def settle() -> None:
            """Undo removals since the last check, newest first, until the whole domain is right again."""
            nonlocal watched
            bad = wrong(everything)
            if len(bad):
                watched = np.concatenate([watched, rng.permutation(bad)[:256]])
            while len(bad):
                layer, location, k = unchecked.pop()  # noqa: B023 (called within this pass only)
                kept[layer, location][k] = True
                if not len(wrong(watched)):
                    bad = wrong(everything)
                    watched = np.concatenate([watched, bad[:256]])
            unchecked.clear()  # noqa: B023

        for layer, location, k in order:
            if not kept[layer, location][k]:
                continue
            kept[layer, location][k] = False
            if len(wrong(watched)):
                kept[layer, location][k] = True
                continue
            unchecked.append((layer, location, k))
            if len(unchecked) >= 16:
                settle()
        settle()
        after = sum(int(k.sum()) for k in kept.values())
        say(f"{after} nodes left")
        if after == before:
            return build()


def margins(model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """By how much the right label leads the best other one, per input (negative: it is wrong)."""
    return lead_of(model.logits(ids)[:, columns].astype(np.float64), right)


def lead_of(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`margins`, of logits over the labels alone."""
    others, rows = logits.copy(), np.arange(len(logits))
    others[rows, right] = -np.inf
    return logits[rows, right] - others.max(axis=1)
