"""What shows that a claim holds, counted exactly: the only thing that a `Proved` can be built from.

There are two kinds of evidence, one for each kind of input set.  Over words, engines hand in `Settled`
entries, one for whatever settled something: leaves of a search, an exhausted table, a solver's "infeasible".
`Coverage` adds them up against the claim, and `PositionCoverage` has one for each position.  Over boxes, a
`Tiling` counts subdomains, each settled in some way, that tile the box of every case.  Both are added up
outside of the engines, and only complete ones exist. So no empty queue, exception, cancelled thread or lapsed
deadline can pass for a proof: it leaves nothing to add up.  Nothing heavy is imported here, because evidence
travels between processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ..common.text import number

if TYPE_CHECKING:
    from ..models.claims.word_claim import WordClaim


class Uncovered(Exception):
    """The evidence does not account for every input of the domain exactly once.

    The message is one line that says where.
    """


@dataclass(frozen=True)
class Settled:
    """One entry of evidence over words: on so many inputs of a label, none of these rivals wins.

    inputs: the number of inputs.
    label: a label's index, or None for inputs of every label.
    rivals: places in `Decision.rivals(label)`, or None for all of them.
    by: what showed it.
    """

    label: int | None
    rivals: tuple[int, ...] | None
    inputs: int
    by: str


@dataclass(frozen=True)
class Share:
    """How many inputs of the domain have a label, and how many rivals it has."""

    inputs: int
    rivals: int


@dataclass(frozen=True)
class Coverage:
    """Complete evidence over words.

    Every rival of every label is excluded on exactly as many inputs as the label has.
    Raises Uncovered if it is not complete.
    """

    shares: tuple[Share, ...]
    settled: tuple[Settled, ...]

    def __post_init__(self) -> None:
        if not all(_well_formed(s, self.shares) for s in self.settled):
            raise Uncovered("its evidence is not about labels and inputs of this claim")
        whole = sum(s.inputs for s in self.settled if s.label is None)
        if whole == self.inputs:
            return
        if whole:
            raise Uncovered(f"its evidence accounts for {number(whole)} of {number(self.inputs)} inputs")
        for label, share in enumerate(self.shares):
            if share.inputs:
                _check_label(label, share, [s for s in self.settled if s.label == label])

    def __repr__(self) -> str:
        return f"Coverage({number(self.inputs)} inputs, settled in {len(self.settled)} entries)"

    @property
    def inputs(self) -> int:
        """The size of the domain."""
        return sum(share.inputs for share in self.shares)

    @classmethod
    def of(cls, claim: WordClaim, settled: Iterable[Settled]) -> Coverage:
        """Add up an engine's evidence.

        Raises Uncovered if an input or a rival is missing, or counted twice.
        """
        counts = claim.language.count_by_label(len(claim.decision.labels))
        shares = tuple(Share(n, claim.decision.rival_count(label)) for label, n in enumerate(counts))
        return cls(shares, tuple(settled))


@dataclass(frozen=True)
class PositionCoverage:
    """Complete evidence over words about a label at every position.

    by_length: how many words have n tokens, for n from 0 to the longest.
    parts: for each position that some word has, the evidence about the words that have it.

    Raises Uncovered if a position is missing, or its evidence is about other words.
    """

    by_length: tuple[int, ...]
    parts: tuple[tuple[int, Coverage], ...]

    def __post_init__(self) -> None:
        asked = {i: sum(self.by_length[i + 1 :]) for i in range(len(self.by_length) - 1)}
        if [i for i, _ in self.parts] != [i for i, n in asked.items() if n]:
            raise Uncovered("its evidence leaves out a position")
        for i, found in self.parts:
            if type(found) is not Coverage or found.inputs != asked[i]:
                raise Uncovered(f"its evidence at position {i} is not about {number(asked[i])} inputs")

    @property
    def inputs(self) -> int:
        """The size of the domain."""
        return sum(self.by_length)


def _well_formed(settled: Settled, shares: Sequence[Share]) -> bool:
    if type(settled) is not Settled or type(settled.inputs) is not int or settled.inputs < 0:
        return False
    if settled.label is None:
        return settled.rivals is None
    if type(settled.label) is not int or not 0 <= settled.label < len(shares):
        return False
    rivals = settled.rivals
    return rivals is None or (
        len(set(rivals)) == len(rivals)
        and all(type(r) is int and 0 <= r < shares[settled.label].rivals for r in rivals)
    )


def _check_label(label: int, share: Share, settled: Sequence[Settled]) -> None:
    """Raise Uncovered unless each rival is excluded on all inputs of the label."""
    all_rivals = sum(s.inputs for s in settled if s.rivals is None)
    counts = [all_rivals] * share.rivals
    for s in settled:
        for rival in s.rivals or ():
            counts[rival] += s.inputs
    for rival, count in enumerate(counts):
        if count != share.inputs:
            raise Uncovered(
                f"its evidence against rival {rival + 1} of label {label} accounts for"
                f" {number(count)} of {number(share.inputs)} inputs"
            )


class How(IntEnum):
    """What shows that a subdomain of a box holds no counterexample of an unsafe polyhedron."""

    BOUNDS = 1  # proved float64 bounds: a constraint, or a weighted sum of them, is negative on all of it
    EXACT = 2  # rational arithmetic: the same, or that a linear program has no solution
    WORD = 3  # a solver with tolerances says so


class Lost(AssertionError):
    """A subdomain was settled or split twice, or never: an engine is wrong."""


@dataclass(frozen=True)
class Tiling:
    """Complete evidence over boxes: settled subdomains (`parts`) that tile the box of every case.

    Each unsafe polyhedron of each case has a tree of splits, which has one leaf more than it has splits.

    cases: boxes of the property that have unsafe polyhedra.
    polyhedra: unsafe polyhedra of all cases.
    joined: trees that are spared because polyhedra of a case share one.
    splits: inner nodes of all trees.
    settled: pairs of a name of `How` and the number of leaves that were settled that way.

    Raises ValueError if the numbers do not add up.
    """

    cases: int
    polyhedra: int
    joined: int
    splits: int
    settled: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        counts = (self.cases, self.polyhedra, self.joined, self.splits, *(n for _, n in self.settled))
        hows = [how for how, _ in self.settled]  # each once: one by the word of a solver cannot hide
        if not all(type(n) is int and n >= 0 for n in counts) or any(h not in How.__members__ for h in hows):
            raise ValueError("evidence is counted")
        if len(set(hows)) < len(hows):
            raise ValueError("evidence is counted once for each way")
        if not 0 <= self.joined <= self.polyhedra - self.cases:
            raise ValueError("every case has a part")
        if self.parts != self.polyhedra - self.joined + self.splits:
            raise ValueError(f"{self.parts} parts do not tile the boxes of {self.cases} cases")

    @property
    def inputs(self) -> None:
        """Boxes hold too many inputs to count."""
        return None

    @property
    def parts(self) -> int:
        """Settled subdomains: leaves of all trees."""
        return sum(n for _, n in self.settled)

    @property
    def by_ties(self) -> bool:
        """Whether rational arithmetic had to settle some of it."""
        return dict(self.settled).get(How.EXACT.name, 0) > 0

    @property
    def by_word(self) -> bool:
        """Whether some of it rests on the word of a solver with tolerances."""
        return dict(self.settled).get(How.WORD.name, 0) > 0

    @classmethod
    def at_roots(cls, cases: int, polyhedra: int, how: How) -> Tiling:
        """Evidence about polyhedra that are settled on whole boxes, without a split."""
        return cls(cases, polyhedra, 0, 0, ((how.name, polyhedra),) if polyhedra else ())

    @classmethod
    def total(cls, polyhedra: Sequence[int], found: Mapping[int, Tiling]) -> Tiling | None:
        """Add up the evidence about all cases of a property; None if it is missing for one of them.

        A case without a polyhedron says that nothing is unsafe, and needs no evidence.

        polyhedra: how many unsafe polyhedra each case has.
        found: the evidence about a case, by its number.

        Raises Lost if evidence is about another case.
        """
        asked = [case for case, count in enumerate(polyhedra) if count]
        if any(case not in found for case in asked):
            return None
        if any(found[case].cases != 1 or found[case].polyhedra != polyhedra[case] for case in asked):
            raise Lost("evidence about another case")
        return cls.added(found[case] for case in asked)

    @classmethod
    def added(cls, some: Iterable[Tiling]) -> Tiling:
        """Add up evidence about different cases."""
        counts = [0, 0, 0, 0]
        settled = dict.fromkeys(How.__members__, 0)
        for e in some:
            counts = [a + b for a, b in zip(counts, (e.cases, e.polyhedra, e.joined, e.splits), strict=True)]
            for how, n in e.settled:
                settled[how] += n
        cases, polyhedra, joined, splits = counts
        return cls(cases, polyhedra, joined, splits, tuple((how, n) for how, n in settled.items() if n))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Tiling:
        """Read what `asdict` and JSON made of a tiling, and check its numbers again."""
        return cls(**{**plain, "settled": tuple((how, n) for how, n in plain["settled"])})


Evidence = Coverage | PositionCoverage | Tiling
