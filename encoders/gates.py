"""Clauses for logic gates and binary adders.  Constants are folded, and equal gates are shared.

Used by `cnf.py`.  A literal is a non-zero integer, as in DIMACS.  Variable 1 is true in every model, so 1 and
-1 are the constants.  A number is a list of literals, lowest bit first.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

TRUE, FALSE = 1, -1
Bits = list[int]


class GateClauses:
    """A growing list of `clauses`.  `count` is the highest variable."""

    def __init__(self) -> None:
        self.count = 1
        self.clauses: list[tuple[int, ...]] = [(TRUE,)]
        self._known: dict[tuple[str | int, ...], int] = {}

    def variable(self) -> int:
        """Return a new variable."""
        self.count += 1
        return self.count

    def add(self, literals: Iterable[int]) -> None:
        """Add a clause, unless a constant satisfies it."""
        clause = dict.fromkeys(literal for literal in literals if literal != FALSE)
        if TRUE not in clause and not any(-literal in clause for literal in clause):
            self.clauses.append(tuple(clause))

    def any(self, literals: Iterable[int]) -> int:
        """Return a literal that is true iff one of these is."""
        parts = sorted({literal for literal in literals if literal != FALSE})
        if TRUE in parts or any(-literal in parts for literal in parts):
            return TRUE
        if len(parts) < 2:
            return parts[0] if parts else FALSE
        key: tuple[str | int, ...] = ("or", *parts)
        if key not in self._known:
            out = self._known[key] = self.variable()
            self.add((*parts, -out))
            for literal in parts:
                self.add((-literal, out))
        return self._known[key]

    def both(self, a: int, b: int) -> int:
        """Return a literal that is true iff both are."""
        return -self.any((-a, -b))

    def xor(self, a: int, b: int) -> int:
        """Return a literal that is true iff exactly one of both is."""
        if abs(a) > abs(b):
            a, b = b, a
        if abs(a) == TRUE:
            return -b if a == TRUE else b
        if abs(a) == abs(b):
            return FALSE if a == b else TRUE
        sign = (-1 if a < 0 else 1) * (-1 if b < 0 else 1)
        key = ("xor", abs(a), abs(b))
        if key not in self._known:
            out = self._known[key] = self.variable()
            a, b = abs(a), abs(b)
            for clause in ((a, b, -out), (-a, -b, -out), (a, -b, out), (-a, b, out)):
                self.add(clause)
        return sign * self._known[key]

    def majority(self, a: int, b: int, c: int) -> int:
        """Return a literal that is true iff at least two of three are: the carry of a full adder."""
        a, b, c = sorted((a, b, c), key=abs)
        if abs(a) == TRUE:
            return self.any((b, c)) if a == TRUE else self.both(b, c)
        if abs(a) == abs(b) or abs(b) == abs(c):
            twice, other = (b, a) if abs(b) == abs(c) else (b, c)
            return twice if (a == b or b == c) else other
        key = ("maj", a, b, c)
        if key not in self._known:
            out = self._known[key] = self.variable()
            for x, y in combinations((a, b, c), 2):
                self.add((-x, -y, out))
                self.add((x, y, -out))
        return self._known[key]

    def sum(self, numbers: Iterable[Bits], width: int) -> Bits:
        """Return the sum modulo 2**width.

        Column by column, full adders turn three bits into one and a carry, until one bit is left (Wallace
        1964).
        """
        columns: list[Bits] = [[] for _ in range(width)]
        for number in numbers:
            for k, bit in enumerate(number[:width]):
                if bit != FALSE:
                    columns[k].append(bit)
        out = []
        for k in range(width):
            column = columns[k]
            while len(column) > 1:
                a, b, *rest = column
                c = rest.pop(0) if rest else FALSE
                carry = self.majority(a, b, c)
                column = [*rest, bit] if (bit := self.xor(self.xor(a, b), c)) != FALSE else rest
                if k + 1 < width and carry != FALSE:
                    columns[k + 1].append(carry)
            out.append(column[0] if column else FALSE)
        return out

    def at_most_one(self, literals: list[int]) -> None:
        """Require that at most one is true: pairwise for up to six, else by groups of four."""
        while len(literals) > 6:
            groups = [literals[i : i + 4] for i in range(0, len(literals), 4)]
            for group in groups:
                self._pairwise(group)
            literals = [self.any(group) for group in groups]
        self._pairwise(literals)

    def _pairwise(self, literals: list[int]) -> None:
        for a, b in combinations(literals, 2):
            self.add((-a, -b))


def constant(value: int, width: int) -> Bits:
    """Return a number modulo 2**width as bits."""
    return [TRUE if value >> k & 1 else FALSE for k in range(width)]
