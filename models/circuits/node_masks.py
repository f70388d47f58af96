"""Cutting a task's circuit out of a model with trained node masks, as Gao et al. (2025) do, then edge by edge.

Each node has a gate: open where its logit is above zero (Heaviside), with a sigmoid's gradient in training.  The loss is the task's plus k times the
share of open gates; bisection finds the largest k whose circuit still reaches the target loss and decides every input as the model does.
Then single edges between kept nodes go, as long as the decisions stay.  `prune.py` is the older, greedy way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .circuit_sparsity import SparseGpt
from .edges import edges, ends
from .gpt import forward
from .mask import Cut, NodeMask
from .prune import activation_means, margins

if TYPE_CHECKING:
    import torch

Place = tuple[int, str]
RATE, TEMPERATURE = 0.03, 1.0
START = (0.1, 2.0)  # spread, so that gates close one after the other and the loss can hold on to those it needs
LARGEST_K, SMALLEST_K = 30.0, 0.01
LOOK = 10  # steps between two looks at the mask
TRIED = 1024  # inputs on which a trial is judged before the whole domain is asked


@dataclass(frozen=True)
class Settings:
    """`target_loss`: cross-entropy over the labels that the circuit may have; `margin`: by how much each decision must lead."""

    target_loss: float = 0.15
    margin: float = 0.2
    steps: int = 200
    batch: int = 64
    bisections: int = 5
    ablation: str = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ablation not in ("mean", "zero"):
            raise InputError("--ablation", f"{self.ablation!r} is neither mean nor zero", "choose one")
        if not 0 < self.target_loss < math.inf:
            raise InputError("--target-loss", f"{self.target_loss} is not above 0", "give a cross-entropy, such as 0.15")


@dataclass(frozen=True)
class Pruning:
    """The mask, and what to think of it: losses are cross-entropies over the labels; the control had random labels."""

    mask: NodeMask
    model_loss: float
    loss: float
    k: float
    control_nodes: int
    control_accuracy: float


def prune_nodes(
    model: SparseGpt,
    ids: np.ndarray,
    right: np.ndarray,
    columns: np.ndarray,
    settings: Settings,
    say: Callable[[str], None] = lambda text: None,
) -> Pruning:
    """A mask under which every input of `ids` is still decided as `right` (indices into `columns`); InputError where the model itself is wrong."""
    settings = replace(settings, margin=min(settings.margin, float(margins(model, ids, right, columns).min()) / 2))
    if settings.margin <= 0:
        wrong = int((margins(model, ids, right, columns) <= 0).sum())
        raise InputError(model.name, f"decides {wrong} of {len(ids)} inputs wrongly", "prune a model that has learnt the task")
    means = activation_means(model, ids)
    if settings.ablation == "zero":
        means = {place: np.zeros_like(m) for place, m in means.items()}
    model_loss = task_loss(model, ids, right, columns)
    job = _Job(model, ids, right, columns, means, settings)
    whole = job.mask({place: np.ones(len(m), dtype=bool) for place, m in means.items()})
    best, best_k = whole, 0.0
    low, high = math.log(SMALLEST_K), math.log(LARGEST_K)
    for i in range(settings.bisections):
        k, reached = math.exp((low + high) / 2), False

        for step, mask in job.train(k, right):
            say(f"masks {i + 1} of {settings.bisections}, k = {k:.3g}: step {step}, {best.nodes_kept} nodes so far")
            if (mask.nodes_kept < best.nodes_kept or step == settings.steps) and job.good(mask):
                reached = reached or step > settings.steps // 2
                if mask.nodes_kept < best.nodes_kept:
                    best, best_k = mask, k
        low, high = (math.log(k), high) if reached else (low, math.log(k))
    best = job.without_idle_nodes(job.without_edges(best, say), say)
    rng = np.random.default_rng(settings.seed)
    control_right = rng.permutation(right)
    say("control: the same pruning on random labels")
    *_, (_, control) = job.train(best_k or 1.0, control_right)
    decided = job.circuit(control).logits(ids)[:, columns].argmax(axis=1)
    loss = task_loss(job.circuit(best), ids, right, columns)
    return Pruning(best, model_loss, loss, best_k, control.nodes_kept, float((decided == control_right).mean()))


def task_loss(model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray) -> float:
    """Mean cross-entropy over the labels at the last position."""
    logits = model.logits(ids)[:, columns].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids)), right]).mean())


@dataclass(frozen=True, eq=False)
class _Job:
    model: SparseGpt
    ids: np.ndarray
    right: np.ndarray
    columns: np.ndarray
    means: dict[Place, np.ndarray]
    settings: Settings

    def mask(self, kept: dict[Place, np.ndarray], cut: frozenset[Cut] = frozenset()) -> NodeMask:
        means = {p: np.where(k, np.float32(0), self.means[p]) for p, k in kept.items()}
        return NodeMask(kept, means, "", self.model.weights_sha256, cut)

    def circuit(self, mask: NodeMask) -> SparseGpt:
        return replace(self.model, mask=mask)

    def good(self, mask: NodeMask) -> bool:
        """Whether the circuit decides every input by the margin, at the target loss; a part of the inputs is asked first."""
        circuit = self.circuit(mask)
        step = max(1, len(self.ids) // TRIED)
        for rows in (slice(None, None, step), slice(None))[step == 1 :]:
            ids, right = self.ids[rows], self.right[rows]
            if margins(circuit, ids, right, self.columns).min() < self.settings.margin:
                return False
        return task_loss(circuit, self.ids, self.right, self.columns) <= self.settings.target_loss

    def train(self, k: float, right: np.ndarray) -> Iterator[tuple[int, NodeMask]]:
        """The masks that training with this k goes through, every few steps and at the end: gates flicker, so a good one may not be the last."""
        import torch

        settings, config = self.settings, self.model.config
        generator = torch.Generator().manual_seed(settings.seed)
        gates = {p: torch.empty(len(m)).uniform_(*START, generator=generator).requires_grad_() for p, m in self.means.items()}
        means = {p: torch.from_numpy(m) for p, m in self.means.items()}
        optimizer = torch.optim.Adam(gates.values(), lr=RATE)
        total = sum(len(m) for m in self.means.values())
        ids, targets, columns = torch.from_numpy(self.ids), torch.from_numpy(right), torch.from_numpy(self.columns)
        heaviside = _heaviside()

        def at(layer: int, location: str, x: torch.Tensor) -> torch.Tensor:
            gate = open_gates[layer, location]
            return x * gate + means[layer, location] * (1 - gate)

        for step in range(settings.steps):
            open_gates = {p: heaviside(g) for p, g in gates.items()}
            rows = torch.randint(len(ids), (settings.batch,), generator=generator)
            logits = forward(config, self.model.weights, ids[rows], at, last_only=True)[:, 0][:, columns]
            share = torch.stack([g.sum() for g in open_gates.values()]).sum() / total
            loss = torch.nn.functional.cross_entropy(logits, targets[rows]) + k * share
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % LOOK == LOOK - 1 or step == settings.steps - 1:
                yield step + 1, self.mask({p: (g.detach() > 0).numpy() for p, g in gates.items()})

    def without_edges(self, mask: NodeMask, say: Callable[[str], None]) -> NodeMask:
        """Edges between kept nodes, weakest first, go one by one while every decision stays."""
        listed = sorted(edges(self.model.config, self.model.weights, mask), key=lambda e: abs(e[1]))
        for i, (edge, _) in enumerate(listed):
            tried = self.mask(mask.kept, mask.cut | {edge})
            if self.good(tried):
                mask = tried
            say(f"edges: {i + 1} of {len(listed)} tried, {len(mask.cut)} removed")
        return mask

    def without_idle_nodes(self, mask: NodeMask, say: Callable[[str], None]) -> NodeMask:
        """Kept nodes that no kept edge touches go too, where the decisions stay."""
        config = self.model.config
        touched = {end for edge, _ in edges(config, self.model.weights, mask) for end in ends(config, edge)}
        for place, kept in mask.kept.items():
            for node in np.flatnonzero(kept):
                if (*place, int(node)) not in touched:
                    fewer = {p: k.copy() for p, k in mask.kept.items()}
                    fewer[place][node] = False
                    tried = self.mask(fewer, mask.cut)
                    if self.good(tried):
                        mask = tried
        say(f"{mask.nodes_kept} nodes left")
        return mask


def trained_mask(
    model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, k: float, settings: Settings, say: Callable[[int], None]
) -> NodeMask:
    """The mask at the end of one training with this k, whatever it decides: what the control of `show` compares (`control.py`)."""
    for step, mask in _Job(model, ids, right, columns, activation_means(model, ids), settings).train(k, right):  # noqa: B007
        say(step)
    return mask


def _heaviside() -> Any:
    """A step forwards, a sigmoid backwards."""
    import torch

    class Heaviside(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logit: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(logit)
            return (logit > 0).to(logit.dtype)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            (logit,) = ctx.saved_tensors
            s = torch.sigmoid(logit / TEMPERATURE)
            return gradient * s * (1 - s) / TEMPERATURE

    return Heaviside.apply
