"""A formula with tighter bounds, by linear programs that split the word per ReLU; all exact, whatever the solver of them says.

The option `tighten`.  First the violation's bound, which may settle the query without any solver; then, where some ReLUs read
others, their bounds, as far as time allows; last the allowances, constraints that hand the solver what was found.
"""

from __future__ import annotations

import time
from dataclasses import replace

from .formula import Formula, Linear, ReluConstraint, Variable
from .relaxation import Relaxation, combined, readers

SHARE, MOST = 0.2, 6.0  # of the time that is left, and in seconds: the linear programs' part
MOST_VARIABLES = 100_000  # of one linear program
SHORT = 0.5  # seconds: the bounds of single ReLUs are found where they take no more, judged by the violation's; they seldom decide


def tightened(formula: Formula, deadline: float) -> Formula:
    """The same query with tighter bounds; settled if the violation's fell below 0.  `deadline`: time.monotonic()."""
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


def _violation(formula: Formula, split: frozenset[int], deadline: float) -> tuple[Formula, Relaxation | None]:
    """The formula with a better bound of the violation, and the program that gave it; None where it would be too large."""
    copy = sum(map(len, formula.edges)) + sum(map(len, formula.indicators)) + len(formula.relus)
    if copy * (1 + len(split)) > MOST_VARIABLES:
        return formula, None
    relaxation = Relaxation(formula, len(formula.relus), split)
    lower, upper = formula.violation_bounds
    found = relaxation.maximum(formula.violation, deadline)
    return replace(formula, violation_bounds=(lower, min(upper, found))), relaxation


def _relus(formula: Formula, deep: list[int], deadline: float) -> Formula:
    """Bounds of the ReLUs that read others, each from those before it; those that cannot go both ways any more are folded."""
    relus = list(formula.relus)
    numbers = {relu.output: j for j, relu in enumerate(formula.relus)}
    relaxation, known = Relaxation(formula, 0), 0
    for j in deep:
        argument = relus[j].argument
        needed = max(numbers[v] + 1 for v, _ in argument.terms if v in numbers)
        if needed > known:  # the ReLUs of a layer share a program
            known = j
            relaxation = Relaxation(replace(formula, relus=tuple(relus)), known, frozenset(range(known)))
        upper = min(relus[j].upper, relaxation.maximum(argument, deadline))
        lower = max(relus[j].lower, -relaxation.maximum(combined(argument, -1, Linear((), 0), 0), deadline))
        relus[j] = replace(relus[j], lower=lower, upper=upper)
    return _folded(replace(formula, relus=tuple(relus)))


def _folded(formula: Formula) -> Formula:
    """Without the ReLUs that cannot go both ways: 0, or their argument."""
    instead: dict[int, Linear] = {}
    relus: list[ReluConstraint] = []
    first = len(formula.variables) - len(formula.relus)
    for relu in formula.relus:
        relu = replace(relu, argument=_replaced(relu.argument, instead))
        if relu.lower < 0 < relu.upper:
            instead[relu.output] = Linear(((first + len(relus), 1),), 0)
            relus.append(replace(relu, output=first + len(relus)))
        else:
            instead[relu.output] = relu.argument if relu.upper > 0 else Linear((), 0)
    outputs = (Variable(f"y{i}", 0, relu.upper) for i, relu in enumerate(relus))
    violation = _replaced(formula.violation, instead)
    return replace(
        formula, variables=(*formula.variables[:first], *outputs), relus=tuple(relus), violation=violation
    )


def _replaced(linear: Linear, instead: dict[int, Linear]) -> Linear:
    terms: dict[int, int] = {}
    constant = linear.constant
    for v, c in linear.terms:
        inner = instead.get(v, Linear(((v, 1),), 0))
        constant += c * inner.constant
        for w, factor in inner.terms:
            terms[w] = terms.get(w, 0) + c * factor
    return Linear(tuple((v, c) for v, c in sorted(terms.items()) if c), constant)
