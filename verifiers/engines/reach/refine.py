"""Makes smaller subdomains where bounds are too weak: words are told apart by rounded sums.

Between `graph.py` and `grouped.py`.  The row that loses most is remembered in finer steps (`Graph.refined`),
so that words with different sums of it end at different nodes.  Ends whose bounds lie close together become a
subdomain of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bounds import Bounded, Bounder
from .graph import Graph
from .lines import split

Box = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Options:
    """How subdomains are worked on.

    few: words that are tried one by one.
    edges: a graph with more is halved, not refined.
    growth, grown: a refinement may multiply edges by `growth`, or make `grown` of them.
    steps: of rounding, per position.
    clusters: subdomains that one refinement makes.
    nodes: bounds of a subdomain with ReLUs split, at most.
    rounds: of improving multipliers.
    progress: if a round leaves at most this share of the edges, another one of the same kind follows.
    attacks, steps_of_attack: words that an attack starts from, and its steps the first time.
    waiting: with more edges in all subdomains together, memory counts: the newest come first.
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
class GraphSubdomain:
    """Words of which it is not known whether they are right.

    boxes: per bounder, bounds of the ReLUs' arguments on them.
    worst: how far a rival may be ahead, roughly: the worst subdomains come first.
    """

    graph: Graph
    boxes: tuple[Box, ...]
    rivals: frozenset[int]
    worst: float = 0.0
    depth: int = 0


@dataclass(frozen=True, eq=False)
class Refiner:
    """Refines the subdomains of one search.  `counting`: words that are wrong are settled, too."""

    bounders: Sequence[Bounder]
    options: Options
    counting: bool

    def refined(
        self,
        subdomain: GraphSubdomain,
        losing: Sequence[Bounded],
        winning: Sequence[Bounded],
        until: float,
    ) -> tuple[int, int, list[GraphSubdomain]]:
        """Make smaller subdomains of one; return how many words are settled as right and as wrong, and the
        subdomains that are left.

        losing, winning: the bounds that are left open on it.  until: of time.monotonic(); raises OutOfTime.
        """
        graph, children = subdomain.graph, []
        finer = None
        if graph.edges <= self.options.edges:
            b, row = self._row(losing, winning)
            finer = self._remembering(graph, self.bounders[b].direction(row, *subdomain.boxes[b]))
        if finer is None:
            return 0, 0, self._halved(subdomain, until)
        boxes = [
            bounder.boxes(finer, *box, until)
            for bounder, box in zip(self.bounders, subdomain.boxes, strict=True)
        ]
        uppers = {
            (s.rival, s.wins): sides[:, k]
            for b, (_, _, sides) in zip(self.bounders, boxes, strict=True)
            for k, s in enumerate(b.sides)
        }
        right = np.logical_and.reduce([uppers[r, False] < 0 for r in subdomain.rivals])
        wrong = (
            np.logical_or.reduce([uppers[r, True] < 0 for r in subdomain.rivals])
            if self.counting
            else np.zeros_like(right)
        )
        counts = finer.arrivals
        settled = int(counts[right].sum()), int(counts[wrong & ~right].sum())
        left = np.flatnonzero(~right & ~wrong)
        if not len(left):
            return *settled, []
        kinds = (False, True) if self.counting else (False,)
        goals = np.stack(
            [
                uppers[r, wins][left] / 2.0 ** self.bounders[0].bits
                for r in sorted(subdomain.rivals)
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
                    GraphSubdomain(
                        smaller, tight, subdomain.rivals, float(goals[ids == k].max()), subdomain.depth + 1
                    )
                )
        return *settled, children

    def _row(self, losing: Sequence[Bounded], winning: Sequence[Bounded]) -> tuple[int, int]:
        """The bounder and row to remember: the ReLU that loses most, or if the bounds are nearly tight, the
        goal itself.
        """
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

    def _halved(self, subdomain: GraphSubdomain, until: float) -> list[GraphSubdomain]:
        """Halve it by where words end, or by the edge that they take at some place."""
        children = []
        graph, full = subdomain.graph, subdomain.graph.full
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
                    for b, box in zip(self.bounders, subdomain.boxes, strict=True)
                ]
                children.append(
                    replace(
                        subdomain,
                        graph=smaller,
                        boxes=tuple((lows.min(axis=0), highs.max(axis=0)) for lows, highs in boxes),
                    )
                )
        return children
