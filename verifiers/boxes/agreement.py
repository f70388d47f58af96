"""`relucid verify --against --same-label`: do two networks always give the same label (the number of the largest output)?

After `stacked.py`, before `decide.py`, which gets one polyhedron for every label of the first and rival in the second that bounds of
each alone do not rule out.  Before its own attack and search come two short cuts: from a point of one label to one of another, the
place where the first network changes its mind is bisected, and if the second changes its mind anywhere else, they disagree between;
and where the layers pair up, a bound on the difference makes it a question about the first network alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...common.clock import now, share_of
from ...common.errors import InputError, Unsupported
from ...models.claims.property import Case, Polyhedron, Property, Row
from ...models.claims.side_by_side import boxes, disagreement, wins
from ...models.network.network import Network
from ...models.network.stacked import same_nodes, side_by_side
from ..bounds.blas import one_blas_thread
from ..bounds.difference import paired
from ..bounds.floats import FloatNetwork, float_network
from ..bounds.subdomains import BoxSubdomains
from ..bounds.tighten import tightened
from ..bounds.unsafe_rows import UnsafeRows
from ..engines.boxes.attack import affordable, attack
from ..engines.boxes.search_race import decided
from ..engines.boxes.searches import searched
from ..evidence import How, Lost, Tiling
from ..verdict import Attempt, Proved, Verdict
from . import verdicts
from .against import identical
from .compare import compare
from .decide import Accept, Prelude, decide

Progress = Callable[[str], None]
Pairs = set[tuple[int, int]]  # a label, and a rival of it
MOST_LABELS = 256
DIFFERENCE_SHARE, SEARCH_SHARE = (
    0.1,
    0.4,
)  # of the time: for a bound on the difference, and for what it makes of the question
HALVINGS, CENTRINGS = 48, 16
SEGMENTS = 128
POINTS = 1000


def check_labels(a: Network, origin: str) -> None:
    """Raises InputError where there is no label to compare, or there are too many."""
    if not 2 <= a.output_size <= MOST_LABELS:
        raise InputError(
            origin,
            f"has {a.output_size} outputs",
            f"--same-label compares 2 to {MOST_LABELS} of them; use --epsilon",
        )


def decide_same_label(
    a: Network,
    b: Network,
    stated: Property,
    *,
    deadline: float,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda text: None,
) -> Verdict:
    """Is there an input in the boxes of the property for which the labels differ?  Ties go to the lowest number."""
    began = now()
    if same_nodes(a, b):
        return identical(stated)
    outputs = a.output_size
    cases: list[Case] = []
    ruled: list[Tiling] = []
    try:
        with one_blas_thread(), np.errstate(all="ignore"):
            for lower, upper in boxes(stated):
                progress("bounding both networks")
                pairs = [(c, j) for c in range(outputs) for j in range(outputs) if c != j]
                gone = _impossible(a, b, lower, upper)
                left = [pair for pair in pairs if pair not in gone]
                ruled.append(Tiling.at_roots(int(not left), len(gone), How.BOUNDS))
                if left:
                    cases.append(Case(lower, upper, tuple(disagreement(c, j, outputs) for c, j in left)))
    except Unsupported as error:
        return verdicts.unknown(str(error), now() - began)
    if not cases:
        seconds = now() - began
        attempt = Attempt.own("bounds", "proved", seconds)
        return verdicts.proved("bounds", _of_all(ruled, outputs), seconds, (attempt,))
    preludes: dict[str, Prelude] = {"bisect": _Bisect(outputs, deadline, seed)}
    if paired(a, b):
        preludes["difference"] = _Difference(a, b, deadline, threads, progress)
    answer = decide(
        side_by_side(a, b),
        Property(stated.inputs, 2 * outputs, tuple(cases)),
        deadline=deadline,
        seed=seed,
        threads=threads,
        progress=progress,
        files=(a, b),
        preludes=preludes,
    )
    if not isinstance(answer, Proved) or not isinstance(answer.evidence, Tiling):
        return answer
    return answer.with_(evidence=_of_all([*ruled, answer.evidence], outputs, len(ruled)))


def _of_all(some: Sequence[Tiling], outputs: int, count: int | None = None) -> Tiling:
    """Of the pairs that bounds ruled out and of those that were searched, in so many boxes."""
    evidence, count = Tiling.added(some), len(some) if count is None else count
    if (evidence.cases, evidence.polyhedra) != (count, count * outputs * (outputs - 1)):
        raise Lost("a pair of labels is not accounted for")
    return evidence


def _impossible(a: Network, b: Network, lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> Pairs:
    """(label, rival) for which bounds on the whole box show that a never decides the label, or that b never prefers the rival."""
    labels = range(a.output_size)
    first, second = _never(a, lower, upper), _never(b, lower, upper)
    never = {c for c, _ in first}
    return {(c, j) for c in labels for j in labels if c != j and (c in never or (j, c) in second)}


def _never(network: Network, lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> Pairs:
    """(label, rival) for which the label is nowhere on the box preferred to the rival."""
    net = float_network(network, lower, upper)
    pairs = [(c, j) for c in range(network.output_size) for j in range(network.output_size) if c != j]
    rows = UnsafeRows.of(net, [(wins(c, j),) for c, j in pairs])
    box = BoxSubdomains.whole(net)
    known = tightened(net, box)
    bound, _ = rows.bound(net, box, known.relaxations)
    return {pair for pair, gone in zip(pairs, rows.refuted(bound)[0], strict=True) if gone}


@dataclass(frozen=True)
class _Bisect:
    """The prelude that walks from label to label."""

    outputs: int
    deadline: float
    seed: int

    def __call__(self, net: FloatNetwork, case: Case, accept: Accept) -> None:
        rng = np.random.default_rng(self.seed)
        low, high = net.start_lower, net.start_upper
        size = affordable(net, POINTS), len(low)
        points = np.concatenate(
            [
                (low + high)[None] / 2,
                rng.uniform(low, high, size),
                np.where(rng.random(size) < 0.5, low, high),
            ]
        )
        one, other = self._labels(net, points)
        apart = np.flatnonzero(one != other)
        if len(apart) and accept(points[apart]):
            return
        agreed = np.flatnonzero(one == other)
        if not len(agreed):
            return
        start, label = points[agreed[0]], int(one[agreed[0]])
        if self._walk(
            net,
            np.repeat(start[None], SEGMENTS, 0),
            self._others(rng, points[agreed], one[agreed], label),
            accept,
        ):
            return
        # nobody met another label: look for one along the gradient
        rivals: list[Polyhedron] = [(wins(j, label),) for j in range(self.outputs) if j != label]
        until = share_of(self.deadline, DIFFERENCE_SHARE)
        attack(
            net,
            UnsafeRows.of(net, rivals),
            lambda x: self._walk(net, np.repeat(start[None], len(x), 0), x, accept),
            until,
            self.seed,
        )

    def _others(
        self, rng: np.random.Generator, points: np.ndarray, labels: np.ndarray, label: int
    ) -> np.ndarray:
        """Points of other labels, all labels alike; any points where there are none."""
        chosen = [rng.choice(np.flatnonzero(labels == k), SEGMENTS) for k in np.unique(labels) if k != label]
        if not chosen:
            return points[:SEGMENTS]
        return points[
            rng.permuted(np.stack(chosen), axis=0)[np.arange(SEGMENTS) % len(chosen), np.arange(SEGMENTS)]
        ]

    def _labels(self, net: FloatNetwork, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = net.values(points)[-1]
        return outputs[:, : self.outputs].argmax(axis=1), outputs[:, self.outputs :].argmax(axis=1)

    def _walk(self, net: FloatNetwork, start: np.ndarray, end: np.ndarray, accept: Accept) -> bool:
        """Between starts where both give one label and ends where they give another: points where they disagree, in the middle of such places."""
        count = min(affordable(net, SEGMENTS), len(end), len(start))
        start, end = start[:count], end[:count]
        at_start, at_end = self._labels(net, start), self._labels(net, end)
        apart = end[at_end[0] != at_end[1]]
        if len(apart) and accept(apart):
            return True
        use = np.flatnonzero(
            (at_start[0] == at_start[1]) & (at_end[0] == at_end[1]) & (at_start[0] != at_end[0])
        )
        start, end = start[use], end[use]
        label = at_start[0][use]
        near, far = np.zeros(len(use)), np.ones(len(use))
        hit = np.full(len(use), np.nan)
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            one, other = self._labels(net, start + middle[:, None] * (end - start))
            hit = np.where(np.isnan(hit) & (one != other), middle, hit)
            same = (one == label) & (other == label)
            near, far = np.where(same, middle, near), np.where(same, far, middle)
        found = np.flatnonzero(~np.isnan(hit))
        if not len(found):
            return False
        start, end, at = start[found], end[found], hit[found]
        edges = []
        for side in (0.0, 1.0):  # the ends of the stretch on which they disagree
            inner, outer = at, np.full(len(at), side)
            for _ in range(CENTRINGS):
                middle = (inner + outer) / 2
                one, other = self._labels(net, start + middle[:, None] * (end - start))
                inner, outer = np.where(one != other, middle, inner), np.where(one != other, outer, middle)
            edges.append(inner)
        order = np.argsort(edges[0] - edges[1])  # the longest first
        centre = (edges[0] + edges[1])[order] / 2
        return accept(start[order] + centre[:, None] * (end[order] - start[order]))


@dataclass(frozen=True)
class _Difference:
    """The prelude about the first network alone: it would have to be undecided within the proved bound on the difference.

    A polyhedron is settled for both networks where it is for the first alone (`close`).
    """

    a: Network
    b: Network
    deadline: float
    threads: int
    progress: Progress

    def __call__(self, net: FloatNetwork, case: Case, accept: Accept) -> Tiling | None:
        until = share_of(self.deadline, DIFFERENCE_SHARE)
        bound = compare(self.a, self.b, case.lower, case.upper, deadline=until).bound
        if not np.isfinite(bound):
            return None
        alone = float_network(self.a, case.lower, case.upper)
        rows = UnsafeRows.of(
            alone, [close(polyhedron, self.a.output_size, Fraction(bound)) for polyhedron in case.unsafe]
        )

        def look(points: np.ndarray) -> bool:
            """A point that is that close ends this search, whether the labels differ there or not."""
            accept(points)
            return True

        until = share_of(self.deadline, SEARCH_SHARE)
        if attack(alone, rows, look, until, 0, steps=10):
            return None
        ended = searched(
            alone, rows, look, until, lambda text: self.progress(f"difference: {text}"), self.threads
        )
        found = decided(ended)
        return None if found is None else found.evidence


def close(polyhedron: Polyhedron, outputs: int, bound: Fraction) -> Polyhedron:
    """`disagreement` for the first network alone, where no output differs by more than the bound: the rival is at most twice that behind."""
    *decided, preferred = polyhedron
    terms = tuple((i - outputs, factor) for i, factor in preferred.y)
    return (*decided, Row((), terms, 2 * bound))
