"""Training a weight-sparse transformer on one task, as Gao et al. (2025) do, at a size for one CPU core.

After every step each weight matrix keeps only its largest entries, and at least four per neuron or attention channel; their share falls from
all to the final one over the first half.  AdamW, gradients clipped by their root mean square, 1 % warm-up, then a linear fall.
The model is `gpt.forward` itself: AbsTopK activations, RMSNorm, attention sinks and a bigram table, in circuit_sparsity's format.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ....common.deadline import LIMITS, OutOfTime, check
from ....common.errors import InputError
from ..formats.config import GptConfig
from ..formats.gpt import forward
from ..tasks.task import TrainingTask

BETAS, EPS, DECAY = (0.9, 0.95), 1e-4, 0.02  # eps: the paper's 0.1 is for gradients of a far larger model
CLIP = 0.02  # largest root mean square of the gradient
WARM_UP = 0.01  # of the steps
ANNEAL = 0.5  # of the steps, in which the share of nonzero weights falls
PER_NEURON = 4
DENSE = ("transformer.wpe.weight",)  # position embeddings, norms and biases stay dense
EVERY = 10.0  # seconds between two states written
TABLES = ("transformer.wte.weight", "lm_head.weight", "bigram_table")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, apart from the task.

    `density` is the share of weights that are not zero in the end; `attempts` with seeds one after the other are made until every input is right.
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
        for name, low, high in (
            ("attempts", 1, 1000),
            ("steps", 1, 10**7),
            ("batch", 1, 10**6),
            ("layers", 1, 64),
            ("width", 4, 4096),
            ("seed", 0, 2**63 - 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"--{name}",
                    f"{getattr(self, name)} is outside {low} to {high}",
                    "give a number in between",
                )
        if self.width % 4:
            raise InputError("--width", f"{self.width} is not a multiple of 4", "two heads share it")
        if not 0 < self.density <= 1:
            raise InputError(
                "--density", f"{self.density} is not above 0 and at most 1", "1 trains a dense model"
            )

    def config(self, task: TrainingTask) -> GptConfig:
        return GptConfig(
            block_size=task.length + 2, vocab_size=len(task.vocabulary), n_layer=self.layers, n_head=2, d_model=self.width,
            d_head=self.width // 2, d_mlp=2 * self.width, rms_norm=True, activation_type="gelu", afrac=0.5, tied_unembed=False,
            enable_bigram_table=True, sink=True,
        )  # fmt: skip


class Trainer:
    """The state between two steps; `state` and `resume` carry it over a stop, bit for bit."""

    def __init__(self, task: TrainingTask, recipe: Recipe, device: str = "cpu", attempt: int = 0) -> None:
        self.task, self.recipe, self.config, self.device, self.attempt, self.step = (
            task,
            recipe,
            recipe.config(task),
            device,
            attempt,
            0,
        )
        self.generator = torch.Generator().manual_seed(self.seed)
        self.weights = {name: w.to(device) for name, w in _initial(self.config, self.generator).items()}
        self.trained = [w.requires_grad_() for name, w in self.weights.items() if name != "final_logits_bias"]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=recipe.rate, betas=BETAS, eps=EPS, weight_decay=DECAY
        )
        ids, right = (torch.from_numpy(a) for a in task.examples)
        targets = torch.from_numpy(task.columns)[right]
        self.pools = [
            (ids[right == y], targets[right == y])
            for y in range(len(task.labels))
            if bool((right == y).any())
        ]
        self.loss = math.nan

    @property
    def seed(self) -> int:
        return self.recipe.seed + self.attempt

    def advance(self) -> None:
        """One step: a batch that is balanced over the labels, AdamW, then the largest weights."""
        done = self.step / self.recipe.steps
        for group in self.optimizer.param_groups:
            group["lr"] = (
                self.recipe.rate
                * min(1.0, (self.step + 1) / max(1, WARM_UP * self.recipe.steps))
                * (1 - done)
            )
        share = max(1, self.recipe.batch // len(self.pools))
        picks = [torch.randint(len(ids), (share,), generator=self.generator) for ids, _ in self.pools]
        ids = torch.cat([pool[pick] for (pool, _), pick in zip(self.pools, picks, strict=True)]).to(
            self.device
        )
        targets = torch.cat([pool[pick] for (_, pool), pick in zip(self.pools, picks, strict=True)]).to(
            self.device
        )
        loss = torch.nn.functional.cross_entropy(
            forward(self.config, self.weights, ids, last_only=True)[:, 0], targets
        )
        self.optimizer.zero_grad()
        loss.backward()
        _clip(self.trained)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            keep_largest(self.weights, density_at(self.step / self.recipe.steps, self.recipe.density))
        self.loss = float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Tensors and plain values only, for `torch.save` and the weights_only reader."""
        return {
            "recipe": {"task": self.task.name, **asdict(self.recipe)}, "step": self.step, "attempt": self.attempt,
            "weights": {k: w.detach().cpu() for k, w in self.weights.items()},
            "optimizer": self.optimizer.state_dict(), "generator": self.generator.get_state(),
        }  # fmt: skip

    def resume(self, where: str, state: object) -> None:
        """Go on from what `state` gave; InputError where it is of another training."""
        wanted = {"task": self.task.name, **asdict(self.recipe)}
        mend = "remove it, or give the options it was started with"
        if not isinstance(state, dict) or state.get("recipe") != wanted:
            raise InputError(where, "is a stopped training with other options", mend)
        try:
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(state["weights"][name])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.step, self.attempt = int(state["step"]), int(state["attempt"])
        except LIMITS:
            raise
        except Exception as error:  # a damaged file fails in many ways
            raise InputError(
                where, f"is damaged ({type(error).__name__})", "remove it to start again"
            ) from None

    def final_weights(self) -> dict[str, torch.Tensor]:
        return {name: w.detach().cpu().clone() for name, w in self.weights.items()}


def run(
    trainer: Trainer,
    say: Callable[[str], None],
    save: Callable[[dict[str, Any]], None],
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Train to the end, saving every few seconds, when interrupted and when the time is over; `held` keeps interrupts from within a step, which would be lost half-way."""
    saved = time.monotonic()
    try:
        while trainer.step < trainer.recipe.steps:
            check()
            with held():
                trainer.advance()
            if trainer.step % 50 == 0:
                say(
                    f"training, seed {trainer.seed}: step {trainer.step:,} of {trainer.recipe.steps:,}, loss {trainer.loss:.4f}"
                )
            if time.monotonic() - saved > EVERY:
                save(trainer.state())
                saved = time.monotonic()
    except (KeyboardInterrupt, OutOfTime):
        save(trainer.state())
        raise


def density_at(done: float, final: float) -> float:
    """The share of weights kept: all at first, falling evenly to the final one at ANNEAL."""
    return 1 - (1 - final) * min(1.0, done / ANNEAL)


def keep_largest(weights: dict[str, torch.Tensor], density: float) -> None:
    """Zero all but the largest magnitudes of each matrix, in place; every neuron keeps at least four where it has as many."""
    for name, weight in weights.items():
        if weight.ndim != 2 or name in DENSE or density >= 1:
            continue
        size = weight.abs()
        kept = torch.zeros_like(size, dtype=torch.bool).flatten()
        kept[size.flatten().topk(math.ceil(density * size.numel())).indices] = True
        kept = kept.view_as(size)
        if (
            name not in TABLES
        ):  # a row of c_attn and c_fc, a column of the two c_proj, belongs to a neuron or channel
            axis = 0 if name.endswith("c_proj.weight") else 1
            best = size.topk(min(PER_NEURON, size.shape[axis]), dim=axis).indices
            kept.scatter_(axis, best, True)
        weight.masked_fill_(~kept, 0.0)


def _clip(parameters: list[torch.Tensor]) -> None:
    """Scale all gradients down together where their root mean square is over CLIP."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    total = torch.stack([g.square().sum() for g in gradients]).sum()
    rms = float((total / sum(g.numel() for g in gradients)).sqrt())
    if rms > CLIP:
        for gradient in gradients:
            gradient.mul_(CLIP / rms)


def _initial(config: GptConfig, generator: torch.Generator) -> dict[str, torch.Tensor]:
    weights = {}
    for name, shape in config.shapes().items():
        if len(shape) == 2 and name != "bigram_table":
            weights[name] = torch.randn(shape, generator=generator) / math.sqrt(shape[1])
        else:
            weights[name] = (
                torch.ones(shape)
                if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight"))
                else torch.zeros(shape)
            )
    return weights
