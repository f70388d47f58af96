"""The registry of operators.  Files of this folder enter their functions here, and are found by being here.

Used by `reader.py` through `all_operators`.  There are three kinds of operators:

- `@operator(NAME)`: affine or piecewise linear over the rationals.  With `rearranges=True`, it only moves the
  elements of its first input, and may also stand after a head.
- `@head_operator(NAME)`: ends the network, as Softmax does.  Its results are `HeadValues`.
- `@after_head(NAME)`: takes such results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ....common.modules import modules_in
from .. import operators
from ..tensors import HeadValues, Refused, Tensor
from .call import Call

Result = Tensor | HeadValues | tuple[Tensor | HeadValues, ...]  # the first output, or all of them
Function = Callable[[Call], Result]
Enter = Callable[[Function], Function]


@dataclass(frozen=True)
class Registry:
    """Functions by ONNX name.  A domain other than the default one stands before it: "ai.onnx.ml.Scaler"."""

    plain: dict[str, Function] = field(default_factory=dict)
    heads: dict[str, Function] = field(default_factory=dict)
    after_heads: dict[str, Function] = field(default_factory=dict)


REGISTRY = Registry()


def operator(name: str, *, rearranges: bool = False) -> Enter:
    """Register an operator over the rationals.

    `rearranges`: all it does is to move the elements of its first input (by `rearranged`), whatever they are.
    """

    def enter(function: Function) -> Function:
        _enter(REGISTRY.plain, (name,), function)
        if rearranges:
            _enter(REGISTRY.after_heads, (name,), _of_first_input(function))
        return function

    return enter


def head_operator(*names: str) -> Enter:
    """Register an operator that ends a network and gives `HeadValues`."""

    def enter(function: Function) -> Function:
        _enter(REGISTRY.heads, names, function)
        return function

    return enter


def after_head(*names: str) -> Enter:
    """Register what an operator does with `HeadValues`."""

    def enter(function: Function) -> Function:
        _enter(REGISTRY.after_heads, names, function)
        return function

    return enter


def _enter(table: dict[str, Function], names: Iterable[str], function: Function) -> None:
    """Raises ValueError for a name that is there already: which function is taken would depend on luck."""
    for name in names:
        if name in table:
            where = " and ".join(sorted({table[name].__module__, function.__module__}))
            raise ValueError(f"{name} is registered twice, in {where}")
        table[name] = function


def _of_first_input(function: Function) -> Function:
    def moved(call: Call) -> Result:
        if any(isinstance(x, HeadValues) for x in call.inputs[1:]):
            raise Refused("it takes places from the result of Softmax or the like")
        return function(call)

    return moved


def all_operators() -> Registry:
    """Import all files of this folder and return the registry."""
    modules_in(operators)
    return REGISTRY
