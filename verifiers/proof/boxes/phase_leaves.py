"""Makes leaves of proofs about boxes by splitting ReLUs: what the searches refute, in the checker's units.

Stands between the searches (`engines/boxes/`) and `producer.py`.  It is not trusted.  The searches run once
more, on bounds that are a little worse, because the checker rounds more coarsely than floats do.  Their
leaves are written with the multipliers that showed them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.clock import now
from ....models.network.integers import integer_array
from ....models.network.network import Network
from ...bounds import tighten as bounds
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.presolve import presolve
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.subdomains import BoxSubdomains
from ...bounds.unsafe_rows import UnsafeRows
from ...engines.boxes import lp_split, relu_split
from ...engines.boxes.request import Searched, SearchRequest
from ...engines.boxes.search_race import SearchEntrant, decided, race_searches
from ...engines.boxes.searches import LP_AFTER
from ...engines.boxes.tree import Tree
from ..region import Phases
from ..tree import ProofLeaf
from ..writing import changes, leaf_entry
from .bounds import BoxRegion
from .checker import BoxArithmetic
from .rounded_network import ONE

FINE_FACTORS = 1 << 30
PATIENCE = 5.0  # seconds for splitting the ReLUs of one subdomain
MARGINS = (2.0**-20, 2.0**-10)  # floats have to do better by this share of a row's bound on the whole region

SEARCHES: dict[str, tuple[Callable[..., Searched], float]] = {  # with the seconds after which each begins
    "split-relus": (relu_split.search, 0.0),
    "split-lp": (lp_split.search, LP_AFTER),
}

Progress = Callable[[str], None]


def in_time(deadline: float) -> None:
    """Raise TimeoutError after the deadline."""
    if now() > deadline:
        raise TimeoutError("out of time while proving")


@dataclass(frozen=True, eq=False)
class PhaseLeaves:
    """Proves regions of one box by splitting ReLUs.

    deadline: a time of `time.monotonic()`.
    threads: for the searches.
    progress: receives one line of text now and then.
    """

    network: Network
    arithmetic: BoxArithmetic
    deadline: float
    threads: int
    progress: Progress

    def soon(self, region: BoxRegion, parts: BoxSubdomains, done: frozenset[int]) -> list[Any] | None:
        """Return the leaves of a subdomain, if splitting its ReLUs shows it within PATIENCE; else None.

        parts: the same subdomain in floating point.
        done: the polyhedra that are excluded already.
        """
        net = float_network(
            self.network, *([Fraction(float(v)) for v in ends[0]] for ends in (parts.low, parts.high))
        )
        found = self.shown(region, net, min(self.deadline, now() + PATIENCE), done)
        return None if found is None or found[0] else found[1]

    def shown(
        self, region: BoxRegion, net: FloatNetwork, deadline: float, done: frozenset[int]
    ) -> tuple[list[Any], list[Any]] | None:
        """Return bounds and leaves that show the region; None if the searches or the checker do not show it.

        region: the checker has tightened all ReLUs on it.
        net: the network on the same box, in floating point.
        done: the polyhedra that are excluded already.
        """
        going = [p for p in range(len(self.arithmetic.unsafe)) if p not in done]
        rows = UnsafeRows.of(net, [self.arithmetic.case.unsafe[p] for p in going])
        parts = BoxSubdomains.whole(net)
        usual, _ = rows.bound(net, parts, bounds.tightened(net, parts).relaxations)
        for share in MARGINS:  # the checker rounds more coarsely than floats do
            asked = replace(rows, constant=rows.constant + share * np.abs(usual[0]))
            found = self._phases_once(net, asked, deadline)
            if found is None:
                return None
            entries, settled = found
            kept = []
            for j, sign, slopes in entries:
                in_time(self.deadline)
                below = self._slopes(region, slopes)
                better = self.arithmetic.bounded(region, j, sign, below, region.defaults[1])
                if (better.lower[j], better.upper[j]) != (region.lower[j], region.upper[j]):
                    kept.append([j, sign, changes(below, region.defaults[0]), []])
                    region = better
            leaves = [leaf for some in settled for leaf in self._leaves(region, going, some)]
            if all(self.arithmetic.holds(region, leaves)):
                return kept, [leaf_entry(leaf.target, leaf.phases, leaf, region) for leaf in _ordered(leaves)]
        return None

    def _phases_once(
        self, net: FloatNetwork, rows: UnsafeRows, deadline: float
    ) -> tuple[list[tuple[int, int, np.ndarray]], list[RefutedLeaves]] | None:
        """Run presolve and the searches once; return the slopes of presolve and the refuted leaves."""
        entries: list[tuple[int, int, np.ndarray]] = []

        def optimised(neurons: np.ndarray, sign: int, below: np.ndarray) -> None:
            entries.extend((int(j), sign, b) for j, b in zip(neurons, below, strict=True))

        presolved = presolve(net, rows, deadline, self.progress, self.threads, optimised)
        leaves: dict[str, list[RefutedLeaves]] = {name: [] for name in SEARCHES}

        def entrant(name: str) -> SearchEntrant:
            search, after = SEARCHES[name]

            def run(progress: Progress, tree: Tree) -> Searched:
                each = max(1, self.threads // len(SEARCHES))
                record = leaves[name].append
                asked = SearchRequest(net, rows, lambda points: False, deadline, progress, each, record)
                return search(asked, tree, presolved=presolved)

            return SearchEntrant(name, run, after)

        ended = race_searches([entrant(name) for name in SEARCHES], rows.polyhedra, deadline, self.progress)
        if decided(ended) is None:
            if now() > self.deadline:
                raise TimeoutError("out of time while proving")
            return None
        return entries, leaves[ended[-1].entrant.name]

    def _slopes(self, region: BoxRegion, below: np.ndarray) -> np.ndarray:
        """Convert lower slopes to the checker's units; ReLUs that are not open keep the default."""
        return np.where(region.phase == 0, np.rint(below * ONE).astype(np.int64), region.defaults[0])

    def _leaves(self, region: BoxRegion, going: Sequence[int], some: RefutedLeaves) -> Iterator[ProofLeaf]:
        """Convert the leaves of a search to the checker's units."""
        for f in range(len(some)):
            p = going[int(some.polyhedron[f])]
            own = self.arithmetic.unsafe[p]
            given = some.factors[f, : len(own.strict)]
            share = 1 if (given == given.astype(np.int64)).all() and given.any() else FINE_FACTORS
            factors = np.rint(given * share).astype(np.int64)
            phases = tuple((int(j), int(some.phase[f, j])) for j in np.flatnonzero(some.phase[f]))
            times = own.scale * ONE * share
            beta = integer_array([round(Fraction(float(b)) * times) for b in some.beta[f]])
            yield ProofLeaf(p, phases, factors, self._slopes(region, some.below[f]), region.defaults[1], beta)


def _ordered(leaves: Sequence[ProofLeaf]) -> list[ProofLeaf]:
    """Order the phases of leaves as a tree of splits does: the ReLU at its root is in all of its leaves."""
    out: list[ProofLeaf] = []
    for p in sorted({leaf.target for leaf in leaves}):
        stack: list[tuple[Phases, list[tuple[ProofLeaf, dict[int, int]]]]] = [
            ((), [(n, dict(n.phases)) for n in leaves if n.target == p])
        ]
        while stack:
            before, here = stack.pop()
            if len(here) == 1 and not here[0][1]:
                out.append(replace(here[0][0], phases=before))
                continue
            counts: dict[int, int] = {}
            for _, left in here:
                for j in left:
                    counts[j] = counts.get(j, 0) + 1
            split = max(counts, key=lambda j: counts[j])
            for sign in (-1, 1):
                half = [
                    (leaf, {j: q for j, q in left.items() if j != split})
                    for leaf, left in here
                    if left.get(split) == sign
                ]
                if half:
                    stack.append(((*before, (split, sign)), half))
    return out
