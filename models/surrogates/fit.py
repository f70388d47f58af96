"""The surrogate: a small ReLU network that gives the teacher's label on every labelled input, exactly, and the smallest that is found.

Between the circuit and the search.  The families, in this order: a constant; linear (`linear.py`); recurrent cells and one-hot networks, built
from a state machine or automaton of the labels (`machine.py`, `cell.py`, `one_hot.py`); then, as long as that has fewer neurons than
what is there, one and two hidden layers, trained (`train.py`), rounded to small dyadics (`quantise.py`), counted out on all inputs,
corrected by construction where little is wrong (`correct.py`) and pruned (`slim.py`).  One-hot networks and corrections
end every search; only sheer size (LARGEST, MANY) does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...common.errors import InputError
from ..automata.labelled import Labelled
from ..automata.layered import Layered, smallest_layered
from ..claims.decision import Decision
from ..claims.domain import Domain
from ..network.network import Network, feed_forward
from .cell import cell_network, smallest_cell
from .correct import WordBox, boxes_for, corrected
from .linear import linear_layers
from .machine import smallest_machine
from .one_hot import layered_of, neurons_of, one_hot_network
from .quantise import decide, pruned, quantised
from .slim import Keeper, slim
from .surrogate import NoSurrogate, Progress, Surrogate, SurrogatePlan, described, wrong_rows
from .train import HiddenShape, Layers, train, tuned

SHAPES = (
    *(
        HiddenShape((w,), r, s)
        for w, r, s in ((1, 8, 320), (2, 8, 400), (4, 8, 480), (8, 8, 600), (16, 4, 720), (32, 2, 800))
    ),
    *(HiddenShape(w, r, 1000) for w, r in (((8, 8), 4), ((16, 16), 4), ((24, 24), 2))),
    HiddenShape((64,), 2, 800),
    HiddenShape((48, 48), 2, 1200),
)
SAMPLE = 2048  # inputs that training starts from; wrong ones are added
ROUNDS = 4  # times that wrong inputs go back into training, per shape
FEW = 16  # corrections up to which a smaller network is preferred to retraining a larger one
MANY = 1024  # corrections over which we give up
LARGEST = 2000  # neurons of a one-hot network
NEXT_TO_MACHINE = 4  # neurons up to which hidden layers are tried where a small machine explains the labels
HOPELESS = 2  # shapes in a row that learn next to nothing, after which no larger ones are tried
INPUTS_PER_WEIGHT = (
    4  # of linear networks on a part of a domain: with half of that, most labels could be fitted
)
TUNED = (1, 2, 4, 8)  # rounding levels that are trained for

__all__ = ["NoSurrogate", "Surrogate", "fit_surrogate"]


def fit_surrogate(
    labelled: Labelled,
    domain: Domain,
    decision: Decision,
    *,
    seed: int = 0,
    automaton: Callable[[], Layered | None] | None = None,
    progress: Progress | None = None,
    budget_seconds: float = 40.0,
) -> Surrogate:
    """A small network with the label of every row of `labelled`: the whole domain, or what is known of it.

    `automaton`: makes one that gives these labels, where something is known beyond them; otherwise the smallest of exactly these words
    is taken.

    `budget_seconds` ends training, not the search: what is built is exact whatever the time.  Raises InputError where the
    inputs or labels are unusable, NoSurrogate where every exact network that was found is over the limits.
    """
    from ..onnx.writer import with_source

    started = time.monotonic()
    _validate(labelled, domain, decision)
    say = progress or (lambda text: None)
    plan = _Fit(labelled, domain, decision, seed, say, started + budget_seconds).best(automaton)
    network = with_source(plan.network)
    surrogate = described(network, plan, len(labelled), time.monotonic() - started)
    wrong = wrong_rows(network, labelled, domain, decision)
    if len(wrong):
        row = domain.unpadded(labelled.words[wrong[0]])
        raise InputError(
            "surrogate",
            f"wrong on {len(wrong)} of {len(labelled)} inputs, {row!r} first",
            "label each input once",
        )
    return replace(surrogate, seconds=time.monotonic() - started)


class _Fit:
    """One run of the search over families; holds the data and the best plan so far."""

    def __init__(
        self,
        labelled: Labelled,
        domain: Domain,
        decision: Decision,
        seed: int,
        say: Progress,
        deadline: float,
    ) -> None:
        self.labelled, self.words, self.labels = labelled, labelled.words, labelled.labels
        self.domain, self.decision, self.outputs = domain, decision, len(decision.labels)
        self.seed, self.say, self.deadline = seed, say, deadline
        self.ids = domain.ids(labelled.words)
        self.used = np.zeros((domain.positions, len(domain.alphabet)), dtype=bool)
        for position in range(domain.positions):
            self.used[position, self.ids[:, position]] = True
        self.plan: SurrogatePlan | None = None
        self.keeper = Keeper(self.ids, self.labels, seed)
        self.structured = False  # a small machine explains the labels
        self.hopeless = 0
        self.closest: tuple[np.ndarray, Layers] | None = None  # fewest wrong rows, and their layers
        columns = np.eye(self.outputs, dtype=np.int64)
        self.columns = columns[1:] - columns[:1] if decision.kind == "sign" else columns

    def best(self, automaton: Callable[[], Layered | None] | None) -> SurrogatePlan:
        counts = np.bincount(self.labels, minlength=self.outputs)
        scores = (np.arange(self.outputs) == counts.argmax()).astype(float)
        if counts.max() == len(self.labels):
            return SurrogatePlan(
                self._feed_forward([(np.zeros((self.outputs, self.domain.input_size)), scores)]), "constant"
            )
        self.say("linear: looking for weights")
        per_weight = 0 if automaton is None else INPUTS_PER_WEIGHT
        linear = linear_layers(self.ids, self.labels, self.outputs, self.used, self.seed, per_weight)
        if linear is not None:
            self._keep(SurrogatePlan(self._feed_forward(slim(linear, self.keeper.right)), "linear"))
            if self.plan is not None:
                return self.plan
        if automaton is not None:
            self._automata(automaton)
            if self.plan is not None and self.structured:
                return self.plan  # what a small machine explains is likely to hold beyond the inputs at hand
        empty: Layers = [
            (np.zeros((0, self.domain.input_size)), np.zeros(0)),
            (np.zeros((self.outputs, 0)), scores),
        ]
        self._corrected(empty, np.flatnonzero(self.labels != counts.argmax()), limit=8)
        if automaton is None:
            self._automata(lambda: smallest_layered(self.labelled, len(self.domain.symbols), LARGEST))
        for shape in SHAPES:
            if time.monotonic() > self.deadline:
                break
            if sum(shape.hidden) >= self._to_beat():
                continue
            self._try(shape)
            if self.hopeless == HOPELESS or (
                self.plan and self.plan.family == "dense" and self.plan.corrections == 0
            ):
                break
        if (
            self.closest is not None
            and not self.structured
            and (self.plan is None or self.plan.neurons > FEW)
        ):
            wrong, layers = self.closest
            limit = min(MANY, self.plan.neurons - 1 if self.plan else MANY)
            self.say(f"correcting {len(wrong)} inputs by construction")
            self._corrected(layers, wrong, limit)
        if self.plan is None:
            few = len(self.closest[0]) if self.closest else len(self.labels)
            raise NoSurrogate(
                f"no network with the circuit's labels is small enough: one-hot networks take over {LARGEST} neurons, "
                f"and the best trained network is wrong on {few} of {len(self.labels)} inputs, too many to correct with {MANY} neurons"
            )
        return self.plan

    def _to_beat(self) -> int:
        """Hidden layers with this many neurons are not looked at."""
        largest = NEXT_TO_MACHINE + 1 if self.structured else sum(SHAPES[-1].hidden) + 1
        return largest if self.plan is None else min(largest, self.plan.neurons)

    def _automata(self, automaton: Callable[[], Layered | None]) -> None:
        """Networks that are built from the labels' automaton, or from the small machine that it may be an unrolling of."""
        symbols, pad = len(self.domain.symbols), None if self.domain.pad is None else len(self.domain.tokens)
        layered = automaton()
        if layered is None:
            return
        self.say("looking for a small state machine")
        machine = smallest_machine(layered, symbols, pad, self.seed)
        unrolled = [layered]
        if machine is not None:
            self.structured = True
            unrolled.append(layered_of(machine, self.domain.max_length))
            cell = smallest_cell(machine)
            if cell is not None:
                self._keep(
                    SurrogatePlan(
                        cell_network(machine, cell, self.domain, self.columns), "cell", cell=cell.width
                    )
                )
        for each in unrolled:
            if neurons_of(each) <= LARGEST and (self.plan is None or neurons_of(each) < self.plan.neurons):
                self._keep(SurrogatePlan(one_hot_network(each, self.domain, self.columns), "one-hot"))

    def _try(self, shape: HiddenShape) -> None:
        rng = np.random.default_rng([self.seed, *shape.hidden])
        sample = self._sample(rng)
        self.say(
            f"hidden layers {'x'.join(map(str, shape.hidden))}: training on {len(sample)} of {len(self.labels)} inputs"
        )
        for _ in range(1 if self.structured else ROUNDS):
            found = train(
                self._one_hot(sample),
                self.labels[sample],
                self.domain.positions,
                self.outputs,
                shape,
                seed=int(rng.integers(2**31)),
                deadline=self.deadline,
                used=self.used,
            )
            layers, errors = self._rounded(found, sample)
            rare = len(sample) - np.bincount(self.labels[sample]).max()  # errors of a constant
            self.hopeless = self.hopeless + 1 if errors > rare // 2 and sum(shape.hidden) > FEW else 0
            if errors > max(FEW, len(sample) // 20) and self.closest is not None:
                return
            wrong = np.flatnonzero(decide(layers, self.ids) != self.labels)
            if self.closest is None or len(wrong) < len(self.closest[0]):
                self.closest = wrong, layers
            if len(wrong) == 0:
                self._keep(SurrogatePlan(self._feed_forward(self._slimmed(layers, sample)), "dense"))
            elif len(wrong) <= 4 * FEW or len(sample) == len(self.labels):
                self._corrected(layers, wrong, limit=FEW)
            fresh = np.setdiff1d(wrong, sample)
            if len(wrong) == 0 or len(fresh) == 0 or time.monotonic() > self.deadline:
                return
            sample = np.concatenate([sample, rng.choice(fresh, min(len(fresh), SAMPLE // 4), replace=False)])

    def _rounded(self, found: list[tuple[int, Layers]], sample: np.ndarray) -> tuple[Layers, int]:
        """The coarsest rounding with the fewest errors on the sample, over the two best restarts."""
        ids, labels = self.ids[sample], self.labels[sample]
        best: tuple[int, Layers] | None = None
        for _, layers in found[:2]:
            for rounded in quantised(layers, self.used, ids, labels):
                errors = int((decide(rounded, ids) != labels).sum())
                if best is None or errors < best[0]:
                    best = errors, rounded
                if errors == 0:
                    return rounded, 0
        assert best is not None, "training returns at least one restart"
        return best[1], best[0]

    def _slimmed(self, layers: Layers, sample: np.ndarray) -> Layers:
        """The exact layers pruned, and pruned further by training for coarse weights, if what comes out is exact, too."""
        best = slim(layers, self.keeper.right)
        ids, labels = self.ids[sample], self.labels[sample]
        for levels in TUNED:
            if time.monotonic() > self.deadline or levels >= max(np.abs(w).max(initial=0) for w, _ in best):
                break
            again = tuned(best, self._one_hot(sample), labels, levels)
            for rounded in quantised(again, self.used, ids, labels, (levels,)):
                if self.keeper.right(rounded):
                    slimmer = slim(rounded, self.keeper.right)
                    return min(
                        (best, slimmer),
                        key=lambda found: SurrogatePlan(self._feed_forward(found), "dense").cost,
                    )
        return best

    def _corrected(self, layers: Layers, wrong: np.ndarray, limit: int) -> None:
        """Offer the network with its wrong rows corrected, if that takes at most `limit` neurons."""
        boxes: list[WordBox] | None = boxes_for(
            wrong, self.words, self.labels, len(self.domain.symbols), limit
        )
        if boxes is not None:
            slimmer = pruned(layers) if layers[0][0].shape[0] else layers
            whole = corrected(slimmer, boxes, self.words, self.labels, self.ids, len(self.domain.prefix))
            self._keep(SurrogatePlan(self._feed_forward(whole), "dense", len(boxes)))

    def _keep(self, plan: SurrogatePlan) -> None:
        """The plan, if it is the smallest yet, and exact in float32."""
        from ..network.float32 import exact_in_float32

        if (self.plan is None or plan.cost < self.plan.cost) and exact_in_float32(
            plan.network, self.domain.positions
        ).ok:
            self.plan = plan

    def _feed_forward(self, layers: Layers) -> Network:
        """With the outputs that the decision wants: one per label, or their difference."""
        if self.decision.kind == "sign":
            weight, bias = layers[-1]
            layers = [*layers[:-1], (weight[1:] - weight[:1], bias[1:] - bias[:1])]
        return feed_forward(layers, name="surrogate")

    def _sample(self, rng: np.random.Generator) -> np.ndarray:
        """Rows to train on: all, or a sample in which every label that occurs has its share."""
        count = len(self.labels)
        if count <= SAMPLE:
            return np.arange(count)
        classes = [np.flatnonzero(self.labels == c) for c in np.unique(self.labels)]
        chosen = [rng.choice(rows, min(len(rows), SAMPLE // len(classes)), replace=False) for rows in classes]
        return np.concatenate(chosen)

    def _one_hot(self, rows: np.ndarray) -> np.ndarray:
        return self.domain.one_hot(self.words[rows])


def _validate(labelled: Labelled, domain: Domain, decision: Decision) -> None:
    if len(labelled) == 0:
        raise InputError(
            "surrogate", "there are no inputs to learn from", "loosen the domain's predicate or length"
        )
    if labelled.words.shape[1] != domain.max_length:
        raise InputError(
            "surrogate", f"words have {labelled.words.shape[1]} positions, the domain {domain.max_length}"
        )
    if labelled.words.size and not 0 <= int(labelled.words.min()) <= int(labelled.words.max()) < len(
        domain.symbols
    ):
        raise InputError("surrogate", "a word holds a symbol that the domain does not have")
    if not 0 <= int(labelled.labels.min()) <= int(labelled.labels.max()) < len(decision.labels):
        raise InputError(
            "surrogate", f"a label index is outside the decision's {len(decision.labels)} labels"
        )
