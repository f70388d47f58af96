"""Fine-tune a trained network for coarse weights (quantisation-aware training).

The layers are trained on with their weights rounded as `quantise.py` will do.  The gradient passes rounding
straight through (straight-through estimator; Bengio et al. 2013), and an L1 penalty makes weights vanish that
are not needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...common.deadline import check
from .layers import Layers, TrainingSet
from .train import with_torch

STEPS, L1 = 240, 1e-3
OUTER = 4.0  # the largest weight of the last layer, where fine-tuning begins


def tuned(layers: Layers, examples: TrainingSet, levels: int) -> Layers:
    """Return the layers after training with weights rounded to `levels` steps.

    Raises:
        InputError: torch is missing.
    """
    found: Layers = with_torch(0, lambda torch: _tuned(torch, layers, examples, levels))
    return found


def _tuned(torch: Any, layers: Layers, examples: TrainingSet, levels: int) -> Layers:
    x, y = torch.from_numpy(examples.one_hot.astype(np.float32)), torch.from_numpy(examples.labels)
    parameters, scale = [], 1.0
    for weight, bias in layers:
        # the largest weight is about 1 in each layer, and more in the last, where margins are to be 1
        largest = float(np.abs(weight).max(initial=0)) or 1.0
        if weight is layers[-1][0]:
            largest /= OUTER
        scale *= largest
        parameters += [
            torch.tensor(weight / largest, dtype=torch.float32),
            torch.tensor(bias / scale, dtype=torch.float32),
        ]
    masks = [(p != 0).float() for p in parameters[::2]]
    for p in parameters:
        p.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=0.02)
    target = torch.nn.functional.one_hot(y, len(layers[-1][1])).bool()
    rows = torch.arange(len(y))

    def rounded(value: Any) -> Any:
        return value + (torch.round(value) - value).detach()

    for _ in range(STEPS):
        check()
        h, incoming, penalty = x, torch.ones(x.shape[1]), 0.0
        for k, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
            last = k == len(layers) - 1
            weight = weight * masks[k] / incoming
            largest = weight.detach().abs()
            largest = largest.max().expand(len(weight)) if last else largest.amax(1)
            factor = levels / largest.clamp(min=1e-6)
            penalty = penalty + (weight / largest.clamp(min=1e-6)[:, None]).abs().sum()
            h = h @ rounded(weight * factor[:, None]).T + (bias * factor if last else rounded(bias * factor))
            h, incoming = (h / factor if last else torch.relu(h)), factor
        right = h[rows, y].unsqueeze(1)
        loss = torch.relu(1 + h - right).masked_fill(target, 0).square().sum(1).mean() + L1 * penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        parts = [
            p.double().numpy() * (masks[i // 2].numpy() if i % 2 == 0 else 1)
            for i, p in enumerate(parameters)
        ]
    return list(zip(parts[::2], parts[1::2], strict=True))
