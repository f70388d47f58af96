"""What a claim says of a network: it equals a program, it equals another network, or a property holds of it.

One frozen type for each.  On which inputs it is said is the other half of a claim (`input_set.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...common.errors import InputError
from ..network.integers import dyadic
from ..network.network import Network
from ..program.program import Program
from .decision import Decision, Label, same_label
from .fit import check_alike, check_outputs, check_property
from .property import Property


@dataclass(frozen=True, eq=False)
class EqualsProgram:
    """The network, by the decision, gives the label that the program returns.

    Raises InputError where the network has not the outputs that the decision reads.
    """

    network: Network
    program: Program
    decision: Decision

    def __post_init__(self) -> None:
        check_outputs(self.network, self.decision)


@dataclass(frozen=True, eq=False)
class EqualsEverywhere:
    """At every position of a sequence, the network gives the label that the program gives there.

    The network has one block of outputs for each position of the longest sequence; the decision reads each.

    per_prefix: the program is applied to every prefix of the sequence, and its label is that of the prefix's
        last position.  Else it returns a tuple with one label for each token.
    """

    network: Network
    program: Program
    decision: Decision
    per_prefix: bool


@dataclass(frozen=True)
class NetworkOutput:
    """What one network gives on an input: its outputs, and their label if labels are compared."""

    label: Label | None
    outputs: tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class EqualsNetwork:
    """The two networks give the same label, or outputs that differ by at most `epsilon`.

    `decision` says how outputs become labels; it is None where outputs are compared, and `epsilon` is None
    where labels are.  Raises InputError where the networks do not fit each other or the decision, or epsilon
    is negative.
    """

    network: Network
    network_b: Network
    decision: Decision | None
    epsilon: Fraction | None = None

    def __post_init__(self) -> None:
        if (self.decision is None) == (self.epsilon is None):
            raise ValueError("two networks have either a decision or an epsilon")
        if self.epsilon is not None and self.epsilon < 0:
            raise InputError("[decision] epsilon", f"{self.epsilon} is negative", "give 0 or more")
        check_alike(self.network, self.network_b)
        if self.decision is not None and self.network.output_size != self.decision.outputs:
            raise InputError(
                self.network.name,
                f"the network has {self.network.output_size} outputs, "
                f"the decision needs {self.decision.outputs}",
                "list one label per output",
            )

    @property
    def networks(self) -> tuple[Network, Network]:
        return self.network, self.network_b

    @property
    def meaning(self) -> str:
        """What the two networks do, as the end of a sentence about them."""
        if self.epsilon is None:
            return "give the same label"
        return f"have outputs within {self.epsilon} of each other"

    def outputs_on(self, inputs: np.ndarray) -> tuple[NetworkOutput, NetworkOutput]:
        """What each network gives on one row of inputs (1, input_size), exactly."""
        first, second = (
            [Fraction(int(v), network.scale) for v in network.evaluate(inputs)[0]]
            for network in self.networks
        )
        return self.read(first), self.read(second)

    def read(self, outputs: Sequence[Fraction]) -> NetworkOutput:
        """The outputs of one network, with the label that they mean."""
        if self.decision is None:
            return NetworkOutput(None, tuple(outputs))
        numerators, _ = dyadic(np.array(outputs, dtype=object).reshape(1, -1))
        label = self.decision.labels[int(self.decision.decide(numerators)[0])]
        return NetworkOutput(label, tuple(outputs))

    def differ(self, one: NetworkOutput, other: NetworkOutput) -> bool:
        """Whether this is a counterexample: two labels, or outputs farther apart than epsilon."""
        if self.epsilon is not None:
            return any(abs(a - b) > self.epsilon for a, b in zip(one.outputs, other.outputs, strict=True))
        return not same_label(one.label, other.label)


@dataclass(frozen=True, eq=False)
class HasProperty:
    """No output comes out that the property calls unsafe.

    Raises InputError where the property does not fit the network.
    """

    network: Network
    property: Property

    def __post_init__(self) -> None:
        check_property(self.network, self.property)


Question = EqualsProgram | EqualsEverywhere | EqualsNetwork | HasProperty
