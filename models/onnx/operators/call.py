"""What an ONNX operator's function gets, and the registry that it enters itself into.

Between `onnx_tensors` and the operators in `onnx_ops` and `onnx_shapes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..tensors import Builder, Const, Refused, Tensor


@dataclass(frozen=True, eq=False)
class Call:
    """One node: its inputs (None where an optional one is left out), its attributes as Python values, and the builder."""

    inputs: tuple[Tensor | None, ...]
    attributes: dict[str, Any]
    build: Builder
    outputs: int = 1  # how many the file names

    @property
    def opset(self) -> int:
        return self.build.opset

    def input(self, i: int) -> Tensor:
        found = self.optional(i)
        if found is None:
            raise Refused(f"input {i + 1} is missing")
        return found

    def optional(self, i: int) -> Tensor | None:
        return self.inputs[i] if i < len(self.inputs) else None

    def required(self, name: str) -> Any:
        if name not in self.attributes:
            raise Refused(f"attribute {name!r} is missing")
        return self.attributes[name]

    def known(self, i: int, what: str) -> Const:
        found = self.input(i)
        if not isinstance(found, Const):
            raise Refused(f"{what} must be a constant")
        return found

    def axes(self, i: int, since: int) -> list[int] | None:
        """Axes as an attribute before opset `since`, as an input from there on."""
        if self.opset < since:
            return list(self.attributes["axes"]) if "axes" in self.attributes else None
        return None if self.optional(i) is None else self.known(i, "axes").integers()


Function = Callable[[Call], Tensor | tuple[Tensor, ...]]  # the first output, or all that there are
OPERATORS: dict[str, Function] = {}


def operator(name: str) -> Callable[[Function], Function]:
    """Enter a function into `OPERATORS` under its ONNX name, with its domain before it where that is not the default one."""

    def enter(function: Function) -> Function:
        OPERATORS[name] = function
        return function

    return enter
