"""What the two SMT-LIB encoders share: the automaton over Booleans, blocked words, and the way back from a model.

Symbol indicators `x<t>_<s>` are declared Booleans, exactly one per position; states `q<t>_<i>` say that a run may be
there.  Several states may hold at once: an accepted word needs one unbroken run, and that is what is asserted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from .formula import Formula, Word


@dataclass(frozen=True, eq=False)
class SmtScript:
    """SMT-LIB 2.6 text that ends in (check-sat); satisfiable iff the formula is."""

    formula: Formula
    logic: str
    text: str

    def decode(self, assignment: Mapping[str, bool]) -> Word:
        """The word of a model, given as the truth values of the declared Booleans by name (absent ones are false)."""
        names = {x: self.formula.variables[x].name for here in self.formula.indicators for x in here.values()}
        return self.formula.decode({x: int(assignment.get(name, False)) for x, name in names.items()})


def script(formula: Formula, logic: str, network_lines: list[str]) -> SmtScript:
    """The whole text around what an encoder says about the network."""
    head = ["(set-info :smt-lib-version 2.6)", f"(set-logic {logic})", f"; {formula.name}"]
    lines = [*head, *_language_lines(formula), *_exclusion_lines(formula), *network_lines, "(check-sat)"]
    return SmtScript(formula, logic, "\n".join(lines) + "\n")


def _language_lines(formula: Formula) -> list[str]:
    language, lines = formula.language, []
    for t, size in enumerate(language.layer_sizes):
        lines += [f"(declare-const q{t}_{i} Bool)" for i in range(size)]
    lines.append(_assert(_any([f"q0_{i}" for i in range(language.layer_sizes[0])])))
    for t, layer in enumerate(language.edges):
        names = [formula.variables[x].name for x in formula.indicators[t].values()]
        lines += [f"(declare-const {name} Bool)" for name in names]
        lines += _exactly_one(names, f"g{t}")
        following: dict[tuple[int, int], list[str]] = {(i, s): [] for i in range(language.layer_sizes[t]) for s in formula.indicators[t]}
        for source, symbol, target in layer:
            following[source, symbol].append(f"q{t + 1}_{target}")
        for (source, symbol), targets in following.items():
            x = formula.variables[formula.indicators[t][symbol]].name
            lines.append(_assert(_any([f"(not q{t}_{source})", f"(not {x})", *targets])))
    return lines


def _exactly_one(names: list[str], group: str) -> list[str]:
    """At least one, and at most one: pairwise for few, else in groups of four with a Boolean each."""
    lines = [_assert(_any(names))]
    level = 0
    while len(names) > 6:
        heads = []
        for i in range(0, len(names), 4):
            part, head = names[i : i + 4], f"{group}_{level}_{i // 4}"
            heads.append(head)
            lines.append(f"(declare-const {head} Bool)")
            lines += [_assert(f"(or (not {name}) {head})") for name in part]
            lines += [_assert(f"(or (not {a}) (not {b}))") for a, b in combinations(part, 2)]
        names, level = heads, level + 1
    return lines + [_assert(f"(or (not {a}) (not {b}))") for a, b in combinations(names, 2)]


def _exclusion_lines(formula: Formula) -> list[str]:
    return [_assert(_any([f"(not {formula.variables[x].name})" for x, _ in constraint.linear.terms])) for constraint in formula.exclusions]


def _any(literals: list[str]) -> str:
    if not literals:
        return "false"
    return literals[0] if len(literals) == 1 else f"(or {' '.join(literals)})"


def _assert(term: str) -> str:
    return f"(assert {term})"


def selection(pairs: list[tuple[str, str]], otherwise: str) -> str:
    """Nested if-then-else over indicators of one position."""
    term = otherwise
    for condition, value in reversed(pairs):
        term = f"(ite {condition} {value} {term})"
    return term
