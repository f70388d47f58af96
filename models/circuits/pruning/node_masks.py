"""Cutting a task's circuit out of a model with trained node masks, as Gao et al. (2025) do, then edge by edge.

Gates are trained (`gates.py`) for the task's loss plus k times the share of open gates; bisection finds the largest k whose circuit still reaches
the target loss and decides every input as the model does.  Then single edges between kept nodes go, as long as the decisions stay.
A stopped pruning goes on from its `Stage`, to the same mask.  `prune.py` is the older, greedy way.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from ....common.deadline import OutOfTime, check
from ....common.errors import InputError
from ..formats.circuit_sparsity import SparseGpt
from .edges import edges, ends
from .gates import Gates, Kept, Place
from .mask import Cut, NodeMask
from .prune import activation_means, lead_of
from .stage import Stage

RANGE = (math.log(0.01), math.log(30.0))  # of log k
GAIN = 0.9  # what share a sweep has to leave for another one to follow
SLICE = 1024  # inputs judged at a time
HARD = 256  # inputs on which a mask failed before: they are asked first
ROUNDING = 1e-3  # by how much they have to fail: the last word is the whole domain's
EVERY = 10.0  # seconds between two stages written

OTHER = {"mean": "zero", "zero": "mean"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """`target_loss`: cross-entropy over the labels that the circuit may have; `margin`: by how much each decision must lead.

    The bisection is repeated, up to `sweeps` times in all, within the circuit that the last one left, as long as it gets smaller by a tenth.
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
        if self.ablation not in ("mean", "zero"):
            raise InputError("--ablation", f"{self.ablation!r} is neither mean nor zero", "choose one")
        if not 0 < self.target_loss < math.inf:
            raise InputError(
                "--target-loss", f"{self.target_loss} is not above 0", "give a cross-entropy, such as 0.15"
            )
        for name, low, high in (
            ("steps", 1, 10**7),
            ("batch", 1, 10**6),
            ("bisections", 1, 100),
            ("sweeps", 1, 100),
            ("seed", 0, 2**63 - 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"--{name}",
                    f"{getattr(self, name)} is outside {low} to {high}",
                    "give a number in between",
                )


@dataclass(frozen=True)
class Pruning:
    """The mask, and what to think of it: losses are cross-entropies over the labels; the control had random labels."""

    mask: NodeMask
    model_loss: float
    loss: float
    k: float
    control_nodes: int
    control_accuracy: float


def task_loss(model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray) -> float:
    """Mean cross-entropy over the labels at the last position."""
    return float(judge(model, ids, right, columns)[1].mean())


class PruningJob:
    """One pruning: every input of `ids` is to be decided as `right` says (indices into `columns`); nodes outside of `start` stay closed.

    InputError where model or `start` are not right before anything is pruned.  `stage` may be set to that of a stopped run before `run`.
    """

    def __init__(
        self,
        model: SparseGpt,
        ids: np.ndarray,
        right: np.ndarray,
        columns: np.ndarray,
        settings: Settings,
        start: NodeMask | None = None,
    ) -> None:
        self.model, self.ids, self.right, self.columns, self.settings = model, ids, right, columns, settings
        means = activation_means(model, [ids])
        self.means = (
            means if settings.ablation == "mean" else {place: np.zeros_like(m) for place, m in means.items()}
        )
        kept = {p: np.ones(len(m), dtype=bool) for p, m in means.items()} if start is None else start.kept
        self.first = self.stage = Stage(kept, kept, start.cut if start else frozenset(), *RANGE)
        self._hard = np.zeros(0, dtype=np.int64)
        self._pass: tuple[Kept, list[Cut]] | None = None
        whole = self._circuit(self.first)
        leads, losses = judge(whole, ids, right, columns)
        if leads.min() <= 0:
            what = f"decides {int((leads <= 0).sum())} of {len(ids)} inputs wrongly"
            raise (
                InputError(
                    "--mask",
                    f"its circuit {what}",
                    f"start from a larger one, or with --ablation {OTHER[settings.ablation]}",
                )
                if start
                else InputError(model.name, what, "prune a model that has learnt the task")
            )
        if losses.mean() > settings.target_loss:
            what = f"{settings.target_loss} is below {losses.mean():.3g}, the loss before anything is pruned"
            raise InputError("--target-loss", what, "give a larger one")
        self.margin = min(settings.margin, float(leads.min()) / 2)
        self._gates = Gates(
            whole, ids, columns, self.means, kept, _count(kept), settings.batch, settings.seed
        )

    @property
    def digest(self) -> str:
        """Of everything that decides the result."""
        told = [asdict(self.settings), self.model.weights_sha256, sorted(self.first.cut)]
        whole = hashlib.sha256(json.dumps(told).encode())
        for part in (self.ids, self.right, self.columns, *(k for _, k in sorted(self.first.kept.items()))):
            whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()

    def run(
        self, say: Say = lambda text: None, save: Callable[[Stage], None] = lambda stage: None
    ) -> Pruning:
        """`save` is given what to go on from: after each bisection, now and then in the edge pass, on an interrupt, and when the time is over."""
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
            shuffled = np.random.default_rng(self.settings.seed).permutation(self.right)
            *_, (_, control) = self._gates.train(self.stage.k or 1.0, shuffled, self.settings.steps)
        except (KeyboardInterrupt, OutOfTime):
            save(self.stage)
            raise
        leads, _ = judge(self._circuit(replace(self.stage, kept=control)), self.ids, shuffled, self.columns)
        model_loss, loss = (
            task_loss(m, self.ids, self.right, self.columns)
            for m in (self.model, replace(self.model, mask=mask))
        )
        return Pruning(mask, model_loss, loss, self.stage.k, _count(control), float((leads > 0).mean()))

    def good(self, stage: Stage) -> bool:
        """Whether the circuit decides every input by the margin, at the target loss; what failed before is asked first."""
        check()
        circuit = self._circuit(stage)
        if len(self._hard) and (self._judge(circuit, self._hard)[0] < self.margin - ROUNDING).any():
            return False
        losses = []
        for begin in range(0, len(self.ids), SLICE):
            rows = np.arange(begin, min(begin + SLICE, len(self.ids)))
            leads, loss = self._judge(circuit, rows)
            bad = rows[leads < self.margin]
            if len(bad):
                self._hard = np.array(list(dict.fromkeys([*bad[: HARD // 8], *self._hard]))[:HARD])
                return False
            losses.append(loss)
        return float(np.concatenate(losses).mean()) <= self.settings.target_loss

    def _another_round(self) -> bool:
        """Whether bisection goes on; where one sweep is over, the next begins."""
        stage, settings = self.stage, self.settings
        if stage.rounds < settings.bisections:
            return True
        if stage.sweep >= settings.sweeps or _count(stage.kept) > GAIN * _count(stage.within):
            return False
        self.stage = Stage(stage.kept, stage.kept, stage.cut, *RANGE, stage.k, stage.sweep + 1)
        return True

    def _bisect(self, say: Say) -> Stage:
        """One training of the masks, with the k in the middle."""
        best, settings, reached = self.stage, self.settings, False
        log_k = (best.low + best.high) / 2
        for step, kept in replace(self._gates, within=best.within).train(
            math.exp(log_k), self.right, settings.steps
        ):
            fewest = _count(best.kept)
            say(
                f"sweep {best.sweep}, masks {best.rounds + 1} of {settings.bisections}, k = {math.exp(log_k):.3g}: step {step}, {fewest} nodes so far"
            )
            tried = replace(best, kept=kept, k=math.exp(log_k))
            if (_count(kept) < fewest or step == settings.steps) and self.good(tried):
                reached = reached or step > settings.steps // 2
                best = tried if _count(kept) < fewest else best
        low, high = (log_k, best.high) if reached else (best.low, log_k)
        return replace(best, rounds=best.rounds + 1, low=low, high=high)

    def _thinned(self, say: Say) -> bool:
        """One trial of the edge pass: edges between kept nodes go, weakest first, while every decision stays.  True: nothing goes any more.

        Those that go come in rows, so the number tried at once doubles with each success, and is halved with each failure.
        """
        stage, listed = self.stage, self._listed(self.stage.kept)
        left = [i for i in range(stage.tried, len(listed)) if listed[i] not in stage.cut]
        say(
            f"edges: {stage.tried} of {len(listed)} tried, {len(stage.cut)} removed, {_count(stage.kept)} nodes"
        )
        if not left:
            kept = self._without_idle_nodes(stage)
            self.stage = replace(stage, kept=kept, tried=0, block=1, removed=0)
            return stage.removed == 0 and _count(kept) == _count(stage.kept)
        block = left[: stage.block]
        fewer = replace(stage, cut=stage.cut | {listed[i] for i in block})
        if self.good(fewer):
            self.stage = replace(
                fewer, tried=block[-1] + 1, block=2 * stage.block, removed=stage.removed + len(block)
            )
        elif len(block) > 1:
            self.stage = replace(stage, block=len(block) // 2)
        else:
            self.stage = replace(stage, tried=block[-1] + 1, block=1)
        return False

    def _listed(self, kept: Kept) -> list[Cut]:
        """The edges between kept nodes that a pass goes through, weakest first, gone ones among them; nodes go only between passes."""
        if self._pass is None or self._pass[0] is not kept:
            found = edges(
                self.model.config, self.model.weights, self._mask(replace(self.stage, cut=self.first.cut))
            )
            self._pass = (kept, [edge for _, edge in sorted((abs(weight), edge) for edge, weight in found)])
        return self._pass[1]

    def _without_idle_nodes(self, stage: Stage) -> Kept:
        """Kept nodes that no kept edge touches go too, where the decisions stay."""
        config, fewer = self.model.config, stage.kept
        touched = {
            end
            for edge, _ in edges(config, self.model.weights, self._mask(stage))
            for end in ends(config, edge)
        }
        for place, kept in stage.kept.items():
            for node in np.flatnonzero(kept):
                if (*place, int(node)) not in touched:
                    tried = {**fewer, place: fewer[place] & (np.arange(len(kept)) != node)}
                    if self.good(replace(stage, kept=tried)):
                        fewer = tried
        return fewer

    def _judge(self, circuit: SparseGpt, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return judge(circuit, self.ids[rows], self.right[rows], self.columns)

    def _mask(self, stage: Stage) -> NodeMask:
        return _masked(self.model, stage.kept, self.means, stage.cut)

    def _circuit(self, stage: Stage) -> SparseGpt:
        return replace(self.model, mask=self._mask(stage))


def trained_mask(
    model: SparseGpt,
    ids: np.ndarray,
    right: np.ndarray,
    columns: np.ndarray,
    k: float,
    settings: Settings,
    say: Callable[[int], None],
) -> NodeMask:
    """The mask at the end of one training with this k, whatever it decides: what the control of `show` compares (`control.py`)."""
    means = activation_means(model, [ids])
    kept = {p: np.ones(len(m), dtype=bool) for p, m in means.items()}
    last = kept
    gates = Gates(model, ids, columns, means, kept, _count(kept), settings.batch, settings.seed)
    for step, last in gates.train(k, right, settings.steps):  # noqa: B007  (the last one is kept)
        say(step)
    return _masked(model, last, means)


def _masked(
    model: SparseGpt, kept: Kept, means: dict[Place, np.ndarray], cut: frozenset[Cut] = frozenset()
) -> NodeMask:
    return NodeMask(
        kept,
        {p: np.where(k, np.float32(0), means[p]) for p, k in kept.items()},
        "",
        model.weights_sha256,
        cut,
    )


def _count(kept: Kept) -> int:
    return sum(int(k.sum()) for k in kept.values())


def judge(
    model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per input, by how much the right label leads and the cross-entropy over the labels."""
    logits = model.logits(ids)[:, columns].astype(np.float64)
    leads = lead_of(logits, right)
    logits -= logits.max(axis=1, keepdims=True)
    return leads, np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids)), right]
