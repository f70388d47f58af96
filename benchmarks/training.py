"""Trains a benchmark's feed-forward network: hinge loss on random words and on the words that an attack
finds.

Used by `tokens.py`.  The attack follows the network's gradient: near a word the network is linear, and the
word of the language that maximises this linear function is found by a dynamic program (`words.py`).  Weights
are rounded to a grid while they are still being trained (straight-through gradients; Bengio et al. 2013).
One torch thread, float64, all randomness from one seed, no clocks: the same seed gives the same network on
the same versions and machine.  Nothing here decides a claim; that is left to solvers.
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
ENOUGH = 0.15  # an attack that finds no margin below this has failed
CLEAN_ROUNDS = 3  # failed attacks in a row that bring on a long one
LONG = 6  # times as many words start a long attack; training ends when it fails too
ROUND = 25  # steps between attacks
FLOAT_SHARE = 0.3  # of the steps, before rounding


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


@dataclass
class Attack:
    """Looks for words with small margins; remembers the hard ones."""

    torch: Any
    problem: TrainingProblem
    rng: np.random.Generator
    batch: int = 40
    moves: int = 4
    words: np.ndarray | None = None
    labels: np.ndarray | None = None

    def run(self, model: Any, times: int = 1) -> float:
        """Attack with `times` as many words as usual.  Returns the smallest margin; words of small margin are
        remembered.
        """
        whole = self.problem.whole
        if whole is not None:
            found = self._margins(model, *whole)
            return self._remember(*whole, found)
        places = [walk for walk in (*self.problem.walks, *self.problem.borders) if walk is not None]
        parts = [self._walk(model, walk) for walk in places for _ in range(times)]
        return self._remember(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def test(self, model: Any, words: np.ndarray, labels: np.ndarray) -> float:
        """Return the smallest margin of these words; those of small margin are remembered."""
        return self._remember(words, labels, self._margins(model, words, labels))

    def hard(self, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return a random choice of the hard words."""
        if self.words is None or self.labels is None or not len(self.words):
            return None
        pick = self.rng.integers(len(self.words), size=count)
        return self.words[pick], self.labels[pick]

    def _margins(self, model: Any, words: np.ndarray, labels: np.ndarray) -> np.ndarray:
        with self.torch.no_grad():
            parts = [
                margins(
                    self.torch,
                    model.forward(model.one_hot(words[i : i + 8192])),
                    self.torch.from_numpy(labels[i : i + 8192]),
                ).numpy()
                for i in range(0, len(words), 8192)
            ]
        return np.concatenate(parts)

    def _walk(self, model: Any, walk: Walks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Go from random and hard words repeatedly to the best word of the network's linear part around the
        last one.
        """
        torch, label = self.torch, walk.automaton.labels[0]
        words = walk.varied(self.rng, self.batch)
        known = self.words[self.labels == label] if self.words is not None else words[:0]
        if len(known) and walk in self.problem.walks:
            some = known[self.rng.integers(len(known), size=self.batch // 2)]
            words[len(words) - len(some) :] = some
        labels = np.full(len(words), label)
        # how much a word clings to its symbols
        stay = self.rng.choice([0.0, 0.3, 1.0, 2.0, 4.0], size=(len(words), 1, 1))
        # how little the number of each symbol counts
        level = self.rng.choice([0.0, 0.5, 1.0, 1.0, 1.5], size=(len(words), 1, 1))
        tried, worst = [words], []
        for _ in range(self.moves):
            inputs = model.one_hot(words).requires_grad_()
            margin = margins(torch, model.forward(inputs), torch.from_numpy(labels))
            worst.append(margin.detach().numpy())
            (slope,) = torch.autograd.grad(-margin.sum(), inputs)
            slope = slope.numpy().reshape(len(words), words.shape[1], -1)
            slope = slope - level * slope.mean(axis=1, keepdims=True)
            grip = stay * slope.std(axis=(1, 2), keepdims=True)
            here = np.take_along_axis(slope, words[:, :, None], axis=2)
            np.put_along_axis(slope, words[:, :, None], here + grip, axis=2)
            words = walk.best(slope)
            tried.append(words)
        worst.append(self._margins(model, words, labels))
        return np.concatenate(tried), np.tile(labels, len(tried)), np.concatenate(worst)

    def _remember(self, words: np.ndarray, labels: np.ndarray, found: np.ndarray) -> float:
        bad = np.flatnonzero(found < 0.7 * MARGIN)
        bad = bad[np.argsort(found[bad], kind="stable")][:400]
        old = (
            (words[:0], labels[:0])
            if self.words is None or self.labels is None
            else (self.words, self.labels)
        )
        self.words = np.concatenate([words[bad], old[0]])[:4000]
        self.labels = np.concatenate([labels[bad], old[1]])[:4000]
        return float(found.min())


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


def fit(problem: TrainingProblem, recipe: Recipe, rng: np.random.Generator) -> Fitted:
    """Train; the attack (if the recipe has one) goes on until it fails, or the steps are used up."""
    with one_thread() as torch:
        return _fit(torch, problem, recipe, rng)


def _fit(torch: Any, problem: TrainingProblem, recipe: Recipe, rng: np.random.Generator) -> Fitted:
    model = Perceptron(torch, problem, recipe, rng)
    pool, pool_labels = problem.whole or problem.sample(rng, 6144)
    attack = Attack(torch, problem, rng)
    optimiser = torch.optim.Adam(model.parameters, lr=recipe.rate)
    rounding = int(recipe.steps * FLOAT_SHARE)
    clean, best, kept = 0, -np.inf, None
    for step in range(recipe.steps + 1):
        model.rounded = step >= rounding
        if step % ROUND == 0 and step >= rounding // 2:
            worst = attack.run(model)
            clean = clean + 1 if worst >= ENOUGH else 0
            if model.rounded and clean >= CLEAN_ROUNDS:
                worst = min(worst, attack.run(model, LONG))
                if worst >= ENOUGH:
                    return Fitted(model.network(), worst)
                clean = 0
            if model.rounded and worst > best:
                best, kept = worst, [p.detach().clone() for p in model.parameters]
        words, labels = _batch(rng, pool, pool_labels, attack)
        _descend(torch, model, optimiser, recipe.rate * max(0.02, 1 - step / recipe.steps), words, labels)
    with torch.no_grad():
        for parameter, value in zip(model.parameters, kept or (), strict=True):
            parameter.copy_(value)
    return Fitted(model.network(), best)


def fit_carelessly(problem: TrainingProblem, recipe: Recipe, rng: np.random.Generator) -> Fitted:
    """Train on equally likely words only, until random tests find nothing; `worst` is what an attack finds
    then.
    """
    with one_thread() as torch:
        return _fit_carelessly(torch, problem, recipe, rng)


def _fit_carelessly(torch: Any, problem: TrainingProblem, recipe: Recipe, rng: np.random.Generator) -> Fitted:
    model = Perceptron(torch, problem, recipe, rng)
    pool, pool_labels = problem.plain(rng, 16384)
    attack = Attack(torch, problem, rng)
    optimiser = torch.optim.Adam(model.parameters, lr=recipe.rate)
    rounding = int(recipe.steps * FLOAT_SHARE)
    for step in range(recipe.steps + 1):
        model.rounded = step >= rounding
        if (
            step % ROUND == 0
            and model.rounded
            and all(attack.test(model, *problem.plain(rng, 8192)) > 0 for _ in range(6))
        ):
            break
        _descend(
            torch,
            model,
            optimiser,
            recipe.rate * max(0.02, 1 - step / recipe.steps),
            *_batch(rng, pool, pool_labels, attack),
        )
    return Fitted(model.network(), attack.run(model, LONG))


def _batch(
    rng: np.random.Generator, pool: np.ndarray, labels: np.ndarray, attack: Attack
) -> tuple[np.ndarray, np.ndarray]:
    pick = rng.integers(len(pool), size=192)
    hard = attack.hard(160)
    if hard is None:
        return pool[pick], labels[pick]
    return np.concatenate([pool[pick], hard[0]]), np.concatenate([labels[pick], hard[1]])


def _descend(
    torch: Any, model: Perceptron, optimiser: Any, rate: float, words: np.ndarray, labels: np.ndarray
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    hinge(torch, model.forward(model.one_hot(words)), torch.from_numpy(labels)).backward()
    optimiser.step()
