"""Float training of surrogate networks: several restarts of one shape at once, on one thread, from one seed.

The trained families of `fit.py`; nothing here is exact.  Half of the restarts share their first-layer weights over all
positions: circuits often count, and a shared weight learnt on a sample is right on the whole domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...common.deadline import check

Layers = list[tuple[np.ndarray, np.ndarray]]  # (weight (out, in), bias (out,)), ReLU between them

CHECK_EVERY = 40  # steps between looks at errors and the clock
OUTER = 4.0  # where fine-tuning begins
MARGIN = 0.6  # a restart that separates all labels by this much is done


@dataclass(frozen=True)
class HiddenShape:
    """Hidden widths, and how long and how often to try them."""

    hidden: tuple[int, ...]
    restarts: int
    steps: int


def train(
    one_hot: np.ndarray,
    labels: np.ndarray,
    positions: int,
    outputs: int,
    shape: HiddenShape,
    *,
    seed: int,
    deadline: float,
    used: np.ndarray,
) -> list[tuple[int, Layers]]:
    """(errors on the given inputs, layers) per restart, best first.

    `used` (positions, alphabet) says which words occur where; the other weights stay 0.
    """
    return _alone(
        seed, lambda torch: _train(torch, one_hot, labels, positions, outputs, shape, deadline, used)
    )  # type: ignore[no-any-return]


def _alone(seed: int, work: Callable[[Any], Any]) -> Any:
    """Run on one thread with a seed of its own, and leave torch as it was."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return work(torch)
    finally:
        torch.set_num_threads(threads)


def tuned(
    layers: Layers,
    one_hot: np.ndarray,
    labels: np.ndarray,
    levels: int,
    *,
    steps: int = 240,
    l1: float = 1e-3,
) -> Layers:
    """Quantisation-aware fine-tuning: the layers trained on with their weights rounded to `levels` steps as `quantise.py` will do.

    Rounding is passed straight through by the gradient; an L1 penalty makes weights that are not needed vanish.
    """
    return _alone(0, lambda torch: _tuned(torch, layers, one_hot, labels, levels, steps, l1))  # type: ignore[no-any-return]


def _tuned(
    torch: Any, layers: Layers, one_hot: np.ndarray, labels: np.ndarray, levels: int, steps: int, l1: float
) -> Layers:
    x, y = torch.from_numpy(one_hot.astype(np.float32)), torch.from_numpy(labels)
    parameters, scale = [], 1.0
    for (
        weight,
        bias,
    ) in (
        layers
    ):  # the largest weight is about 1 in each layer, and more in the last, where margins are to be 1
        largest = (float(np.abs(weight).max(initial=0)) or 1.0) / (
            1 if weight is not layers[-1][0] else OUTER
        )
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

    for _ in range(steps):
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
        loss = torch.relu(1 + h - right).masked_fill(target, 0).square().sum(1).mean() + l1 * penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        parts = [
            p.double().numpy() * (masks[i // 2].numpy() if i % 2 == 0 else 1)
            for i, p in enumerate(parameters)
        ]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _train(
    torch: Any,  # the module: imported only where something is trained
    one_hot: np.ndarray,
    labels: np.ndarray,
    positions: int,
    outputs: int,
    shape: HiddenShape,
    deadline: float,
    used: np.ndarray,
) -> list[tuple[int, Layers]]:
    x = torch.from_numpy(one_hot.astype(np.float32))
    y = torch.from_numpy(labels)
    count, inputs, restarts = len(x), x.shape[1], shape.restarts
    alphabet = inputs // positions
    width = shape.hidden[0]
    free = torch.tensor([float(i % 2 == 0 and restarts > 1) for i in range(restarts)])
    free = 1 - free.view(1, 1, restarts, 1)  # restarts 0, 2, ... are tied over positions
    mask = torch.from_numpy(used.astype(np.float32)).view(positions, alphabet, 1, 1)
    shared = torch.randn(1, alphabet, restarts, width)
    own = torch.randn(positions, alphabet, restarts, width) * 0.5
    parameters = [
        shared.requires_grad_(),
        own.requires_grad_(),
        torch.randn(restarts, 1, width).requires_grad_(),
    ]
    sizes = (*shape.hidden, outputs)
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
    target = torch.nn.functional.one_hot(y, outputs).bool().unsqueeze(0)
    for step in range(shape.steps):
        check()
        out = forward()
        right = out[:, torch.arange(count), y].unsqueeze(2)
        hinge = torch.relu(1 + out - right).masked_fill(target, 0).square().sum(2)
        if step % CHECK_EVERY == 0:
            gap = (right - out.masked_fill(target, -torch.inf)).amin(2).amin(1)
            if gap.max() > MARGIN or time.monotonic() > deadline:
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
