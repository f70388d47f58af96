"""What the two SMT-LIB encoders share: the automaton over Booleans, blocked words, and the way back from a model.

Symbol indicators `x<t>_<s>` are declared Booleans, exactly one per position; `h<t>_<g>` follows from each symbol of a
group; states `q<t>_<i>` say that a run may be there.  Several states may hold at once: an accepted word needs one unbroken
run, and that is what is asserted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from .formula import Formula, Word


@dataclass(frozen=True, eq=False)
class SmtScript:
    """SMT-LIB 2.6 text that ends in (check-sat); satisfiable iff the formula is.  `tokens` names bit-vectors that hold the word."""

    formula: Formula
    logic: str
    text: str
    tokens: tuple[str, ...] | None = None

    def decode(self, assignment: Mapping[str, int]) -> Word:
        """The word of a model, given as the values of the declared Booleans and bit-vectors by name (absent ones are 0)."""
        if self.tokens is not None:
            return tuple(int(assignment.get(name, 0)) for name in self.tokens)
        names = {x: self.formula.variables[x].name for here in self.formula.indicators for x in here.values()}
        return self.formula.decode({x: int(assignment.get(name, False)) for x, name in names.items()})


def script(formula: Formula, logic: str, network_lines: list[str]) -> SmtScript:
    """The whole text around what an encoder says about the network."""
    return SmtScript(
        formula,
        logic,
        text(formula, logic, [*_language_lines(formula), *_exclusion_lines(formula), *network_lines]),
    )


def text(formula: Formula, logic: str, lines: list[str]) -> str:
    head = ["(set-info :smt-lib-version 2.6)", f"(set-logic {logic})", f"; {formula.name}"]
    return "\n".join([*head, *lines, "(check-sat)"]) + "\n"


def _language_lines(formula: Formula) -> list[str]:
    language, lines = formula.language, []
    for t, size in enumerate(language.layer_sizes):
        lines += [f"(declare-const q{t}_{i} Bool)" for i in range(size)]
    lines.append(_assert(_any([f"q0_{i}" for i in range(language.layer_sizes[0])])))
    lines += [
        _assert(f"(not q{language.length}_{i})")
        for i in range(language.layer_sizes[-1])
        if i not in formula.accepting
    ]
    for t, (groups, layer) in enumerate(zip(formula.groups, formula.arcs, strict=True)):
        names = [formula.variables[x].name for x in formula.indicators[t].values()]
        lines += [f"(declare-const {name} Bool)" for name in names]
        lines += _exactly_one(names, f"g{t}")
        reads = []  # per group: some symbol of it is there
        for g, group in enumerate(groups):
            members = [formula.variables[formula.indicators[t][s]].name for s in group]
            reads.append(members[0] if len(members) == 1 else f"h{t}_{g}")
            if len(members) > 1:
                lines.append(f"(declare-const h{t}_{g} Bool)")
                lines += [_assert(f"(or (not {name}) h{t}_{g})") for name in members]
        following: dict[tuple[int, int], list[str]] = {
            (i, g): [] for i in range(language.layer_sizes[t]) for g in range(len(groups))
        }
        for source, g, target in layer:
            following[source, g].append(f"q{t + 1}_{target}")
        lines += [
            _assert(_any([f"(not q{t}_{source})", f"(not {reads[g]})", *targets]))
            for (source, g), targets in following.items()
        ]
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
    return [
        _assert(_any([f"(not {formula.variables[x].name})" for x, _ in constraint.linear.terms]))
        for constraint in formula.exclusions
    ]


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
