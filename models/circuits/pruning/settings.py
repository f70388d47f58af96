"""What `relucid prune` is asked to do, and what it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....common.errors import InputError
from ..sparse_gpt.mask import NodeMask

OTHER_ABLATION = {"mean": "zero", "zero": "mean"}
_RANGES = (
    ("steps", 1, 10**7),
    ("batch", 1, 10**6),
    ("bisections", 1, 100),
    ("sweeps", 1, 100),
    ("seed", 0, 2**63 - 1),
)


@dataclass(frozen=True)
class PruningSettings:
    """How to prune with trained node masks.

    Args:
        target_loss: the mean cross-entropy over the labels that the circuit may have.
        margin: by how much every decision must lead (at most half of what the model itself reaches).
        steps: of each training of the gates.
        batch: inputs of one step.
        bisections: trainings of one sweep.
        sweeps: how often the bisection is repeated at most, each time within the circuit that the last one
            left, as long as that gets smaller by a tenth.
        ablation: what stands in for a pruned node: its "mean" over the task, or "zero".
        seed: of everything random.

    Raises:
        InputError: a number is out of range.
    """

    target_loss: float = 0.15
    margin: float = 0.2
    steps: int = 200
    batch: int = 64
    bisections: int = 5
    sweeps: int = 4
    ablation: str = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ablation not in OTHER_ABLATION:
            raise InputError("--ablation", f"{self.ablation!r} is neither mean nor zero", "choose one")
        if not 0 < self.target_loss < math.inf:
            what = f"{self.target_loss} is not above 0"
            raise InputError("--target-loss", what, "give a cross-entropy, such as 0.15")
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                what = f"{getattr(self, name)} is outside {low} to {high}"
                raise InputError(f"--{name}", what, "give a number in between")


@dataclass(frozen=True)
class Pruning:
    """What a pruning gave.

    Args:
        mask: the circuit.
        model_loss: the whole model's mean cross-entropy over the labels.
        loss: the circuit's.
        k: the cost of open gates that led to the circuit; 0 if none did.
        control_nodes: nodes that the same training keeps for random labels.
        control_accuracy: the share of those labels that it then reaches.
    """

    mask: NodeMask
    model_loss: float
    loss: float
    k: float
    control_nodes: int
    control_accuracy: float
