"""Decides or counts the words of one label by words grouped by rounded sums: for networks of few levels.

A part is a set of words as a graph, with bounds of the ReLUs' arguments on it.  Rivals are shown to lose (or to win) on all of
its words by linear bounds with a few ReLUs split; edges that lie on no word for which that is open go.  Where the bounds
are too weak, the row that loses most is remembered in finer steps (`Graph.refined`), and words that end with different sums
become parts of their own.  Few words are simply tried.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....encoders.dense import Dense
from ....models.network.integers import exact_matmul
from .bounds import Bounded, Bounder, OutOfTime, Side
from .graph import Graph, of_automaton
from .lines import split
from .problem import joined, negated, unfolded

Word = tuple[int, ...]
Box = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Options:
    """How parts are worked on.

    `few`: words that are tried one by one.  `edges`: of a graph, before it is halved.  `growth`: by one refinement, at most, or to
    `grown` edges.  `steps`: of rounding, per position.  `clusters`: parts that one refinement makes.  `nodes`: bounds of a part with
    ReLUs split.  `rounds`: of improving multipliers.  `progress`: the share of edges that is left after a round worth another one
    like it.  `attacks`: words to start from, with `steps_of_attack` the first time.  `waiting`: edges of all parts before memory counts.
    """

    few: int = 50_000
    edges: int = 50_000
    growth: int = 12
    grown: int = 20_000
    steps: int = 2
    clusters: int = 6
    nodes: int = 64
    rounds: int = 6
    progress: float = 0.7
    attacks: int = 32
    steps_of_attack: int = 4
    waiting: int = 4_000_000


DEFAULT = Options()
COUNTING = 4  # times as many steps: words on both sides of the goal are told apart by its sum


@dataclass(frozen=True, eq=False)
class Part:
    """Words of which it is not known whether they are right; `boxes`: per bounder, bounds of the ReLUs' arguments there.

    `worst`: how far a rival may be ahead, roughly: the worst parts come first.
    """

    graph: Graph
    boxes: tuple[Box, ...]
    rivals: frozenset[int]
    worst: float = 0.0
    depth: int = 0


@dataclass(eq=False)
class Parts:
    """The words of one label: on which of them does a rival win?  `queries`: one per rival that is not excluded already.

    Deciding, only `words` matter: those found, checked exactly.  Counting, `right` and `wrong` words are counted, too.
    """

    queries: Sequence[Dense]
    counting: bool = False
    options: Options = DEFAULT
    words: dict[Word, None] = field(default_factory=dict)
    right: int = 0
    wrong: int = 0
    worked: int = 0

    def __post_init__(self) -> None:
        exact = joined(self.queries)
        if exact is not None:
            rows = range(exact.count, exact.count + len(self.queries))
            sides = [Side(g, False, row, 1, 0) for g, row in enumerate(rows)]
            if self.counting:
                sides += [Side(g, True, row, -1, -1) for g, row in enumerate(rows)]
            self.bounders = [Bounder(exact, tuple(sides))]
        else:
            problems = [(g, False, unfolded(q)) for g, q in enumerate(self.queries)]
            problems += [(g, True, unfolded(negated(q))) for g, q in enumerate(self.queries) if self.counting]
            self.bounders = [
                Bounder(problem, (Side(g, wins, problem.count, 1, 0),)) for g, wins, problem in problems
            ]
        self.tables = [
            np.ascontiguousarray(bounder.problem.symbols.transpose(1, 2, 0)) for bounder in self.bounders
        ]
        language = self.queries[0].language
        self.size = language.size
        whole = tuple(bounder.whole() for bounder in self.bounders)
        self.stack = [Part(of_automaton(language), whole, frozenset(range(len(self.queries))))]

    @property
    def open(self) -> int:
        """Words that are not settled."""
        return sum(part.graph.size for part in self.stack)

    def run(self, until: float, wanted: int = 1) -> bool:
        """Go on until all is settled, or deciding, `wanted` words are found (True), or until that time (False)."""
        while self.stack and (self.counting or len(self.words) < wanted):
            if time.monotonic() > until:
                return False
            part = self.stack.pop(self._next())
            settled = (self.right, self.wrong)
            children: list[Part] = []
            try:
                self._work(part, until, children)
            except OutOfTime:
                self.right, self.wrong = settled
                self.stack.append(part)
                return False
            self.stack += children
        return True

    def _next(self) -> int:
        """The worst part, counting the largest; the latest, where memory is short."""
        if sum(part.graph.edges for part in self.stack) > self.options.waiting:
            return -1
        return max(
            range(len(self.stack)),
            key=lambda k: self.stack[k].graph.size if self.counting else self.stack[k].worst,
        )

    # -- one part

    def _work(self, part: Part, until: float, children: list[Part]) -> None:
        self.worked += 1
        if part.graph.size <= self.options.few:
            return self._tried(part.graph)
        graph, rivals = part.graph, part.rivals
        found = len(self.words)
        losing = [
            self._best(b, graph, part.boxes[b], False, rivals, until) for b in range(len(self.bounders))
        ]
        rivals = (
            frozenset(self.bounders[b].sides[s].rival for b, best in enumerate(losing) for s in best.side)
            if losing
            else rivals
        )
        if not rivals:
            self.right += graph.size
            return None
        self._attack(graph, losing)
        smaller = self._without(graph, losing)
        self.right += graph.size - (smaller.size if smaller else 0)
        winning: list[Bounded] = []
        if self.counting and smaller is not None and len(self.words) > found:
            for rival in sorted(rivals):
                here = [
                    self._best(b, smaller, part.boxes[b], True, frozenset([rival]), until)
                    for b in range(len(self.bounders))
                ]
                if not any(len(best) for best in here):
                    self.wrong += smaller.size
                    return None
                kept = self._without(smaller, here)
                self.wrong += smaller.size - (kept.size if kept else 0)
                if kept is None:
                    return None
                smaller = kept
                winning += here
        if smaller is None:
            return None
        if smaller.edges <= self.options.progress * graph.edges or 2 * smaller.size < graph.size:
            boxes = [
                b.boxes(smaller, *box, until)[:2] for b, box in zip(self.bounders, part.boxes, strict=True)
            ]
            tight = tuple((lows.min(axis=0), highs.max(axis=0)) for lows, highs in boxes)
            children.append(Part(smaller, tight, rivals, part.worst, part.depth))
            return None
        return self._refined(replace(part, graph=smaller, rivals=rivals), losing, winning, until, children)

    def _best(
        self, b: int, graph: Graph, box: Box, wins: bool, rivals: frozenset[int], until: float
    ) -> Bounded:
        """Bounds of the sides that stay >= 0, after splitting a few ReLUs."""
        bounder = self.bounders[b]
        sides = np.array(
            [s for s, side in enumerate(bounder.sides) if side.wins == wins and side.rival in rivals],
            dtype=np.int64,
        )
        if not len(sides):
            return _nothing(bounder)
        best = self._tightened(
            bounder, graph, bounder.bounded(graph, bounder.asking(sides, *box), sides), until
        )
        while len(best) and len(best) <= self.options.nodes // 2:
            halves = bounder.halves(best)
            if halves is None:
                break
            best = self._tightened(bounder, graph, bounder.bounded(graph, *halves), until)
        return best

    def _tightened(self, bounder: Bounder, graph: Graph, best: Bounded, until: float) -> Bounded:
        """With better multipliers; functions that are negative are left out."""
        now, direction = best, None
        for _ in range(self.options.rounds):
            if time.monotonic() > until:
                raise OutOfTime
            self._look(bounder, now)
            ahead = np.flatnonzero(best.upper >= 0)
            if not len(ahead):
                break
            if len(ahead) < len(best):
                best, now = best.take(ahead), now.take(ahead)
                direction = None if direction is None else direction[ahead]
            asked, direction = bounder.moved(now, direction)
            now = bounder.bounded(graph, asked, now.side)
            best = best.improved(now)
        self._look(bounder, now)
        return best.take(np.flatnonzero(best.upper >= 0))

    def _attack(self, graph: Graph, losing: Sequence[Bounded]) -> None:
        """Look for words that err: from random ones the first time, and from those that attain bounds."""
        first = self.worked == 1
        for bounder, best in zip(self.bounders, losing, strict=True):
            if not len(best):
                continue
            words = best.words[: self.options.attacks]
            if first:
                random = graph.sampled(self.options.attacks, np.random.default_rng(0))
                words = np.concatenate([words, random])
            for found in bounder.attack(graph, words, self.options.steps_of_attack if first else 1):
                self._look(bounder, found)

    def _without(self, graph: Graph, bounds: Sequence[Bounded]) -> Graph | None:
        """The graph without edges that lie on no word with a bound >= 0."""
        masks: list[np.ndarray] | None = None
        for bounder, best in zip(self.bounders, bounds, strict=True):
            if len(best):
                more = bounder.through(graph, best)
                masks = more if masks is None else [a | b for a, b in zip(masks, more, strict=True)]
        return None if masks is None else graph.kept(masks, np.ones(graph.sizes[-1], dtype=bool))

    # -- finer parts

    def _refined(
        self,
        part: Part,
        losing: Sequence[Bounded],
        winning: Sequence[Bounded],
        until: float,
        children: list[Part],
    ) -> None:
        graph = part.graph
        finer = None
        if graph.edges <= self.options.edges:
            b, row = self._row(losing, winning)
            finer = self._remembering(graph, self.bounders[b].direction(row, *part.boxes[b]))
        if finer is None:
            return self._halved(part, until, children)
        boxes = [
            bounder.boxes(finer, *box, until) for bounder, box in zip(self.bounders, part.boxes, strict=True)
        ]
        uppers = {
            (s.rival, s.wins): sides[:, k]
            for b, (_, _, sides) in zip(self.bounders, boxes, strict=True)
            for k, s in enumerate(b.sides)
        }
        right = np.logical_and.reduce([uppers[r, False] < 0 for r in part.rivals])
        wrong = (
            np.logical_or.reduce([uppers[r, True] < 0 for r in part.rivals])
            if self.counting
            else np.zeros_like(right)
        )
        counts = finer.arrivals
        self.right += int(counts[right].sum())
        self.wrong += int(counts[wrong & ~right].sum())
        left = np.flatnonzero(~right & ~wrong)
        if not len(left):
            return None
        kinds = (False, True) if self.counting else (False,)
        goals = np.stack(
            [
                uppers[r, wins][left] / 2.0 ** self.bounders[0].bits
                for r in sorted(part.rivals)
                for wins in kinds
            ],
            axis=1,
        )
        where = [
            (lows + highs)[left] * b.problem.gain
            for b, (lows, highs, _) in zip(self.bounders, boxes, strict=True)
        ]
        ids, count = split(np.concatenate([*where, goals], axis=1), self.options.clusters)
        full = finer.full
        for k in range(count):
            ends = np.zeros(finer.sizes[-1], dtype=bool)
            ends[left[ids == k]] = True
            smaller = finer.kept(full, ends)
            if smaller is not None:
                tight = tuple((lows[ends].min(axis=0), highs[ends].max(axis=0)) for lows, highs, _ in boxes)
                children.append(
                    Part(smaller, tight, part.rivals, float(goals[ids == k].max()), part.depth + 1)
                )
        return None

    def _row(self, losing: Sequence[Bounded], winning: Sequence[Bounded]) -> tuple[int, int]:
        """The bounder and row to remember: the ReLU that loses most, or if the bounds are nearly tight, the goal itself."""
        bounds = [
            (b, best)
            for group in (losing, winning)
            for k, best in enumerate(group)
            if len(best)
            for b in [k % len(self.bounders)]
        ]
        totals = [self.bounders[b].loss(best) for b, best in bounds]
        b, best = max(bounds, key=lambda item: float(item[1].upper.max()))
        if winning:
            slack = min(float(best.upper.min()) / 2.0 ** self.bounders[b].bits for b, best in bounds)
            if max(float(total.sum(axis=1).max(initial=0)) for total in totals) < slack / 2:
                return b, self.bounders[b].sides[int(best.side[0])].row
        loss = [total.sum(axis=0) for total in totals]
        k = max(range(len(bounds)), key=lambda i: float(loss[i].max(initial=0)))
        if not loss[k].size or loss[k].max() <= 0:
            return b, self.bounders[b].sides[int(best.side[0])].row
        return bounds[k][0], int(loss[k].argmax())

    def _remembering(self, graph: Graph, direction: np.ndarray) -> Graph | None:
        """A refinement by rounded sums, as fine as may be; None where none tells words apart."""
        *_, ends = graph.forward(np.stack([direction, -direction], axis=2))
        spread = float(ends.max(axis=0).sum())
        if not spread:
            return None
        whole = float(np.gcd.reduce(direction.reshape(-1)))
        direction = direction - direction.min(axis=1, keepdims=True)
        steps = self.options.steps * (COUNTING if self.counting else 1) * graph.length
        unit = max(whole, spread / steps)  # finer than exact would only cost
        most = min(4 * self.options.edges, max(self.options.grown, self.options.growth * graph.edges))
        while unit <= spread:
            finer = graph.refined(np.rint(direction / unit).astype(np.int64), most)
            if finer is not None:
                return finer if finer.edges > graph.edges or finer.sizes[-1] > graph.sizes[-1] else None
            unit *= 2
        return None

    def _halved(self, part: Part, until: float, children: list[Part]) -> None:
        """By where words end, or by the edge that they take at some place."""
        graph, full = part.graph, part.graph.full
        every = np.ones(graph.sizes[-1], dtype=bool)
        t = max(range(graph.length), key=lambda k: len(full[k]), default=0)
        count = graph.sizes[-1] if graph.sizes[-1] > 1 else len(full[t])
        half = np.arange(count) < count // 2
        for side in (half, ~half):
            if graph.sizes[-1] > 1:
                smaller = graph.kept(full, side)
            else:
                smaller = graph.kept([*full[:t], side, *full[t + 1 :]], every)
            if smaller is not None:
                boxes = [
                    b.boxes(smaller, *box, until)[:2]
                    for b, box in zip(self.bounders, part.boxes, strict=True)
                ]
                children.append(
                    replace(
                        part,
                        graph=smaller,
                        boxes=tuple((lows.min(axis=0), highs.max(axis=0)) for lows, highs in boxes),
                    )
                )

    # -- exact

    def _look(self, bounder: Bounder, bounds: Bounded) -> None:
        """Keep the words that attain bounds and err: floats tell which to look at, integers which they are."""
        likely = np.flatnonzero(bounder.likely(bounds))
        if len(likely):
            words = bounds.words[likely]
            wrong = np.logical_or.reduce([query.values(words)[:, -1] >= 0 for query in self.queries]).astype(
                bool
            )
            self.words.update(dict.fromkeys(tuple(map(int, word)) for word in words[wrong]))

    def _tried(self, graph: Graph) -> None:
        """All words of a small graph, one by one: in exact integers, or where numbers are rounded, those that these leave open."""
        wrong = np.zeros(graph.size, dtype=bool)
        ways: list[tuple[np.ndarray, np.ndarray]] = []
        for bounder, table in zip(self.bounders, self.tables, strict=True):
            problem = bounder.problem
            goals = np.array([side.row for side in bounder.sides if not side.wins], dtype=np.int64)
            if not len(goals):
                continue
            sums, ways = graph.every(table)
            sums += problem.constant
            for columns in problem.levels:
                readers = np.flatnonzero(problem.relus[:, columns].any(axis=1))
                product = exact_matmul(
                    np.maximum(sums[:, columns], 0), problem.relus[np.ix_(readers, columns)].T
                )
                sums[:, readers] += bounder.shape.rounded(product.astype(np.int64), readers)
            wrong |= (sums[:, goals] >= 0).any(axis=1)
        exact = not any(bounder.problem.shift for bounder in self.bounders)
        if (not exact or not self.counting) and wrong.any():
            chosen = np.flatnonzero(wrong)
            words = graph.spelled(ways, chosen)
            if not exact:
                wrong[chosen] = np.logical_or.reduce(
                    [query.values(words)[:, -1] >= 0 for query in self.queries]
                )
                words = words[wrong[chosen]]
            self.words.update(dict.fromkeys(tuple(map(int, word)) for word in words))
        self.wrong += int(wrong.sum())
        self.right += int((~wrong).sum())


def _nothing(bounder: Bounder) -> Bounded:
    none = np.zeros(0, dtype=np.int64)
    asked = bounder.asking(none, *bounder.whole())
    fit = bounder.shape.lines(asked)
    length = bounder.problem.symbols.shape[1]
    return Bounded(
        none,
        asked,
        fit,
        bounder.weights(fit),
        [],
        none,
        np.zeros((0, length), dtype=np.int64),
        np.zeros((0, 0)),
    )
