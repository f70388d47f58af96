"""Counterexamples: inputs on which a claim is false, with what each side gives there.

They are built from inputs that were replayed exactly (`race/replay.py` for words, `race/replay_points.py` for
points of boxes).  A `Refuted` verdict (`verdict.py`) has at least one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ..common.text import number, rational

if TYPE_CHECKING:
    from ..models.claims.decision import Label
    from ..models.claims.question import NetworkOutput


@dataclass(frozen=True)
class Counterexample:
    """An input on which the claim is false.

    It was replayed exactly, and in onnxruntime if that can run the network.
    """


@dataclass(frozen=True, repr=False)
class WordCounterexample(Counterexample):
    """A sequence of tokens on which network and program (or two networks) differ.

    outputs: the network's exact outputs.
    both: what each network gives, if the claim is about two.
    position: where labels and outputs stand, counted from 0, if the claim is about every position.
    """

    tokens: tuple[str, ...]
    network_label: Label
    program_label: Label
    outputs: tuple[Fraction, ...]
    both: tuple[NetworkOutput, NetworkOutput] | None = None
    position: int | None = None

    def __str__(self) -> str:
        if self.both is not None:
            one, other = (
                repr(t.label) if t.label is not None else ", ".join(map(rational, t.outputs))
                for t in self.both
            )
            return f"{list(self.tokens)}: network {one}, network_b {other}"
        where = "" if self.position is None else f" at position {self.position}"
        return f"{list(self.tokens)}{where}: network {self.network_label!r}, program {self.program_label!r}"

    def __repr__(self) -> str:
        return f"WordCounterexample({self})"


@dataclass(frozen=True, repr=False)
class PointCounterexample(Counterexample):
    """A point of a box at which the outputs are unsafe.

    input, output: the point, which lies in the box, and the network's exact outputs there.
    runtime_input: the numbers of the file's own input type next to the point, as the shortest text that gives
        them back.  If the point is larger than all numbers of that type, these are float64 numbers, and
        nothing is run.
    runtime_output: what onnxruntime gives for them; None if it cannot run the file.
    distance: the largest |input - runtime_input|.
    """

    input: tuple[Fraction, ...]
    output: tuple[Fraction, ...]
    runtime_input: tuple[str, ...]
    runtime_output: tuple[str, ...] | None
    distance: Fraction

    def __str__(self) -> str:
        return f"input {_listed(self.input)}, output {_listed(self.output)}"

    def __repr__(self) -> str:
        return f"PointCounterexample({self})"


def _listed(values: tuple[Fraction, ...], most: int = 8) -> str:
    return f"[{', '.join([*map(_short, values[:most]), *(['...'] if len(values) > most else [])])}]"


def _short(value: Fraction) -> str:
    """Return the exact number if that is short, and six digits or the order of magnitude if not."""
    exact = rational(value)
    if len(exact) <= 12:
        return exact
    try:
        return f"{float(value):.6g}"
    except OverflowError:
        return number(int(value))
