"""Trains a small recurrent cell and unrolls it: the same weights at every position, so that only the length changes.

h' = relu(W h + U[token] + b) from h = 0, and outputs V h + c after the last token.  Trained by backpropagation through time on
the program's label of every prefix, on short words first, several cells at once.  W is rounded to integers, the rest to a
grid: the values of a long unrolled network then stay on that grid, and float32 computes it exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.automaton import Automaton
from ..models.network import Affine, Network, Node, Relu, dyadic, integer_array
from .training import hinge, margins, on_grid

BITS = 3  # after the point, of all but the integer recurrent weights
CELLS = 24  # trained side by side
STAGES = ((6, 400), (12, 300), (24, 150))  # lengths and steps before rounding
ROUNDED = ((12, 500), (24, 300), (48, 150))  # and after, the recurrent weights first
BATCH = 64


@dataclass(frozen=True, eq=False)
class Cell:
    """Numbers of a trained cell; `token` is U + b."""

    recurrent: np.ndarray
    token: np.ndarray
    readout: np.ndarray
    offset: np.ndarray

    def unrolled(self, length: int) -> Network:
        """The feed-forward network of words of this length; each step reads the input and the step before."""
        symbols, width = self.token.shape
        nodes: list[Node] = []
        joined, denominator = dyadic(np.concatenate([self.recurrent.ravel(), self.token.ravel()]))
        recurrent, token = joined[: width * width].reshape(width, width), joined[width * width :].reshape(symbols, width)
        for t in range(length):
            reads = np.zeros((width, length * symbols), dtype=np.int64)
            reads[:, t * symbols : (t + 1) * symbols] = token.T
            sources, weights = [0], [integer_array(reads)]
            if t:
                sources.append(len(nodes))
                weights.append(integer_array(recurrent))
            nodes.append(Affine(tuple(sources), tuple(weights), integer_array(np.zeros(width, dtype=np.int64)), denominator))
            nodes.append(Relu(len(nodes)))
        last, denominator = dyadic(np.concatenate([self.readout, self.offset[:, None]], axis=1))
        nodes.append(Affine((len(nodes),), (integer_array(last[:, :-1]),), integer_array(last[:, -1]), denominator))
        return Network(length * symbols, tuple(nodes))


class Prefixes:
    """Random words with the label of every prefix, from the languages of all lengths."""

    def __init__(self, language: Callable[[int], Automaton], longest: int, symbols: int) -> None:
        self.symbols, self.longest, self.tables, self.finals = symbols, longest, [], []
        for n in range(1, longest + 1):
            automaton = language(n)
            layers = []
            for edges, states in zip(automaton.edges, automaton.layer_sizes, strict=False):
                table = np.zeros((states, symbols), dtype=np.int64)
                for source, symbol, target in edges:
                    table[source, symbol] = target
                layers.append(table)
            self.tables.append(layers)
            self.finals.append(np.array(automaton.labels))

    def sample(self, rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Words (count, length) of varied token frequencies, labels (count, length)."""
        tilt = rng.standard_normal((count, 1, self.symbols)) * rng.uniform(0, 2.5, size=(count, 1, 1))
        noise = rng.gumbel(size=(count, length, self.symbols))
        words = (tilt + noise).argmax(axis=2)
        half = rng.integers(length // 2 + 1, size=(count, 1))  # another mixture from some place on
        other = (np.roll(tilt, 1, axis=0) + noise).argmax(axis=2)
        words = np.where(np.arange(length) >= half, other, words)
        return words, np.stack([self.labels(words[:, :n]) for n in range(1, length + 1)], axis=1)

    def labels(self, words: np.ndarray) -> np.ndarray:
        n = words.shape[1]
        state = np.zeros(len(words), dtype=np.int64)
        for t, table in enumerate(self.tables[n - 1]):
            state = table[state, words[:, t]]
        return self.finals[n - 1][state]


def fit_cell(prefixes: Prefixes, width: int, outputs: int, rng: np.random.Generator) -> tuple[Cell, float]:
    """The best of the cells, with its smallest margin on random words of the longest length."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _fit(torch, prefixes, width, outputs, rng)
    finally:
        torch.set_num_threads(threads)


def _fit(torch: Any, prefixes: Prefixes, width: int, outputs: int, rng: np.random.Generator) -> tuple[Cell, float]:
    symbols = prefixes.symbols
    start = [
        np.eye(width) * 0.5 + 0.4 * rng.standard_normal((CELLS, width, width)),
        rng.standard_normal((CELLS, symbols, width)),
        rng.standard_normal((CELLS, width, outputs)),
        np.zeros((CELLS, 1, outputs)),
    ]
    parameters = [torch.tensor(a, requires_grad=True) for a in start]

    def seen(stage: int) -> list[Any]:
        recurrent = on_grid(torch, parameters[0], 0 if stage >= 1 else None)
        return [recurrent, *(on_grid(torch, p, BITS if stage >= 2 else None) for p in parameters[1:])]

    def forward(words: np.ndarray, stage: int) -> Any:
        recurrent, token, readout, offset = seen(stage)
        state, out = None, []
        for t in range(words.shape[1]):
            value = token[:, words[:, t]]
            state = torch.relu(value if state is None else torch.baddbmm(value, state, recurrent))
            out.append(torch.baddbmm(offset, state, readout))
        return torch.stack(out, dim=2)  # (cells, batch, length, outputs)

    def descend(stage: int, length: int, steps: int, rate: float) -> None:
        optimiser = torch.optim.Adam(parameters, lr=rate)
        for step in range(steps):
            words, labels = prefixes.sample(rng, BATCH, length)
            for group in optimiser.param_groups:
                group["lr"] = rate * max(0.05, 1 - step / steps)
            optimiser.zero_grad()
            out = forward(words, stage)
            target = torch.from_numpy(labels).expand(CELLS, -1, -1)
            loss = hinge(torch, out, target) * CELLS
            if stage == 0:  # towards integers
                loss = loss + 0.02 * torch.sin(torch.pi * parameters[0]).square().sum()
            loss.backward()
            torch.nn.utils.clip_grad_value_(parameters, 1.0)
            optimiser.step()

    for length, steps in STAGES:
        descend(0, min(length, prefixes.longest), steps, 0.03)
    for stage in (1, 2):
        for length, steps in ROUNDED:
            descend(stage, min(length, prefixes.longest), steps, 0.01)
    with torch.no_grad():
        words, labels = prefixes.sample(rng, 512, prefixes.longest)
        gaps = margins(torch, forward(words, 2), torch.from_numpy(labels).expand(CELLS, -1, -1)).amin((1, 2))
        best = int(gaps.argmax())
        recurrent, token, readout, offset = (p[best].numpy() for p in seen(2))
    return Cell(recurrent.T, token, readout.T, offset[0]), float(gaps[best])
