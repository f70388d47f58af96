"""What a surrogate is, and how a finished one is checked: in exact arithmetic and in onnxruntime.

`fit.py` makes them.  The exact integer evaluation of the finished `Network` decides whether it is right,
never the float one.
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
from ..network.runtime import OnnxRuntime

CHECK_BATCH = 1 << 14

Progress = Callable[[str], None]
Family = Literal["constant", "linear", "affine", "dense", "cell", "one-hot"]


class NoSurrogate(Exception):
    """No exact network was found within the limits.  Nothing is wrong with the input."""


@dataclass(frozen=True, eq=False)
class SurrogatePlan:
    """A network that should be exact, and how it came to be.

    Args:
        network: the network.
        family: see `Surrogate`.
        corrections: neurons of its first hidden layer that were built, not trained.
        cell: ReLUs at each position, for a cell.
    """

    network: Network
    family: Family
    corrections: int = 0
    cell: int = 0

    @property
    def neurons(self) -> int:
        """How many ReLUs there are."""
        return self.network.relu_count

    @property
    def cost(self) -> tuple[int, int, int]:
        """What is to be small: neurons, which provers branch on; weights; their length."""
        numbers = _numbers(self.network)
        return self.neurons + self.corrections, sum(map(np.count_nonzero, numbers)), _bits(numbers)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """An exact stand-in for the circuit on the inputs that it was fitted to.

    Every weight is an integer of `weight_bits` bits over 2**fractional_bits.

    Args:
        network: as its ONNX file has it.
        family: "constant", "linear" (no neurons), "affine" (a sum for each length of the sequence), "dense"
            (one or two hidden layers), "cell" (the same few ReLUs at each position) or "one-hot" (a state
            machine with a value for each state).
        hidden: neurons of each layer of ReLUs, corrections included.
        cell: ReLUs at each position, for a cell.
        fractional_bits, weight_bits: see above.
        nonzeros: weights and biases that are not zero.
        corrections: neurons that were built to correct training.
        inputs: on how many inputs (all that were given) it was found right.
        seconds: that fitting took.
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
        """How many ReLUs there are."""
        return sum(self.hidden)

    def to_onnx(self) -> bytes:
        """Return the ONNX file: the bytes that `network` was read from."""
        return self.network.source


def described(network: Network, plan: SurrogatePlan, inputs: int, seconds: float) -> Surrogate:
    """Measure a network; `inputs` is the number of inputs on which it is right."""
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
    """Return the rows on which the network's exact decision is not the label."""
    wrong = []
    for start in range(0, len(labelled), CHECK_BATCH):
        words = labelled.words[start : start + CHECK_BATCH]
        given = decision.decide(network.evaluate(domain.one_hot(words)))
        wrong.append(start + np.flatnonzero(given != labelled.labels[start : start + CHECK_BATCH]))
    return np.concatenate(wrong) if wrong else np.zeros(0, dtype=np.int64)


def check_labels(network: Network, labelled: Labelled, domain: Domain, decision: Decision) -> None:
    """Check in exact arithmetic that a network gives every word its label.  Raises InputError if not."""
    wrong = wrong_rows(network, labelled, domain, decision)
    if len(wrong):
        row = domain.unpadded(labelled.words[wrong[0]])
        what = f"wrong on {len(wrong)} of {len(labelled)} inputs, {row!r} first"
        raise InputError("surrogate", what, "label each input once")


def check_in_onnxruntime(surrogate: Surrogate, labelled: Labelled, domain: Domain, decision: Decision) -> int:
    """Run the exported file on every labelled word.

    Returns: the number of words.

    Raises:
        InputError: onnxruntime decides otherwise than the label.
        RuntimeUnavailable: onnxruntime cannot run the file.
    """
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
