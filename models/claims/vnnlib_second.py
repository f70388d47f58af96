"""VNN-LIB 2.0, which declares networks and tensors: from the parser's syntax tree to conditions.

The parser is the format's own, the package `vnnlib`.  It keeps the text of every number, so that numbers stay
exact.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Any

from ...common.errors import InputError
from ..network.head import Wanted
from .condition import Condition, Conjunction, Disjunction, Linear, comparison
from .vnnlib_terms import MAX_INPUTS, Asserted, NotUnderstood, difference, exact_number, product


def read_second_version(text: str, origin: str) -> Asserted:
    """Return what the text asserts.  Raises InputError."""
    try:
        import vnnlib
    except ImportError:
        raise InputError(
            origin, "is VNN-LIB 2.0, and the package vnnlib is not installed", "pip install vnnlib"
        ) from None
    try:
        query = vnnlib.parse_query_string(text)
    except vnnlib.VNNLibException as error:
        raise InputError(
            origin, f"is no valid VNN-LIB 2.0 ({' '.join(str(error).split())[:300]})", "see vnnlib.org"
        ) from None
    if len(query.networks) != 1:
        raise InputError(origin, f"declares {len(query.networks)} networks", "one network per property")
    network = query.networks[0]
    if len(network.inputs) != 1:
        raise InputError(
            origin,
            f"its network has {len(network.inputs)} inputs",
            "networks of one input tensor can be verified",
        )
    if network.hidden:
        raise InputError(origin, "speaks of hidden nodes", "speak of inputs and outputs only")
    names = [tensor.name for tensor in network.outputs]
    walk = _Walk(vnnlib, network.inputs[0].name)
    try:
        asserted = [walk.condition(a.expr) for a in query.assertions]
    except NotUnderstood as error:
        raise InputError(
            origin, str(error), "see docs/reference/properties.md for what VNN-LIB may say"
        ) from None
    if len(walk.outputs) > 1:
        raise InputError(
            origin, f"speaks of the outputs {', '.join(sorted(walk.outputs))} at once", "speak of one of them"
        )
    place = names.index(next(iter(walk.outputs))) if walk.outputs else 0
    sizes = []
    for tensor in (network.inputs[0], network.outputs[place]):
        size = 1
        for d in tensor.shape:
            size *= int(d)
        if not 0 < size <= MAX_INPUTS:
            raise InputError(
                origin,
                f"{tensor.name} has {size} elements, the limit is {MAX_INPUTS}",
                "declare its real shape",
            )
        sizes.append(size)
    return Asserted(asserted, sizes[0], sizes[1], Wanted(names[place], place, len(names)))


class _Walk:
    """The package's syntax tree as a condition."""

    def __init__(self, package: Any, name_of_input: str) -> None:
        self.v, self.input = package, name_of_input
        self.outputs: set[str] = set()  # that are spoken of
        self.operators = {
            package.LessEqual: "<=",
            package.GreaterEqual: ">=",
            package.LessThan: "<",
            package.GreaterThan: ">",
            package.Equal: "=",
            package.NotEqual: "!=",
        }

    def condition(self, node: Any) -> Condition:
        if isinstance(node, self.v.And):
            return Conjunction(tuple(self.condition(p) for p in node.args))
        if isinstance(node, self.v.Or):
            return Disjunction(tuple(self.condition(p) for p in node.args))
        if type(node) in self.operators:
            return comparison(self.operators[type(node)], self.linear(node.lhs), self.linear(node.rhs))
        raise NotUnderstood(f"{str(node)[:80]} is not understood")

    def linear(self, node: Any) -> Linear:
        if isinstance(node, self.v.Var):
            flat = 0
            for i, d in zip(node.indices, node.shape, strict=False):
                if not 0 <= i < d:
                    raise NotUnderstood(f"{node} is outside of its shape {list(node.shape)}")
                flat = flat * d + i
            if len(node.indices) != len(node.shape) and not (
                len(node.indices) == 0 and all(d == 1 for d in node.shape)
            ):
                raise NotUnderstood(
                    f"{node} has {len(node.indices)} indices, "
                    f"its shape {list(node.shape)} needs {len(node.shape)}"
                )
            if node.name == self.input:
                return Linear({("X", flat): Fraction(1)})
            self.outputs.add(node.name)
            return Linear({("Y", flat): Fraction(1)})
        if isinstance(node, self.v.Negate):
            return self.linear(node.expr).times(Fraction(-1))
        if isinstance(node, self.v.Plus):
            return reduce(Linear.plus, map(self.linear, node.args))
        if isinstance(node, self.v.Minus):
            return difference([self.linear(node.head), *map(self.linear, node.rest)])
        if isinstance(node, self.v.Multiply):
            return product([self.linear(p) for p in node.args])
        lexeme = getattr(node, "lexeme", None)
        if lexeme is None:
            raise NotUnderstood(f"{str(node)[:80]} is not understood")
        try:
            return Linear({}, exact_number(str(lexeme)))
        except ValueError as error:
            raise NotUnderstood(str(error)) from None
