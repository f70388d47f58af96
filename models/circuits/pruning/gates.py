"""Train the gates of a node mask: one gate per node, a Heaviside step forwards, a sigmoid's slope backwards.

`node_masks.py` decides how much an open gate costs and which of the masks on the way are good.
Source: Gao et al., "Weight-sparse transformers have interpretable circuits" (2025), pruning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....common.deadline import check
from ..examples import Examples
from ..sparse_gpt.forward import forward
from ..sparse_gpt.mask import Kept
from ..sparse_gpt.model import SparseGpt
from .means import Means

if TYPE_CHECKING:
    from torch import Tensor

RATE, TEMPERATURE = 0.03, 1.0
START = (
    0.1,
    2.0,
)  # spread, so that gates close one after the other and the loss can hold on to those it needs
LOOK = 10  # steps between two looks at the mask


@dataclass(frozen=True, eq=False)
class NodeGates:
    """What is trained on.

    Args:
        model: without the edges that are cut.
        examples: inputs with right labels.
        means: what stands in for a closed node.
        within: the nodes that have a gate; the others are closed.
        nodes: the number of nodes that the cost of open gates is a share of.
        batch: inputs of one step.
        seed: of everything random.
    """

    model: SparseGpt
    examples: Examples
    means: Means
    within: Kept
    nodes: int
    batch: int
    seed: int

    def train(self, k: float, right: np.ndarray, steps: int) -> Iterator[tuple[int, Kept]]:
        """Train for a small task loss plus k times the share of open gates.

        Args:
            k: the cost of all gates.
            right: label indices (n,), in place of those of the examples.
            steps: of training.

        Returns: now and then, the number of steps so far and the nodes whose gates are open.  Gates flicker,
            so that a good mask may not be the last.
        """
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        weights = {name: w.to(device) for name, w in self.model.effective.items()}
        generator = torch.Generator().manual_seed(self.seed)  # on the CPU: the same numbers on every device
        # All gates are one vector, place after place: the number of small operations is what a step costs.
        places = list(self.means)
        widths = [len(self.means[p]) for p in places]
        means = torch.from_numpy(np.concatenate([self.means[p] for p in places])).to(device)
        within = torch.from_numpy(np.concatenate([self.within[p] for p in places])).to(device)
        logits = torch.empty(len(means)).uniform_(*START, generator=generator).to(device).requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=RATE)
        ids, targets, columns = (
            torch.from_numpy(a).to(device) for a in (self.examples.ids, right, self.examples.columns)
        )
        heaviside = _heaviside()

        def at(layer: int, location: str, x: Tensor) -> Tensor:
            gate, instead = hooks[layer, location]
            return torch.addcmul(instead, x, gate)

        for step in range(steps):
            check()
            gates = heaviside(logits) * within
            split = zip(gates.split(widths), (means * (1 - gates)).split(widths), strict=True)
            hooks = dict(zip(places, split, strict=True))
            rows = torch.randint(len(ids), (self.batch,), generator=generator).to(device)
            out = forward(self.model.config, weights, ids[rows], at, last_only=True)[:, 0][:, columns]
            loss = torch.nn.functional.cross_entropy(out, targets[rows]) + k * gates.sum() / max(
                1, self.nodes
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % LOOK == LOOK - 1 or step == steps - 1:
                opened = np.split((logits.detach() > 0).cpu().numpy(), np.cumsum(widths)[:-1])
                yield step + 1, {p: o & self.within[p] for p, o in zip(places, opened, strict=True)}


def _heaviside() -> Any:
    """Return a function that is a step forwards and a sigmoid backwards."""
    import torch

    class Heaviside(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logit: Tensor) -> Tensor:
            ctx.save_for_backward(logit)
            return (logit > 0).to(logit.dtype)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            (logit,) = ctx.saved_tensors
            s = torch.sigmoid(logit / TEMPERATURE)
            return gradient * s * (1 - s) / TEMPERATURE

    return Heaviside.apply
