"""Train surrogate networks in floats: several restarts of one shape at once, on one thread, from one seed.

`fit.py` uses the trained families.  Nothing here is exact: `quantise.py` rounds, and everything is counted
out afterwards.  Half of the restarts share their first-layer weights over all positions: circuits often
count, and a shared weight that is learnt on a sample is right on the whole domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ...common.deadline import check
from ...common.optional import require
from .layers import HiddenShape, Layers, TrainingSet

CHECK_EVERY = 40  # steps between looks at errors and the clock
MARGIN = 0.6  # a restart that separates all labels by this much is done


def train(data: TrainingSet, shape: HiddenShape, *, seed: int, deadline: float) -> list[tuple[int, Layers]]:
    """Train all restarts of a shape.

    Args:
        data: the inputs.
        shape: of the network.
        seed: of everything random.
        deadline: when training stops, a time of `time.process_time()`.

    Returns: for each restart, best first, its errors on the inputs and its layers.

    Raises:
        InputError: torch is missing.
    """
    found: list[tuple[int, Layers]] = with_torch(seed, lambda torch: _train(torch, data, shape, deadline))
    return found


def with_torch(seed: int, work: Callable[[Any], Any]) -> Any:
    """Run `work(torch)` on one thread with a seed of its own, and leave torch as it was.

    Raises:
        InputError: torch is missing.
    """
    require("torch", "fitting a surrogate")
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return work(torch)
    finally:
        torch.set_num_threads(threads)


def _train(torch: Any, data: TrainingSet, shape: HiddenShape, deadline: float) -> list[tuple[int, Layers]]:
    x = torch.from_numpy(data.one_hot.astype(np.float32))
    y = torch.from_numpy(data.labels)
    count, inputs, restarts = len(x), x.shape[1], shape.restarts
    positions, alphabet = data.used.shape
    width = shape.hidden[0]
    free = torch.tensor([float(i % 2 == 0 and restarts > 1) for i in range(restarts)])
    free = 1 - free.view(1, 1, restarts, 1)  # restarts 0, 2, ... are tied over positions
    mask = torch.from_numpy(data.used.astype(np.float32)).view(positions, alphabet, 1, 1)
    shared = torch.randn(1, alphabet, restarts, width)
    own = torch.randn(positions, alphabet, restarts, width) * 0.5
    parameters = [
        shared.requires_grad_(),
        own.requires_grad_(),
        torch.randn(restarts, 1, width).requires_grad_(),
    ]
    sizes = (*shape.hidden, data.outputs)
    for before, after in pairwise(sizes):
        parameters.append((torch.randn(restarts, before, after) * (2 / before) ** 0.5).requires_grad_())
        parameters.append(torch.zeros(restarts, 1, after).requires_grad_())

    def first() -> Any:
        return ((parameters[0] + free * parameters[1]) * mask).reshape(inputs, restarts * width)

    def forward() -> Any:
        h = (x @ first()).view(count, restarts, width).transpose(0, 1) + parameters[2]
        for weight, bias in zip(parameters[3::2], parameters[4::2], strict=True):
            h = torch.baddbmm(bias, torch.relu(h), weight)
        return h

    optimiser = torch.optim.Adam(parameters, lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, shape.steps, eta_min=0.002)
    target = torch.nn.functional.one_hot(y, data.outputs).bool().unsqueeze(0)
    for step in range(shape.steps):
        check()
        out = forward()
        right = out[:, torch.arange(count), y].unsqueeze(2)
        hinge = torch.relu(1 + out - right).masked_fill(target, 0).square().sum(2)
        if step % CHECK_EVERY == 0:
            gap = (right - out.masked_fill(target, -torch.inf)).amin(2).amin(1)
            if gap.max() > MARGIN or time.process_time() > deadline:
                break
        optimiser.zero_grad()
        hinge.mean(1).sum().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        errors = (forward().argmax(2) != y).sum(1).tolist()
        matrix = first().view(inputs, restarts, width)
        found = []
        for r in sorted(range(restarts), key=lambda r: errors[r]):
            layers = [(matrix[:, r].T, parameters[2][r, 0])]
            layers += [(w[r].T, b[r, 0]) for w, b in zip(parameters[3::2], parameters[4::2], strict=True)]
            found.append((errors[r], [(w.double().numpy(), b.double().numpy()) for w, b in layers]))
    return found
