"""Checks proofs in the RUP part of the DRAT format, as text, against given clauses.  Part of what is trusted.

A step adds or deletes a clause.  Every added clause has to follow by unit propagation from those that are
present.  The proof ends with the empty clause.  Additions that only preserve satisfiability (RAT) are
rejected; CaDiCaL, as it is called here, writes none.  (RUP: Goldberg and Novikov 2003.  DRAT: Wetzler, Heule
and Hunt 2014.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..format import LimitReached, Rejected

Clause = tuple[int, ...]
LITERALS = 20_000_000  # of all clauses that are kept
_LITERAL = re.compile(r"-?[1-9][0-9]{0,8}", re.ASCII)


class Clausal:
    """Clauses with two watched literals each, and the literals that follow from them.

    count: the number of variables.
    clauses: the formula.
    tick: called now and then; it may raise.

    A literal that follows stays true when the clause that forced it is deleted, because it was proved.
    """

    def __init__(
        self, count: int, clauses: Iterable[Clause], tick: Callable[[], None] = lambda: None
    ) -> None:
        self.count = count
        self.tick = tick
        self.true = bytearray(2 * count + 1)  # by literal: 1 if true; negative literals index from the end
        self.watching: dict[int, list[list[int]]] = {}  # literal -> the clauses that watch it
        self.known: dict[Clause, list[list[int]]] = {}  # by their sorted literals
        self.contradiction = False
        self.size = 0
        for clause in clauses:
            self._add(clause)

    def check(self, lines: Iterable[str]) -> int:
        """Check the lines of a proof; return the number of steps.

        Raises Rejected if a step does not follow or the steps do not end in the empty clause.
        """
        steps, ended = 0, False
        for line in lines:
            self.tick()
            tokens = line.split()
            if not tokens or tokens[0] == "c":
                continue
            if ended:
                raise Rejected("a step follows the empty clause")
            steps += 1
            if tokens[0] == "d":
                self._delete(self._clause(tokens[1:]))
                continue
            clause = self._clause(tokens)
            if not self._follows(clause):
                raise Rejected(
                    "a clause does not follow by unit propagation"
                    " (steps that only preserve satisfiability are not supported)"
                )
            self._add(clause)
            ended = not clause
        if not ended:
            raise Rejected("the proof ends without the empty clause")
        return steps

    def _clause(self, tokens: list[str]) -> Clause:
        """Read a clause; raise Rejected if it is malformed."""
        *literals, end = tokens or [""]
        if end != "0" or not all(map(_LITERAL.fullmatch, literals)):
            raise Rejected("a clause is malformed")
        found = dict.fromkeys(map(int, literals))
        if any(abs(literal) > self.count for literal in found):
            raise Rejected("a clause has a variable that the formula does not have")
        return tuple(found)

    def _add(self, clause: Clause) -> None:
        """Add a clause, watch it, and propagate if it is a unit."""
        self.size += len(clause)
        if self.size > LITERALS:
            raise LimitReached(f"the clauses have over {LITERALS:,} literals")
        if any(-literal in clause for literal in clause):  # always true
            watched = list(clause)
        else:
            watched = sorted(clause, key=lambda literal: self.true[-literal])  # the false ones last
            if len(watched) > 1:
                for literal in watched[:2]:
                    self.watching.setdefault(literal, []).append(watched)
            if not watched or self.true[-watched[0]]:
                self.contradiction = True
            elif len(watched) == 1 or self.true[-watched[1]]:
                self.contradiction = not self._propagate([watched[0]], []) or self.contradiction
        self.known.setdefault(tuple(sorted(clause)), []).append(watched)

    def _delete(self, clause: Clause) -> None:
        """Delete a clause; raise Rejected if it is not present."""
        key = tuple(sorted(clause))
        same = self.known.get(key)
        if not same:
            raise Rejected("a deleted clause is not present")
        watched = same.pop()
        if not same:
            del self.known[key]
        self.size -= len(watched)
        for literal in watched[:2]:
            here = self.watching.get(literal, [])
            here[:] = [other for other in here if other is not watched]

    def _follows(self, clause: Clause) -> bool:
        """Say whether propagation from the clause's negation ends in a contradiction.

        Changes nothing but watches.
        """
        if self.contradiction or any(self.true[literal] or -literal in clause for literal in clause):
            return True
        trail: list[int] = []
        ended = not self._propagate([-literal for literal in clause], trail)
        for literal in trail:
            self.true[literal] = 0
        return ended

    def _propagate(self, queue: list[int], trail: list[int]) -> bool:
        """Make literals true, and those that follow, and append them to `trail`.

        Returns False at a contradiction.
        """
        true, watching = self.true, self.watching
        for literal in queue:  # the loop appends to it
            if true[literal]:
                continue
            false = -literal
            if true[false]:
                return False
            true[literal] = 1
            trail.append(literal)
            here = watching.get(false)
            if not here:
                continue
            self.tick()
            kept: list[list[int]] = []
            watching[false] = kept
            for n, clause in enumerate(here):
                other = clause[0]
                if other == false:
                    other = clause[1]
                if true[other]:
                    kept.append(clause)
                    continue
                for k in range(2, len(clause)):
                    new = clause[k]
                    if not true[-new]:
                        clause[0], clause[1], clause[k] = other, new, false
                        watching.setdefault(new, []).append(clause)
                        break
                else:
                    kept.append(clause)
                    if true[-other]:
                        kept += here[n + 1 :]
                        return False
                    queue.append(other)
        return True
