"""The surrogate: a small ReLU network that gives the teacher's label on every input of the domain, exactly, or an error.

Between the circuit and the search: shapes are tried from small to larger; each is trained (`surrogate_train.py`), rounded to
small dyadics (`surrogate_quantise.py`), and counted out on all inputs; what stays wrong goes back into training, and in
the end is corrected by construction (`surrogate_correct.py`).  The last word has the exact integer evaluation of the
finished `Network`, never the float one.  What does not train at all is built from its automaton (`surrogate_recurrent.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .claim import Decision
from .domain import Domain
from .errors import InputError
from .labelled import Labelled
from .network import Affine, Network, Relu, feed_forward
from .surrogate_correct import Box, boxes_for, corrected
from .surrogate_quantise import decide, pruned, quantised
from .surrogate_recurrent import recurrent_network, smallest_layered
from .surrogate_train import Layers, Shape, train

SHAPES = (
    *(Shape((w,), r, s) for w, r, s in ((1, 8, 320), (2, 8, 400), (4, 8, 480), (8, 8, 600), (16, 4, 720), (32, 2, 800))),
    *(Shape(w, r, 1000) for w, r in (((8, 8), 4), ((16, 16), 4), ((24, 24), 2))),
    Shape((64,), 2, 800),
    Shape((48, 48), 2, 1200),
)
SAMPLE = 2048  # inputs that training starts from; wrong ones are added
ROUNDS = 4  # times that wrong inputs go back into training, per shape
FEW = 16  # corrections up to which a smaller network is preferred to retraining a larger one
MANY = 1024  # corrections over which we give up
MAX_STATES = 300  # of the automaton that a network is built from
CHECK_BATCH = 1 << 14

Progress = Callable[[str], None]


class NoSurrogate(Exception):
    """No exact network was found: nothing is wrong with the input, but nothing can be said either."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """An exact stand-in for the teacher on a finite domain.

    `hidden`: neurons per hidden layer, corrections included.  `corrections`: how many neurons of the first hidden layer
    were built, not trained.  Every weight is an integer of `weight_bits` bits over 2**`fractional_bits`.
    `inputs`: on how many inputs (all of them) it was found right.
    """

    network: Network
    hidden: tuple[int, ...]
    fractional_bits: int
    weight_bits: int
    nonzeros: int
    corrections: int
    inputs: int
    seconds: float
    trained: bool = True  # False: built from the automaton of the labelled inputs

    @property
    def neurons(self) -> int:
        return sum(self.hidden)

    def to_onnx(self) -> bytes:
        """The ONNX file: the bytes that `network` carries, and the same function."""
        return self.network.source


def fit_surrogate(
    labelled: Labelled,
    domain: Domain,
    decision: Decision,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    budget_seconds: float = 60.0,
) -> Surrogate:
    """A small network with the label of every row of `labelled`, which is the whole domain.

    Raises InputError where the inputs or labels are unusable, NoSurrogate where no exact network was found in the budget.
    """
    from .onnx_writer import with_source

    started = time.monotonic()
    _validate(labelled, domain, decision)
    say = progress or (lambda text: None)
    plan = _Fit(labelled, domain, decision, seed, say, started + budget_seconds).best()
    network = with_source(plan.network)
    surrogate = _described(network, plan, len(labelled), time.monotonic() - started)
    wrong = wrong_rows(network, labelled, domain, decision)
    if len(wrong):
        row = domain.unpadded(labelled.words[wrong[0]])
        raise InputError("surrogate", f"wrong on {len(wrong)} of {len(labelled)} inputs, {row!r} first", "label each input once")
    if not _exact_in_float32(network, domain):
        raise NoSurrogate("the smallest network found has sums that are too large for exact float32 arithmetic")
    return replace(surrogate, seconds=time.monotonic() - started)


def wrong_rows(network: Network, labelled: Labelled, domain: Domain, decision: Decision) -> np.ndarray:
    """The rows on which the network's exact decision is not the label."""
    wrong = []
    for start in range(0, len(labelled), CHECK_BATCH):
        words = labelled.words[start : start + CHECK_BATCH]
        given = decision.decide(network.evaluate(domain.one_hot(words)))
        wrong.append(start + np.flatnonzero(given != labelled.labels[start : start + CHECK_BATCH]))
    return np.concatenate(wrong) if wrong else np.zeros(0, dtype=np.int64)


def check_in_onnxruntime(surrogate: Surrogate, labelled: Labelled, domain: Domain, decision: Decision) -> int:
    """Run the exported file on every input; the number of inputs, or InputError where onnxruntime decides otherwise.

    Raises RuntimeUnavailable where onnxruntime cannot run it.
    """
    from .runtime import OnnxRuntime

    runtime = OnnxRuntime(surrogate.network)
    for start in range(0, len(labelled), CHECK_BATCH):
        words = labelled.words[start : start + CHECK_BATCH]
        outputs = runtime.run_words(domain, words)
        wrong = np.flatnonzero(decision.decide(outputs) != labelled.labels[start : start + CHECK_BATCH])
        if len(wrong):
            row = domain.unpadded(words[wrong[0]])
            raise InputError("surrogate", f"onnxruntime decides {row!r} otherwise than the exact network", "report this: it is a bug")
    return len(labelled)


@dataclass(frozen=True, eq=False)
class _Plan:
    """A network that should be exact, and how it came to be."""

    network: Network
    corrections: int
    trained: bool = True

    @property
    def neurons(self) -> int:
        return self.network.relu_count


class _Fit:
    """One run of the search over shapes; holds the data and the best plan so far."""

    def __init__(self, labelled: Labelled, domain: Domain, decision: Decision, seed: int, say: Progress, deadline: float) -> None:
        self.labelled, self.words, self.labels = labelled, labelled.words, labelled.labels
        self.domain, self.decision, self.outputs = domain, decision, len(decision.labels)
        self.seed, self.say, self.deadline = seed, say, deadline
        self.ids = domain.ids(labelled.words)
        self.used = np.zeros((domain.positions, len(domain.alphabet)), dtype=bool)
        for position in range(domain.positions):
            self.used[position, self.ids[:, position]] = True
        self.plan: _Plan | None = None
        self.closest: tuple[np.ndarray, Layers] | None = None  # fewest wrong rows, and their layers

    def best(self) -> _Plan:
        counts = np.bincount(self.labels, minlength=self.outputs)
        constant: Layers = [(np.zeros((self.outputs, self.domain.input_size)), (np.arange(self.outputs) == counts.argmax()).astype(float))]
        if counts.max() == len(self.labels):
            return _Plan(self._network(constant), 0)
        empty: Layers = [(np.zeros((0, self.domain.input_size)), np.zeros(0)), (np.zeros((self.outputs, 0)), constant[0][1])]
        self._offer(empty, np.flatnonzero(self.labels != counts.argmax()), limit=8)
        built = self._built()
        enough = built.neurons // 2 if built else MANY  # a shallow network is worth more than a deep one, but not any price
        for shape in SHAPES:
            if self.plan and (self.plan.neurons <= sum(shape.hidden) or self.plan.corrections == 0):
                break
            if time.monotonic() > self.deadline or sum(shape.hidden) > max(8, enough):
                break
            self._try(shape)
        self.plan = self.plan or built
        if self.plan is None and self.closest is not None:
            wrong, layers = self.closest
            self.say(f"correcting {len(wrong)} inputs by construction")
            self._offer(layers, wrong, limit=MANY)
        if self.plan is None:
            few = len(self.closest[0]) if self.closest else len(self.labels)
            raise NoSurrogate(f"no small network has the circuit's labels: the best is wrong on {few} of {len(self.labels)} inputs")
        return self.plan

    def _try(self, shape: Shape) -> None:
        rng = np.random.default_rng([self.seed, *shape.hidden])
        sample = self._sample(rng)
        self.say(f"hidden layers {'x'.join(map(str, shape.hidden))}: training on {len(sample)} of {len(self.labels)} inputs")
        for _ in range(ROUNDS):
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
            if errors > max(FEW, len(sample) // 20) and self.closest is not None:
                return
            wrong = np.flatnonzero(decide(layers, self.ids) != self.labels)
            if self.closest is None or len(wrong) < len(self.closest[0]):
                self.closest = wrong, layers
            if len(wrong) == 0 or len(wrong) <= 4 * FEW or len(sample) == len(self.labels):
                self._offer(layers, wrong, limit=FEW)
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

    def _offer(self, layers: Layers, wrong: np.ndarray, *, limit: int) -> None:
        """Keep the network with its wrong rows corrected, if that takes at most `limit` neurons and is the smallest yet."""
        boxes: list[Box] | None = []
        if len(wrong):
            boxes = boxes_for(wrong, self.words, self.labels, len(self.domain.symbols), limit)
        if boxes is None:
            return
        slim = pruned(layers) if layers[0][0].shape[0] else layers
        whole = corrected(slim, boxes, self.words, self.labels, self.ids, len(self.domain.prefix))
        plan = _Plan(self._network(whole), len(boxes))
        smaller = self.plan is None or plan.neurons < self.plan.neurons
        if smaller and _exact_in_float32(plan.network, self.domain):
            self.plan = plan

    def _network(self, layers: Layers) -> Network:
        """With the outputs that the decision wants: one per label, or their difference."""
        if self.decision.kind == "sign":
            weight, bias = layers[-1]
            layers = [*layers[:-1], (weight[1:] - weight[:1], bias[1:] - bias[:1])]
        return feed_forward(layers, name="surrogate")

    def _built(self) -> _Plan | None:
        """The network that runs the labelled inputs' automaton, where that is small."""
        layered = smallest_layered(self.labelled, len(self.domain.symbols), MAX_STATES)
        if layered is None:
            return None
        columns = np.eye(self.outputs, dtype=np.int64)
        if self.decision.kind == "sign":
            columns = columns[1:] - columns[:1]
        return _Plan(recurrent_network(layered, self.domain, columns), 0, trained=False)

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
        raise InputError("surrogate", "there are no inputs to learn from", "loosen the domain's predicate or length")
    if labelled.words.shape[1] != domain.max_length:
        raise InputError("surrogate", f"words have {labelled.words.shape[1]} positions, the domain {domain.max_length}")
    if labelled.words.size and not 0 <= int(labelled.words.min()) <= int(labelled.words.max()) < len(domain.symbols):
        raise InputError("surrogate", "a word holds a symbol that the domain does not have")
    if not 0 <= int(labelled.labels.min()) <= int(labelled.labels.max()) < len(decision.labels):
        raise InputError("surrogate", f"a label index is outside the decision's {len(decision.labels)} labels")


def _described(network: Network, plan: _Plan, inputs: int, seconds: float) -> Surrogate:
    affine = [node for node in network.nodes if isinstance(node, Affine)]
    numbers = [np.concatenate([*(w.ravel() for w in node.weights), node.bias]) for node in affine]
    return Surrogate(
        network=network,
        hidden=tuple(network.sizes[node.source] for node in network.nodes if isinstance(node, Relu)),
        fractional_bits=max(node.denominator.bit_length() - 1 for node in affine),
        weight_bits=max(int(abs(int(v))).bit_length() for part in numbers for v in (part.max(initial=0), part.min(initial=0))),
        nonzeros=sum(int(np.count_nonzero(part)) for part in numbers),
        corrections=plan.corrections,
        trained=plan.trained,
        inputs=inputs,
        seconds=seconds,
    )


def _exact_in_float32(network: Network, domain: Domain) -> bool:
    from .float32 import exact_in_float32

    return exact_in_float32(network, domain.positions).ok
