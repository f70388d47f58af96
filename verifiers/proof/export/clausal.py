"""Checks proofs in the DRAT format's RUP part (additions and deletions of clauses, as text) against clauses
that are handed in.

Every added clause has to follow by unit propagation from those that are there; the proof ends with the empty
one.  Additions that only keep satisfiability (RAT) are rejected: CaDiCaL, as it is called here, writes none.
Part of what is trusted.
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

    A literal that follows stays true when the clause that forced it is deleted: it was proved.
    """

    def __init__(
        self, count: int, clauses: Iterable[Clause], tick: Callable[[], None] = lambda: None
    ) -> None:
        self.count = count
        self.tick = tick
        self.true = bytearray(2 * count + 1)  # by literal: 1 where it is true; complements count from the end
        self.watching: dict[int, list[list[int]]] = {}  # literal -> the clauses that watch it
        self.known: dict[Clause, list[list[int]]] = {}  # by their literals in order
        self.contradiction = False
        self.size = 0
        for clause in clauses:
            self._add(clause)

    def check(self, lines: Iterable[str]) -> int:
        """The number of steps, where they end in the empty clause; Rejected otherwise."""
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
                    " (steps that only keep satisfiability are not taken)"
                )
            self._add(clause)
            ended = not clause
        if not ended:
            raise Rejected("the proof ends without the empty clause")
        return steps

    def _clause(self, tokens: list[str]) -> Clause:
        *literals, end = tokens or [""]
        if end != "0" or not all(map(_LITERAL.fullmatch, literals)):
            raise Rejected("a clause is not written as one")
        found = dict.fromkeys(map(int, literals))
        if any(abs(literal) > self.count for literal in found):
            raise Rejected("a clause has a variable that the formula does not have")
        return tuple(found)

    def _add(self, clause: Clause) -> None:
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
        key = tuple(sorted(clause))
        same = self.known.get(key)
        if not same:
            raise Rejected("a clause is deleted that is not there")
        watched = same.pop()
        if not same:
            del self.known[key]
        self.size -= len(watched)
        for literal in watched[:2]:
            here = self.watching.get(literal, [])
            here[:] = [other for other in here if other is not watched]

    def _follows(self, clause: Clause) -> bool:
        """Whether propagation from the clause's negation ends in a contradiction.  Changes nothing but
        watches.
        """
        if self.contradiction or any(self.true[literal] or -literal in clause for literal in clause):
            return True
        trail: list[int] = []
        ended = not self._propagate([-literal for literal in clause], trail)
        for literal in trail:
            self.true[literal] = 0
        return ended

    def _propagate(self, queue: list[int], trail: list[int]) -> bool:
        """Make the literals true, and what follows, noting them in `trail`; False at a contradiction."""
        true, watching = self.true, self.watching
        for literal in queue:  # it grows
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
