"""Decide whether two networks always give the same label: `relucid verify --against --same-label`.

The label is the number of the largest output.  `models/network/stacked.py` puts both networks side by side.
`decide.py` gets one unsafe polyhedron for every label of the first network and every rival in the second that
bounds on each network alone do not rule out.  Two short cuts come before its own attack and search.  One
walks from a point of one label to a point of another, and bisects for the place where the first network
changes its label: if the second one changes elsewhere, they disagree in between.  The other bounds the
difference of networks whose layers pair up, which makes it a question about the first alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...common.clock import now, share_of
from ...common.errors import InputError, Unsupported
from ...models.claims.property import Case, Polyhedron, Property, Row
from ...models.claims.side_by_side import boxes, disagreement, wins
from ...models.network.network import Network
from ...models.network.stacked import same_nodes, side_by_side
from ..attempts import Attempt
from ..bounds.blas import one_blas_thread
from ..bounds.difference import paired
from ..bounds.floats import FloatNetwork, float_network
from ..bounds.subdomains import BoxSubdomains
from ..bounds.tighten import tightened
from ..bounds.unsafe_rows import UnsafeRows
from ..engines.boxes.attack import affordable, attack
from ..engines.boxes.request import SearchRequest
from ..engines.boxes.search_race import decided
from ..engines.boxes.searches import searched
from ..evidence import How, Lost, Tiling
from ..verdict import Proved, Verdict
from . import verdicts
from .against import identical
from .compare import compare
from .decide import Accept, Prelude, decide
from .options import BoxOptions

Pairs = set[tuple[int, int]]  # a label, and a rival of it
MOST_LABELS = 256
# of the time: for a bound on the difference, and for what it makes of the question
DIFFERENCE_SHARE, SEARCH_SHARE = 0.1, 0.4
HALVINGS, CENTRINGS = 48, 16
SEGMENTS = 128
POINTS = 1000


def check_labels(a: Network, origin: str) -> None:
    """Raise InputError if there is no label to compare, or if there are too many."""
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
    options: BoxOptions,
) -> Verdict:
    """Decide whether the labels differ for an input in the boxes of the property.

    Ties go to the lowest number.
    """
    began = now()
    if same_nodes(a, b):
        return identical(stated)
    outputs = a.output_size
    cases: list[Case] = []
    ruled: list[Tiling] = []
    try:
        with one_blas_thread(), np.errstate(all="ignore"):
            for lower, upper in boxes(stated):
                options.progress("bounding both networks")
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
    preludes: dict[str, Prelude] = {"bisect": _Bisect(outputs, options.deadline, options.seed)}
    if paired(a, b):
        preludes["difference"] = _Difference(a, b, options)
    answer = decide(
        side_by_side(a, b),
        Property(stated.inputs, 2 * outputs, tuple(cases)),
        options,
        files=(a, b),
        preludes=preludes,
    )
    if not isinstance(answer, Proved) or not isinstance(answer.evidence, Tiling):
        return answer
    result: Verdict = answer.with_(evidence=_of_all([*ruled, answer.evidence], outputs, len(ruled)))
    return result


def _of_all(some: Sequence[Tiling], outputs: int, count: int | None = None) -> Tiling:
    """Add up the evidence about the pairs of labels that bounds ruled out, and about those that were
    searched.

    count: in how many boxes.  Raises Lost if a pair is missing.
    """
    evidence, count = Tiling.added(some), len(some) if count is None else count
    if (evidence.cases, evidence.polyhedra) != (count, count * outputs * (outputs - 1)):
        raise Lost("a pair of labels is not accounted for")
    return evidence


def _impossible(a: Network, b: Network, lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> Pairs:
    """Return pairs (label, rival) that bounds on the whole box rule out.

    Either the first network never gives the label, or the second one never prefers the rival.
    """
    labels = range(a.output_size)
    first, second = _never(a, lower, upper), _never(b, lower, upper)
    never = {c for c, _ in first}
    return {(c, j) for c in labels for j in labels if c != j and (c in never or (j, c) in second)}


def _never(network: Network, lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> Pairs:
    """Return pairs (label, rival) for which the label is nowhere on the box preferred to the rival."""
    net = float_network(network, lower, upper)
    pairs = [(c, j) for c in range(network.output_size) for j in range(network.output_size) if c != j]
    rows = UnsafeRows.of(net, [(wins(c, j),) for c, j in pairs])
    box = BoxSubdomains.whole(net)
    known = tightened(net, box)
    bound, _ = rows.bound(net, box, known.relaxations)
    return {pair for pair, gone in zip(pairs, rows.refuted(bound)[0], strict=True) if gone}


@dataclass(frozen=True)
class _Bisect:
    """A prelude that walks from a point of one label to points of other labels."""

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
        """Return points of other labels, each label as often as the others; any points if there are none."""
        chosen = [rng.choice(np.flatnonzero(labels == k), SEGMENTS) for k in np.unique(labels) if k != label]
        if not chosen:
            return points[:SEGMENTS]
        result: np.ndarray = points[
            rng.permuted(np.stack(chosen), axis=0)[np.arange(SEGMENTS) % len(chosen), np.arange(SEGMENTS)]
        ]
        return result

    def _labels(self, net: FloatNetwork, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = net.values(points)[-1]
        return outputs[:, : self.outputs].argmax(axis=1), outputs[:, self.outputs :].argmax(axis=1)

    def _walk(self, net: FloatNetwork, start: np.ndarray, end: np.ndarray, accept: Accept) -> bool:
        """Bisect between points of different labels, and try points where the networks disagree.

        start, end: points (count, inputs); both networks give one label at the start, and another one at the
            end.

        Returns whether one of the points that were found, each in the middle of its stretch, is a
        counterexample.
        """
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
    """A prelude that asks the first network alone, given a proved bound on the difference.

    An unsafe polyhedron is empty for both networks if the one that is wider by the bound (`close`) is empty
    for the first network.
    """

    a: Network
    b: Network
    options: BoxOptions

    def __call__(self, net: FloatNetwork, case: Case, accept: Accept) -> Tiling | None:
        until = share_of(self.options.deadline, DIFFERENCE_SHARE)
        bound = compare(self.a, self.b, case.lower, case.upper, deadline=until).bound
        if not np.isfinite(bound):
            return None
        alone = float_network(self.a, case.lower, case.upper)
        rows = UnsafeRows.of(
            alone, [close(polyhedron, self.a.output_size, Fraction(bound)) for polyhedron in case.unsafe]
        )

        def look(points: np.ndarray) -> bool:
            """End this search at a point that is so close, whether the labels differ there or not."""
            accept(points)
            return True

        until = share_of(self.options.deadline, SEARCH_SHARE)
        if attack(alone, rows, look, until, 0, steps=10):
            return None

        def progress(text: str) -> None:
            self.options.progress(f"difference: {text}")

        ended = searched(SearchRequest(alone, rows, look, until, progress, self.options.threads))
        found = decided(ended)
        return None if found is None else found.evidence


def close(polyhedron: Polyhedron, outputs: int, bound: Fraction) -> Polyhedron:
    """Return the polyhedron of `disagreement` for the first network alone.

    bound: no output of the two networks differs by more, so that the rival is at most twice that behind.
    """
    *decided, preferred = polyhedron
    terms = tuple((i - outputs, factor) for i, factor in preferred.y)
    return (*decided, Row((), terms, 2 * bound))
