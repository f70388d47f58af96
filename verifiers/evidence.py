"""What shows that network and program agree: settled inputs, counted exactly, and the sum that says that they are all.

An engine hands in `Settled` objects, one for whatever settled something: leaves of a search, an exhausted table, a solver's "infeasible".
`Coverage` adds them up against the claim, outside the engine; only a complete one exists, and a `Proved` is built from one.  So no
empty queue, exception, cancelled thread or lapsed deadline can pass for a proof: it leaves nothing to add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..common.text import number
from ..models.claims.claim import Claim


class Uncovered(Exception):
    """The evidence does not account for every input of the domain exactly once; one line that says where."""


@dataclass(frozen=True)
class Settled:
    """On `inputs` inputs whose right label is `label`, none of these rivals wins; `by`: what showed it.

    `label`: a label's index, None: of whatever label.  `rivals`: places in `Decision.rivals(label)`, None: all of them.
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
    """Complete evidence: every rival of every label is excluded on as many inputs as the label has, no more and no fewer.

    Raises Uncovered where it is not complete.
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
                _of_label(label, share, [s for s in self.settled if s.label == label])

    @property
    def inputs(self) -> int:
        """The size of the domain."""
        return sum(share.inputs for share in self.shares)

    @classmethod
    def of(cls, claim: Claim, settled: Iterable[Settled]) -> Coverage:
        """Add an engine's evidence up.  Raises Uncovered where an input or a rival is missing, or counted twice."""
        counts = claim.language.count_by_label(len(claim.decision.labels))
        shares = tuple(Share(n, claim.decision.rival_count(label)) for label, n in enumerate(counts))
        return cls(shares, tuple(settled))


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


def _of_label(label: int, share: Share, settled: Sequence[Settled]) -> None:
    """Raises Uncovered unless each rival is excluded on all of the label's inputs."""
    all_rivals = sum(s.inputs for s in settled if s.rivals is None)
    counts = [all_rivals] * share.rivals
    for s in settled:
        for rival in s.rivals or ():
            counts[rival] += s.inputs
    for rival, count in enumerate(counts):
        if count != share.inputs:
            raise Uncovered(
                f"its evidence against rival {rival + 1} of label {label} accounts for {number(count)} of {number(share.inputs)} inputs"
            )
