"""Loops over the tokens whose last values give every example its label.

The last of `folds/`.  Updates are run for all signals at once, on a few examples first.  What goes its own
way becomes a signal for a second local.

Source: Udupa et al., "TRANSIT" (2013), section 4, for enumeration up to observational equivalence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...common.deadline import check
from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..expressions.explain import Explainer
from ..expressions.items import token_functions
from ..expressions.returns import constants_of
from ..feature import Body, Family
from ..feature import Kind as FeatureKind
from ..problem import SearchProblem
from ..reading import readings
from .loops import FAR, Local, loop_lines, name_for, same_start
from .signals import Signal, Steps, neighbour_tests, place_tests, token_numbers, token_tests
from .updates import Update, of_flags, of_flags_by_two, with_number, with_number_and_test, with_test, with_two_tests

STAGES = (20, 120, 512)  # examples that loops are run on, one stage after another
FRAME = 9  # nodes of the function, the loop and the return
TRAJECTORIES = 300  # locals that a second local may read
LEAVING = 1500  # locals on which leaving the loop early may depend
ROWS = 20_000  # of one update at once
SECONDS = 12.0
WRITTEN = 60


@dataclass(frozen=True, eq=False)
class _Post:
    """What the label is read off: the last value, its remainder, its quotient."""

    write: Callable[[str], str]
    weight: int
    apply: Callable[[np.ndarray], np.ndarray]
    bound: int = 0


def _posts(constants: Sequence[int]) -> list[_Post]:
    out = [_Post(lambda v: v, 0, lambda x: x)]
    for k in constants:
        out.append(_Post(lambda v, k=k: f"{v} % {k}", 7, lambda x, k=k: x % k, k))  # type: ignore[misc]
        out.append(_Post(lambda v, k=k: f"{v} // {k}", 3, lambda x, k=k: x // k))  # type: ignore[misc]
    return out


def folded(
    problem: SearchProblem, examples: Labelled, below: int, say: Callable[[str], None], seconds: float = SECONDS
) -> list[Candidate]:
    """Find programs of one loop that give every example its label.

    Args:
        problem: the tokens and labels.
        examples: labelled words, in an order that takes the labels in turn (`filter.mixed`).
        below: only programs of a smaller description length are wanted.
        say: is told what is going on.
        seconds: the time to spend.

    Returns: the programs, plainest first.
    """
    if problem.max_length < 2 or len(np.unique(examples.labels)) < 2:
        return []
    say("looking at loops with one or two locals")
    return _FoldSearch(problem, examples, below, time.monotonic() + seconds).run()


class _FoldSearch:
    """All loops over one problem: one local first, then a second one that reads the first."""

    def __init__(self, problem: SearchProblem, examples: Labelled, below: int, deadline: float) -> None:
        self.problem, self.examples, self.below, self.deadline = problem, examples, below, deadline
        self.sample = examples.take(np.arange(min(STAGES[-1], len(examples))))
        sizes = [s for s in STAGES if s < len(self.sample)] + [len(self.sample)]
        self.stages = [Steps(self.sample.words[:s], problem.size) for s in sizes]
        self.explainers = [Explainer(self.sample.labels[:s]) for s in sizes]
        functions = token_functions(problem)
        self.numbers = list(token_numbers(functions))
        self.tests = list(token_tests(functions))
        self.near = [*neighbour_tests(problem, functions), *(s for s in place_tests() if s.test)]
        digits = {int(f.table.max()) + 1 for f in functions.numbers[:3] if f.table.max() < 64}
        digits |= {int(f.table.max()) for f in functions.numbers[:3] if 1 < f.table.max() < 64}
        self.constants = sorted({*range(2, 11), *digits, *({len(problem.labels)} if len(problem.labels) < 17 else ())})
        self.posts = _posts(self.constants)
        self.found: list[Candidate] = []
        self.kept: list[Local] = []
        self._seen: set[bytes] = set()
        self._ends: set[bytes] = set()

    def run(self) -> list[Candidate]:
        """Search until the time is over."""
        for updates, groups, flag in self._first_locals():
            self._try(updates, groups, flag)
        self.kept.sort(key=lambda v: v.weight)
        firsts = self.kept[:TRAJECTORIES]
        self._stop_early(self.kept[:LEAVING])
        for updates, groups, flag in self._second_locals(firsts):
            self._try(updates, groups, flag)
        self._mutual()
        return sorted(self.found, key=lambda c: c.key)

    def _first_locals(self) -> Iterator[tuple[Iterable[Update], list[list[Signal]], bool]]:
        tests = [*self.tests, *self.near]
        if self.numbers:
            yield with_number(self.constants), [self.numbers], False
        yield of_flags(), [tests], True
        yield with_test(self.constants[:4]), [tests], False
        if self.numbers:
            yield with_number_and_test(), [self.numbers[:10], tests[:80] + self.near], False
        yield of_flags_by_two(), [self.tests[:60], self.tests[:60]], True
        yield with_two_tests([]), [self.tests[:30], self.tests[:30]], False

    def _second_locals(self, firsts: list[Local]) -> Iterator[tuple[Iterable[Update], list[list[Signal]], bool]]:
        numbers = [_value(v) for v in firsts if not v.flag]
        tests = [t for v in firsts for t in self._tests_of(v)]
        few = [u for u in with_number([2]) if u.weight <= 4]
        if numbers:
            yield few, [numbers], False
        yield of_flags(), [tests], True
        yield [u for u in with_test([]) if u.weight <= 10], [tests], False
        if numbers:
            yield with_number_and_test(), [numbers[:30], self.tests[:40]], False
        if self.numbers:
            yield with_number_and_test(), [self.numbers[:6], tests[:120]], False

    def _tests_of(self, local: Local) -> Iterator[Signal]:
        """Yield tests on an earlier local."""
        if local.flag:
            yield _on(local, local.name, 1, lambda x: x.astype(bool), f"not {local.name}", 7)
            return
        values = np.unique(local.trajectory(self.stages[0]))
        for k in values[:6].tolist():
            extra = 2 if k < 0 else 0
            yield _on(local, f"{local.name} == {k}", 4 + extra, lambda x, k=k: x == k, f"{local.name} != {k}")  # type: ignore[misc]
            if k != values[-1]:
                yield _on(local, f"{local.name} > {k}", 4 + extra, lambda x, k=k: x > k, f"{local.name} <= {k}")  # type: ignore[misc]
        if values[0] < 0:
            yield _on(local, f"{local.name} < 0", 4, lambda x: x < 0, f"{local.name} >= 0")

    def _try(self, updates: Iterable[Update], groups: list[list[Signal]], flag: bool) -> None:
        """Try every update with every choice of signals."""
        if len(groups) == 1:
            chosen: list[tuple[Signal, ...]] = [(s,) for s in groups[0]]
        else:
            chosen = [(a, b) for a, b in product(*groups) if a is not b]
        if not chosen:
            return
        weights = np.array([sum(s.weight + sum(x.weight for x in s.locals) for s in c) for c in chosen])  # type: ignore[attr-defined]
        holes = [np.stack([c[h].on(self.stages[0]) for c in chosen]) for h in range(len(chosen[0]))]
        for update in updates:
            if time.monotonic() > self.deadline:
                return
            check()
            room = np.flatnonzero(weights + update.weight + FRAME + 5 < self.below)
            for start in (0, 1) if update.looks else (0,):
                for part in range(0, len(room), ROWS):
                    rows = room[part : part + ROWS]
                    here = holes if len(rows) == len(chosen) else [h[rows] for h in holes]
                    self._run([chosen[r] for r in rows], here, update, start, flag)

    def _run(
        self, chosen: list[tuple[Signal, ...]], holes: list[np.ndarray], update: Update, start: int, flag: bool
    ) -> None:
        """Run one update with many choices of signals, and keep those that explain the labels."""
        if not chosen:
            return
        ends, way = self._trajectories(holes, update, start)
        self._remember(chosen, update, start, flag, way)
        rows: dict[int, list[_Post]] = {}
        for post in self.posts[:1] if flag else self.posts:
            values = post.apply(ends)
            for r in self.explainers[0].rows(lambda rows, at, v=values: v[rows[:, None], at], len(chosen)):  # type: ignore[misc]
                rows.setdefault(int(r), []).append(post)
        for r, posts in list(rows.items()):
            if time.monotonic() > self.deadline:
                return
            local = self._local(chosen[r], update, start, flag)
            if not same_start((local, *local.earlier)):
                continue
            for post in posts:
                self._finish(local, post)

    def _trajectories(
        self, holes: list[np.ndarray], update: Update, start: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run an update on the first examples.

        Args:
            holes: the values of the signals, (rows, positions, n).
            update: the form.
            start: the first value.

        Returns: the last values, (rows, n), and those on the way, (rows, positions, n).
        """
        value = np.full((len(holes[0]), holes[0].shape[2]), start, dtype=np.int64)
        way = np.empty((holes[0].shape[1], *value.shape), dtype=np.int64)
        for p, inside in enumerate(self.stages[0].inside):
            after = np.asarray(update.apply(value, *(h[:, p] for h in holes)))
            value = np.where(inside, np.clip(after, -FAR, FAR), value)
            way[p] = value
        return value, way.swapaxes(0, 1)

    def _remember(
        self, chosen: list[tuple[Signal, ...]], update: Update, start: int, flag: bool, way: np.ndarray
    ) -> None:
        """Keep locals that go their own way, for a second local to read."""
        if len(update.holes) > 1 or any(s.locals for s in chosen[0]) or update.weight > 9:
            return
        if abs(way).max(initial=0) > 1 << 20:
            return
        for c, w in zip(chosen, way, strict=True):
            key = w.tobytes()
            if key not in self._seen and (w != w.flat[0]).any():
                self._seen.add(key)
                self.kept.append(self._local(c, update, start, flag))

    def _local(self, signals: tuple[Signal, ...], update: Update, start: int, flag: bool) -> Local:
        taken = [x.name for s in signals for v in s.locals for x in (*v.earlier, v)]  # type: ignore[attr-defined]
        return Local(name_for(update, taken, flag), start, update, signals, flag)

    def _finish(self, local: Local, post: _Post) -> None:
        """Test a loop on more and more examples, and write what is right on all."""
        for steps, explainer in zip(self.stages[1:], self.explainers[1:], strict=True):
            values = post.apply(local.last(steps))[None]
            if not len(explainer.rows(lambda rows, at, v=values: v[rows[:, None], at], 1)):  # type: ignore[misc]
                return
        key = post.apply(local.last(self.stages[-1])).tobytes()
        if key in self._ends or len(self._ends) > WRITTEN:
            return
        self._ends.add(key)
        self._written((*local.earlier, local), local, post, ())

    def _written(self, locals_: tuple[Local, ...], local: Local, post: _Post, inside: tuple[str, ...]) -> None:
        lines, size = loop_lines(locals_, inside), self.problem.size
        values = post.apply(local.last(Steps(self.examples.words, size)))
        kind: FeatureKind = "flag" if local.flag else "residue" if post.bound else "number"
        body = Body(lines, post.write(local.name), "value", f"not {local.name}" if local.flag else "")
        family = Family("loop", kind, 1, lambda w, r: w, lambda row: body, None, post.bound)
        for reading in readings(family, 0, self.problem, values, self.examples.labels):

            def decide(words: np.ndarray, reading: object = reading) -> np.ndarray:
                last = local.last(Steps(words, size))
                labels = reading.apply(post.apply(last))  # type: ignore[attr-defined]
                return np.where(abs(last) >= FAR, -1, labels)

            text = "\n".join(reading.lines)
            candidate = Candidate("enumeration", "loop", reading.lines, decide, constants_of(text, self.problem))
            if candidate.description_length < self.below:
                self.found.append(candidate)
                self.below = min(self.below, candidate.description_length)

    def _stop_early(self, firsts: list[Local]) -> None:
        """Leave the loop with one label as soon as a test on a local holds; read the others off its last value."""
        labels, steps = self.sample.labels, self.stages[-1]
        everything = Steps(self.examples.words, self.problem.size)
        for local in firsts:
            if local.flag or local.earlier:
                continue
            for test in self._tests_of(local):
                if time.monotonic() > self.deadline or local.weight + test.weight + FRAME + 4 >= self.below:
                    break
                hit = (test.on(steps) & steps.inside).any(axis=0)
                if not hit.any() or hit.all() or len(np.unique(labels[hit])) > 1:
                    continue
                rest = Explainer(labels[~hit])
                for post in self.posts[:1]:
                    values = post.apply(local.last(steps)[~hit])[None]
                    if len(np.unique(labels[~hit])) > 1 and not len(rest.rows(lambda r, at, v=values: v[r[:, None], at], 1)):  # type: ignore[misc]
                        continue
                    self._leaving(local, test, int(labels[hit][0]), everything)

    def _leaving(self, local: Local, test: Signal, label: int, everything: Steps) -> None:
        from ...common.text import literal

        hit = (test.on(everything) & everything.inside).any(axis=0)
        labels, size = self.examples.labels, self.problem.size
        if (labels[hit] != label).any() or hit.all():
            return
        inside = (f"if {test.text}:", f"    return {literal(self.problem.labels[label])}")
        body = Body(loop_lines((local,), inside), local.name, "value")
        family = Family("loop", "number", 1, lambda w, r: w, lambda row: body)
        for reading in readings(family, 0, self.problem, local.last(everything)[~hit], labels[~hit]):

            def decide(words: np.ndarray, reading: object = reading) -> np.ndarray:
                steps = Steps(words, size)
                left = (test.on(steps) & steps.inside).any(axis=0)
                return np.where(left, label, reading.apply(local.last(steps)))  # type: ignore[attr-defined]

            candidate = Candidate("enumeration", "loop", reading.lines, decide)
            if candidate.description_length < self.below:
                self.found.append(candidate)
                self.below = min(self.below, candidate.description_length)

    def _mutual(self) -> None:
        """Try two integers that read each other: `a += x - b`, then `b += a`."""
        for x in self.numbers[:12]:
            for sign, other in product((1, -1), repeat=2):
                if time.monotonic() > self.deadline:
                    return
                self._pair(x, sign, other)

    def _pair(self, x: Signal, sign: int, other: int) -> None:
        s, o = ("+" if k > 0 else "-" for k in (sign, other))

        def both(v: np.ndarray, x: np.ndarray) -> np.ndarray:
            a, b = v
            a = a + x + sign * b
            return np.stack([a, b + other * a])

        def last(steps: Steps) -> np.ndarray:
            value = np.zeros((2, steps.symbols.shape[1]), dtype=np.int64)
            for p, inside in enumerate(steps.inside):
                value = np.where(inside, np.clip(both(value, x.on(steps)[p]), -FAR, FAR), value)
            return value

        lines = (
            "speed = 0", "total = 0", "for t in tokens:", f"    speed += {x.text} {s} total", f"    total {o}= speed",
        )  # fmt: skip
        for k, name in ((1, "total"), (0, "speed")):
            values = last(self.stages[-1])[k][None]
            if not len(self.explainers[-1].rows(lambda r, at, v=values: v[r[:, None], at], 1)):  # type: ignore[misc]
                continue
            body = Body(lines, name, "value")
            family = Family("loop", "number", 1, lambda w, r: w, lambda row, body=body: body)  # type: ignore[misc]
            seen = last(Steps(self.examples.words, self.problem.size))[k]
            for reading in readings(family, 0, self.problem, seen, self.examples.labels):

                def decide(words: np.ndarray, reading: object = reading, k: int = k) -> np.ndarray:
                    value = last(Steps(words, self.problem.size))[k]
                    return np.where(abs(value) >= FAR, -1, reading.apply(value))  # type: ignore[attr-defined]

                self.found.append(Candidate("enumeration", "loop", reading.lines, decide))


def _value(local: Local) -> Signal:
    """Return an earlier local's value as a signal."""
    return Signal(local.name, 1, local.trajectory, locals=(local,))


def _on(
    local: Local, text: str, weight: int, test: Callable[[np.ndarray], np.ndarray], opposite: str, level: int = 4
) -> Signal:
    return Signal(text, weight, lambda s: test(local.trajectory(s)), True, level, locals=(local,), opposite=opposite)
