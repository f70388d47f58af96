"""Loops over the tokens whose last values give every example its label.

The last of `folds/`.  Updates are run for all signals at once, on a few examples first.  What goes its own
way becomes a signal for a second local.

Source: Udupa et al., "TRANSIT" (2013), section 4, for enumeration up to observational equivalence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np

from ...common.deadline import check
from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..expressions.items import token_functions
from ..problem import SearchProblem
from .judge import LoopJudge
from .leaving import first_matches, leaving_early
from .loops import FAR, Local, name_for, same_start
from .mutual import mutual
from .signals import (
    Signal,
    Steps,
    neighbour_tests,
    partial_numbers,
    place_tests,
    second_looks,
    tests_of,
    token_itself,
    token_numbers,
    token_tests,
    value_of,
)
from .updates import (
    Update,
    of_flags,
    of_flags_by_two,
    with_number,
    with_number_and_test,
    with_test,
    with_two_tests,
)

FRAME = 9  # nodes of the function, the loop and the return
TRAJECTORIES, TESTED = 2500, 1000  # locals that a second local may read, or test
LEAVING = 4000  # locals on which leaving the loop early may depend
ROWS, SOME_ROWS = 20_000, 4000  # of one update at once, on the first examples and on more
AT_ONCE = 24_000_000  # values of the signals of one group
CELLS = 6_000_000_000  # values that may be computed: the budget of the search, the same on every machine

Choice = tuple[Signal, ...]


def folded(
    problem: SearchProblem, examples: Labelled, below: int, say: Callable[[str], None]
) -> list[Candidate]:
    """Find programs of one loop that give every example its label.

    Args:
        problem: the tokens and labels.
        examples: labelled words, in an order that takes the labels in turn (`filter.mixed`).
        below: only programs of a smaller description length are wanted.
        say: is told what is going on.

    Returns: the programs, plainest first.
    """
    if problem.max_length < 2 or len(np.unique(examples.labels)) < 2:
        return []
    say("looking at loops with one or two locals")
    return _FoldSearch(problem, examples, below).run()


class _FoldSearch:
    """All loops over one problem: one local first, then a second one that reads the first."""

    def __init__(self, problem: SearchProblem, examples: Labelled, below: int) -> None:
        functions = token_functions(problem)
        self.problem = problem
        self.numbers = list(token_numbers(functions))
        self.partial = list(partial_numbers(functions))
        self.tests = list(token_tests(functions))
        places = list(place_tests())
        self.place, self.near = places[0], [*neighbour_tests(problem, functions), *places[1:]]
        self.looks = list(second_looks(problem))
        digits = {int(f.table.max()) + 1 for f in functions.numbers[:3] if f.table.max() < 64}
        digits |= {int(f.table.max()) for f in functions.numbers[:3] if 1 < f.table.max() < 64}
        labels = {len(problem.labels)} if len(problem.labels) < 17 else set()
        self.constants = sorted(k for k in {*range(2, 11), *digits, *labels} if k > 1)
        self.judge = LoopJudge(problem, examples, below, self.constants)
        self.kept: list[Local] = []
        self._seen: set[bytes] = set()
        self._cells = 0

    def run(self) -> list[Candidate]:
        """Search until the budget is spent."""
        first_matches(self.judge, [*self.tests, *self.looks, *self.near])
        for updates, groups, kind in self._first_locals():
            self._try(updates, groups, kind)
        self.kept.sort(key=lambda v: v.length + 3 * v.odd)
        leaving_early(self.judge, self.kept[:LEAVING])
        for updates, groups, kind in self._second_locals(self.kept[:TRAJECTORIES]):
            self._try(updates, groups, kind)
        mutual(self.judge, self.numbers[:12])
        return sorted(self.judge.found, key=lambda c: c.key)

    def _first_locals(self) -> Iterator[tuple[Iterable[Update], list[Choice], str]]:
        tests = [*self.tests, *self.near]
        both = list(with_number_and_test())
        if self.numbers:
            yield with_number(self.constants), [(s,) for s in self.numbers], "int"
        yield of_flags(), [(s,) for s in tests], "bool"
        yield with_test(self.constants[:4]), [(s,) for s in tests], "int"
        if self.numbers:
            yield both, _pairs(self.numbers[:10], tests[:80] + self.near), "int"
        yield both, [(x, y) for x, y in self.partial], "int"
        yield both[:1], _pairs([self.place], tests), "int"
        yield both[:1], _pairs([token_itself()], [*tests, *self.looks]), "token"
        yield of_flags_by_two(), _pairs(self.tests[:60], self.tests[:60]), "bool"
        yield with_two_tests(), _pairs(self.tests[:30], self.tests[:30]), "int"

    def _second_locals(self, firsts: list[Local]) -> Iterator[tuple[Iterable[Update], list[Choice], str]]:
        numbers = [value_of(v) for v in firsts if v.kind == "int"]
        tests = [t for v in firsts[:TESTED] if v.kind != "token" for t in tests_of(v, self.judge.few)]
        both = list(with_number_and_test())
        yield [u for u in with_number([2]) if u.weight <= 3], [(s,) for s in numbers], "int"
        yield [u for u in with_number([2]) if u.weight == 4], [(s,) for s in numbers[:300]], "int"
        yield of_flags(), [(s,) for s in tests], "bool"
        yield [u for u in with_test([]) if u.weight <= 6], [(s,) for s in tests], "int"
        yield [u for u in with_test([]) if 6 < u.weight <= 10], [(s,) for s in tests[:600]], "int"
        yield both[:1], _pairs([token_itself()], tests[:1500]), "token"
        yield both, _pairs(numbers[:30], self.tests[:40]), "int"
        yield both, _pairs(self.numbers[:6], tests[:120]), "int"

    def _try(self, updates: Iterable[Update], chosen: list[Choice], kind: str) -> None:
        """Try every update with every choice of signals."""
        steps = self.judge.few
        chosen = chosen[: AT_ONCE // max(1, steps.symbols.size)]  # of long sequences, the lightest only
        if not chosen:
            return
        weights = np.array([sum(s.cost + sum(v.weight for v in s.locals) for s in c) for c in chosen])
        holes = [np.stack([c[h].on(steps) for c in chosen]) for h in range(len(chosen[0]))]
        starts = (0, 1) if kind != "token" else (self.problem.size,)
        for update in updates:
            check()
            room = np.flatnonzero(weights + update.weight + FRAME + 5 < self.judge.below)
            for start in starts if update.looks else starts[:1]:
                for part in range(0, len(room), ROWS):
                    rows = room[part : part + ROWS]
                    here = holes if len(rows) == len(chosen) else [h[rows] for h in holes]
                    if self._cells < CELLS:
                        place = start - 1 if chosen[0][0] is self.place else start
                        self._run([chosen[r] for r in rows], here, update, place, kind)

    def _run(
        self, chosen: list[Choice], holes: list[np.ndarray], update: Update, start: int, kind: str
    ) -> None:
        """Run one update with many choices of signals, and keep those that explain the labels."""
        judge = self.judge
        way = self._ways(holes, update, start, judge.few)
        if len(update.holes) == 1 and not any(s.locals for s in chosen[0]) and update.weight <= 9:
            self._remember(chosen, update, start, kind, way)
        posts = judge.posts if kind == "int" else judge.posts[:1]
        left = {post: judge.explained(post.apply(way[:, -1]), 0) for post in posts}
        rows = np.unique(np.concatenate(list(left.values())))
        for part in range(0, len(rows), SOME_ROWS):
            some = rows[part : part + SOME_ROWS]
            more = [np.stack([chosen[r][h].on(judge.more) for r in some]) for h in range(len(holes))]
            ends = self._ways(more, update, start, judge.more)[:, -1]
            for post in posts:
                mine = np.flatnonzero(np.isin(some, left[post]))
                for row in some[mine[judge.explained(post.apply(ends[mine]), 1)]].tolist():
                    local = self._local(chosen[row], update, start, kind)
                    if same_start((*local.earlier, local)):
                        judge.finish(local, post)

    def _ways(self, holes: list[np.ndarray], update: Update, start: int, steps: Steps) -> np.ndarray:
        """Run an update on some examples.

        Args:
            holes: the values of the signals, (rows, positions, n).
            update: the form.
            start: the first value.
            steps: the examples.

        Returns: the values on the way, (rows, positions, n).
        """
        rows, positions, n = holes[0].shape
        self._cells += rows * positions * n
        value = np.full((rows, n), start, dtype=np.int64)
        way = np.empty((positions, rows, n), dtype=np.int64)
        for p, inside in enumerate(steps.inside):
            arrays = {"v": value, **dict(zip("xy", (h[:, p] for h in holes), strict=False))}
            after = update.formula.on(arrays).astype(np.int64)
            value = np.where(inside, np.clip(after, -FAR, FAR), value)
            way[p] = value
        return way.swapaxes(0, 1)

    def _remember(self, chosen: list[Choice], update: Update, start: int, kind: str, way: np.ndarray) -> None:
        """Keep locals that go their own way, for a second local to read."""
        if abs(way).max(initial=0) > 1 << 20:
            return
        for c, w in zip(chosen, way, strict=True):
            key = w.tobytes()
            if key not in self._seen and (w != w.flat[0]).any():
                self._seen.add(key)
                self.kept.append(self._local(c, update, start, kind))

    def _local(self, signals: Choice, update: Update, start: int, kind: str) -> Local:
        taken = [x.name for s in signals for v in s.locals for x in (*v.earlier, v)]
        return Local(name_for(update, signals, taken, kind), start, update, signals, kind)


def _pairs(left: Iterable[Signal], right: Iterable[Signal]) -> list[Choice]:
    return [(a, b) for a, b in product(left, right) if a is not b]
