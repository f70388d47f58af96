"""Trains a benchmark's feed-forward network: hinge loss on random words and on those of an attack.

Used by `tokens.py`.  Weights are rounded to a grid while they are still being trained (straight-through
gradients; Bengio et al. 2013).  Nothing here decides a claim; that is left to solvers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .attack import Attack
from .learning import Fitted, Perceptron, Recipe, TrainingProblem, hinge, one_thread

ENOUGH = 0.15  # an attack that finds no margin below this has failed
CLEAN_ROUNDS = 3  # failed attacks in a row that bring on a long one
LONG = 6  # times as many words start a long attack; training ends when it fails too
ROUND = 25  # steps between attacks
FLOAT_SHARE = 0.3  # of the steps, before rounding


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
