"""The data of trained surrogates: layers, what they are trained on, and the shapes that are tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Layers = list[
    tuple[np.ndarray, np.ndarray]
]  # (weight (out, in), bias (out,)), with a ReLU between two of them


@dataclass(frozen=True)
class HiddenShape:
    """The widths of hidden layers, and how often and how many steps they are trained."""

    hidden: tuple[int, ...]
    restarts: int
    steps: int


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Inputs with their labels.

    Args:
        one_hot: floats (n, positions * alphabet).
        labels: label indices (n,).
        outputs: how many labels there are.
        used: bools (positions, alphabet): which symbols occur where; the weights of the others stay 0.
    """

    one_hot: np.ndarray
    labels: np.ndarray
    outputs: int
    used: np.ndarray
