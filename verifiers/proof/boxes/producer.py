"""Writes the proof of a property that was proved, in the order in which `verifiers/proof/boxes/checker.py`
reads it (docs/reference/proof-format.md, §10).

After `decide.py`.  Nothing here is trusted: floats propose cuts and multipliers as in the searches, and every
leaf is tried in the checker's own arithmetic before it is written.  With few inputs the box is cut, depth
first; with many, or where that decided it, the leaves of `relu_split.py` or `lp_split.py`, whichever is
first, are written down, with the multipliers that showed them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.clock import now
from ....common.errors import Unsupported
from ....models.claims.property import Case, Property
from ....models.network.integers import integer_array
from ....models.network.network import Network
from ...bounds import tighten as bounds
from ...bounds.box_bounds import losses
from ...bounds.clip import promising_factors
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.presolve import presolve
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import Tightened
from ...bounds.unsafe_rows import UnsafeRows
from ...engines.boxes import lp_split, relu_split
from ...engines.boxes.input_split import FEW_OPEN, blamed_inputs, weakest_rows
from ...engines.boxes.request import Searched, SearchRequest
from ...engines.boxes.search_race import SearchEntrant, decided, race_searches
from ...engines.boxes.searches import LP_AFTER, few_inputs
from ...engines.boxes.tree import Tree
from ..format import BOXES
from ..region import Phases
from ..tree import ProofLeaf
from ..writing import END, Line, changes, header, in_short_lines, leaf_entry, node
from .bounds import ONE, BoxNetwork, BoxRegion, box_network
from .checker import BoxArithmetic, split
from .exact_leaves import exact_leaves

REST = 3  # the checker bounds all ReLUs anew on every so manieth level of cuts, and where a part may be shown
FACTORS, FINE_FACTORS = 1 << 12, 1 << 30
PATIENCE = 5.0  # seconds for the phases of one part
MARGINS = (2.0**-20, 2.0**-10)  # of a row's bound on the whole region, by which floats have to do better
NEARLY = (
    2.0**16
)  # of what a row's own numbers may be off by: bounds up to there may be negative in exact arithmetic

SEARCHES: dict[str, tuple[Callable[..., Searched], float]] = {  # and when they begin, in seconds
    "split-relus": (relu_split.search, 0.0),
    "split-lp": (lp_split.search, LP_AFTER),
}

Progress = Callable[[str], None]


def proof_lines(
    network: Network,
    stated: Property,
    digests: Mapping[str, str],
    deadline: float,
    threads: int = 1,
    progress: Progress = lambda text: None,
    decided_by: str | None = None,
    ties: bool = False,
) -> Iterator[Line]:
    """Raises TimeoutError after `deadline` (time.monotonic), Unsupported where the bounds of the checker do
    not show the property.

    `decided_by`: the backend that did; one of SEARCHES goes before cutting inputs here, too.  `ties`: exact
    programs settled some of it, so that they have to here.
    """
    yield header(BOXES, digests, None)
    exact = box_network(network)
    for number, case in enumerate(stated.cases):
        if case.unsafe:
            if not all(case.unsafe):
                raise Unsupported("every input is unsafe")
            yield {"tree": number}
            with np.errstate(all="ignore"):
                yield from _Case(
                    network, exact, case, deadline, threads, progress, decided_by in SEARCHES, ties
                ).lines()
    yield END


@dataclass(eq=False)
class _Open:
    """A part that has to be written: `parts`, the same in floats; `done`: polyhedra that are shown to be
    empty around it.
    """

    region: BoxRegion
    parts: BoxSubdomains
    done: frozenset[int]
    depth: int


@dataclass(eq=False)
class _Case:
    network: Network
    exact: BoxNetwork
    case: Case
    deadline: float
    threads: int
    progress: Progress
    phases: bool
    ties: bool

    def __post_init__(self) -> None:
        self.net: FloatNetwork = float_network(self.network, self.case.lower, self.case.upper)
        self.rows = UnsafeRows.of(self.net, self.case.unsafe)
        self.arithmetic = BoxArithmetic(self.exact, self.case)
        self.unsafe = self.arithmetic.unsafe
        self.ends = [*self.rows.first[1:], len(self.rows)]
        self.written, self.over = 0, 0.0

    def in_time(self) -> None:
        if now() > self.deadline:
            raise TimeoutError("out of time while proving")

    def lines(self) -> Iterator[Line]:
        region = self.arithmetic.root()
        if self.ties:
            leaves = self._exactly(self.arithmetic.tightened(region), frozenset())
            if leaves is not None:
                yield from in_short_lines(node(tighten=True, leaves=leaves))
                return
        if self.phases or not few_inputs(self.net):
            found = self._by_phases(self.arithmetic.tightened(region), self.net, self.deadline, frozenset())
            if found is not None:
                yield from in_short_lines(node(tighten=True, bounds=found[0], leaves=found[1]))
                return
        yield from self._by_inputs(region)

    def _exactly(self, region: BoxRegion, done: frozenset[int]) -> list[Any] | None:
        """Leaves of a part on which the checker has bounded all ReLUs, from exact linear programs."""
        going = [p for p in range(len(self.unsafe)) if p not in done]
        leaves = exact_leaves(self.network, self.arithmetic, region, going, self.in_time)
        return None if leaves is None else [_entry(leaf, region, region.phase == 0) for leaf in leaves]

    # -- cutting inputs
    # -------------------------------------------------------------------------------------------

    def _by_inputs(self, region: BoxRegion) -> Iterator[Line]:
        stack = [_Open(region, BoxSubdomains.whole(self.net), frozenset(), 0)]
        while stack:
            self.in_time()
            part = stack.pop()
            line, halves = self._part(part)
            self.written += 1
            if not halves:
                self.over += float(part.parts.weight[0])
            self.progress(f"proof: {self.written} parts, {100 * self.over:.1f} % is written")
            yield from in_short_lines(line)
            stack += reversed(halves)

    def _part(self, part: _Open) -> tuple[Line, list[_Open]]:
        parts, region, done = part.parts, part.region, part.done
        known = bounds.tightened(self.net, parts, share=True)
        bound, found = self.rows.bound(self.net, parts, known.relaxations)
        other_bound, other = self.rows.bound(
            self.net, parts, {k: v.flat() for k, v in known.relaxations.items()}
        )
        forms = [(bound[0], found.inputs, found.offset), (other_bound[0], other.inputs, other.offset)]
        likely = {
            p: some
            for p in range(len(self.unsafe))
            if p not in done and (some := self._candidates(parts, p, forms))
        }
        tighten = len(likely) + len(done) == len(self.unsafe) or part.depth % REST == 0
        line = node(tighten=tighten)
        if tighten:
            region = self.arithmetic.tightened(region)
            for p, candidates in likely.items():
                leaf = self._first(region, p, candidates)
                if leaf is not None:
                    line["leaves"].append(_entry(leaf, region))
                    done |= {p}
        if len(done) == len(self.unsafe):
            return line, []
        better = other_bound < bound
        steep = np.where(better[0][:, None], other.inputs, found.inputs)
        replaced = np.where(better[0][:, None], other.replaced, found.replaced)
        refuted = np.array([[p in done for p in range(len(self.unsafe))]])
        row = int(weakest_rows(self.rows, np.fmin(bound, other_bound), refuted)[0])
        place = self._cut(region, parts, known, steep[row : row + 1], replaced[row : row + 1])
        if place is None or int((region.phase == 0).sum()) <= FEW_OPEN:
            if not tighten:
                region, line["tighten"] = self.arithmetic.tightened(region), True
            leaves = (self._exactly(region, done) if self.ties else None) or self._phases_of(
                region, parts, done
            )
            if leaves is not None:
                line["leaves"] += leaves
                return line, []
        if place is None:
            raise Unsupported(
                "a part of the box is too small to cut and the checker's bounds are still not good enough"
            )
        i, value = place
        numerator, denominator = value.as_integer_ratio()
        line["split"] = ["input", i, [numerator, denominator.bit_length() - 1]]
        off, on = (parts[np.zeros(1, dtype=np.int64)] for _ in range(2))  # copies
        off.high[0, i] = on.low[0, i] = value
        off.weight, on.weight = parts.weight / 2, parts.weight / 2
        left, right = split(region, i, Fraction(value))
        return line, [_Open(left, off, done, part.depth + 1), _Open(right, on, done, part.depth + 1)]

    def _candidates(
        self, parts: BoxSubdomains, p: int, forms: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
    ) -> list[tuple[np.ndarray, bool]]:
        """(factors, whether lower lines are flat) of what is negative as far as floats tell; the lowest
        first.
        """
        a, b = int(self.rows.first[p]), int(self.ends[p])
        nearly = NEARLY * self.rows.error[a:b]  # the checker decides what is exactly 0
        out: list[tuple[float, np.ndarray, bool]] = []
        for flat, (bound, slope, offset) in enumerate(forms):
            for r in np.flatnonzero(bound[a:b] <= nearly):
                out.append((float(bound[a + r]), np.eye(b - a, dtype=np.int64)[r], bool(flat)))
            if b - a > 1:
                factors, reached = promising_factors(parts, slope[None, a:b], offset[None, a:b], b - a)
                if reached[0] < 0 and factors[0].max() > 0:
                    out.append(
                        (0.0, np.rint(factors[0] / factors[0].max() * FACTORS).astype(np.int64), bool(flat))
                    )
        return [(factors, flat) for _, factors, flat in sorted(out, key=lambda o: o[0])]

    def _first(
        self, region: BoxRegion, p: int, candidates: Sequence[tuple[np.ndarray, bool]]
    ) -> ProofLeaf | None:
        """The first that holds in the checker's arithmetic."""
        below, above, beta = region.defaults
        for factors, flat in candidates:
            leaf = ProofLeaf(
                p, (), factors, np.where(region.phase == 0, 0, below) if flat else below, above, beta
            )
            if self.arithmetic.holds(region, [leaf])[0]:
                return leaf
        return None

    def _cut(
        self,
        region: BoxRegion,
        parts: BoxSubdomains,
        known: Tightened,
        steep: np.ndarray,
        replaced: np.ndarray,
    ) -> tuple[int, float] | None:
        """The input that costs the weakest row most, and its middle; None where there is none to cut."""
        assert known.share is not None
        by_input, middle = blamed_inputs(
            parts, steep, losses(self.net, replaced, known.relaxations), known.share
        )
        i = int(by_input[0].argmax())
        value = float(middle[0, i])
        low, high = (Fraction(int(end[i]), 1 << 64) for end in (region.low, region.high))
        return (i, value) if by_input[0, i] >= 0 and low < Fraction(value) < high else None

    # -- phases of ReLUs
    # --------------------------------------------------------------------------------------------

    def _phases_of(self, region: BoxRegion, parts: BoxSubdomains, done: frozenset[int]) -> list[Any] | None:
        """Leaves of one part, where splitting its ReLUs shows it soon."""
        net = float_network(
            self.network, *([Fraction(float(v)) for v in ends[0]] for ends in (parts.low, parts.high))
        )
        found = self._by_phases(region, net, min(self.deadline, now() + PATIENCE), done)
        return None if found is None or found[0] else found[1]

    def _by_phases(
        self, region: BoxRegion, net: FloatNetwork, deadline: float, done: frozenset[int]
    ) -> tuple[list[Any], list[Any]] | None:
        """Bounds and leaves that show the region, on which the checker has bounded all ReLUs; None where they
        do not.
        """
        going = [p for p in range(len(self.unsafe)) if p not in done]
        rows = UnsafeRows.of(net, [self.case.unsafe[p] for p in going])
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
                self.in_time()
                below = self._slopes(region, slopes)
                better = self.arithmetic.bounded(region, j, sign, below, region.defaults[1])
                if (better.lower[j], better.upper[j]) != (region.lower[j], region.upper[j]):
                    kept.append([j, sign, changes(below, region.defaults[0]), []])
                    region = better
            leaves = [leaf for some in settled for leaf in self._leaves(region, going, some)]
            if all(self.arithmetic.holds(region, leaves)):
                return kept, [_entry(leaf, region) for leaf in _ordered(leaves)]
        return None

    def _phases_once(
        self, net: FloatNetwork, rows: UnsafeRows, deadline: float
    ) -> tuple[list[tuple[int, int, np.ndarray]], list[RefutedLeaves]] | None:
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
        """Lower slopes in the checker's units; where a ReLU is not open it does not matter, and the default
        stands.
        """
        return np.where(region.phase == 0, np.rint(below * ONE).astype(np.int64), region.defaults[0])

    def _leaves(self, region: BoxRegion, going: Sequence[int], some: RefutedLeaves) -> Iterator[ProofLeaf]:
        for f in range(len(some)):
            p = going[int(some.polyhedron[f])]
            own = self.unsafe[p]
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


def _entry(leaf: ProofLeaf, region: BoxRegion, named: np.ndarray | bool = False) -> list[Any]:
    return leaf_entry(leaf.target, leaf.phases, leaf, region, named)
