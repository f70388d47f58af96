"""A formula with tighter bounds, from linear programs that split the word per ReLU.

Between `formula.py` and the solver, with the option `tighten`.  First the violation's bound, which may settle
the query without any solver.  Then, if some ReLUs read others, their bounds, as far as time allows.  Last the
allowances, constraints that hand the solver what was found.  Everything is exact, whatever the linear solver
says.
"""

from __future__ import annotations

import time
from dataclasses import replace

from .formula import Formula, LinearSum, ReluConstraint, Variable
from .relaxation import SplitRelaxation, combined, readers

SHARE, MOST = 0.2, 6.0  # the linear programs get this share of the time, but at most this many seconds
MOST_VARIABLES = 100_000  # of one linear program; larger ones are not tried
SHORT = 0.5  # seconds: bounds of single ReLUs seldom decide, so they are tried only if they take less


def tightened(formula: Formula, deadline: float) -> Formula:
    """Return the same query with tighter bounds; it is settled if the violation's bound fell below 0.

    `deadline`: of time.monotonic, in seconds.
    """
    started = time.monotonic()
    until = started + min(SHARE * (deadline - started), MOST)
    deep, everyone = readers(formula), frozenset(range(len(formula.relus)))
    formula, relaxation = _violation(formula, everyone - deep, until)
    if formula.settled or relaxation is None:
        return formula
    if deep:
        before = time.monotonic()
        formula, better = _violation(formula, everyone, until)
        if not formula.settled and 2 * len(deep) * (time.monotonic() - before) < SHORT:
            formula = _relus(formula, sorted(deep), until)
            formula, better = _violation(formula, frozenset(range(len(formula.relus))), until)
        relaxation = better or relaxation
    return formula if formula.settled else replace(formula, allowances=relaxation.allowances(until))


def _violation(
    formula: Formula, split: frozenset[int], deadline: float
) -> tuple[Formula, SplitRelaxation | None]:
    """Return the formula with a better bound of the violation, and the linear program that gave it.

    The latter is None if it would be too large.
    """
    copy = sum(map(len, formula.edges)) + sum(map(len, formula.indicators)) + len(formula.relus)
    if copy * (1 + len(split)) > MOST_VARIABLES:
        return formula, None
    relaxation = SplitRelaxation(formula, len(formula.relus), split)
    lower, upper = formula.violation_bounds
    found = relaxation.maximum(formula.violation, deadline)
    return replace(formula, violation_bounds=(lower, min(upper, found))), relaxation


def _relus(formula: Formula, deep: list[int], deadline: float) -> Formula:
    """Bound the ReLUs that read others, each from those before it, and fold those that became stable."""
    relus = list(formula.relus)
    numbers = {relu.output: j for j, relu in enumerate(formula.relus)}
    relaxation, known = SplitRelaxation(formula, 0), 0
    for j in deep:
        argument = relus[j].argument
        needed = max(numbers[v] + 1 for v, _ in argument.terms if v in numbers)
        if needed > known:  # the ReLUs of a layer share a linear program
            known = j
            relaxation = SplitRelaxation(replace(formula, relus=tuple(relus)), known, frozenset(range(known)))
        upper = min(relus[j].upper, relaxation.maximum(argument, deadline))
        negated = combined(argument, -1, LinearSum((), 0), 0)
        lower = max(relus[j].lower, -relaxation.maximum(negated, deadline))
        relus[j] = replace(relus[j], lower=lower, upper=upper)
    return _folded(replace(formula, relus=tuple(relus)))


def _folded(formula: Formula) -> Formula:
    """Return the formula without its stable ReLUs: they are 0, or their argument."""
    instead: dict[int, LinearSum] = {}
    relus: list[ReluConstraint] = []
    first = len(formula.variables) - len(formula.relus)
    for relu in formula.relus:
        relu = replace(relu, argument=_replaced(relu.argument, instead))
        if relu.lower < 0 < relu.upper:
            instead[relu.output] = LinearSum(((first + len(relus), 1),), 0)
            relus.append(replace(relu, output=first + len(relus)))
        else:
            instead[relu.output] = relu.argument if relu.upper > 0 else LinearSum((), 0)
    outputs = (Variable(f"y{i}", 0, relu.upper) for i, relu in enumerate(relus))
    violation = _replaced(formula.violation, instead)
    return replace(
        formula, variables=(*formula.variables[:first], *outputs), relus=tuple(relus), violation=violation
    )


def _replaced(linear: LinearSum, instead: dict[int, LinearSum]) -> LinearSum:
    terms: dict[int, int] = {}
    constant = linear.constant
    for v, c in linear.terms:
        inner = instead.get(v, LinearSum(((v, 1),), 0))
        constant += c * inner.constant
        for w, factor in inner.terms:
            terms[w] = terms.get(w, 0) + c * factor
    return LinearSum(tuple((v, c) for v, c in sorted(terms.items()) if c), constant)
