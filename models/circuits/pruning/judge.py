"""How well a model decides a task: margins and cross-entropies over the labels, at the last position."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..examples import Examples


class Runs(Protocol):
    """Anything with logits."""

    def logits(self, ids: np.ndarray) -> np.ndarray: ...


def decisions(model: Runs, ids: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the index of the label that the model decides on, int64 (n,), for ids (n, positions)."""
    return np.asarray(model.logits(ids)[:, columns].argmax(axis=1))


def margins(model: Runs, examples: Examples) -> np.ndarray:
    """Return by how much the right label's logit leads the best other one, (n,).  Negative: it is wrong."""
    return _lead(_logits(model, examples), examples.right)


def judge(model: Runs, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return each input's margin (see `margins`) and its cross-entropy over the labels, both (n,)."""
    logits = _logits(model, examples)
    leads = _lead(logits, examples.right)
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(examples)), examples.right]
    return leads, np.log(np.exp(logits).sum(axis=1)) - own


def task_loss(model: Runs, examples: Examples) -> float:
    """Return the mean cross-entropy over the labels."""
    return float(judge(model, examples)[1].mean())


def _logits(model: Runs, examples: Examples) -> np.ndarray:
    return np.asarray(model.logits(examples.ids)[:, examples.columns].astype(np.float64))


def _lead(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    others, rows = logits.copy(), np.arange(len(logits))
    others[rows, right] = -np.inf
    return np.asarray(logits[rows, right] - others.max(axis=1))
