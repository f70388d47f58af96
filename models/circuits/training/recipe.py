"""How a model is trained: everything that decides the result, apart from the task."""

from __future__ import annotations

from dataclasses import dataclass

from ....common.errors import InputError
from ..sparse_gpt.config import GptConfig
from .task import TrainingTask

HEADS = 2
_RANGES = (
    ("attempts", 1, 1000),
    ("steps", 1, 10**7),
    ("batch", 1, 10**6),
    ("layers", 1, 64),
    ("width", 4, 4096),
    ("seed", 0, 2**63 - 1),
)


@dataclass(frozen=True)
class TrainingRecipe:
    """The options of `relucid train`.

    Args:
        steps: of training.
        batch: inputs of one step.
        rate: the learning rate after the warm-up.
        density: the share of weights that are not zero in the end.
        layers: of the model.
        width: of the residual stream.
        seed: of everything random.
        attempts: seeds, one after the other, that are tried until every input is right.

    Raises:
        InputError: a number is out of range.
    """

    steps: int = 2000
    batch: int = 128
    rate: float = 5e-3
    density: float = 0.12
    layers: int = 2
    width: int = 16
    seed: int = 0
    attempts: int = 3

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                what = f"{getattr(self, name)} is outside {low} to {high}"
                raise InputError(f"--{name}", what, "give a number in between")
        if self.width % (2 * HEADS):
            raise InputError("--width", f"{self.width} is not a multiple of 4", "two heads share it")
        if not 0 < self.density <= 1:
            what = f"{self.density} is not above 0 and at most 1"
            raise InputError("--density", what, "1 trains a dense model")

    def config(self, task: TrainingTask) -> GptConfig:
        """Return the configuration of the model to train."""
        return GptConfig(
            block_size=task.length + 2,
            vocab_size=len(task.vocabulary),
            n_layer=self.layers,
            n_head=HEADS,
            d_model=self.width,
            d_head=self.width // HEADS,
            d_mlp=2 * self.width,
            rms_norm=True,
            activation_type="gelu",
            afrac=0.5,
            tied_unembed=False,
            enable_bigram_table=True,
            sink=True,
        )
