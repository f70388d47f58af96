"""Fit a surrogate: a small ReLU network that gives the circuit's label on every labelled input, exactly.

Between the circuit and the search.  The families come in this order: a constant; linear (`linear.py`); a sum
for each length (`affine.py`); recurrent cells and one-hot networks, built from a state machine or an
automaton of the labels (`compiled.py`); then one and two hidden layers, as long as they have fewer neurons
than what there is.  Those are trained (`train.py`), rounded to small dyadics (`quantise.py`), counted out on
all inputs, corrected by construction if little is wrong (`correct.py`), and pruned (`slim.py`).  One-hot
networks and corrections always have an answer, unless it is too large (LARGEST, MANY).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..automata.labelled import Labelled
from ..automata.layered import Layered, smallest_layered
from ..claims.decision import Decision
from ..claims.domain import Domain
from ..network.float32 import exact_in_float32
from ..onnx.writer import with_source
from .affine import affine_network, sums_of_words
from .compiled import LARGEST, machine_of, plans_of
from .correct import boxes_for, corrected
from .fit_data import SAMPLE, FitData
from .layers import HiddenShape, Layers
from .linear import linear_layers
from .quantise import decide, pruned, quantised
from .slim import Keeper, slim
from .surrogate import NoSurrogate, Progress, Surrogate, SurrogatePlan, check_labels, described
from .train import train
from .tune import tuned

_ONE_LAYER = ((1, 8, 320), (2, 8, 400), (4, 8, 480), (8, 8, 600), (16, 4, 720), (32, 2, 800))
_TWO_LAYERS = (((8, 8), 4), ((16, 16), 4), ((24, 24), 2))
SHAPES = (
    *(HiddenShape((width,), restarts, steps) for width, restarts, steps in _ONE_LAYER),
    *(HiddenShape(widths, restarts, 1000) for widths, restarts in _TWO_LAYERS),
    HiddenShape((64,), 2, 800),
    HiddenShape((48, 48), 2, 1200),
)
ROUNDS = 4  # times that wrong inputs go back into training, for each shape
FEW = 16  # corrections up to which a smaller network is preferred to retraining a larger one
MANY = 1024  # corrections at most
NEXT_TO_MACHINE = 4  # neurons up to which hidden layers are tried if a small machine explains the labels
SPARE = 8.0  # seconds of processor time for hidden layers where there is an exact network already
HOPELESS = 2  # shapes in a row that learn next to nothing, after which no larger ones are tried
INPUTS_PER_WEIGHT = (
    4  # of linear networks on a part of a domain: with half of that, most labels could be fitted
)
TUNED = (1, 2, 4, 8)  # rounding levels that are trained for


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
    """Fit a small network with the label of every labelled word.

    Args:
        labelled: the whole domain, or what is known of it.
        domain: how a word enters the network.
        decision: how outputs become labels.
        seed: of everything random.
        automaton: makes a layered automaton that gives these labels, if something is known beyond them;
            otherwise the smallest of exactly these words is used.
        progress: is told what is going on.
        budget_seconds: of processor time, after which training ends.  What is built is exact whatever the
            time.

    Raises:
        InputError: the words or labels are unusable, or training needs torch and it is missing.
        NoSurrogate: every exact network that was found is over the limits.
    """
    started = time.monotonic()
    data = FitData(labelled, domain, decision)
    plan = _Fit(data, seed, progress or (lambda text: None), time.process_time() + budget_seconds).best(
        automaton
    )
    network = with_source(plan.network)
    surrogate = described(network, plan, len(labelled), time.monotonic() - started)
    check_labels(network, labelled, domain, decision)
    return replace(surrogate, seconds=time.monotonic() - started)


class _Fit:
    """One run over the families, with the best plan so far."""

    def __init__(self, data: FitData, seed: int, say: Progress, deadline: float) -> None:
        self.data, self.seed, self.say, self.deadline = data, seed, say, deadline
        self.plan: SurrogatePlan | None = None
        self.keeper = Keeper(data.ids, data.labels, seed)
        self.structured = False  # a small machine explains the labels
        self.hopeless = 0  # shapes in a row that learnt next to nothing
        self.closest: tuple[np.ndarray, Layers] | None = None  # fewest wrong rows, and their layers

    def best(self, automaton: Callable[[], Layered | None] | None) -> SurrogatePlan:
        """Try the families in order; see the module's text.  Raises NoSurrogate."""
        data = self.data
        counts = np.bincount(data.labels, minlength=data.outputs)
        scores = (np.arange(data.outputs) == counts.argmax()).astype(float)
        if counts.max() == len(data.labels):
            constant: Layers = [(np.zeros((data.outputs, data.domain.input_size)), scores)]
            return SurrogatePlan(data.network(constant), "constant")
        self.say("linear: looking for weights")
        per_weight = 0 if automaton is None else INPUTS_PER_WEIGHT
        linear = linear_layers(data.ids, data.labels, data.outputs, data.used, self.seed, per_weight)
        if linear is not None:
            self._keep(SurrogatePlan(data.network(slim(linear, self.keeper.right)), "linear"))
            if self.plan is not None:
                return self.plan
        if automaton is None:
            self._sums()
        else:
            self._automata(automaton)
            if self.plan is not None and self.structured:
                return self.plan  # what a small machine explains is likely to hold beyond the inputs at hand
        empty: Layers = [
            (np.zeros((0, data.domain.input_size)), np.zeros(0)),
            (np.zeros((data.outputs, 0)), scores),
        ]
        self._corrected(empty, np.flatnonzero(data.labels != counts.argmax()), limit=8)
        if automaton is None and not self.structured:
            self._automata(lambda: smallest_layered(data.labelled, len(data.domain.symbols), LARGEST))
        self._hidden_layers()
        self._corrected_closest()
        if self.plan is None:
            few = len(self.closest[0]) if self.closest else len(data.labels)
            raise NoSurrogate(
                "no network with the circuit's labels is small enough: one-hot networks take over "
                f"{LARGEST} neurons, and the best trained network is wrong on {few} of {len(data.labels)} "
                f"inputs, too many to correct with {MANY} neurons"
            )
        return self.plan

    def _to_beat(self) -> int:
        """Return the number of neurons from which on hidden layers are not looked at."""
        largest = NEXT_TO_MACHINE + 1 if self.structured else sum(SHAPES[-1].hidden) + 1
        return largest if self.plan is None else min(largest, self.plan.neurons)

    def _sums(self) -> None:
        """Offer a sum for each length, if the labels' numbers are sums."""
        data = self.data
        sums = sums_of_words(data.labelled, data.domain)
        if sums is not None:
            self.structured = True
            self._keep(SurrogatePlan(affine_network(sums, data.domain, data.columns), "affine"))

    def _automata(self, automaton: Callable[[], Layered | None]) -> None:
        """Build networks from the labels' automaton, and from a small machine that it may unroll."""
        domain, layered = self.data.domain, automaton()
        if layered is None:
            return
        self.say("looking for a small state machine")
        language = layered.automaton(len(domain.symbols))
        machine = machine_of(language, domain, self.seed)
        self.structured = machine is not None
        for plan in plans_of(language, machine, domain, self.data.columns):
            self._keep(plan)

    def _hidden_layers(self) -> None:
        """Train the shapes, smallest first, until one is exact without corrections."""
        if self.plan is not None:
            self.deadline = min(self.deadline, time.process_time() + SPARE)
        for shape in SHAPES:
            if time.process_time() > self.deadline:
                return
            if sum(shape.hidden) >= self._to_beat():
                continue
            self._try(shape)
            plan = self.plan
            done = plan is not None and plan.family == "dense" and plan.corrections == 0
            if self.hopeless == HOPELESS or done:
                return

    def _corrected_closest(self) -> None:
        """Correct the trained network that was closest, if nothing small was found."""
        if self.closest is None or self.structured or (self.plan is not None and self.plan.neurons <= FEW):
            return
        wrong, layers = self.closest
        limit = min(MANY, self.plan.neurons - 1 if self.plan else MANY)
        self.say(f"correcting {len(wrong)} inputs by construction")
        self._corrected(layers, wrong, limit)

    def _try(self, shape: HiddenShape) -> None:
        """Train one shape on a sample that grows by what is wrong."""
        data, rng = self.data, np.random.default_rng([self.seed, *shape.hidden])
        sample = data.sample(rng)
        widths = "x".join(map(str, shape.hidden))
        self.say(f"hidden layers {widths}: training on {len(sample)} of {len(data.labels)} inputs")
        for _ in range(1 if self.structured else ROUNDS):
            seed = int(rng.integers(2**31))
            found = train(data.training_set(sample), shape, seed=seed, deadline=self.deadline)
            layers, errors = self._rounded(found, sample)
            rare = len(sample) - np.bincount(data.labels[sample]).max()  # errors of a constant
            self.hopeless = self.hopeless + 1 if errors > rare // 2 and sum(shape.hidden) > FEW else 0
            if errors > max(FEW, len(sample) // 20) and self.closest is not None:
                return
            wrong = np.flatnonzero(decide(layers, data.ids) != data.labels)
            if self.closest is None or len(wrong) < len(self.closest[0]):
                self.closest = wrong, layers
            if len(wrong) == 0:
                self._keep(SurrogatePlan(data.network(self._slimmed(layers, sample)), "dense"))
            elif len(wrong) <= 4 * FEW or len(sample) == len(data.labels):
                self._corrected(layers, wrong, limit=FEW)
            fresh = np.setdiff1d(wrong, sample)
            if len(wrong) == 0 or len(fresh) == 0 or time.process_time() > self.deadline:
                return
            more = rng.choice(fresh, min(len(fresh), SAMPLE // 4), replace=False)
            sample = np.concatenate([sample, more])

    def _rounded(self, found: list[tuple[int, Layers]], sample: np.ndarray) -> tuple[Layers, int]:
        """Return the coarsest rounding with the fewest errors on the sample, of the two best restarts."""
        ids, labels = self.data.ids[sample], self.data.labels[sample]
        best: tuple[int, Layers] | None = None
        for _, layers in found[:2]:
            for rounded in quantised(layers, self.data.used, ids, labels):
                errors = int((decide(rounded, ids) != labels).sum())
                if best is None or errors < best[0]:
                    best = errors, rounded
                if errors == 0:
                    return rounded, 0
        assert best is not None, "training returns at least one restart"
        return best[1], best[0]

    def _slimmed(self, layers: Layers, sample: np.ndarray) -> Layers:
        """Prune exact layers, and further after training for coarse weights, if that stays exact."""
        data, best = self.data, slim(layers, self.keeper.right)
        ids, labels = data.ids[sample], data.labels[sample]

        def cost(found: Layers) -> tuple[int, int, int]:
            return SurrogatePlan(data.network(found), "dense").cost

        for levels in TUNED:
            if time.process_time() > self.deadline or levels >= max(
                np.abs(w).max(initial=0) for w, _ in best
            ):
                break
            again = tuned(best, data.training_set(sample), levels)
            for rounded in quantised(again, data.used, ids, labels, (levels,)):
                if self.keeper.right(rounded):
                    return min((best, slim(rounded, self.keeper.right)), key=cost)
        return best

    def _corrected(self, layers: Layers, wrong: np.ndarray, limit: int) -> None:
        """Offer the network with its wrong rows corrected, if that takes at most `limit` neurons."""
        data = self.data
        boxes = boxes_for(wrong, data.words, data.labels, len(data.domain.symbols), limit)
        if boxes is not None:
            slimmer = pruned(layers) if layers[0][0].shape[0] else layers
            whole = corrected(slimmer, boxes, data.labelled, data.ids, len(data.domain.prefix))
            self._keep(SurrogatePlan(data.network(whole), "dense", len(boxes)))

    def _keep(self, plan: SurrogatePlan) -> None:
        """Keep a plan if it is the smallest yet, and exact in float32."""
        smaller = self.plan is None or plan.cost < self.plan.cost
        if smaller and exact_in_float32(plan.network, self.data.domain.positions).ok:
            self.plan = plan
