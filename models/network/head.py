"""What a file computes from its network's last values: shares of a softmax, their logarithms, sigmoids, and the choice of the largest.

Beside `network`, which ends before it.  `onnx_head` reads one, `head_rows` turns statements about its results into statements about the
network's own outputs, the logits.  A sigmoid is a softmax of its logit and 0, a hyperbolic tangent is 2 sigmoid(2 z) - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ZERO = -1  # in a group: not an output of the network, but the number 0


@dataclass(frozen=True)
class Plain:
    """Output `index` of the network as it is."""

    index: int


@dataclass(frozen=True)
class Share:
    """offset + factor * e^z[member] / sum of e^z over the group."""

    group: tuple[int, ...]
    member: int  # a place in the group
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


@dataclass(frozen=True)
class LogShare:
    """The logarithm of a share."""

    group: tuple[int, ...]
    member: int


@dataclass(frozen=True)
class Choice:
    """table[k], where k is the first place of the group's largest value."""

    group: tuple[int, ...]
    table: tuple[Fraction, ...]


Element = Plain | Share | LogShare | Choice


@dataclass(frozen=True)
class Head:
    """One element per result of the file; `operators` are their ONNX names, for people."""

    elements: tuple[Element, ...]
    operators: tuple[str, ...] = ()

    def canonical(self) -> str:
        """Everything that its results depend on, as text: for digests."""
        return repr(self.elements)


@dataclass(frozen=True)
class Wanted:
    """Which output of a file: the one of that name, else number `place` of `count`, else the only one of floats."""

    name: str = ""
    place: int = 0
    count: int = 1
