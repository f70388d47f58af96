"""Prune a model to a node mask greedily: how the shipped masks were made.

Nodes that matter least go first, with mean ablation, and a removal stays only if every input is still decided
by a margin.  Most removals are tried on a sample; inputs that the whole domain then shows to be wrong join
it.  `node_masks.py` is the newer way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..examples import Examples
from ..sparse_gpt.edges import GptNode
from ..sparse_gpt.forward import forward
from ..sparse_gpt.mask import NodeMask, Place, count_kept, every_node
from ..sparse_gpt.model import SparseGpt
from .judge import margins
from .means import Means, activation_means, mask_of

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 16  # removals that the sample accepts between two checks of the whole domain
WATCHED = 256  # wrong inputs that join the sample after such a check


@dataclass(frozen=True)
class GreedySettings:
    """How to prune.

    Args:
        margin: by how much every input's right label must lead.
        seed: of everything random.
        sample: inputs that a removal is tried on.
        origin: what the mask says of its origin.
    """

    margin: float
    seed: int = 0
    sample: int = 1024
    origin: str = ""


def importance(model: SparseGpt, examples: Examples, means: Means) -> dict[GptNode, float]:
    """Estimate to first order what mean-ablating each node does to the margins.

    Returns: for each node, the mean over the inputs of |gradient * (activation - mean)|, summed over
        positions inside.
    """
    import torch

    seen: dict[Place, Tensor] = {}

    def record(layer: int, location: str, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_() if not x.requires_grad else x
        x.retain_grad()
        seen[layer, location] = x
        return x

    columns, right = torch.from_numpy(examples.columns), torch.from_numpy(examples.right)
    logits = forward(model.config, model.weights, torch.from_numpy(examples.ids), record)[:, -1][:, columns]
    own = torch.nn.functional.one_hot(right, len(columns)).bool()
    others = logits.masked_fill(own, -torch.inf).max(dim=1).values
    (logits[torch.arange(len(right)), right] - others).sum().backward()  # type: ignore[no-untyped-call]
    out: dict[GptNode, float] = {}
    for (layer, location), x in seen.items():
        gradient = torch.zeros_like(x) if x.grad is None else x.grad
        effect = (gradient * (x - torch.from_numpy(means[layer, location]))).sum(dim=1).abs().mean(dim=0)
        out |= {(layer, location, k): float(e) for k, e in enumerate(effect.detach())}
    return out


def prune(
    model: SparseGpt,
    examples: Examples,
    settings: GreedySettings,
    say: Callable[[str], None] = lambda text: None,
) -> NodeMask:
    """Find a mask under which the right label leads by the margin on every example.

    Goes over the nodes until one pass removes nothing.

    Args:
        model: a whole model.
        examples: inputs with right labels.
        settings: how to prune.
        say: is told about progress.

    Raises:
        ValueError: the whole model itself does not reach the margin.
    """
    return _Greedy(model, examples, settings).run(say)


class _Greedy:
    """The state of one pruning: the nodes that are kept, and the inputs that removals are tried on."""

    def __init__(self, model: SparseGpt, examples: Examples, settings: GreedySettings) -> None:
        self.model, self.examples, self.settings = model, examples, settings
        self.rng = np.random.default_rng(settings.seed)
        self.means = activation_means(model, [examples.ids])
        self.kept = every_node(model.config)
        self.everything = np.arange(len(examples))
        if len(self.wrong(self.everything)):
            raise ValueError(f"the whole model does not decide every input by a margin of {settings.margin}")
        self.watched = self.rng.permutation(len(examples))[: settings.sample]
        effects = importance(model, examples.take(self.watched), self.means)
        self.order = sorted(effects, key=lambda node: (effects[node], node))

    def mask(self) -> NodeMask:
        """Return the mask so far."""
        kept = {p: k.copy() for p, k in self.kept.items()}
        return mask_of(self.model, kept, self.means, origin=self.settings.origin)

    def wrong(self, rows: np.ndarray) -> np.ndarray:
        """Return those of some inputs that are not decided by the margin."""
        gaps = margins(replace(self.model, mask=self.mask()), self.examples.take(rows))
        return rows[gaps < self.settings.margin]

    def run(self, say: Callable[[str], None]) -> NodeMask:
        """Go over the nodes until one pass removes nothing."""
        while True:
            before = count_kept(self.kept)
            self._pass()
            after = count_kept(self.kept)
            say(f"{after} nodes left")
            if after == before:
                return self.mask()

    def _pass(self) -> None:
        """Try every node that is kept once."""
        unchecked: list[GptNode] = []
        for layer, location, k in self.order:
            if not self.kept[layer, location][k]:
                continue
            self.kept[layer, location][k] = False
            if len(self.wrong(self.watched)):
                self.kept[layer, location][k] = True
                continue
            unchecked.append((layer, location, k))
            if len(unchecked) >= BLOCK:
                self._settle(unchecked)
        self._settle(unchecked)

    def _settle(self, unchecked: list[GptNode]) -> None:
        """Undo removals since the last check, newest first, until the whole domain is right again."""
        bad = self.wrong(self.everything)
        if len(bad):
            self.watched = np.concatenate([self.watched, self.rng.permutation(bad)[:WATCHED]])
        while len(bad):
            layer, location, k = unchecked.pop()
            self.kept[layer, location][k] = True
            if not len(self.wrong(self.watched)):
                bad = self.wrong(self.everything)
                self.watched = np.concatenate([self.watched, bad[:WATCHED]])
        unchecked.clear()
