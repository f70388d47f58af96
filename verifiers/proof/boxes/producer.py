"""Writes the proof of a property that was proved, in the order in which the checker reads it.

Comes after `decide.py`.  The format is that of `verifiers/proof/boxes/checker.py`
(docs/reference/proof-format.md, section 10).  Nothing here is trusted: floats propose splits and multipliers
as in the searches, and every leaf is tried in the checker's own arithmetic before it is written.  With few
inputs, the box is split by inputs, depth first.  With many inputs, or where that decided the property, the
leaves of `relu_split.py` or `lp_split.py`, whichever ends first, are written with the multipliers that showed
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.errors import Unsupported
from ....models.claims.property import Case, Property
from ....models.network.network import Network
from ...bounds import tighten as bounds
from ...bounds.box_bounds import losses
from ...bounds.clip import promising_factors
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import Tightened
from ...bounds.unsafe_rows import UnsafeRows
from ...engines.boxes.input_split import FEW_OPEN, blamed_inputs, weakest_rows
from ...engines.boxes.searches import few_inputs
from ..format import BOXES
from ..tree import ProofLeaf
from ..writing import END, Line, header, in_short_lines, leaf_entry, node
from .bounds import BoxRegion
from .checker import BoxArithmetic, split
from .exact_leaves import exact_leaves
from .phase_leaves import SEARCHES, PhaseLeaves, in_time
from .rounded_network import BoxNetwork, box_network

# All ReLUs are bounded anew on every third level of splits, and where a subdomain may be shown.
REST = 3
FACTORS = 1 << 12  # the largest factor of a row
# Bounds up to this many times the error of a row's own numbers may be negative in exact arithmetic.
NEARLY = 2.0**16

Progress = Callable[[str], None]


@dataclass(frozen=True)
class HowProved:
    """What a producer makes use of.

    decided_by: the backend that decided; if it splits ReLUs, so does the proof, before inputs are split.
    ties: whether exact linear programs settled some of it, so that they are needed here, too.
    threads: for searches.
    """

    decided_by: str | None = None
    ties: bool = False
    threads: int = 1


def proof_lines(
    network: Network,
    stated: Property,
    digests: Mapping[str, str],
    deadline: float,
    progress: Progress = lambda text: None,
    how: HowProved = HowProved(),
) -> Iterator[Line]:
    """Yield the lines of a proof of the property.

    digests: of "network" and "property".
    deadline: a time of `time.monotonic()`.
    progress: receives one line of text now and then.
    how: what is known about how the property was proved.

    Raises TimeoutError after `deadline`, and Unsupported if the checker's bounds do not show the property.
    """
    yield header(BOXES, digests, None)
    exact = box_network(network)
    for number, case in enumerate(stated.cases):
        if case.unsafe:
            if not all(case.unsafe):
                raise Unsupported("every input is unsafe")
            yield {"tree": number}
            with np.errstate(all="ignore"):
                yield from _Case(network, exact, case, deadline, progress, how).lines()
    yield END


@dataclass(eq=False)
class _Open:
    """A subdomain that has to be written.

    parts: the same subdomain in floating point.
    done: the polyhedra that are excluded on it already.
    """

    region: BoxRegion
    parts: BoxSubdomains
    done: frozenset[int]
    depth: int


@dataclass(eq=False)
class _Case:
    """Writes the tree of one case."""

    network: Network
    exact: BoxNetwork
    case: Case
    deadline: float
    progress: Progress
    how: HowProved

    def __post_init__(self) -> None:
        self.net: FloatNetwork = float_network(self.network, self.case.lower, self.case.upper)
        self.rows = UnsafeRows.of(self.net, self.case.unsafe)
        self.arithmetic = BoxArithmetic(self.exact, self.case)
        self.unsafe = self.arithmetic.unsafe
        self.by_phases = PhaseLeaves(
            self.network, self.arithmetic, self.deadline, self.how.threads, self.progress
        )
        self.ends = [*self.rows.first[1:], len(self.rows)]
        self.written, self.over = 0, 0.0

    def in_time(self) -> None:
        """Raise TimeoutError after the deadline."""
        in_time(self.deadline)

    def lines(self) -> Iterator[Line]:
        """Yield the lines: by exact programs, by splitting ReLUs, or by splitting inputs."""
        region = self.arithmetic.root()
        if self.how.ties:
            leaves = self._exactly(self.arithmetic.tightened(region), frozenset())
            if leaves is not None:
                yield from in_short_lines(node(tighten=True, leaves=leaves))
                return
        if self.how.decided_by in SEARCHES or not few_inputs(self.net):
            found = self.by_phases.shown(
                self.arithmetic.tightened(region), self.net, self.deadline, frozenset()
            )
            if found is not None:
                yield from in_short_lines(node(tighten=True, bounds=found[0], leaves=found[1]))
                return
        yield from self._by_inputs(region)

    def _exactly(self, region: BoxRegion, done: frozenset[int]) -> list[Any] | None:
        """Make the leaves of a subdomain by exact linear programs; None if they do not show it.

        The checker has tightened all ReLUs on the region.
        """
        going = [p for p in range(len(self.unsafe)) if p not in done]
        leaves = exact_leaves(self.network, self.arithmetic, region, going, self.in_time)
        return None if leaves is None else [_entry(leaf, region, region.phase == 0) for leaf in leaves]

    # -- cutting inputs
    # -------------------------------------------------------------------------------------------

    def _by_inputs(self, region: BoxRegion) -> Iterator[Line]:
        """Split inputs, depth first."""
        stack = [_Open(region, BoxSubdomains.whole(self.net), frozenset(), 0)]
        while stack:
            self.in_time()
            part = stack.pop()
            line, halves = self._part(part)
            self.written += 1
            if not halves:
                self.over += float(part.parts.weight[0])
            self.progress(f"proof: {self.written} subdomains, {100 * self.over:.1f} % of the box written")
            yield from in_short_lines(line)
            stack += reversed(halves)

    def _part(self, part: _Open) -> tuple[Line, list[_Open]]:
        """Write one subdomain; return its line and the halves that are left."""
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
            leaves = (self._exactly(region, done) if self.how.ties else None) or self.by_phases.soon(
                region, parts, done
            )
            if leaves is not None:
                line["leaves"] += leaves
                return line, []
        if place is None:
            raise Unsupported(
                "a subdomain is too small to split, and the checker's bounds are still too weak for it"
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
        """Return (factors, whether lower lines are flat) of sums of rows that floats find negative.

        The lowest come first.
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
        """Return the first candidate that holds in the checker's arithmetic, as a leaf; None if none does."""
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
        """Return the input that costs the weakest row most, and its middle; None if none can be split."""
        assert known.share is not None
        by_input, middle = blamed_inputs(
            parts, steep, losses(self.net, replaced, known.relaxations), known.share
        )
        i = int(by_input[0].argmax())
        value = float(middle[0, i])
        low, high = (Fraction(int(end[i]), 1 << 64) for end in (region.low, region.high))
        return (i, value) if by_input[0, i] >= 0 and low < Fraction(value) < high else None


def _entry(leaf: ProofLeaf, region: BoxRegion, named: np.ndarray | bool = False) -> list[Any]:
    """Write a leaf as an entry of a proof."""
    return leaf_entry(leaf.target, leaf.phases, leaf, region, named)
