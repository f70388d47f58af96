"""Training the gates of a node mask: one gate per node, Heaviside forwards, a sigmoid's slope backwards.

Under `node_masks.py`, which decides how much an open gate costs and which of the masks on the way are good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .circuit_sparsity import SparseGpt
from .gpt import forward

Place = tuple[int, str]
Kept = dict[Place, np.ndarray]  # per layer and location, which nodes stay
RATE, TEMPERATURE = 0.03, 1.0
START = (0.1, 2.0)  # spread, so that gates close one after the other and the loss can hold on to those it needs
LOOK = 10  # steps between two looks at the mask


@dataclass(frozen=True, eq=False)
class Gates:
    """What is trained on: a model without the edges that are cut, inputs, what stands in for a closed node, which gates there are, and `of` how many
    nodes the open ones are a share."""

    model: SparseGpt
    ids: np.ndarray
    columns: np.ndarray
    means: dict[Place, np.ndarray]
    within: Kept
    of: int
    batch: int
    seed: int

    def train(self, k: float, right: np.ndarray, steps: int) -> Iterator[tuple[int, Kept]]:
        """Masks on the way to a small task loss plus k times the share of open gates: gates flicker, so a good one may not be the last."""
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        logits = {p: torch.empty(len(m)).uniform_(*START, generator=generator).requires_grad_() for p, m in self.means.items()}
        means = {p: torch.from_numpy(m) for p, m in self.means.items()}
        within = {p: torch.from_numpy(w).float() for p, w in self.within.items()}
        optimizer = torch.optim.Adam(logits.values(), lr=RATE)
        ids, targets, columns = torch.from_numpy(self.ids), torch.from_numpy(right), torch.from_numpy(self.columns)
        heaviside = _heaviside()

        def at(layer: int, location: str, x: torch.Tensor) -> torch.Tensor:
            gate = gates[layer, location]
            return x * gate + means[layer, location] * (1 - gate)

        for step in range(steps):
            gates = {p: heaviside(g) * within[p] for p, g in logits.items()}
            rows = torch.randint(len(ids), (self.batch,), generator=generator)
            out = forward(self.model.config, self.model.effective, ids[rows], at, last_only=True)[:, 0][:, columns]
            share = torch.stack([g.sum() for g in gates.values()]).sum() / self.of
            loss = torch.nn.functional.cross_entropy(out, targets[rows]) + k * share
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % LOOK == LOOK - 1 or step == steps - 1:
                yield step + 1, {p: (g.detach() > 0).numpy() & self.within[p] for p, g in logits.items()}


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
