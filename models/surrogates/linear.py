"""Linear surrogates: no neurons at all, if scores that add up over the positions decide.

First family of `fit.py`.  A linear program (solved by GLOP) looks for the weights of least sum that give
every input its label by a margin of 1.  It sees few inputs; those that its answer gets wrong are added.
First there is one weight for each symbol, wherever it stands: such counts are right beyond what was seen.
Then there is one for each symbol and position.  The weights are scaled to integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .layers import Layers
from .quantise import decide

FIRST, MORE = 64, 64  # inputs that the linear program sees at first, and more after each answer
ROUNDS = 100
SCALES = (*range(1, 25), 30, 32, 36, 48, 60, 64, 128, 256, 1024, 4096)
SECONDS = 5.0  # of one call: a guard


def linear_layers(
    ids: np.ndarray, labels: np.ndarray, outputs: int, used: np.ndarray, seed: int, inputs_per_weight: int = 0
) -> Layers | None:
    """Find one affine layer that gives the label of every input.

    Args:
        ids: alphabet indices (n, positions).
        labels: label indices (n,).
        outputs: how many labels there are.
        used: bools (positions, alphabet): which symbols occur where; the others get weight 0.
        seed: of the choice of inputs.
        inputs_per_weight: with fewer inputs, an answer says little about others, and none is looked for.

    Returns: the layer; None if there is none whose weights are short enough.
    """
    positions, alphabet = used.shape
    flat = ids + np.arange(positions) * alphabet
    shared = np.tile(np.arange(alphabet), positions)
    for groups in (shared, np.arange(positions * alphabet)):
        varying = used & (used.sum(axis=1) > 1)[:, None]
        live = np.unique(groups[varying.reshape(-1)])
        if len(ids) < inputs_per_weight * len(live) * (outputs - 1):
            continue
        found = _separated(flat, labels, outputs, groups, live, seed)
        if found is not None:
            weights, bias = found
            whole = np.zeros((outputs, positions * alphabet))
            whole[:, varying.reshape(-1)] = weights[:, groups[varying.reshape(-1)]]
            for scale in SCALES:
                layers: Layers = [(np.round(whole * scale), np.round(bias * scale))]
                if (decide(layers, ids) == labels).all():
                    return layers
    return None


def _separated(
    flat: np.ndarray, labels: np.ndarray, outputs: int, groups: np.ndarray, live: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find weights (outputs, groups) and a bias with a margin of 1 on all rows; output 0 is 0."""
    model = _LinearModel(outputs, live)
    size = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(flat))[:FIRST]
    chosen = np.unique(
        np.concatenate([chosen, *(np.flatnonzero(labels == y)[:4] for y in np.unique(labels))])
    )
    seen = np.zeros(len(flat), dtype=bool)
    for _ in range(ROUNDS):
        for row in chosen:
            model.add(groups[flat[row]], int(labels[row]))
        seen[chosen] = True
        found = model.solved(size)
        if found is None:
            return None
        weights, bias = found
        gaps = _gaps(weights[:, groups], bias, flat, labels)
        wrong = np.flatnonzero((gaps < 1 - 1e-6) & ~seen)
        if not len(wrong):
            return found
        worst = wrong[np.argsort(gaps[wrong], kind="stable")[: 4 * MORE]]
        chosen = rng.choice(worst, min(MORE, len(worst)), replace=False)
    return None


def _gaps(weights: np.ndarray, bias: np.ndarray, flat: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return by how much each row's label leads, (n,)."""
    scores = np.tile(bias, (len(flat), 1))
    for column in flat.T:
        scores += weights.T[column]
    rows = np.arange(len(flat))
    right = scores[rows, labels].copy()
    scores[rows, labels] = -np.inf
    result: np.ndarray = right - scores.max(axis=1)
    return result


class _LinearModel:
    """The growing linear program: variables plus and minus for each live weight of outputs but the first."""

    def __init__(self, outputs: int, live: Sequence[int] | np.ndarray) -> None:
        from ortools.linear_solver import pywraplp

        self.outputs, self.live = outputs, [int(g) for g in live]
        self.solver = pywraplp.Solver.CreateSolver("GLOP")
        self.solver.SetTimeLimit(int(1000 * SECONDS))
        infinity = self.solver.infinity()
        self.bias = {c: self.solver.NumVar(-infinity, infinity, "") for c in range(1, outputs)}
        self.plus = {
            (c, g): self.solver.NumVar(0.0, infinity, "") for c in range(1, outputs) for g in self.live
        }
        self.minus = {
            (c, g): self.solver.NumVar(0.0, infinity, "") for c in range(1, outputs) for g in self.live
        }
        goal = self.solver.Objective()
        for variable in (*self.plus.values(), *self.minus.values()):
            goal.SetCoefficient(variable, 1.0)
        goal.SetMinimization()

    def add(self, groups: np.ndarray, label: int) -> None:
        """Ask for a margin on one input, whose weights are those of `groups`."""
        counts: dict[int, int] = {}
        for g in groups:
            counts[int(g)] = counts.get(int(g), 0) + 1
        for rival in range(self.outputs):
            if rival != label:
                row = self.solver.Constraint(1.0, self.solver.infinity(), "")
                for column, sign in ((label, 1.0), (rival, -1.0)):
                    if column:
                        row.SetCoefficient(self.bias[column], sign)
                        for g, n in counts.items():
                            if (column, g) in self.plus:
                                row.SetCoefficient(self.plus[column, g], sign * n)
                                row.SetCoefficient(self.minus[column, g], -sign * n)

    def solved(self, size: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return weights (outputs, size) and bias; None if there are none."""
        if self.solver.Solve() != self.solver.OPTIMAL:
            return None
        weights, bias = np.zeros((self.outputs, size)), np.zeros(self.outputs)
        for (c, g), variable in self.plus.items():
            value = variable.solution_value() - self.minus[c, g].solution_value()
            weights[c, g] = value if math.isfinite(value) and abs(value) > 1e-7 else 0.0
        for c, variable in self.bias.items():
            bias[c] = variable.solution_value()
        return weights, bias
