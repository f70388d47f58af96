"""The results of `relucid train` and `relucid prune`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..models.circuits.circuit import CircuitSummary
from ..models.circuits.pruning.settings import Pruning


@dataclass(frozen=True)
class TrainingResult:
    """What `relucid train` tells.  The fields are the keys of its --json.

    Args:
        task: its name.
        summary: the model's sizes.
        inputs: of the task.
        right: how many of them the model decides rightly.
        smallest_margin: by how much the right label's logit leads the best other one, at least; negative if
            one is wrong.
        loss: mean cross-entropy over the labels.
        seed: of the attempt that was kept.
        out: the model's folder.
    """

    task: str
    summary: CircuitSummary
    inputs: int
    right: int
    smallest_margin: float
    loss: float
    seed: int
    out: Path


@dataclass(frozen=True)
class PruningResult:
    """What `relucid prune` tells.

    Args:
        task: its name.
        summary: the circuit's sizes.
        inputs: of the task.
        pruning: the mask and what was measured.
        out: the mask's file.
        model: the model, as the user named it.
        domain: a claim file without network and program, for the next command.
    """

    task: str
    summary: CircuitSummary
    inputs: int
    pruning: Pruning
    out: Path
    model: str
    domain: str
