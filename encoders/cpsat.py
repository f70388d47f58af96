"""A formula as a CP-SAT model: exact integers throughout, the program as a flow of Boolean edges.

Last step before CP-SAT.  Its arithmetic is 64-bit, so the encoder proves for every constraint that no partial sum can
reach 2**60 and raises `Unsupported` otherwise: a claim that is too large is never answered wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..models.errors import Unsupported
from .formula import Formula, Linear, Word

LIMIT = 2**60


@dataclass(frozen=True, eq=False)
class CpSat:
    """`model` is a `cp_model.CpModel`; its first variables are the formula's, in the same order."""

    formula: Formula
    model: Any
    variables: tuple[Any, ...]

    def decode(self, assignment: list[int]) -> Word:
        return self.formula.decode(assignment)

    def text(self) -> str:
        """The model as a protocol buffer in text form, which CP-SAT reads back."""
        return str(self.model.Proto())


def cpsat(formula: Formula) -> CpSat:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    outputs = {relu.output for relu in formula.relus}
    if any(v.upper > LIMIT for v in formula.variables):
        raise Unsupported("a neuron's bound is over CP-SAT's 64-bit integers")
    variables = tuple(
        model.new_int_var(0, v.upper, v.name) if i in outputs else model.new_bool_var(v.name) for i, v in enumerate(formula.variables)
    )

    def expression(linear: Linear, extra: tuple[tuple[Any, int], ...] = ()) -> Any:
        if linear.magnitude(formula.variables) + sum(abs(c) for _, c in extra) > LIMIT:
            raise Unsupported("a sum could leave CP-SAT's 64-bit integers")
        terms = [variables[v] for v, _ in linear.terms] + [v for v, _ in extra]
        return cp_model.LinearExpr.weighted_sum(terms, [c for _, c in linear.terms] + [c for _, c in extra]) + linear.constant

    for here in formula.indicators:
        model.add_exactly_one(variables[x] for x in here.values())
    for layer in formula.edges:
        model.add_exactly_one(variables[e] for e in layer)
    for constraint in (*formula.flow, *formula.exclusions):
        value = expression(constraint.linear)
        if not constraint.linear.terms:
            model.add_bool_or([] if not constraint.holds(()) else [True])
        elif constraint.relation == "==":
            model.add(value == 0)
        else:
            model.add(value >= 0)
    for j, relu in enumerate(formula.relus):
        y, z = variables[relu.output], model.new_bool_var(f"z{j}")
        expression(relu.argument, ((y, relu.upper), (z, max(relu.upper, -relu.lower))))  # the magnitudes of the rows below
        x = expression(relu.argument)
        model.add(y >= x)
        model.add(y <= x - relu.lower * (1 - z))
        model.add(y <= relu.upper * z)
    if formula.violation.terms:
        model.add(expression(formula.violation) >= 0)
    elif formula.violation.constant < 0:
        model.add_bool_or([])
    problem = model.validate()
    if problem:
        raise Unsupported(f"CP-SAT refuses the model: {' '.join(problem.split())[:200]}")
    return CpSat(formula, model, variables)
