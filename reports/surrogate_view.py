"""What the report shows of a surrogate: its layers, its weights if they are few, and its margins."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..common.text import rational
from ..models.automata.sampling import Sampler
from ..models.claims.word_claim import WordClaim
from ..models.network.network import Affine, Network
from ..pipeline.histogram import Histogram, histogram

EVERY = 200_000  # inputs up to which margins are those of all
DRAWN = 100_000  # inputs that are drawn where there are more
BATCH = 1 << 14
MOST_WEIGHTS = 400  # nonzero weights up to which each is listed


@dataclass(frozen=True)
class Layer:
    """Node `number` of the network; `nonzero` weights, and the largest one, exactly."""

    number: int
    kind: str
    reads: tuple[int, ...]
    size: int
    nonzero: int
    largest: str
    biases: tuple[str, ...]


@dataclass(frozen=True)
class Weight:
    """A weight of `unit` of node `node`.

    It stands at unit `source` of node `reads`; of the input, which is node 0, that is `token` at `position`.
    """

    node: int
    unit: int
    reads: int
    source: int
    position: int | None
    token: str | None
    exact: str
    value: float


@dataclass(frozen=True)
class Margins:
    """The surrogate's exact margins, in units of its outputs.

    They are those of all inputs of the domain, or of inputs `drawn` uniformly with repetition.
    """

    found: Histogram | None
    inputs: int
    drawn: bool


def layers(network: Network) -> tuple[Layer, ...]:
    out = []
    for k, node in enumerate(network.nodes, start=1):
        if not isinstance(node, Affine):
            out.append(Layer(k, "ReLU", (node.source,), network.sizes[k], 0, "", ()))
            continue
        values = [int(v) for w in node.weights for v in w.flat if v]
        largest = rational(Fraction(max(values, key=abs), node.denominator)) if values else ""
        biases = tuple(rational(Fraction(int(v), node.denominator)) for v in node.bias)
        out.append(Layer(k, "affine", node.sources, node.size, len(values), largest, biases))
    return tuple(out)


def weights(claim: WordClaim) -> tuple[Weight, ...]:
    """Return every nonzero weight if there are at most MOST_WEIGHTS, else none."""
    network, alphabet = claim.network, claim.domain.alphabet
    if sum(layer.nonzero for layer in layers(network)) > MOST_WEIGHTS:
        return ()
    out = []
    for k, node in enumerate(network.nodes, start=1):
        if isinstance(node, Affine):
            for source, matrix in zip(node.sources, node.weights, strict=True):
                for unit, column in np.argwhere(matrix != 0):
                    exact = Fraction(int(matrix[unit, column]), node.denominator)
                    position, symbol = divmod(int(column), len(alphabet)) if source == 0 else (None, None)
                    token = None if symbol is None else alphabet[symbol]
                    out.append(
                        Weight(
                            k, int(unit), source, int(column), position, token, rational(exact), float(exact)
                        )
                    )
    return tuple(out)


def margins(claim: WordClaim) -> Margins:
    """Return by how much the decided label leads the best other one, on many inputs.

    If the output's sign decides, the margin is its distance from 0.
    """
    domain, network, decision = claim.domain, claim.network, claim.decision
    everything = claim.domain_size <= EVERY
    words = (
        np.concatenate([w for w, _ in claim.language.words()])
        if everything
        else Sampler(claim.language).words(DRAWN, np.random.default_rng(0))
    )
    values, labels = [], []
    for start in range(0, len(words), BATCH):
        outputs = network.evaluate(domain.one_hot(words[start : start + BATCH]))
        best, rows = decision.decide(outputs), np.arange(len(outputs))
        labels.append(best)
        if decision.kind == "sign":
            values.append(abs(outputs[:, 0]))
        elif outputs.shape[1] > 1:
            others = outputs.copy()
            others[rows, best] = outputs.min()
            values.append(outputs[rows, best] - others.max(axis=1))
    found = (
        histogram(np.concatenate(values), np.concatenate(labels), len(decision.labels), network.scale)
        if values
        else None
    )
    return Margins(found, len(words), not everything)
