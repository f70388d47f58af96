"""A random ONNX graph while it grows: its nodes, its constants, and the value that every tensor has on one
input.

Under the makers of nodes (`onnx_makers.py`, `windows.py`), which enter themselves here, and `onnx_graphs.py`,
which draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx.defs import get_schema

EXTREMES = (-(2**63), -(2**31), -1000, 1000, 2**31 - 1, 2**63 - 1)


class Unfit(Exception):
    """This operator has nothing to work on in this graph."""


@dataclass(frozen=True)
class Node:
    """What a maker proposes."""

    inputs: Sequence[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    operator: str = ""  # where it is not the one that was asked for


class Sketch:
    """A graph that grows: its nodes, its constants, and the value that every tensor has on one input."""

    def __init__(self, rng: np.random.Generator, opset: int) -> None:
        self.rng, self.opset = rng, opset
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[str, np.ndarray] = {}
        self.varying: set[str] = set()  # what depends on the input
        self.stored: dict[str, np.ndarray] = {}
        self.count = 0
        self.broken = False  # the last node is one that onnxruntime refuses

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def new(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def constant(self, array: object, dtype: Any = None) -> str:
        """A new constant: an initialiser."""
        name = self.new()
        self.values[name] = self.stored[name] = np.asarray(array, dtype=dtype)
        return name

    def ints(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def quarters(self, *shape: int, dtype: Any = np.float32) -> np.ndarray:
        return (self.rng.integers(-12, 13, size=shape) / 4).astype(dtype)

    def like(self, name: str, *shape: int) -> str:
        """A constant of that shape, of the tensor's type."""
        return self.constant(self.quarters(*shape, dtype=self.values[name].dtype))

    def floats(self, lowest: int = 0, highest: int = 5) -> str:
        """A float tensor of so many axes: one that depends on the input, the latest most likely, or now and
        then a constant.
        """
        found = [n for n, v in self.values.items() if v.dtype.kind == "f" and lowest <= v.ndim <= highest]
        if self.chance(0.1):
            fixed = [n for n in found if n not in self.varying]
            if fixed:
                return str(self.pick(fixed))
            size = [
                int(self.rng.integers(0 if self.chance(0.1) else 1, 4))
                for _ in range(int(self.rng.integers(lowest, highest + 1)))
            ]
            return self.constant(self.quarters(*size))
        moving = [n for n in found if n in self.varying]
        if not moving:
            raise Unfit
        return moving[-1] if self.chance(0.7) else str(self.pick(moving))

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape

    def axis(self, rank: int) -> int:
        if self.chance(0.02):
            return rank
        if not rank:
            raise Unfit
        return int(self.rng.integers(-rank, rank))

    def axes(self, rank: int) -> list[int]:
        """Some axes, each once, from either end."""
        chosen = [a for a in range(rank) if self.chance(0.5)]
        self.rng.shuffle(chosen)
        return [a - rank if self.chance(0.4) else a for a in chosen]

    def near(self, length: int) -> int:
        """A place in an axis of that length: in it, at its ends, just beyond, far beyond."""
        if self.chance(0.15):
            return int(self.pick(EXTREMES))
        return int(self.rng.integers(-length - 2, length + 3))

    def takes(self, operator: str, attribute: str) -> bool:
        """Whether the operator has this attribute at the graph's opset."""
        return attribute in get_schema(operator, self.opset).attributes

    def fitting(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape that broadcasts with this one."""
        kept = list(shape)[int(self.rng.integers(0, len(shape) + 1)) if self.chance(0.4) else 0 :]
        wide = [
            1 if self.chance(0.3) else int(self.rng.integers(2, 4)) if d == 1 and self.chance(0.2) else d
            for d in kept
        ]
        return tuple([1] * int(self.chance(0.1)) + wide)

    def listed(self, operator: str, name: str, values: Sequence[int], since: dict[str, Any]) -> list[str]:
        """`values` as an attribute or as an input, as the opset has it: `since` gets the attribute, the
        result is the input.
        """
        if self.takes(operator, name):
            since[name] = list(values)
            return []
        return [self.ints(values)]


Maker = Callable[[Sketch], Node]
MAKERS: dict[str, Maker] = {}


def makes(*operators: str) -> Callable[[Callable[[Sketch, str], Node]], Callable[[Sketch, str], Node]]:
    def enter(function: Callable[[Sketch, str], Node]) -> Callable[[Sketch, str], Node]:
        for name in operators:
            MAKERS[name] = lambda g, name=name: function(g, name)  # type: ignore[misc]
        return function

    return enter
