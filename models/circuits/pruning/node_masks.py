"""Cut a task's circuit out of a model with trained node masks, then edge by edge.

Gates are trained (`gates.py`) for the task's loss plus k times the share of open gates.  Bisection finds the
largest k whose circuit still reaches the target loss and decides every input as the model does.  Then single
edges between kept nodes go, as long as the decisions stay.  A stopped pruning goes on from its
`PruningStage`, to the same mask.

Source: Gao et al., "Weight-sparse transformers have interpretable circuits" (2025), pruning.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np

from ....common.deadline import OutOfTime, check
from ....common.errors import InputError
from ..examples import Examples
from ..sparse_gpt.edges import edges, ends
from ..sparse_gpt.mask import GptEdge, Kept, NodeMask, count_kept, every_node
from ..sparse_gpt.model import SparseGpt
from .gates import NodeGates
from .judge import judge, task_loss
from .means import activation_means, mask_of
from .settings import OTHER_ABLATION, Pruning, PruningSettings
from .stage import PruningStage

RANGE = (math.log(0.01), math.log(30.0))  # of log k
GAIN = 0.9  # the largest share of its nodes that a sweep may leave for another one to follow
SLICE = 1024  # inputs judged at a time
HARD = 256  # inputs on which a mask failed before: they are asked first
ROUNDING = 1e-3  # by how much those have to fail: only the whole domain decides what is close
EVERY = 10.0  # seconds between two stages written

Say = Callable[[str], None]


class PruningJob:
    """One pruning.  `stage` may be set to that of a stopped run before `run`.

    Args:
        model: the whole model.
        examples: inputs with the labels that the circuit has to decide on.
        settings: how to prune.
        start: the mask to begin with, whose pruned nodes stay closed; None for the whole model.

    Raises:
        InputError: the model or `start` is not right before anything is pruned.
    """

    def __init__(
        self, model: SparseGpt, examples: Examples, settings: PruningSettings, start: NodeMask | None = None
    ) -> None:
        self.model, self.examples, self.settings = model, examples, settings
        self.means = activation_means(model, [examples.ids])
        if settings.ablation == "zero":
            self.means = {place: np.zeros_like(m) for place, m in self.means.items()}
        everything = {place: np.ones(len(m), dtype=bool) for place, m in self.means.items()}
        kept = everything if start is None else start.kept
        self.first = self.stage = PruningStage(kept, kept, start.cut if start else frozenset(), *RANGE)
        self._hard = np.zeros(0, dtype=np.int64)
        self._pass: tuple[Kept, list[GptEdge]] | None = None
        whole = self._circuit(self.first)
        leads, losses = judge(whole, examples)
        if leads.min() <= 0:
            what = f"decides {int((leads <= 0).sum())} of {len(examples)} inputs wrongly"
            if start is None:
                raise InputError(model.name, what, "prune a model that has learnt the task")
            mend = f"start from a larger one, or with --ablation {OTHER_ABLATION[settings.ablation]}"
            raise InputError("--mask", f"its circuit {what}", mend)
        if losses.mean() > settings.target_loss:
            what = f"{settings.target_loss} is below {losses.mean():.3g}, the loss before anything is pruned"
            raise InputError("--target-loss", what, "give a larger one")
        self.margin = min(settings.margin, float(leads.min()) / 2)
        self._gates = NodeGates(
            whole, examples, self.means, kept, count_kept(kept), settings.batch, settings.seed
        )

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides the result."""
        told = [asdict(self.settings), self.model.weights_sha256, sorted(self.first.cut)]
        whole = hashlib.sha256(json.dumps(told).encode())
        examples, nodes = self.examples, (k for _, k in sorted(self.first.kept.items()))
        for part in (examples.ids, examples.right, examples.columns, *nodes):
            whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()

    def run(
        self, say: Say = lambda text: None, save: Callable[[PruningStage], None] = lambda stage: None
    ) -> Pruning:
        """Prune.

        Args:
            say: is told about progress.
            save: is given what to go on from: after each bisection, now and then in the edge pass, on an
                interrupt, and when the time is over.
        """
        try:
            while self._another_round():
                self.stage = self._bisect(say)
                save(self.stage)
            saved = time.monotonic()
            while not self._thinned(say):
                if time.monotonic() - saved > EVERY:
                    save(self.stage)
                    saved = time.monotonic()
            mask = self._mask(self.stage)
            say("control: the same pruning on random labels")
            shuffled = np.random.default_rng(self.settings.seed).permutation(self.examples.right)
            *_, (_, control) = self._gates.train(self.stage.k or 1.0, shuffled, self.settings.steps)
        except (KeyboardInterrupt, OutOfTime):
            save(self.stage)
            raise
        random = self._circuit(replace(self.stage, kept=control))
        leads, _ = judge(random, replace(self.examples, right=shuffled))
        model_loss = task_loss(self.model, self.examples)
        loss = task_loss(replace(self.model, mask=mask), self.examples)
        reached = float((leads > 0).mean())
        return Pruning(mask, model_loss, loss, self.stage.k, count_kept(control), reached)

    def good(self, stage: PruningStage) -> bool:
        """Tell whether a circuit decides every input by the margin, at the target loss.

        Inputs on which others failed are asked first.
        """
        check()
        circuit = self._circuit(stage)
        if len(self._hard):
            leads, _ = judge(circuit, self.examples.take(self._hard))
            if (leads < self.margin - ROUNDING).any():
                return False
        losses = []
        for begin in range(0, len(self.examples), SLICE):
            rows = np.arange(begin, min(begin + SLICE, len(self.examples)))
            leads, loss = judge(circuit, self.examples.take(rows))
            bad = rows[leads < self.margin]
            if len(bad):
                self._hard = np.array(list(dict.fromkeys([*bad[: HARD // 8], *self._hard]))[:HARD])
                return False
            losses.append(loss)
        return float(np.concatenate(losses).mean()) <= self.settings.target_loss

    def _another_round(self) -> bool:
        """Tell whether bisection goes on; begin the next sweep if one is over."""
        stage, settings = self.stage, self.settings
        if stage.rounds < settings.bisections:
            return True
        if stage.sweep >= settings.sweeps or count_kept(stage.kept) > GAIN * count_kept(stage.within):
            return False
        self.stage = PruningStage(stage.kept, stage.kept, stage.cut, *RANGE, stage.k, stage.sweep + 1)
        return True

    def _bisect(self, say: Say) -> PruningStage:
        """Train the masks once, with the k in the middle of the interval."""
        best, settings, reached = self.stage, self.settings, False
        log_k = (best.low + best.high) / 2
        k = math.exp(log_k)
        sweep = f"sweep {best.sweep}, masks {best.rounds + 1} of {settings.bisections}, k = {k:.3g}"
        gates = replace(self._gates, within=best.within)
        for step, kept in gates.train(k, self.examples.right, settings.steps):
            fewest = count_kept(best.kept)
            say(f"{sweep}: step {step}, {fewest} nodes so far")
            tried = replace(best, kept=kept, k=k)
            if (count_kept(kept) < fewest or step == settings.steps) and self.good(tried):
                reached = reached or step > settings.steps // 2
                best = tried if count_kept(kept) < fewest else best
        low, high = (log_k, best.high) if reached else (best.low, log_k)
        return replace(best, rounds=best.rounds + 1, low=low, high=high)

    def _thinned(self, say: Say) -> bool:
        """Make one trial of the edge pass: remove edges, weakest first, if every decision stays.

        Edges that can go come in rows, so that the number tried at once doubles with each success and is
        halved with each failure.

        Returns: whether nothing goes any more.
        """
        stage, listed = self.stage, self._listed(self.stage.kept)
        left = [i for i in range(stage.tried, len(listed)) if listed[i] not in stage.cut]
        counted = f"{stage.tried} of {len(listed)} tried, {len(stage.cut)} removed"
        say(f"edges: {counted}, {count_kept(stage.kept)} nodes")
        if not left:
            kept = self._without_idle_nodes(stage)
            self.stage = replace(stage, kept=kept, tried=0, block=1, removed=0)
            return stage.removed == 0 and count_kept(kept) == count_kept(stage.kept)
        block = left[: stage.block]
        fewer = replace(stage, cut=stage.cut | {listed[i] for i in block})
        if self.good(fewer):
            removed = stage.removed + len(block)
            self.stage = replace(fewer, tried=block[-1] + 1, block=2 * stage.block, removed=removed)
        elif len(block) > 1:
            self.stage = replace(stage, block=len(block) // 2)
        else:
            self.stage = replace(stage, tried=block[-1] + 1, block=1)
        return False

    def _listed(self, kept: Kept) -> list[GptEdge]:
        """List the edges that a pass goes through, weakest first, those that are gone among them.

        Nodes only go between passes, so that the list stays the same during one.
        """
        if self._pass is None or self._pass[0] is not kept:
            mask = self._mask(replace(self.stage, cut=self.first.cut))
            found = edges(self.model.config, self.model.weights, mask)
            self._pass = (kept, [edge for _, edge in sorted((abs(weight), edge) for edge, weight in found)])
        return self._pass[1]

    def _without_idle_nodes(self, stage: PruningStage) -> Kept:
        """Remove kept nodes that no kept edge touches, if the decisions stay."""
        config, fewer = self.model.config, stage.kept
        found = edges(config, self.model.weights, self._mask(stage))
        touched = {end for edge, _ in found for end in ends(config, edge)}
        for place, kept in stage.kept.items():
            for node in np.flatnonzero(kept):
                if (*place, int(node)) not in touched:
                    tried = {**fewer, place: fewer[place] & (np.arange(len(kept)) != node)}
                    if self.good(replace(stage, kept=tried)):
                        fewer = tried
        return fewer

    def _mask(self, stage: PruningStage) -> NodeMask:
        return mask_of(self.model, stage.kept, self.means, stage.cut)

    def _circuit(self, stage: PruningStage) -> SparseGpt:
        return replace(self.model, mask=self._mask(stage))


def trained_mask(
    model: SparseGpt, examples: Examples, k: float, settings: PruningSettings, say: Callable[[int], None]
) -> NodeMask:
    """Return the mask at the end of one training, whatever it decides.

    Args:
        model: the whole model.
        examples: inputs with labels.
        k: the cost of all gates.
        settings: the steps, the batch and the seed are used.
        say: is given the number of steps so far.
    """
    means, kept = activation_means(model, [examples.ids]), every_node(model.config)
    gates = NodeGates(model, examples, means, kept, count_kept(kept), settings.batch, settings.seed)
    last = kept
    for step, opened in gates.train(k, examples.right, settings.steps):
        say(step)
        last = opened
    return mask_of(model, last, means)
