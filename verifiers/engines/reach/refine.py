"""Makes smaller subdomains where bounds are too weak: words are told apart by rounded sums.

Stands between `graph.py` and `grouped.py`.  The row whose relaxation loses most is stored in the graph's
nodes, rounded (`Graph.refined`), so that words with different sums of it end at different nodes.  Final nodes
whose bounds lie close together become a subdomain of their own.
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

    few: up to this many words are tried one by one.
    edges: a graph with more edges is halved, not refined.
    growth, grown: a refinement may multiply the edges by `growth`, or have `grown` of them.
    steps: rounding steps per position; more make finer sums.
    clusters: the most subdomains that one refinement makes.
    nodes: the most bounds of a subdomain with ReLUs split.
    rounds: rounds of improving multipliers.
    progress: if a pass leaves at most this share of the edges, another pass follows without refinement.
    attacks, steps_of_attack: words that an attack starts from, and its steps the first time.
    waiting: if all waiting subdomains have more edges than this, memory is short and the newest come first.
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
# A count takes this many times the steps, because right and wrong words are told apart by the goal's sum.
COUNTING = 4


@dataclass(frozen=True, eq=False)
class GraphSubdomain:
    """Words of which it is not known whether they are right.

    boxes: per bounder, bounds (low, high) of the ReLUs' arguments on them.
    rivals: the rivals that are not excluded on them.
    worst: a rough bound on a rival's lead; subdomains with the largest one come first.
    depth: the number of refinements so far.
    """

    graph: Graph
    boxes: tuple[Box, ...]
    rivals: frozenset[int]
    worst: float = 0.0
    depth: int = 0


@dataclass(frozen=True, eq=False)
class Refiner:
    """Refines the subdomains of one search.

    counting: whether words are settled as wrong, too.
    """

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
        """Make smaller subdomains of one.

        losing, winning: the bounds that stay >= 0 on it, of sides that show rivals to lose or to win.
        until: a time of `time.monotonic()`.

        Returns how many words are settled as right and as wrong, and the subdomains that are left.  Raises
        ReachOutOfTime after `until`.
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
        """Choose the bounder and the row to refine by: the ReLU that loses most.

        If the bounds are nearly tight, the row is the goal itself.
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
        """Refine by rounded sums, as finely as the limits allow; None if no rounding tells words apart."""
        *_, ends = graph.forward(np.stack([direction, -direction], axis=2))
        spread = float(ends.max(axis=0).sum())
        if not spread:
            return None
        whole = float(np.gcd.reduce(direction.reshape(-1)))
        direction = direction - direction.min(axis=1, keepdims=True)
        steps = self.options.steps * (COUNTING if self.counting else 1) * graph.length
        unit = max(whole, spread / steps)  # the sums are multiples of `whole`: a smaller unit gains nothing
        most = min(4 * self.options.edges, max(self.options.grown, self.options.growth * graph.edges))
        while unit <= spread:
            finer = graph.refined(np.rint(direction / unit).astype(np.int64), most)
            if finer is not None:
                return finer if finer.edges > graph.edges or finer.sizes[-1] > graph.sizes[-1] else None
            unit *= 2
        return None

    def _halved(self, subdomain: GraphSubdomain, until: float) -> list[GraphSubdomain]:
        """Halve a subdomain by final nodes, or if there is one only, by the edges of its widest layer."""
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
