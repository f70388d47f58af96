"""Checks proofs in the VeriPB language (version 1.1), as far as `exact` writes it, against constraints that
are handed in.

Every step derives a constraint that all 0/1 solutions satisfy: by cutting planes (`pol`) or by propagation
(`rup`).  The end, `c`, names a constraint that nothing satisfies.  Part of what is trusted;
docs/reference/proof-format.md says what the steps mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..format import DIGITS, LimitReached, Rejected
from .inequalities import Counted, Inequality, Propagation, Terms

VERSION = "pseudo-Boolean proof version 1.1"
BITS = 4096  # of a coefficient
TERMS = 10_000_000  # of all constraints that are kept, and of those of one step
_NUMBER = re.compile(rf"[0-9]{{1,{DIGITS}}}", re.ASCII)
_SIGNED = re.compile(rf"[+-]?[0-9]{{1,{DIGITS}}}", re.ASCII)
_LITERAL = re.compile(r"(~?)x([1-9][0-9]{0,8})", re.ASCII)

Part = tuple[Terms, int, bool]  # terms, bound, and whether the terms are ours to change


@dataclass(eq=False)
class _Known:
    """A derived constraint, and as what it takes part in the two propagations (None: not yet)."""

    constraint: Inequality
    in_core: Counted | None = None
    in_all: Counted | None = None


class CuttingPlanes:
    """The constraints derived so far, by number; `count` is the number of variables.

    Propagation is tried on the formula and on what it gave before, then on everything: the first is a tenth
    of the second, and mostly enough.
    """

    def __init__(
        self, count: int, axioms: Sequence[Inequality], tick: Callable[[], None] = lambda: None
    ) -> None:
        self.count = count
        self.axioms = axioms
        self.tick = tick
        self.known: dict[int, _Known] = {}
        self.last = 0
        self.size = 0
        self.core = Propagation(tick)
        self.all = Propagation(tick)
        self.all_up_to = 0

    def check(self, lines: Iterable[str]) -> int:
        """The number of steps, where they end in a contradiction; Rejected otherwise."""
        steps, ended = 0, False
        for line in lines:
            self.tick()
            head, _, rest = line.strip().partition(" ")
            if not head or head.startswith("*"):
                continue
            if ended:
                raise Rejected("a step follows the contradiction")
            if not steps:
                if line.strip() != VERSION:
                    raise Rejected(f"the proof does not begin with {VERSION!r}")
            elif head == "pol":
                self._learn(self._pol(rest.split()))
            elif head == "rup":
                self._learn(self._rup(rest), core=True)
            elif head == "l":
                self._learn(self._axiom(self._number(rest)), core=True)
            elif head == "f":
                self._all_axioms(rest)
            elif head == "d":
                self._delete(rest.split())
            elif head == "c":
                ended = self._contradiction(rest)
            else:
                raise Rejected(f"{head[:20]!r} is no step that is known here")
            steps += 1
        if not ended:
            raise Rejected("the proof ends without a contradiction")
        return steps - 1

    def _learn(self, constraint: Inequality, core: bool = False) -> None:
        self.size += len(constraint.terms)
        if self.size > TERMS:
            raise LimitReached(f"the constraints have over {TERMS:,} terms")
        self.last += 1
        self.known[self.last] = _Known(constraint, self.core.add(constraint) if core else None)

    def _axiom(self, number: int) -> Inequality:
        if not 1 <= number <= len(self.axioms):
            raise Rejected(f"there is no constraint {number} in the formula")
        return self.axioms[number - 1]

    def _all_axioms(self, rest: str) -> None:
        if rest.strip() and self._number(rest) != len(self.axioms):
            raise Rejected(f"the formula has {len(self.axioms)} constraints, not {rest.strip()[:20]}")
        for axiom in self.axioms:
            self._learn(axiom, core=True)

    def _delete(self, tokens: list[str]) -> None:
        for token in tokens:
            number = self._number(token)
            known = self._named(number)
            self.size -= len(known.constraint.terms)
            if known.in_core:
                self.core.remove(known.in_core)
            if known.in_all:
                self.all.remove(known.in_all)
            del self.known[number]

    def _contradiction(self, rest: str) -> bool:
        number = self._number(rest)
        if self._named(number).constraint.slack >= 0:
            raise Rejected(f"constraint {number} is no contradiction")
        return True

    def _rup(self, text: str) -> Inequality:
        constraint = parsed(text, self.count)
        if not (self.core.refutes(constraint.negation) or self._everything().refutes(constraint.negation)):
            raise Rejected("a constraint does not follow by propagation")
        return constraint

    def _everything(self) -> Propagation:
        for number in range(self.all_up_to + 1, self.last + 1):
            if known := self.known.get(number):
                known.in_all = self.all.add(known.constraint)
        self.all_up_to = self.last
        return self.all

    def _pol(self, tokens: list[str]) -> Inequality:
        """In reverse Polish notation: constraints by number, literals, + of two, * and d with a number, s for
        saturation.
        """
        stack: list[Part] = []
        size = 0

        def push(part: Part) -> None:
            nonlocal size
            size += len(part[0])
            if size > TERMS:
                raise LimitReached(f"a step holds over {TERMS:,} terms")
            if (
                abs(part[1]) >> 2 * BITS
            ):  # coefficients are watched where they grow; without any, this grows alone
                raise LimitReached(f"a bound has over {2 * BITS} bits")
            stack.append(part)

        def pop() -> Part:
            nonlocal size
            if not stack:
                raise Rejected("an operation has too few operands")
            size -= len(stack[-1][0])
            return stack.pop()

        place, tokens = 0, [*tokens, "", "", ""]
        while token := tokens[place]:
            following = tokens[place + 1]
            place += 1
            if place % 256 == 0:
                self.tick()
            if token == "+":
                push(_sum(pop(), pop()))
            elif token == "s":
                push(_saturated(pop()))
            elif following in ("*", "d"):
                factor = self._number(token)
                push(_multiplied(pop(), factor) if following == "*" else _divided(pop(), factor))
                place += 1
            elif token[0] in "x~":
                weight = self._number(following) if tokens[place + 1] == "*" else 1
                place += 2 * (tokens[place + 1] == "*")
                part = (*_literal(token, weight, self.count), True)
                if (
                    tokens[place] == "+" and stack
                ):  # by far the most frequent step: without moving the sum about
                    part = _sum(pop(), part)
                    place += 1
                push(part)
            else:
                known = self._named(self._number(token)).constraint
                push((known.terms, known.bound, False))
        if len(stack) != 1:
            raise Rejected("a step does not end in one constraint")
        return Inequality(*stack[0][:2])

    def _named(self, number: int) -> _Known:
        found = self.known.get(number)
        if found is None:
            raise Rejected(f"there is no constraint {number} here")
        return found

    def _number(self, token: str) -> int:
        token = token.strip()
        if not _NUMBER.fullmatch(token):
            raise Rejected(f"{token[:20]!r} is no number")
        return int(token)


def parsed(text: str, count: int) -> Inequality:
    """A constraint as proofs and formulas write it: +1 x1 +2 ~x2 >= 1 ;"""
    *tokens, relation, bound, end = text.split() if text.count(" ") >= 2 else ("", "", "")
    if relation != ">=" or end != ";" or len(tokens) % 2 or not _SIGNED.fullmatch(bound):
        raise Rejected("a constraint is not written as one")
    terms: Terms = {}
    total = int(bound)
    for coefficient, literal in zip(tokens[::2], tokens[1::2], strict=True):
        if not _SIGNED.fullmatch(coefficient):
            raise Rejected(f"{coefficient[:20]!r} is no coefficient")
        more, extra = _literal(literal, int(coefficient), count)
        _add(terms, more)
        total += extra
    return Inequality(terms, total)


def _literal(token: str, coefficient: int, count: int) -> tuple[Terms, int]:
    """coefficient * literal, as terms and what it adds to the bound: c ~x is c - c x."""
    match = _LITERAL.fullmatch(token)
    if not match or int(match[2]) > count:
        raise Rejected(f"{token[:20]!r} is no literal of the formula")
    variable = int(match[2])
    if not coefficient:
        return {}, 0
    return ({variable: -coefficient}, -coefficient) if match[1] else ({variable: coefficient}, 0)


def _add(terms: Terms, more: Terms) -> None:
    for v, c in more.items():
        c += terms.get(v, 0)
        if c:
            terms[v] = c
        else:
            del terms[v]


def _sum(a: Part, b: Part) -> Part:
    if (b[2], len(b[0])) > (a[2], len(a[0])):
        a, b = b, a
    terms = a[0] if a[2] else dict(a[0])
    _add(terms, b[0])
    return terms, a[1] + b[1], True


def _multiplied(part: Part, factor: int) -> Part:
    if not factor:
        return {}, 0, True
    terms = {v: c * factor for v, c in part[0].items()}
    if factor > 1 and terms and max(map(abs, terms.values())) >> BITS:
        raise LimitReached(f"a coefficient has over {BITS} bits")
    return terms, part[1] * factor, True


def _degree(part: Part) -> int:
    """The bound where every coefficient is made positive by writing c x as |c| (1 - x) - |c|."""
    return part[1] - sum(c for c in part[0].values() if c < 0)


def _divided(part: Part, divisor: int) -> Part:
    """All coefficients of literals, and the degree, divided and rounded up."""
    if not divisor:
        raise Rejected("a division by 0")
    terms = {v: -(-c // divisor) if c > 0 else c // divisor for v, c in part[0].items()}
    return terms, -(-_degree(part) // divisor) + sum(c for c in terms.values() if c < 0), True


def _saturated(part: Part) -> Part:
    """No coefficient of a literal above the degree."""
    degree = _degree(part)
    if degree <= 0:
        return {}, degree, True
    heavy = [v for v, c in part[0].items() if c > degree or -c > degree]
    if not heavy:
        return part
    terms, bound = part[0] if part[2] else dict(part[0]), part[1]
    for v in heavy:
        if terms[v] > 0:
            terms[v] = degree
        else:
            bound -= terms[v] + degree
            terms[v] = -degree
    return terms, bound, True
