"""The tree reader: reads a proof's header and trees, and makes sure that the leaves cover every root.

Part of the trusted base, after `lines.py` and `region.py`.  A proof has a tree for each of its roots: the
words of a label, or a box.  Inner nodes split a subdomain in two.  Leaves say why a target (a rival, or an
unsafe polyhedron) cannot be reached under some phases of ReLUs.  This module only sees to it that subdomains
and phases leave nothing out.  How a subdomain is split, and when a leaf holds, is up to the arithmetic of the
kind of proof: `words/checker.py` or `boxes/checker.py`.  docs/reference/proof-format.md is the specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from .format import FORMAT, ProofTooLarge
from .lines import BITS, Lines
from .region import Phases, Region

LINES = 100_000_000
DEPTH = 10_000
RUN = 2_000_000  # prefixes that one proof may leave to be run

Settled = tuple[frozenset[Phases], ...]  # per target: the phases under which it is settled here or further up


@dataclass(frozen=True)
class Accepted:
    """What was checked: subdomains, leaves in them, and prefixes of words that were run.

    `exact_in_float32`: whether float32 arithmetic computes this network exactly; None for networks with real
    inputs.
    """

    parts: int
    leaves: int
    run: int = 0
    exact_in_float32: bool | None = None


@dataclass(frozen=True, eq=False)
class ProofLeaf:
    """A claim of the proof: under these phases, the target is not reached anywhere in the subdomain.

    It holds if the bound is negative that these multipliers give: `below`, `above`, `beta` (ReLUs,) and, of
    the target's rows, `factors` (rows,).
    """

    target: int
    phases: Phases
    factors: np.ndarray
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray


R = TypeVar("R", bound=Region)


class Arithmetic(Protocol[R]):
    """What one kind of proof knows about one root: how its regions are made, and when a leaf holds.

    `rows`: how many rows each target has.  `root` is the whole root.  `tightened` proves bounds of all open
    ReLUs anew, by default multipliers.  `bounded` improves one ReLU's upper (sign 1) or lower (-1) bound by
    these slopes.  `holds` says which leaves do, on a region that is not empty.  `split` gives two regions
    that cover one.  `run` runs the network on a region (None: the root), on at most so many prefixes, and
    gives their number.  The last two raise Rejected where that is not possible, or the network errs.
    """

    rows: Sequence[int]

    def root(self) -> R: ...
    def tightened(self, region: R) -> R: ...
    def bounded(self, region: R, relu: int, sign: int, below: np.ndarray, above: np.ndarray) -> R: ...
    def holds(self, region: R, leaves: Sequence[ProofLeaf]) -> list[bool]: ...
    def split(self, region: R, given: Any, lines: Lines) -> tuple[R, R]: ...
    def run(self, region: R | None, most: int, lines: Lines) -> int: ...


def read_proof(
    lines: Lines,
    kind: str,
    digests: Mapping[str, str],
    exact_in_float32: bool | None,
    roots: Iterable[tuple[int, Arithmetic[Any]]],
    progress: Callable[[str], None] = lambda text: None,
) -> Accepted:
    """Check that the lines are a proof of this kind, and that they settle every root.

    `digests`: what it has to be about; tests leave them out, so that digests are not all that stands between
    a mutant and a false proof.  `roots`: their numbers, in order, and their arithmetic.  Raises Rejected, or
    LimitReached where time is over.
    """
    header = lines.line("the first line", {"format", "kind", "digests", "exact_in_float32"})
    if header["format"] != FORMAT:
        raise lines.no(f"the format is not {FORMAT!r}")
    if header["kind"] != kind:
        raise lines.no(f"it is not a proof about {kind}")
    for name, digest in digests.items():
        if not isinstance(header["digests"], dict) or header["digests"].get(name) != digest:
            raise lines.no(f"it is a proof about another {name}")
    if digests and header["exact_in_float32"] is not exact_in_float32:
        raise lines.no(f"exact_in_float32 is {exact_in_float32}, not what the proof says")
    reader = _TreeReader(lines, progress)
    for number, arithmetic in roots:
        reader.root(number, arithmetic)
    lines.end()
    return Accepted(reader.regions, reader.leaves, reader.followed, exact_in_float32)


@dataclass(eq=False)
class _TreeReader:
    lines: Lines
    progress: Callable[[str], None]
    regions: int = 0
    leaves: int = 0
    followed: int = 0

    def root(self, number: int, arithmetic: Arithmetic[R]) -> None:
        line = self.lines.line("a root", {"tree"}, {"run"})
        ((how, found),) = line.items()
        if type(found) is not int or found != number:
            raise self.lines.no(f"root {number} should follow")
        if how == "run":
            self._run(arithmetic, None)
        else:
            self._tree(arithmetic)

    def _run(self, arithmetic: Arithmetic[R], region: R | None) -> None:
        self.followed += arithmetic.run(region, RUN - self.followed, self.lines)

    def _tree(self, arithmetic: Arithmetic[R]) -> None:
        nothing: Settled = (frozenset(),) * len(arithmetic.rows)
        stack: list[tuple[R, Settled, int]] = [(arithmetic.root(), nothing, 0)]
        while stack:
            region, settled, depth = stack.pop()
            line = self.lines.line("a node", {"tighten", "bounds", "leaves", "split"})
            split = line["split"]
            self.regions += split != "again"
            if self.lines.number > LINES or depth > DEPTH:
                raise self.lines.no("the tree is too large", ProofTooLarge)
            if self.lines.number % 100 == 0:
                self.progress(f"{self.regions} subdomains, {self.leaves} leaves checked")
            if type(line["tighten"]) is not bool:
                raise self.lines.no("tighten is neither true nor false")
            if line["tighten"]:
                region = arithmetic.tightened(region)
            for entry in self.lines.a_list(line["bounds"]):
                region = self._bounded(arithmetic, region, entry)
            settled = self._settled(arithmetic, region, settled, line["leaves"])
            if split is None:
                if not region.empty and not all(map(covers, settled)):
                    raise self.lines.no("a subdomain is left open")
            elif split == "again":
                stack.append((region, settled, depth))
            elif split == "run":
                self._run(arithmetic, region)
            else:
                first, second = arithmetic.split(region, split, self.lines)
                stack += [
                    (second, settled, depth + 1),
                    (first, settled, depth + 1),
                ]  # the first follows first

    def _bounded(self, arithmetic: Arithmetic[R], region: R, entry: Any) -> R:
        relu, sign, below, above = self.lines.a_list(entry, 4)
        self.lines.integers([relu], 0, len(region.lower) - 1, "a bound's ReLU")
        if type(sign) is not int or sign not in (1, -1):
            raise self.lines.no("a bound is neither above nor below")
        usual = region.defaults
        below, above = (self.lines.multipliers(m, usual[n], region.one) for n, m in enumerate((below, above)))
        return arithmetic.bounded(region, relu, sign, below, above)

    def _settled(self, arithmetic: Arithmetic[R], region: R, settled: Settled, given: Any) -> Settled:
        """With the phases of these leaves, all of which have to hold."""
        found, leaves, usual = [set(phases) for phases in settled], [], region.defaults
        for entry in self.lines.a_list(given):
            self.leaves += 1
            target, flat, evidence = self.lines.a_list(entry, 3)
            self.lines.integers([target], 0, len(found) - 1, "a leaf's target")
            phases = self.lines.phases(flat, len(region.lower))
            if evidence is not None:
                rows = arithmetic.rows[target]
                defaults = (np.full(rows, rows == 1, dtype=np.int64), *usual)
                most = (1 << BITS, region.one, region.one, 1 << BITS)
                numbers = zip(self.lines.a_list(evidence, 4), defaults, most, strict=True)
                leaves.append(ProofLeaf(target, phases, *(self.lines.multipliers(*n) for n in numbers)))
            elif not region.excludes(phases):
                raise self.lines.no("a leaf is said to have no inputs, which the bounds do not show")
            found[target].add(phases)
        if leaves and not region.empty and not all(arithmetic.holds(region, leaves)):
            raise self.lines.no("a leaf's bound is not negative")
        return tuple(map(frozenset, found))


def covers(known: Iterable[Phases]) -> bool:
    """Whether these nodes of a tree of phase splits have every leaf below its root."""
    known = set(known)
    prefixes = {phases[:n] for phases in known for n in range(len(phases) + 1)}
    following: dict[Phases, set[int]] = {}
    for phases in prefixes:
        if phases:
            following.setdefault(phases[:-1], set()).add(phases[-1][0])
    done: dict[Phases, bool] = {}
    for phases in sorted(prefixes, key=len, reverse=True):
        splits = following.get(phases, set())
        done[phases] = phases in known or any(
            all(done.get((*phases, (j, p)), False) for p in (1, -1)) for j in splits
        )
    return done.get((), False)
