"""Trains a small recurrent cell and unrolls it: networks of any length that share their weights.

For the tied families of the token benchmark (`tokens.py`).  Each step is h = relu(B s + U[token]) and s = A
h, from s = 0; after the last token the outputs are V h + c.  Trained by backpropagation through time on the
program's label of every prefix, on short words first, many cells side by side.  A and B are rounded to
integers, the rest to a grid: the values of a long unrolled network then stay on that grid, and float32
computes it exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.network.integers import dyadic, integer_array
from ..models.network.network import Affine, Network, Node, Relu
from .learning import hinge, margins, on_grid, one_thread

BITS = 4  # after the point, of all but A and B
CELLS = 48  # trained side by side
FLOAT_STAGES = ((6, 300, 0.03), (10, 300, 0.02))  # length, steps, rate
ROUNDED_STAGES = ((10, 400, 0.01), (16, 200, 0.01))
BATCH = 64
CHECK_EVERY = 25  # steps between looks at long words
FEEDBACK, FEEDBACK_COST = 1.2, 0.1
GOOD = 0.5  # margin on random long words that ends training


@dataclass(frozen=True, eq=False)
class FittedCell:
    """A trained cell: h' = relu(recurrent @ h + token[t]), outputs = readout @ h + offset."""

    recurrent: np.ndarray
    token: np.ndarray
    readout: np.ndarray
    offset: np.ndarray

    def unrolled(self, length: int) -> Network:
        """Return the feed-forward network for words of this length; each step reads the input and the step
        before.
        """
        symbols, width = self.token.shape
        nodes: list[Node] = []
        joined, denominator = dyadic(np.concatenate([self.recurrent.ravel(), self.token.ravel()]))
        recurrent, token = (
            joined[: width * width].reshape(width, width),
            joined[width * width :].reshape(symbols, width),
        )
        for t in range(length):
            reads = np.zeros((width, length * symbols), dtype=np.int64)
            reads[:, t * symbols : (t + 1) * symbols] = token.T
            sources, weights = [0], [integer_array(reads)]
            if t:
                sources.append(len(nodes))
                weights.append(integer_array(recurrent))
            nodes.append(
                Affine(
                    tuple(sources),
                    tuple(weights),
                    integer_array(np.zeros(width, dtype=np.int64)),
                    denominator,
                )
            )
            nodes.append(Relu(len(nodes)))
        last, denominator = dyadic(np.concatenate([self.readout, self.offset[:, None]], axis=1))
        nodes.append(
            Affine((len(nodes),), (integer_array(last[:, :-1]),), integer_array(last[:, -1]), denominator)
        )
        return Network(length * symbols, tuple(nodes))


class Prefixes:
    """Random words with the label of every prefix, from the languages of all lengths."""

    def __init__(self, language: Callable[[int], Automaton], longest: int, symbols: int) -> None:
        self.symbols, self.longest = symbols, longest
        self.tables: list[list[np.ndarray]] = []
        self.finals: list[np.ndarray] = []
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
        """Return words (count, length) of varied token frequencies whose label changes on the way; labels
        (count, length).
        """
        tilt = rng.standard_normal((count, 1, self.symbols)) * rng.uniform(0, 2.5, size=(count, 1, 1))
        noise = rng.gumbel(size=(count, length, self.symbols))
        turn = rng.integers(length // 2 + 1, size=(count, 1))
        words = np.where(
            np.arange(length) < turn,
            (tilt + noise).argmax(axis=2),
            (np.roll(tilt, 1, axis=0) + noise).argmax(axis=2),
        )
        return words, np.stack([self.labels(words[:, :n]) for n in range(1, length + 1)], axis=1)

    def labels(self, words: np.ndarray) -> np.ndarray:
        n = words.shape[1]
        state = np.zeros(len(words), dtype=np.int64)
        for t, table in enumerate(self.tables[n - 1]):
            state = table[state, words[:, t]]
        result: np.ndarray = self.finals[n - 1][state]
        return result


def fit_cell(
    prefixes: Prefixes, width: int, states: int, rng: np.random.Generator
) -> tuple[FittedCell, float]:
    """Train cells.  Returns the best, with its smallest margin on random words of the longest length."""
    with one_thread() as torch:
        herd = _Herd(torch, prefixes, width, states, rng)
        for stage in FLOAT_STAGES:
            herd.descend(*stage, rounded=False)
        for stage in ROUNDED_STAGES:
            if herd.descend(*stage, rounded=True):
                break
    assert herd.best is not None
    return herd.best, herd.margin


class _Herd:
    """Cells that are trained side by side, for two labels."""

    def __init__(
        self, torch: Any, prefixes: Prefixes, width: int, states: int, rng: np.random.Generator
    ) -> None:
        self.torch, self.prefixes, self.rng = torch, prefixes, rng
        self.best: FittedCell | None = None
        self.margin = -np.inf

        def signs(*shape: int) -> np.ndarray:
            return rng.choice([-1.0, 1.0], size=(CELLS, *shape)) * rng.uniform(0.4, 1.3, size=(CELLS, *shape))

        start = [
            signs(width, states),
            signs(states, width),
            rng.standard_normal((CELLS, prefixes.symbols, width)),
            rng.standard_normal((CELLS, width, 1)),
            np.zeros((CELLS, 1, 1)),
        ]
        self.parameters = [torch.tensor(a, requires_grad=True) for a in start]
        words, labels = prefixes.sample(rng, 256, prefixes.longest)
        self.probe = words, torch.from_numpy(labels).expand(CELLS, -1, -1)

    def seen(self, rounded: bool) -> list[Any]:
        """Return the weights of the forward pass: recurrent (transposed), token, readout, offset."""
        a, b, *rest = (
            on_grid(self.torch, p, (0 if k < 2 else BITS) if rounded else None)
            for k, p in enumerate(self.parameters)
        )
        return [self.torch.bmm(a, b), *rest]

    def forward(self, words: np.ndarray, rounded: bool) -> Any:
        """Return outputs (cells, words, prefixes, 1)."""
        torch = self.torch
        recurrent, token, readout, offset = self.seen(rounded)
        state, out = None, []
        for t in range(words.shape[1]):
            value = token[:, words[:, t]]
            state = torch.relu(value if state is None else torch.baddbmm(value, state, recurrent))
            out.append(torch.baddbmm(offset, state, readout))
        return torch.stack(out, dim=2)

    def descend(self, length: int, steps: int, rate: float, *, rounded: bool) -> bool:
        """Take gradient steps.  Returns whether a cell became good."""
        torch = self.torch
        optimiser = torch.optim.Adam(self.parameters, lr=rate)
        for step in range(steps):
            if rounded and step % CHECK_EVERY == 0 and self._look():
                return True
            words, labels = self.prefixes.sample(self.rng, BATCH, length)
            for group in optimiser.param_groups:
                group["lr"] = rate * max(0.05, 1 - step / steps)
            optimiser.zero_grad()
            loss = CELLS * hinge(
                torch, self.forward(words, rounded), torch.from_numpy(labels).expand(CELLS, -1, -1)
            )
            a, b = self.parameters[:2]
            # few states feed back, so that what is provable about the values does not grow from step to step
            reach = [(torch.relu(sign * a) * b.abs().sum(1, keepdim=True).mT).sum(1) for sign in (1, -1)]
            loss = loss + FEEDBACK_COST * sum(torch.relu(r - FEEDBACK).square().sum() for r in reach)
            if not rounded:  # ever more towards integers
                loss = loss + 0.05 * step / steps * (
                    torch.sin(torch.pi * a).square().sum() + torch.sin(torch.pi * b).square().sum()
                )
            loss.backward()
            for p in self.parameters:  # per cell, so that one that explodes does not stop the others
                p.grad.nan_to_num_(0.0, 0.0, 0.0)
                p.grad /= p.grad.flatten(1).norm(dim=1).clamp(min=1.0).view(-1, 1, 1)
            optimiser.step()
        return rounded and self._look()

    def _look(self) -> bool:
        """Keep the best rounded cell so far."""
        torch = self.torch
        with torch.no_grad():
            gaps = (
                margins(torch, self.forward(self.probe[0], True), self.probe[1])
                .amin((1, 2))
                .nan_to_num(-np.inf)
            )
            k = int(gaps.argmax())
            if float(gaps[k]) > self.margin:
                recurrent, token, readout, offset = (p[k].numpy().copy() for p in self.seen(True))
                self.best, self.margin = FittedCell(recurrent.T, token, readout.T, offset[0]), float(gaps[k])
        return self.margin >= GOOD
