"""Training the gates of a node mask: one gate per node, Heaviside forwards, a sigmoid's slope backwards.

Under `node_masks.py`, which decides how much an open gate costs and which of the masks on the way are good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....common.deadline import check
from ..formats.circuit_sparsity import SparseGpt
from ..formats.gpt import forward

Place = tuple[int, str]
Kept = dict[Place, np.ndarray]  # per layer and location, which nodes stay
RATE, TEMPERATURE = 0.03, 1.0
START = (
    0.1,
    2.0,
)  # spread, so that gates close one after the other and the loss can hold on to those it needs
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

        device = "cuda" if torch.cuda.is_available() else "cpu"
        weights = {name: w.to(device) for name, w in self.model.effective.items()}
        generator = torch.Generator().manual_seed(
            self.seed
        )  # on the CPU: the same numbers whatever the device
        places = list(
            self.means
        )  # all gates in one vector, place after place: a step is many small operations, and their number is what it costs
        widths = [len(self.means[p]) for p in places]
        means = torch.from_numpy(np.concatenate([self.means[p] for p in places])).to(device)
        within = torch.from_numpy(np.concatenate([self.within[p] for p in places])).to(device)
        logits = torch.empty(len(means)).uniform_(*START, generator=generator).to(device).requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=RATE)
        ids, targets, columns = (torch.from_numpy(a).to(device) for a in (self.ids, right, self.columns))
        heaviside = _heaviside()

        def at(layer: int, location: str, x: torch.Tensor) -> torch.Tensor:
            gate, instead = hooks[layer, location]
            return torch.addcmul(instead, x, gate)

        for step in range(steps):
            check()
            gates = heaviside(logits) * within
            hooks = dict(
                zip(
                    places,
                    zip(gates.split(widths), (means * (1 - gates)).split(widths), strict=True),
                    strict=True,
                )
            )
            rows = torch.randint(len(ids), (self.batch,), generator=generator).to(device)
            out = forward(self.model.config, weights, ids[rows], at, last_only=True)[:, 0][:, columns]
            loss = torch.nn.functional.cross_entropy(out, targets[rows]) + k * gates.sum() / max(1, self.of)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % LOOK == LOOK - 1 or step == steps - 1:
                kept = np.split((logits.detach() > 0).cpu().numpy(), np.cumsum(widths)[:-1])
                yield step + 1, {p: k & self.within[p] for p, k in zip(places, kept, strict=True)}


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
