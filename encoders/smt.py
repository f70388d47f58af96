"""What the two SMT-LIB encoders share: the automaton over Booleans, blocked words, and decoding a model.

Between `formula.py` and `bitvector.py` or `linear_real.py`.  Symbol indicators `x<t>_<s>` are Booleans,
exactly one per position.  `h<t>_<g>` follows from each symbol of a group.  States `q<t>_<i>` say that a run
may be there; several may hold at once, because an accepted word needs only one unbroken run, and that is what
is asserted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from .formula import Formula, Word


@dataclass(frozen=True, eq=False)
class SmtScript:
    """SMT-LIB 2.6 text that ends in (check-sat) and is satisfiable iff the formula is."""

    formula: Formula
    logic: str
    text: str

    def decode(self, assignment: Mapping[str, int]) -> Word:
        """Return the word of a model, given as the Booleans' values by name.  Missing ones are false."""
        names = {x: self.formula.variables[x].name for here in self.formula.indicators for x in here.values()}
        return self.formula.decode({x: int(assignment.get(name, False)) for x, name in names.items()})


def script(formula: Formula, logic: str, network_lines: list[str]) -> SmtScript:
    """Return the whole text around `network_lines`, which an encoder writes about the network."""
    head = ["(set-info :smt-lib-version 2.6)", f"(set-logic {logic})", f"; {formula.name}"]
    body = [*_language_lines(formula), *_exclusion_lines(formula), *network_lines]
    return SmtScript(formula, logic, "\n".join([*head, *body, "(check-sat)"]) + "\n")


def _language_lines(formula: Formula) -> list[str]:
    language, lines = formula.language, []
    for t, size in enumerate(language.layer_sizes):
        lines += [f"(declare-const q{t}_{i} Bool)" for i in range(size)]
    lines.append(_assert(_any([f"q0_{i}" for i in range(language.layer_sizes[0])])))
    for t, (groups, layer) in enumerate(zip(formula.groups, formula.arcs, strict=True)):
        names = [formula.variables[x].name for x in formula.indicators[t].values()]
        lines += [f"(declare-const {name} Bool)" for name in names]
        lines += _exactly_one(names, f"g{t}")
        reads = []  # per group, the Boolean that says that the word has a symbol of it
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
    """Require exactly one: pairwise for up to six, else in groups of four with a Boolean each."""
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
    """Return nested if-then-else terms over the indicators of one position: pairs (indicator, value)."""
    term = otherwise
    for condition, value in reversed(pairs):
        term = f"(ite {condition} {value} {term})"
    return term
