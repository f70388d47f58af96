"""What an operator's function gets: a `Call`.

Between `reader.py` and the operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..builder import Builder
from ..tensors import Const, Refused, Tensor


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the graph: its inputs (None for an optional one that is left out) and attributes.

    `build` is the builder of the network, and `outputs` is how many outputs the file names.  Inputs are
    tensors; only functions that are registered for it get `HeadValues`.
    """

    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    build: Builder
    outputs: int = 1  # how many the file names

    @property
    def opset(self) -> int:
        """Return the file's opset of the default domain."""
        return self.build.opset

    def input(self, i: int) -> Tensor:
        """Return input i, counted from 0.  Raises Refused if it is missing."""
        found = self.optional(i)
        if found is None:
            raise Refused(f"input {i + 1} is missing")
        return found

    def optional(self, i: int) -> Tensor | None:
        """Return input i, or None if it is missing."""
        return self.inputs[i] if i < len(self.inputs) else None

    def required(self, name: str) -> Any:
        """Return an attribute.  Raises Refused if it is missing."""
        if name not in self.attributes:
            raise Refused(f"attribute {name!r} is missing")
        return self.attributes[name]

    def known(self, i: int, what: str) -> Const:
        """Return input i, which must be constant; `what` names it in the message.  Raises Refused."""
        found = self.input(i)
        if not isinstance(found, Const):
            raise Refused(f"{what} must be a constant")
        return found

    def axes(self, i: int, since: int) -> list[int] | None:
        """Return axes: an attribute before opset `since`, input i from there on; None if there are none."""
        if self.opset < since:
            return list(self.attributes["axes"]) if "axes" in self.attributes else None
        return None if self.optional(i) is None else self.known(i, "axes").integers()


def axis_of(axis: int, rank: int) -> int:
    """Return an axis, which may be counted from the end, as counted from 0.

    Raises Refused if it does not exist.
    """
    if not -rank <= axis < rank:
        raise Refused(f"axis {axis} is outside a tensor of {rank} axes")
    return axis % rank
