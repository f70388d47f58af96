"""Linear constraints over 0/1 variables, and unit propagation on them.  Used by `cutting_planes.py`; part of
what is trusted.

A constraint is `sum of coefficient * variable >= bound`: a dict without zeros, and an int.  All integers of
any size.  A literal is a variable's number, from 1, or minus that for its complement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Terms = dict[int, int]  # variable -> coefficient


@dataclass(frozen=True)
class Inequality:
    """sum of coefficient * variable >= bound."""

    terms: Terms
    bound: int

    @property
    def slack(self) -> int:
        """The largest value of the sum, minus the bound: negative iff no assignment satisfies it."""
        return sum(c for c in self.terms.values() if c > 0) - self.bound

    @property
    def negation(self) -> Inequality:
        """What holds exactly where this does not."""
        return Inequality({v: -c for v, c in self.terms.items()}, 1 - self.bound)


@dataclass(eq=False)
class Counted:
    """A constraint as propagation sees it: literals with their weights, the heaviest first, and the slack
    under the assignment.
    """

    literals: list[tuple[int, int]]  # weight, literal
    slack: int
    dead: bool = False


@dataclass(eq=False)
class Propagation:
    """What follows from constraints, looking at one of them at a time.

    Literals that follow without assumptions stay true when the constraint that forced them goes: they were
    proved.
    """

    tick: Callable[[], None] = lambda: None  # called now and then; may raise
    contradiction: bool = False
    _true: set[int] = field(default_factory=set)
    _hurt: dict[int, list[tuple[Counted, int]]] = field(
        default_factory=dict
    )  # true literal -> the constraints that lose weight by it

    def add(self, constraint: Inequality) -> Counted:
        new = self._enter(constraint)
        if not self.contradiction:
            self.contradiction = new.slack < 0 or not self._propagate(self._forced(new), [])
        return new

    def remove(self, constraint: Counted) -> None:
        constraint.dead = True
        for _, literal in constraint.literals:
            here = self._hurt[-literal]
            if (
                len(here) > 8 and sum(c.dead for c, _ in here[:: len(here) // 4]) >= 3
            ):  # most are: time to clear up
                here[:] = [pair for pair in here if not pair[0].dead]

    def refutes(self, assumption: Inequality) -> bool:
        """Whether one more constraint leads to a contradiction.  Changes nothing."""
        if self.contradiction:
            return True
        new, trail = self._enter(assumption), list[int]()
        found = new.slack < 0 or not self._propagate(self._forced(new), trail)
        for literal in trail:
            self._true.discard(literal)
            for constraint, weight in self._hurt.get(literal, ()):
                constraint.slack += weight
        for _, literal in new.literals:
            self._hurt[-literal].pop()
        return found

    def _enter(self, constraint: Inequality) -> Counted:
        literals = sorted(((abs(c), v if c > 0 else -v) for v, c in constraint.terms.items()), reverse=True)
        new = Counted(
            literals, constraint.slack - sum(weight for weight, literal in literals if -literal in self._true)
        )
        for weight, literal in literals:
            self._hurt.setdefault(-literal, []).append((new, weight))
        return new

    def _propagate(self, queue: list[int], trail: list[int]) -> bool:
        """Make the literals true, and what follows, noting them in `trail`; False at a contradiction."""
        true = self._true
        good = True
        while queue and good:
            literal = queue.pop()
            if literal in true:
                continue
            if -literal in true:
                return False
            true.add(literal)
            trail.append(literal)
            self.tick()
            for constraint, weight in self._hurt.get(literal, ()):  # to the end, so that undoing is simple
                constraint.slack = slack = constraint.slack - weight
                if good and slack < constraint.literals[0][0] and not constraint.dead:
                    if slack < 0:
                        good = False
                    else:
                        queue += self._forced(constraint)
        return good

    def _forced(self, constraint: Counted) -> list[int]:
        """The open literals without which its slack would be negative."""
        found = []
        for weight, literal in constraint.literals:
            if weight <= constraint.slack:
                break
            if literal not in self._true and -literal not in self._true:
                found.append(literal)
        return found
