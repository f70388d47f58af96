"""What a file computes from its network's last values: softmax, logarithms, sigmoids, the largest.

Beside `network.py`, which ends before that.  `onnx/heads.py` reads a head, and `claims/head_rows.py` turns
statements about its results into statements about the network's own outputs, the logits.  A sigmoid is a
softmax of its logit and 0, and a hyperbolic tangent is 2 sigmoid(2 z) - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ZERO = -1  # in a group: the number 0 instead of an output of the network


@dataclass(frozen=True)
class Plain:
    """Output `index` of the network as it is."""

    index: int


@dataclass(frozen=True)
class SoftmaxShare:
    """offset + factor * e^z[member] / (sum of e^z over the group).

    `group` are outputs of the network (ZERO: the number 0), and `member` is a place in it.
    """

    group: tuple[int, ...]
    member: int  # a place in the group
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


@dataclass(frozen=True)
class LogSoftmaxShare:
    """The logarithm of a softmax share."""

    group: tuple[int, ...]
    member: int


@dataclass(frozen=True)
class Choice:
    """table[k], where k is the first place of the group's largest value."""

    group: tuple[int, ...]
    table: tuple[Fraction, ...]


Element = Plain | SoftmaxShare | LogSoftmaxShare | Choice


@dataclass(frozen=True)
class Head:
    """One element per result of the file.  `operators` are their ONNX names, for messages."""

    elements: tuple[Element, ...]
    operators: tuple[str, ...] = ()

    def canonical(self) -> str:
        """Return everything that its results depend on as text, for digests."""
        # Digests in proofs were made with shorter names of two classes, and have to stay the same.
        text = repr(self.elements)
        return text.replace("LogSoftmaxShare(", "LogShare(").replace("SoftmaxShare(", "Share(")


@dataclass(frozen=True)
class Wanted:
    """Which output of a file is meant.

    It is that of the name, else number `place` of `count`, else the only one of floats.
    """

    name: str = ""
    place: int = 0
    count: int = 1
