"""Train a weight-sparse transformer on one task.

After every step each weight matrix keeps only its largest entries; their share falls from all to the final
one over the first half of the steps (`sparse.py`).  AdamW, gradients clipped by their root mean square, 1 %
warm-up, then a linear fall of the learning rate.  The model is `sparse_gpt/forward.py` itself, with AbsTopK
activations, RMSNorm, attention sinks and a bigram table.

Source: Gao et al., "Weight-sparse transformers have interpretable circuits" (2025), training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....common.deadline import LIMITS, OutOfTime, check
from ....common.errors import InputError
from ..sparse_gpt.forward import forward
from .recipe import TrainingRecipe
from .sparse import density_at, initial_weights, keep_largest
from .task import TrainingTask

if TYPE_CHECKING:
    from torch import Tensor

BETAS, EPS, DECAY = (0.9, 0.95), 1e-4, 0.02  # eps: the paper's 0.1 is for gradients of a far larger model
CLIP = 0.02  # largest root mean square of the gradient
WARM_UP = 0.01  # of the steps
EVERY = 10.0  # seconds between two states written
TOLD = 50  # steps between two lines about progress


class Trainer:
    """A training between two steps; `state` and `resume` carry it over a stop, bit for bit.

    Args:
        task: what to train on.
        recipe: how to train.
        device: "cpu" or "cuda".
        attempt: how many seeds failed before; it is added to the recipe's seed.
    """

    def __init__(
        self, task: TrainingTask, recipe: TrainingRecipe, device: str = "cpu", attempt: int = 0
    ) -> None:
        import torch

        self.task, self.recipe, self.device, self.attempt = task, recipe, device, attempt
        self.config, self.step, self.loss = recipe.config(task), 0, math.nan
        self.generator = torch.Generator().manual_seed(self.seed)
        first = initial_weights(self.config, self.generator)
        self.weights = {name: w.to(device) for name, w in first.items()}
        self.trained = [w.requires_grad_() for name, w in self.weights.items() if name != "final_logits_bias"]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=recipe.rate, betas=BETAS, eps=EPS, weight_decay=DECAY
        )
        examples = task.examples
        ids, right, columns = (torch.from_numpy(a) for a in (examples.ids, examples.right, examples.columns))
        targets = columns[right]
        labels = [right == y for y in range(len(columns)) if bool((right == y).any())]
        self.pools = [(ids[rows], targets[rows]) for rows in labels]

    @property
    def seed(self) -> int:
        """The seed of this attempt."""
        return self.recipe.seed + self.attempt

    def advance(self) -> None:
        """Make one step: a batch that is balanced over the labels, AdamW, then keep the largest weights."""
        import torch

        done = self.step / self.recipe.steps
        warm = min(1.0, (self.step + 1) / max(1, WARM_UP * self.recipe.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * warm * (1 - done)
        share = max(1, self.recipe.batch // len(self.pools))
        picks = [torch.randint(len(ids), (share,), generator=self.generator) for ids, _ in self.pools]
        chosen = [(ids[pick], right[pick]) for (ids, right), pick in zip(self.pools, picks, strict=True)]
        ids, targets = (torch.cat(parts).to(self.device) for parts in zip(*chosen, strict=True))
        logits = forward(self.config, self.weights, ids, last_only=True)[:, 0]
        loss = torch.nn.functional.cross_entropy(logits, targets)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        _clip(self.trained)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            keep_largest(self.weights, density_at(self.step / self.recipe.steps, self.recipe.density))
        self.loss = float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values only, for `torch.save` and the weights_only reader."""
        return {
            "recipe": {"task": self.task.name, **asdict(self.recipe)},
            "step": self.step,
            "attempt": self.attempt,
            "weights": self.final_weights(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def resume(self, where: str, state: object) -> None:
        """Go on from what `state` gave.

        Args:
            where: the state's file, for messages.
            state: what it holds.

        Raises:
            InputError: it is the state of another training, or damaged.
        """
        import torch

        wanted = {"task": self.task.name, **asdict(self.recipe)}
        if not isinstance(state, dict) or state.get("recipe") != wanted:
            what = "is a stopped training with other options"
            raise InputError(where, what, "remove it, or give the options it was started with")
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
            what = f"is damaged ({type(error).__name__})"
            raise InputError(where, what, "remove it to start again") from None

    def final_weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights on the CPU."""
        return {name: w.detach().cpu().clone() for name, w in self.weights.items()}


def run(
    trainer: Trainer,
    say: Callable[[str], None],
    save: Callable[[dict[str, Any]], None],
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Train to the end.

    Args:
        trainer: the training, at its beginning or resumed.
        say: is told about progress.
        save: is given the state every few seconds, on an interrupt, and when the time is over.
        held: a context that holds interrupts back during a step, which would be lost half-way.
    """
    saved = time.monotonic()
    try:
        while trainer.step < trainer.recipe.steps:
            check()
            with held():
                trainer.advance()
            if trainer.step % TOLD == 0:
                steps = f"step {trainer.step:,} of {trainer.recipe.steps:,}"
                say(f"training, seed {trainer.seed}: {steps}, loss {trainer.loss:.4f}")
            if time.monotonic() - saved > EVERY:
                save(trainer.state())
                saved = time.monotonic()
    except (KeyboardInterrupt, OutOfTime):
        save(trainer.state())
        raise


def _clip(parameters: list[Tensor]) -> None:
    """Scale all gradients down together if their root mean square is over CLIP."""
    import torch

    gradients = [p.grad for p in parameters if p.grad is not None]
    total = torch.stack([g.square().sum() for g in gradients]).sum()
    rms = float((total / sum(g.numel() for g in gradients)).sqrt())
    if rms > CLIP:
        for gradient in gradients:
            gradient.mul_(CLIP / rms)
