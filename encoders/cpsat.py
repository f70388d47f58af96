"""A formula as a CP-SAT model: exact integers throughout, and the automaton as a flow of Boolean arcs.

The last step before CP-SAT.  Its arithmetic is 64-bit, so the encoder proves for every constraint that no
partial sum exceeds 2**60, and raises `Unsupported` otherwise.  A claim that is too large is never answered
wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..common.errors import Unsupported
from .formula import Constraint, Formula, LinearSum, Word

LIMIT = 2**60  # of every partial sum


@dataclass(frozen=True, eq=False)
class CpSat:
    """A `cp_model.CpModel` that is feasible iff the formula is satisfiable.

    `variables` are the formula's, in order.
    """

    formula: Formula
    model: Any
    variables: tuple[Any, ...]

    def decode(self, assignment: list[int]) -> Word:
        """Return the word of a solution, given as the values of the variables."""
        return self.formula.decode(assignment)

    def text(self) -> str:
        """Return the model as a protocol buffer in text form, which CP-SAT reads back."""
        return str(self.model.Proto())


def cpsat(formula: Formula) -> CpSat:
    """Encode a formula.  Raises Unsupported if some sum could exceed CP-SAT's 64-bit integers."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    outputs = {relu.output for relu in formula.relus}
    if any(v.upper > LIMIT for v in formula.variables):
        raise Unsupported("a neuron's bound is over CP-SAT's 64-bit integers")
    variables: tuple[Any, ...] = tuple(
        model.new_int_var(0, v.upper, v.name) if i in outputs else model.new_bool_var(v.name)
        for i, v in enumerate(formula.variables)
    )

    def expression(linear: LinearSum, extra: tuple[tuple[Any, int], ...] = ()) -> Any:
        if linear.magnitude(formula.variables) + sum(abs(c) for _, c in extra) > LIMIT:
            raise Unsupported("a sum could leave CP-SAT's 64-bit integers")
        terms = [variables[v] for v, _ in linear.terms] + [v for v, _ in extra]
        return (
            cp_model.LinearExpr.weighted_sum(terms, [c for _, c in linear.terms] + [c for _, c in extra])
            + linear.constant
        )

    def add(constraint: Constraint) -> None:
        value = expression(constraint.linear)
        if not constraint.linear.terms:
            model.add_bool_or([] if not constraint.holds(()) else [True])
        elif constraint.relation == "==":
            model.add(value == 0)
        else:
            model.add(value >= 0)

    for here in formula.indicators:
        model.add_exactly_one(variables[x] for x in here.values())
    for layer in formula.edges:
        model.add_exactly_one(variables[e] for e in layer)
    for constraint in (*formula.flow, *formula.exclusions):
        add(constraint)
    phases = []
    for j, relu in enumerate(formula.relus):
        y, x, widest = variables[relu.output], expression(relu.argument), max(relu.upper, -relu.lower)
        expression(relu.argument, ((y, relu.upper), (y, widest)))  # checks the sizes of the rows below
        z = model.new_bool_var(f"z{j}")
        phases.append(z)
        model.add(y >= x)
        model.add(y <= x - relu.lower * (1 - z))
        model.add(y <= relu.upper * z)
    for known in formula.allowances:
        y, z = variables[formula.relus[known.relu].output], phases[known.relu]
        taken = known.factor * formula.relus[known.relu].upper
        if taken + known.rest + known.share.magnitude(formula.variables) <= LIMIT:
            model.add(known.factor * y <= expression(known.share) + known.rest * z)
    add(Constraint(formula.violation, ">="))
    problem = model.validate()
    if problem:
        raise Unsupported(f"CP-SAT refuses the model: {' '.join(problem.split())[:200]}")
    return CpSat(formula, model, variables)
