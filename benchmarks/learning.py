"""What a benchmark's networks learn, and the torch model that learns it.  For `training.py` and `attack.py`.

One torch thread, float64, all randomness from one seed, no clocks: the same seed gives the same network on
the same versions and machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.network.network import Network, feed_forward
from .words import Walks, border

WHOLE = 60_000  # up to so many words, all of them are looked at instead of attacking
MARGIN = 1.0  # that training wants


@dataclass(frozen=True, eq=False)
class TrainingProblem:
    """Words with labels to be learnt.  `sign`: one output instead of one per label."""

    language: Automaton
    labels: int
    sign: bool

    @cached_property
    def walks(self) -> tuple[Walks, ...]:
        """Each label's words; labels that no word has are left out."""
        parts = [self.language.restricted(c) for c in range(self.labels)]
        return tuple(Walks(part) for part in parts if not part.empty)

    @property
    def outputs(self) -> int:
        return 1 if self.sign else self.labels

    @cached_property
    def borders(self) -> tuple[Walks | None, ...]:
        """Each label's words that are one symbol away from another label."""
        parts = [border(self.language, walk.automaton.labels[0]) for walk in self.walks]
        return tuple(None if part.empty else Walks(part) for part in parts)

    def sample(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw as many words of each label, in random order; half of them at the border to another label."""
        each = -(-count // len(self.walks))
        words = []
        for walk, edge in zip(self.walks, self.borders, strict=True):
            near = each // 2 if edge else 0
            words.append(
                walk.varied(rng, each - near)
                if edge is None
                else np.concatenate([walk.varied(rng, each - near), edge.varied(rng, near)])
            )
        return self._shuffled(rng, words, count)

    def plain(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw as many words of each label, all of its words equally likely: what random tests see."""
        each = -(-count // len(self.walks))
        return self._shuffled(rng, [walk.uniform(rng, each) for walk in self.walks], count)

    def _shuffled(
        self, rng: np.random.Generator, words: list[np.ndarray], count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        labels = [
            np.full(len(w), walk.automaton.labels[0]) for w, walk in zip(words, self.walks, strict=True)
        ]
        order = rng.permutation(sum(map(len, words)))[:count]
        return np.concatenate(words)[order], np.concatenate(labels)[order]

    @cached_property
    def whole(self) -> tuple[np.ndarray, np.ndarray] | None:
        """All words, where they are few."""
        if self.language.size > WHOLE:
            return None
        parts = list(self.language.words())
        return np.concatenate([w for w, _ in parts]).astype(np.int64), np.concatenate([y for _, y in parts])


@dataclass(frozen=True)
class Recipe:
    """How to train: hidden widths, bits after the binary point (None: raw float32), steps.

    `noise`: how far the first layer starts from weights that are the same at every position.
    """

    hidden: tuple[int, ...]
    bits: int | None = 5
    steps: int = 1400
    noise: float = 0.3
    rate: float = 0.02


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, and the worst margin that the last attacks (or random words) found."""

    network: Network
    worst: float


def hinge(torch: Any, out: Any, labels: Any) -> Any:
    """Return the mean squared shortfall of the margin over all rivals."""
    if out.shape[-1] == 1:
        signed = out[..., 0] * (labels * 2 - 1)
        return torch.relu(MARGIN - signed).square().mean()
    target = torch.nn.functional.one_hot(labels, out.shape[-1]).bool()
    right = out.masked_fill(~target, 0).sum(-1, keepdim=True)
    return torch.relu(MARGIN + out - right).masked_fill(target, 0).square().sum(-1).mean()


def margins(torch: Any, out: Any, labels: Any) -> Any:
    """Return by how much the right label wins, per word."""
    if out.shape[-1] == 1:
        return out[..., 0] * (labels * 2 - 1)
    target = torch.nn.functional.one_hot(labels, out.shape[-1]).bool()
    return out.masked_fill(~target, 0).sum(-1) - out.masked_fill(target, -torch.inf).amax(-1)


def on_grid(torch: Any, value: Any, bits: int | None) -> Any:
    """Round to multiples of 2**-bits, with the gradient of the value itself."""
    if bits is None:
        return value
    return value + (torch.round(value.detach() * 2**bits) / 2**bits - value.detach())


class Perceptron:
    """A multi-layer perceptron in torch; while `rounded`, its weights are seen on the grid."""

    def __init__(
        self, torch: Any, problem: TrainingProblem, recipe: Recipe, rng: np.random.Generator
    ) -> None:
        self.torch, self.bits, self.rounded = torch, recipe.bits, False
        length, symbols = problem.language.length, problem.language.symbol_count
        width = recipe.hidden[0]
        words, _ = problem.sample(rng, 512)
        table = rng.standard_normal((1, symbols, width)) + recipe.noise * rng.standard_normal(
            (length, symbols, width)
        )
        seen = table[np.arange(length), words].sum(axis=1)
        table = table / np.maximum(seen.std(axis=0), 0.1)
        seen = table[np.arange(length), words].sum(axis=1)
        bias = -seen[rng.integers(len(words), size=width), np.arange(width)]  # kinks where words are
        self.first = torch.tensor(table.reshape(length * symbols, width), requires_grad=True)
        self.rest = [torch.tensor(bias, requires_grad=True)]
        sizes = (*recipe.hidden, problem.outputs)
        for before, after in pairwise(sizes):
            self.rest.append(
                torch.tensor(rng.standard_normal((before, after)) * (2 / before) ** 0.5, requires_grad=True)
            )
            self.rest.append(torch.tensor(0.1 * rng.standard_normal(after), requires_grad=True))
        self.symbols = symbols

    @property
    def parameters(self) -> list[Any]:
        return [self.first, *self.rest]

    def seen(self) -> list[Any]:
        return [on_grid(self.torch, p, self.bits if self.rounded else None) for p in self.parameters]

    def one_hot(self, words: np.ndarray) -> Any:
        hot = np.zeros((len(words), words.shape[1], self.symbols))
        np.put_along_axis(hot, words[:, :, None], 1.0, axis=2)
        return self.torch.from_numpy(hot.reshape(len(words), -1))

    def forward(self, inputs: Any) -> Any:
        weight, bias, *rest = self.seen()
        value = self.torch.addmm(bias, inputs, weight)
        for w, b in zip(rest[::2], rest[1::2], strict=True):
            value = self.torch.addmm(b, self.torch.relu(value), w)
        return value

    def network(self) -> Network:
        self.rounded = True
        arrays = [p.detach().numpy() for p in self.seen()]
        if self.bits is None:
            arrays = [a.astype(np.float32).astype(np.float64) for a in arrays]
        return feed_forward([(w.T, b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)])


@contextmanager
def one_thread() -> Iterator[Any]:
    """Yield the torch module on one thread, so that sums come out the same each time."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(threads)
