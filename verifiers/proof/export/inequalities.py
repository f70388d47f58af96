"""Linear constraints over 0/1 variables, and unit propagation on them.  Part of what is trusted.

`cutting_planes.py` uses them.  A constraint is `sum of coefficient * variable >= bound`: a dict without
zeros, and an int.  Integers may have any size.  A literal is a variable's number, from 1, or its negative for
the complement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Terms = dict[int, int]  # variable -> coefficient


@dataclass(frozen=True)
class Inequality:
    """The constraint: sum of coefficient * variable >= bound."""

    terms: Terms
    bound: int

    @property
    def slack(self) -> int:
        """Return the largest value of the sum minus the bound; negative iff no assignment satisfies it."""
        return sum(c for c in self.terms.values() if c > 0) - self.bound

    @property
    def negation(self) -> Inequality:
        """Return the constraint that holds exactly where this one does not."""
        return Inequality({v: -c for v, c in self.terms.items()}, 1 - self.bound)


@dataclass(eq=False)
class Counted:
    """A constraint as propagation stores it.

    literals: pairs (weight, literal), the heaviest first.
    slack: under the current assignment.
    dead: whether it was removed.
    """

    literals: list[tuple[int, int]]
    slack: int
    dead: bool = False


@dataclass(eq=False)
class Propagation:
    """Unit propagation: the literals that follow from one constraint at a time.

    tick: called now and then; it may raise.
    contradiction: whether the constraints contradict each other.

    Literals that follow without assumptions stay true when the constraint that forced them is removed,
    because they were proved.
    """

    tick: Callable[[], None] = lambda: None
    contradiction: bool = False
    _true: set[int] = field(default_factory=set)
    # by literal: the constraints whose slack falls when it becomes true, and by how much
    _hurt: dict[int, list[tuple[Counted, int]]] = field(default_factory=dict)

    def add(self, constraint: Inequality) -> Counted:
        """Add a constraint and propagate; return it as it is stored."""
        new = self._enter(constraint)
        if not self.contradiction:
            self.contradiction = new.slack < 0 or not self._propagate(self._forced(new), [])
        return new

    def remove(self, constraint: Counted) -> None:
        """Remove a constraint that `add` returned."""
        constraint.dead = True
        for _, literal in constraint.literals:
            here = self._hurt[-literal]
            # If most of a sample are dead, drop the dead ones.
            if len(here) > 8 and sum(c.dead for c, _ in here[:: len(here) // 4]) >= 3:
                here[:] = [pair for pair in here if not pair[0].dead]

    def refutes(self, assumption: Inequality) -> bool:
        """Say whether one more constraint leads to a contradiction.  Changes nothing."""
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
        """Store a constraint with its slack under the current assignment."""
        literals = sorted(((abs(c), v if c > 0 else -v) for v, c in constraint.terms.items()), reverse=True)
        new = Counted(
            literals, constraint.slack - sum(weight for weight, literal in literals if -literal in self._true)
        )
        for weight, literal in literals:
            self._hurt.setdefault(-literal, []).append((new, weight))
        return new

    def _propagate(self, queue: list[int], trail: list[int]) -> bool:
        """Make literals true, and those that follow, and append them to `trail`.

        Returns False at a contradiction.
        """
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
            for constraint, weight in self._hurt.get(literal, ()):  # no early end, so that undoing is simple
                constraint.slack = slack = constraint.slack - weight
                if good and slack < constraint.literals[0][0] and not constraint.dead:
                    if slack < 0:
                        good = False
                    else:
                        queue += self._forced(constraint)
        return good

    def _forced(self, constraint: Counted) -> list[int]:
        """Return the open literals that have to be true: without one, the slack would be negative."""
        found = []
        for weight, literal in constraint.literals:
            if weight <= constraint.slack:
                break
            if literal not in self._true and -literal not in self._true:
                found.append(literal)
        return found
