"""Checks proofs in the VeriPB language, version 1.1, against given constraints.  Part of what is trusted.

Only the steps that `exact` writes are known.  Every step derives a constraint that all 0/1 solutions satisfy:
by cutting planes (`pol`; Cook, Coullard and Turán 1987) or by propagation (`rup`).  The last step, `c`, names
a constraint that nothing satisfies.  docs/reference/proof-format.md says what the steps mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..format import DIGITS, LimitReached, Rejected
from .inequalities import Counted, Inequality, Propagation, Terms

VERSION = "pseudo-Boolean proof version 1.1"
BITS = 4096  # the most bits of a coefficient
TERMS = 10_000_000  # the most terms of all constraints that are kept, and of those of one step
_NUMBER = re.compile(rf"[0-9]{{1,{DIGITS}}}", re.ASCII)
_SIGNED = re.compile(rf"[+-]?[0-9]{{1,{DIGITS}}}", re.ASCII)
_LITERAL = re.compile(r"(~?)x([1-9][0-9]{0,8})", re.ASCII)

Part = tuple[Terms, int, bool]  # terms, bound, and whether the terms may be changed in place


@dataclass(eq=False)
class _Known:
    """A derived constraint, and its entries in the two propagations (None: not entered)."""

    constraint: Inequality
    in_core: Counted | None = None
    in_all: Counted | None = None


class CuttingPlanes:
    """The constraints derived so far, by number.

    count: the number of variables.
    axioms: the formula.
    tick: called now and then; it may raise.

    Propagation is tried first on the formula and what propagation derived from it, then on all constraints.
    The first try takes a tenth of the second's time, and is mostly enough.
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
        """Check the lines of a proof; return the number of steps.

        Raises Rejected if a step is not valid or the steps do not end in a contradiction.
        """
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
                raise Rejected(f"{head[:20]!r} is no known step")
            steps += 1
        if not ended:
            raise Rejected("the proof ends without a contradiction")
        return steps - 1

    def _learn(self, constraint: Inequality, core: bool = False) -> None:
        """Give a constraint the next number."""
        self.size += len(constraint.terms)
        if self.size > TERMS:
            raise LimitReached(f"the constraints have over {TERMS:,} terms")
        self.last += 1
        self.known[self.last] = _Known(constraint, self.core.add(constraint) if core else None)

    def _axiom(self, number: int) -> Inequality:
        """Return a constraint of the formula by its number."""
        if not 1 <= number <= len(self.axioms):
            raise Rejected(f"there is no constraint {number} in the formula")
        return self.axioms[number - 1]

    def _all_axioms(self, rest: str) -> None:
        """Learn all constraints of the formula."""
        if rest.strip() and self._number(rest) != len(self.axioms):
            raise Rejected(f"the formula has {len(self.axioms)} constraints, not {rest.strip()[:20]}")
        for axiom in self.axioms:
            self._learn(axiom, core=True)

    def _delete(self, tokens: list[str]) -> None:
        """Delete constraints by their numbers."""
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
        """Check that nothing satisfies the named constraint."""
        number = self._number(rest)
        if self._named(number).constraint.slack >= 0:
            raise Rejected(f"constraint {number} is no contradiction")
        return True

    def _rup(self, text: str) -> Inequality:
        """Read a constraint and check that it follows by propagation."""
        constraint = parsed(text, self.count)
        if not (self.core.refutes(constraint.negation) or self._everything().refutes(constraint.negation)):
            raise Rejected("a constraint does not follow by propagation")
        return constraint

    def _everything(self) -> Propagation:
        """Return the propagation of all constraints, with the newest ones entered."""
        for number in range(self.all_up_to + 1, self.last + 1):
            if known := self.known.get(number):
                known.in_all = self.all.add(known.constraint)
        self.all_up_to = self.last
        return self.all

    def _pol(self, tokens: list[str]) -> Inequality:
        """Derive a constraint from a step in reverse Polish notation.

        Operands are numbers of constraints, and literals.  Operations are + of two, * and d (division) with a
        number, and s (saturation).
        """
        stack: list[Part] = []
        size = 0

        def push(part: Part) -> None:
            nonlocal size
            size += len(part[0])
            if size > TERMS:
                raise LimitReached(f"a step holds over {TERMS:,} terms")
            # Coefficients are limited where they grow, but the bound of a constraint without terms is not.
            if abs(part[1]) >> 2 * BITS:
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
                # Adding a literal is by far the most frequent operation: do it without push and pop.
                if tokens[place] == "+" and stack:
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
        """Return a derived constraint by its number."""
        found = self.known.get(number)
        if found is None:
            raise Rejected(f"there is no constraint {number} here")
        return found

    def _number(self, token: str) -> int:
        """Read a number."""
        token = token.strip()
        if not _NUMBER.fullmatch(token):
            raise Rejected(f"{token[:20]!r} is no number")
        return int(token)


def parsed(text: str, count: int) -> Inequality:
    """Read a constraint as proofs and formulas write it: +1 x1 +2 ~x2 >= 1 ;

    count: the number of variables.

    Raises Rejected if it is malformed.
    """
    *tokens, relation, bound, end = text.split() if text.count(" ") >= 2 else ("", "", "")
    if relation != ">=" or end != ";" or len(tokens) % 2 or not _SIGNED.fullmatch(bound):
        raise Rejected("a constraint is malformed")
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
    """Return coefficient * literal as terms, and what it adds to the bound: c ~x is c - c x."""
    match = _LITERAL.fullmatch(token)
    if not match or int(match[2]) > count:
        raise Rejected(f"{token[:20]!r} is no literal of the formula")
    variable = int(match[2])
    if not coefficient:
        return {}, 0
    return ({variable: -coefficient}, -coefficient) if match[1] else ({variable: coefficient}, 0)


def _add(terms: Terms, more: Terms) -> None:
    """Add terms in place, and drop zeros."""
    for v, c in more.items():
        c += terms.get(v, 0)
        if c:
            terms[v] = c
        else:
            del terms[v]


def _sum(a: Part, b: Part) -> Part:
    """Add two constraints."""
    if (b[2], len(b[0])) > (a[2], len(a[0])):
        a, b = b, a
    terms = a[0] if a[2] else dict(a[0])
    _add(terms, b[0])
    return terms, a[1] + b[1], True


def _multiplied(part: Part, factor: int) -> Part:
    """Multiply a constraint by a factor >= 0."""
    if not factor:
        return {}, 0, True
    terms = {v: c * factor for v, c in part[0].items()}
    if factor > 1 and terms and max(map(abs, terms.values())) >> BITS:
        raise LimitReached(f"a coefficient has over {BITS} bits")
    return terms, part[1] * factor, True


def _degree(part: Part) -> int:
    """Return the bound after c x with c < 0 is written as |c| (1 - x) - |c|, with the constant moved over."""
    return part[1] - sum(c for c in part[0].values() if c < 0)


def _divided(part: Part, divisor: int) -> Part:
    """Divide the coefficients of literals, and the degree, and round up."""
    if not divisor:
        raise Rejected("a division by 0")
    terms = {v: -(-c // divisor) if c > 0 else c // divisor for v, c in part[0].items()}
    return terms, -(-_degree(part) // divisor) + sum(c for c in terms.values() if c < 0), True


def _saturated(part: Part) -> Part:
    """Lower every coefficient of a literal to at most the degree."""
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
