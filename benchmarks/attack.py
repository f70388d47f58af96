"""Looks for words on which a network that is being trained errs, or nearly does; for `training.py`.

The attack follows the network's gradient: near a word the network is linear, and the word of the language
that maximises this linear function is found by a dynamic program (`words.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .learning import MARGIN, TrainingProblem, margins
from .words import Walks


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
        """Attack with `times` as many words as usual.

        Returns the smallest margin; words of small margin are remembered.
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
