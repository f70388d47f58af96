"""Teachers of a behaviour: a small torch network, trained on its labels, or a run of its reference.

Training: two hidden layers over the one-hot sequence, Adam on all inputs, one thread, everything from one
seed.  A teacher that is not exactly its reference in the end is kept: what is distilled is what the teacher
does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..models.automata.labelled import Labelled
from ..models.circuits.black_box import BlackBox
from ..models.circuits.circuit import CircuitSummary
from .distill_behaviours import Behaviour

HIDDEN = (128, 64)
EPOCHS = 400
BATCH = 256
RATE = 2e-3
MARGIN = 1.0  # of the logits on every input: then training ends


def exact_teacher(behaviour: Behaviour) -> BlackBox:
    """Return a circuit that gives the reference's label, by running it: logit 1, and 0 for all others.

    It is only executed.  What distils it sees labels, as of any other circuit.
    """
    words = vocabulary(behaviour)

    def run(ids: np.ndarray) -> list[Any]:
        return [behaviour.reference.answer(tuple(words[i] for i in row)) for row in ids.tolist()]

    return BlackBox(
        f"exact teacher of {behaviour.name}", words, run, "only executed", "made by relucid bench"
    )


def vocabulary(behaviour: Behaviour) -> tuple[str, ...]:
    """Return the words of a teacher: the tokens, then the labels that are no tokens."""
    tokens = behaviour.domain.tokens
    return (*tokens, *(y for y in behaviour.labels if y not in tokens))


@dataclass(frozen=True, eq=False)
class Teacher:
    """A circuit (`models/circuits/circuit.py`): token ids of one length in, logits over tokens and labels
    out.
    """

    name: str
    vocabulary: tuple[str, ...]
    size: int  # tokens come first in the vocabulary
    length: int
    columns: np.ndarray  # of the labels in the vocabulary
    weights: tuple[np.ndarray, ...]  # weight, bias, weight, bias, ...
    agreement: float  # share of the inputs with the reference's label
    epochs: int

    def logits(self, ids: np.ndarray) -> np.ndarray:
        value = one_hot(ids, self.size, self.length)
        layers = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        for k, (weight, bias) in enumerate(layers):
            value = value @ weight.T + bias
            if k < len(layers) - 1:
                value = np.maximum(value, 0)
        out = np.full((len(ids), len(self.vocabulary)), -1e4, dtype=np.float32)
        out[:, self.columns] = value
        return out

    def summary(self) -> CircuitSummary:
        sizes = [w.shape[1] for w in self.weights[::2]]
        edges = sum(w.size for w in self.weights[::2])
        total = sum(w.size for w in self.weights)
        nodes = sum(sizes[1:])
        origin = f"trained on {self.name.removeprefix('teacher of ')} by benchmarks/distill_teacher.py"
        return CircuitSummary(
            self.name,
            len(sizes),
            nodes,
            nodes,
            edges,
            edges,
            total,
            total,
            origin,
            "feed-forward ReLU network",
        )


def one_hot(ids: np.ndarray, size: int, length: int) -> np.ndarray:
    """Return the sequences as (batch, length * size) float32; positions behind the end are zero."""
    out = np.zeros((len(ids), length, size), dtype=np.float32)
    rows, places = np.nonzero(ids < size)
    out[rows, places, ids[rows, places]] = 1
    return out.reshape(len(ids), -1)


def train_teacher(
    behaviour: Behaviour, seed: int = 0, progress: Callable[[str], None] = lambda text: None
) -> Teacher:
    """Train until every input has its label by a margin, or the epochs are over."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _trained(torch, behaviour, behaviour.labelled, seed, progress)
    finally:
        torch.set_num_threads(threads)


def _trained(
    torch: Any, behaviour: Behaviour, data: Labelled, seed: int, progress: Callable[[str], None]
) -> Teacher:
    domain = behaviour.domain
    size, length = len(domain.tokens), domain.max_length
    random = torch.Generator().manual_seed(seed)
    widths = (size * length, *HIDDEN, len(behaviour.labels))
    parameters = []
    for fan_in, fan_out in pairwise(widths):
        parameters.append(
            (torch.randn(fan_out, fan_in, generator=random) * (2 / fan_in) ** 0.5).requires_grad_()
        )
        parameters.append(torch.zeros(fan_out, requires_grad=True))
    inputs = torch.from_numpy(one_hot(data.words.astype(np.int64), size, length))
    labels = torch.from_numpy(data.labels.astype(np.int64))

    def forward(x: Any) -> Any:
        for k in range(0, len(parameters), 2):
            x = x @ parameters[k].T + parameters[k + 1]
            x = torch.relu(x) if k < len(parameters) - 2 else x
        return x

    optimiser = torch.optim.Adam(parameters, lr=RATE)
    epoch = 0
    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(len(labels), generator=random)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss = torch.nn.functional.cross_entropy(forward(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if epoch % 5 == 0:
            right, margin = _margin(torch, forward(inputs).detach(), labels)
            progress(f"training a teacher of {behaviour.name}: epoch {epoch}, {right:.2%} right")
            if margin > MARGIN:
                break
    right, _ = _margin(torch, forward(inputs).detach(), labels)
    words = vocabulary(behaviour)
    columns = np.array([words.index(y) for y in behaviour.labels])
    weights = tuple(p.detach().numpy() for p in parameters)
    return Teacher(f"teacher of {behaviour.name}", words, size, length, columns, weights, right, epoch)


def _margin(torch: Any, logits: Any, labels: Any) -> tuple[float, float]:
    """Return the share of right answers, and the smallest lead of the right label."""
    if logits.shape[1] == 1:
        return 1.0, float("inf")
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], float("-inf")).max(dim=1, keepdim=True).values
    lead = own - others
    return float((lead > 0).double().mean()), float(lead.min())
