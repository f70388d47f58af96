"""What a surrogate is, and what is checked on it once it is there: its decisions in exact arithmetic and in onnxruntime.

`fit.py` makes them.  The last word has the exact integer evaluation of the finished `Network`, never the float one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...common.errors import InputError
from ..automata.labelled import Labelled
from ..claims.decision import Decision
from ..claims.domain import Domain
from ..network.network import Affine, Network, Relu

CHECK_BATCH = 1 << 14

Progress = Callable[[str], None]
Family = Literal["constant", "linear", "dense", "cell", "one-hot"]


class NoSurrogate(Exception):
    """No exact network was found within the limits: nothing is wrong with the input, but nothing can be said either."""


@dataclass(frozen=True, eq=False)
class SurrogatePlan:
    """A network that should be exact, and how it came to be.

    `corrections`: neurons of its first hidden layer that were built, not trained.  `cell`: ReLUs per position, of a cell.
    """

    network: Network
    family: Family
    corrections: int = 0
    cell: int = 0

    @property
    def neurons(self) -> int:
        return self.network.relu_count

    @property
    def cost(self) -> tuple[int, int, int]:
        """What is better: fewer neurons, which is what provers branch on, corrections counted twice; fewer weights; shorter ones."""
        numbers = _numbers(self.network)
        return self.neurons + self.corrections, sum(map(np.count_nonzero, numbers)), _bits(numbers)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """An exact stand-in for the teacher on the inputs that it was fitted to.

    `family`: "linear" has no neurons, "dense" one or two hidden layers, "cell" the same few ReLUs (`cell` of them) at each
    position, "one-hot" a state machine with a value per state.  `hidden`: neurons per layer of ReLUs, corrections included.
    `corrections`: how many neurons were built to correct training.  Every weight is an integer of `weight_bits` bits over
    2**`fractional_bits`.  `inputs`: on how many inputs (all that were given) it was found right.
    """

    network: Network
    family: Family
    hidden: tuple[int, ...]
    cell: int
    fractional_bits: int
    weight_bits: int
    nonzeros: int
    corrections: int
    inputs: int
    seconds: float

    @property
    def neurons(self) -> int:
        return sum(self.hidden)

    def to_onnx(self) -> bytes:
        """The ONNX file: the bytes that `network` carries, and the same function."""
        return self.network.source


def described(network: Network, plan: SurrogatePlan, inputs: int, seconds: float) -> Surrogate:
    affine = [node for node in network.nodes if isinstance(node, Affine)]
    numbers = _numbers(network)
    return Surrogate(
        network=network,
        family=plan.family,
        hidden=tuple(network.sizes[node.source] for node in network.nodes if isinstance(node, Relu)),
        cell=plan.cell,
        fractional_bits=max(node.denominator.bit_length() - 1 for node in affine),
        weight_bits=_bits(numbers),
        nonzeros=sum(int(np.count_nonzero(part)) for part in numbers),
        corrections=plan.corrections,
        inputs=inputs,
        seconds=seconds,
    )


def _numbers(network: Network) -> list[np.ndarray]:
    return [
        np.concatenate([*(w.ravel() for w in n.weights), n.bias])
        for n in network.nodes
        if isinstance(n, Affine)
    ]


def _bits(numbers: list[np.ndarray]) -> int:
    return max(
        int(abs(int(v))).bit_length() for part in numbers for v in (part.max(initial=0), part.min(initial=0))
    )


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
    from ..network.runtime import OnnxRuntime

    runtime = OnnxRuntime(surrogate.network)
    for start in range(0, len(labelled), CHECK_BATCH):
        words = labelled.words[start : start + CHECK_BATCH]
        outputs = runtime.run_words(domain, words)
        wrong = np.flatnonzero(decision.decide(outputs) != labelled.labels[start : start + CHECK_BATCH])
        if len(wrong):
            row = domain.unpadded(words[wrong[0]])
            raise InputError(
                "surrogate",
                f"onnxruntime decides {row!r} otherwise than the exact network",
                "report this: it is a bug",
            )
    return len(labelled)
