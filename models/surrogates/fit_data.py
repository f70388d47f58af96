"""The labelled words that a surrogate is fitted to, in the forms that the families need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...common.errors import InputError
from ..automata.labelled import Labelled
from ..claims.decision import Decision
from ..claims.domain import Domain
from ..network.network import Network, feed_forward
from .layers import Layers, TrainingSet

SAMPLE = 2048  # inputs that training starts from; wrong ones are added


@dataclass(frozen=True, eq=False)
class FitData:
    """Labelled words of a domain.

    Raises:
        InputError: there are none, or a word or label is none of the domain's.
    """

    labelled: Labelled
    domain: Domain
    decision: Decision

    def __post_init__(self) -> None:
        words, labels, domain = self.words, self.labels, self.domain
        if len(words) == 0:
            what = "there are no inputs to learn from"
            raise InputError("surrogate", what, "loosen the domain's predicate or length")
        if words.shape[1] != domain.max_length:
            what = f"words have {words.shape[1]} positions, the domain {domain.max_length}"
            raise InputError("surrogate", what)
        if words.size and not 0 <= int(words.min()) <= int(words.max()) < len(domain.symbols):
            raise InputError("surrogate", "a word holds a symbol that the domain does not have")
        if not 0 <= int(labels.min()) <= int(labels.max()) < self.outputs:
            what = f"a label index is outside the decision's {self.outputs} labels"
            raise InputError("surrogate", what)

    @property
    def words(self) -> np.ndarray:
        """Padded words, int16 (n, max_length)."""
        return self.labelled.words

    @property
    def labels(self) -> np.ndarray:
        """Label indices, (n,)."""
        return self.labelled.labels

    @property
    def outputs(self) -> int:
        """How many labels there are."""
        return len(self.decision.labels)

    @cached_property
    def ids(self) -> np.ndarray:
        """Alphabet indices at all positions, prefix and suffix included: (n, positions)."""
        return self.domain.ids(self.words)

    @cached_property
    def used(self) -> np.ndarray:
        """Which symbols occur where: bools (positions, alphabet)."""
        used = np.zeros((self.domain.positions, len(self.domain.alphabet)), dtype=bool)
        for position in range(self.domain.positions):
            used[position, self.ids[:, position]] = True
        return used

    @cached_property
    def columns(self) -> np.ndarray:
        """What the network's outputs are for each label: integers (outputs, labels)."""
        return columns_of(self.decision)

    def training_set(self, rows: np.ndarray) -> TrainingSet:
        """Return some of the words for training."""
        return TrainingSet(self.domain.one_hot(self.words[rows]), self.labels[rows], self.outputs, self.used)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows to train on: all, or a sample in which every label that occurs has its share."""
        count = len(self.labels)
        if count <= SAMPLE:
            return np.arange(count)
        classes = [np.flatnonzero(self.labels == c) for c in np.unique(self.labels)]
        share = SAMPLE // len(classes)
        return np.concatenate([rng.choice(rows, min(len(rows), share), replace=False) for rows in classes])

    def network(self, layers: Layers) -> Network:
        """Return the network with the outputs that the decision wants: one per label, or their difference."""
        if self.decision.kind == "sign":
            weight, bias = layers[-1]
            layers = [*layers[:-1], (weight[1:] - weight[:1], bias[1:] - bias[:1])]
        return feed_forward(layers, name="surrogate")


def columns_of(decision: Decision) -> np.ndarray:
    """Return what a network's outputs are for each label: integers (outputs, labels)."""
    columns = np.eye(len(decision.labels), dtype=np.int64)
    return columns[1:] - columns[:1] if decision.kind == "sign" else columns
