"""A formula as a CP-SAT model: exact integers throughout, the program as a flow of Boolean arcs or as an automaton constraint.

Last step before CP-SAT.  Its arithmetic is 64-bit, so the encoder proves for every constraint that no partial sum can
reach 2**60 and raises `Unsupported` otherwise: a claim that is too large is never answered wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..common.errors import Unsupported
from .formula import Constraint, Formula, Linear, Word
from .plain import plain_program_cpsat

LIMIT = 2**60


@dataclass(frozen=True, eq=False)
class CpSat:
    """`model` is a `cp_model.CpModel`; `variables` are the formula's, in the same order (0 for arcs that the model does not have)."""

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
    encoding = formula.encoding
    outputs = {relu.output for relu in formula.relus}
    if any(v.upper > LIMIT for v in formula.variables):
        raise Unsupported("a neuron's bound is over CP-SAT's 64-bit integers")
    with_automaton = encoding.automaton and formula.language.deterministic  # CP-SAT takes no others
    absent = {e for layer in formula.edges for e in layer} if encoding.plain or with_automaton else set()
    variables: tuple[Any, ...] = tuple(
        0
        if i in absent
        else model.new_int_var(0, v.upper, v.name)
        if i in outputs
        else model.new_bool_var(v.name)
        for i, v in enumerate(formula.variables)
    )

    def expression(linear: Linear, extra: tuple[tuple[Any, int], ...] = ()) -> Any:
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
    if with_automaton:
        _automaton(formula, model, variables)
    elif encoding.plain:
        plain_program_cpsat(formula, model, variables)
    else:
        for layer in formula.edges:
            model.add_exactly_one(variables[e] for e in layer)
        for constraint in formula.flow:
            add(constraint)
    for constraint in formula.exclusions:
        add(constraint)
    phases = []
    for j, relu in enumerate(formula.relus):
        y, x, widest = variables[relu.output], expression(relu.argument), max(relu.upper, -relu.lower)
        expression(relu.argument, ((y, relu.upper), (y, widest)))  # the magnitudes of the rows below
        if encoding.plain:
            model.add_max_equality(y, [x, 0])
            continue
        z = model.new_bool_var(f"z{j}")
        phases.append(z)
        model.add(y >= x)
        model.add(y <= x - relu.lower * (1 - z))
        model.add(y <= relu.upper * z)
    for known in formula.allowances if phases else ():
        y, z = variables[formula.relus[known.relu].output], phases[known.relu]
        if (
            known.factor * formula.relus[known.relu].upper
            + known.rest
            + known.share.magnitude(formula.variables)
            <= LIMIT
        ):
            model.add(known.factor * y <= expression(known.share) + known.rest * z)
    add(Constraint(formula.violation, ">="))
    problem = model.validate()
    if problem:
        raise Unsupported(f"CP-SAT refuses the model: {' '.join(problem.split())[:200]}")
    return CpSat(formula, model, variables)


def _automaton(formula: Formula, model: Any, variables: tuple[Any, ...]) -> None:
    """The program as one constraint over the groups' numbers, with the states of all layers numbered through."""
    first = [0]
    for size in formula.language.layer_sizes:
        first.append(first[-1] + size)
    read, steps = [], []
    for t, (groups, layer) in enumerate(zip(formula.groups, formula.arcs, strict=True)):
        number = model.new_int_var(0, len(groups) - 1, f"g{t}")
        for g, group in enumerate(groups):
            members = [variables[formula.indicators[t][s]] for s in group]
            literal = members[0] if len(members) == 1 else model.new_bool_var(f"h{t}_{g}")
            if len(members) > 1:
                model.add(sum(members) == literal)
            model.add(number == g).only_enforce_if(literal)
        read.append(number)
        steps += [(first[t] + source, g, first[t + 1] + target) for source, g, target in layer]
    if read:
        model.add_automaton(read, 0, [first[-2] + state for state in formula.accepting], steps)
