"""The formula as one would write it for a solver without this package's ideas; what the ideas are measured against.

Reached with the option `plain` (`options.py`): the formula then holds all labels' words, every ReLU with the bounds of interval
arithmetic, and nothing folded.  Tokens are variables, the program is a state per step, and whatever is right is enough.
Linear reals need nothing of their own: `linear_real.py` without its redundant constraints is it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from .formula import Formula, Linear

Step = tuple[int, int, int, list[int]]  # position, state, symbol, next states


def steps(formula: Formula) -> Iterator[Step]:
    """Where each state goes with each symbol of its position; to no state where the automaton stops."""
    language = formula.language
    for t, (layer, here) in enumerate(zip(language.edges, formula.indicators, strict=True)):
        targets: dict[tuple[int, int], list[int]] = {}
        for source, symbol, target in layer:
            targets.setdefault((source, symbol), []).append(target)
        for state, symbol in product(range(language.layer_sizes[t]), here):
            yield t, state, symbol, targets.get((state, symbol), [])


def plain_bitvector(formula: Formula) -> list[str]:
    """SMT-LIB lines in QF_BV: tokens and states as numbers, every neuron in a word of the same width."""
    language = formula.language
    symbol, state = (max(1, (n - 1).bit_length()) for n in (language.symbol_count, max(language.layer_sizes)))
    width = max(
        _width(low, high)
        for low, high in [formula.violation_bounds, *((r.lower, r.upper) for r in formula.relus)]
    )
    lines = [f"(declare-const t{t} (_ BitVec {symbol}))" for t in range(language.length)]
    lines += [f"(declare-const s{t} (_ BitVec {state}))" for t in range(language.length + 1)]
    for name, allowed, size in [
        *((f"t{t}", list(here), symbol) for t, here in enumerate(formula.indicators)),
        ("s0", list(range(language.layer_sizes[0])), state),
        (f"s{language.length}", list(formula.accepting), state),
    ]:
        lines.append(f"(assert {_any([_equal(name, value, size) for value in allowed])})")
    for t, source, s, targets in steps(formula):
        then = _any([_equal(f"s{t + 1}", target, state) for target in targets])
        lines.append(
            f"(assert (=> (and {_equal(f's{t}', source, state)} {_equal(f't{t}', s, symbol)}) {then}))"
        )
    for word in formula.blocked:
        other = [f"(not {_equal(f't{t}', s, symbol)})" for t, s in enumerate(word)]
        lines.append(f"(assert {_any(other)})")
    for j, relu in enumerate(formula.relus):
        name = formula.variables[relu.output].name
        lines.append(f"(define-fun p{j} () (_ BitVec {width}) {_sum(formula, relu.argument, width, symbol)})")
        lines.append(
            f"(define-fun {name} () (_ BitVec {width}) (ite (bvslt p{j} {_constant(0, width)}) {_constant(0, width)} p{j}))"
        )
    lines.append(
        f"(define-fun violation () (_ BitVec {width}) {_sum(formula, formula.violation, width, symbol)})"
    )
    return [*lines, f"(assert (bvsge violation {_constant(0, width)}))"]


def _width(lower: int, upper: int) -> int:
    return max(abs(lower), abs(upper)).bit_length() + 1


def _constant(value: int, width: int) -> str:
    return f"(_ bv{value % (1 << width)} {width})"


def _equal(name: str, value: int, width: int) -> str:
    return f"(= {name} {_constant(value, width)})"


def _any(terms: list[str]) -> str:
    return f"(or false {' '.join(terms)})" if terms else "false"


def _sum(formula: Formula, linear: Linear, width: int, symbol: int) -> str:
    """A chain of additions: per position the chosen token's weight, per ReLU a product."""
    weights, term = dict(linear.terms), _constant(linear.constant, width)
    for t, here in enumerate(formula.indicators):
        chosen = _constant(0, width)
        for s, x in here.items():
            chosen = f"(ite {_equal(f't{t}', s, symbol)} {_constant(weights.get(x, 0), width)} {chosen})"
        term = f"(bvadd {term} {chosen})"
    for relu in formula.relus:
        if c := weights.get(relu.output):
            term = f"(bvadd {term} (bvmul {_constant(c, width)} {formula.variables[relu.output].name}))"
    return term


def plain_program_cpsat(formula: Formula, model: Any, variables: tuple[Any, ...]) -> None:
    """The program in a CP-SAT model: integer states, a table of the allowed steps, and the token as a number."""
    language = formula.language
    states = [model.new_int_var(0, size - 1, f"s{t}") for t, size in enumerate(language.layer_sizes)]
    model.add_allowed_assignments([states[-1]], [(s,) for s in formula.accepting])
    for t, (layer, here) in enumerate(zip(language.edges, formula.indicators, strict=True)):
        token = model.new_int_var(0, language.symbol_count - 1, f"t{t}")
        model.add(token == sum(s * variables[x] for s, x in here.items()))
        model.add_allowed_assignments([states[t], token, states[t + 1]], layer)


def plain_program_rows(
    formula: Formula,
) -> tuple[list[str], list[tuple[str, tuple[tuple[int, int], ...], Linear, str]]]:
    """The program in a MILP: names of 0/1 variables for the states; and rows, each with its name, what it reads of the states
    (number, coefficient) and of the formula's variables, and its relation to 0.

    Exactly one state per step; state and symbol together imply a next state.
    """
    language = formula.language
    place = {
        state: n
        for n, state in enumerate((t, i) for t, size in enumerate(language.layer_sizes) for i in range(size))
    }
    rows = [
        (f"at{t}", tuple((place[t, i], 1) for i in range(size)), Linear((), -1), "==")
        for t, size in enumerate(language.layer_sizes)
    ]
    for t, here in enumerate(formula.indicators):
        rows.append((f"token{t}", (), Linear(tuple((x, 1) for x in here.values()), -1), "=="))
    for t, source, s, targets in steps(formula):
        read = ((place[t, source], -1), *((place[t + 1, i], 1) for i in targets))
        rows.append((f"step{t}_{source}_{s}", read, Linear(((formula.indicators[t][s], -1),), 1), ">="))
    refused = tuple(
        (place[language.length, i], 1) for i in range(language.layer_sizes[-1]) if i not in formula.accepting
    )
    if refused:
        rows.append(("end", refused, Linear((), 0), "=="))
    return [f"q{t}_{i}" for t, i in place], rows
