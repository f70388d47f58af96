"""The verdicts about a claim: proved, refuted or unknown.

These types come last in the flow: the race and the box deciders build them, and everything that reports reads
them.  There are three verdicts, for claims about words and about boxes alike.  They list what every backend
did (`attempts.py`); a `Refuted` has counterexamples (`counterexamples.py`), and a `Proved` can only be built
from complete evidence (`evidence.py`).  A verdict is never a bool: `if prove(...)` raises, so that Unknown
cannot pass for Refuted.  Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal, NoReturn

from ..common.displayed import Displayed
from ..common.text import number
from .attempts import Attempt, Trust
from .counterexamples import PointCounterexample, WordCounterexample
from .evidence import Coverage, Evidence, PositionCoverage, Tiling


@dataclass(frozen=True)
class Difference:
    """How far the outputs of two networks are apart on the boxes.

    bound: they are nowhere farther apart, proved.
    seen: they are exactly so far apart somewhere.
    """

    bound: float
    seen: Fraction


@dataclass(frozen=True)
class BoxDetails:
    """What only a verdict about boxes has.

    timeout: it is unknown because the time ran out, for which VNN-COMP has a word of its own.
    peak_mb: memory of the child process that decided; None if it ran in-process.
    difference: how far two networks are apart, if that was asked.
    point: an input that is worth showing though it refutes nothing: onnxruntime does not confirm it, or the
        difference was seen there.
    """

    timeout: bool = False
    peak_mb: float | None = None
    difference: Difference | None = None
    point: PointCounterexample | None = None


@dataclass(frozen=True, repr=False)
class _Verdict(Displayed):
    """What every verdict has.

    backend: who decided; None if nobody did.
    seconds: wall time.
    domain_size: how many inputs there are; None for boxes, and if time was over before they were counted.
    attempts: what every backend did.
    warnings: what the reader should know about the claim.
    boxes: the details of a verdict about boxes; None for words.
    """

    backend: str | None
    seconds: float
    domain_size: int | None
    attempts: tuple[Attempt, ...]
    warnings: tuple[str, ...]
    boxes: BoxDetails | None = field(default=None, kw_only=True)
    outcome: ClassVar[Literal["proved", "refuted", "unknown"]]

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a bool: match on Proved, Refuted and Unknown")

    def with_(self, **changes: object) -> Any:
        """Return a copy with these fields changed; those of `BoxDetails` may be named too."""
        details = {key: changes.pop(key) for key in list(changes) if key in BoxDetails.__dataclass_fields__}
        if details:
            changes["boxes"] = replace(self.boxes or BoxDetails(), **details)  # type: ignore[arg-type]
        return replace(self, **changes)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        """Return several lines: the verdict, what to be careful about, and who ran."""
        warnings = [f"warning: {w}" for w in self.warnings]
        return "\n".join([*self._lines(), *warnings, *(f"  {a}" for a in self.attempts)])

    def _lines(self) -> list[str]:
        return [repr(self)]


@dataclass(frozen=True, repr=False)
class Proved(_Verdict):
    """The claim holds on every input, as far as `trust` goes.

    evidence: what settled every input; without it there is no `Proved`.
    exact_in_float32: float32 arithmetic gives the same labels, in any order of summation (words only).
    proof: the file with the checked proof, if one was asked for.
    certificate: what there is to say about the proof, or why there is none.
    certifiable: an engine of relucid decided, so that a proof can be made and put to the checker.

    Raises ValueError if the evidence does not cover all inputs, or carries less trust than the verdict
    claims.
    """

    trust: Trust
    exact_in_float32: bool
    evidence: Evidence
    proof: str | None = None
    certificate: str = ""
    certifiable: bool = False
    outcome = "proved"

    def __post_init__(self) -> None:
        kinds = (Coverage, PositionCoverage, Tiling)
        if type(self.evidence) not in kinds or self.evidence.inputs != self.domain_size:
            raise ValueError(f"the evidence does not cover all {self.domain_size} inputs")
        if isinstance(self.evidence, Tiling) != (self.boxes is not None):
            raise ValueError("the evidence is about another kind of inputs")
        if isinstance(self.evidence, Tiling) and self.evidence.by_word and self.trust == "exact":
            raise ValueError("the evidence rests on the word of a solver with tolerances")

    def __repr__(self) -> str:
        how = f"{self.backend}, {self.seconds:.2f} s, trust: {self.trust}"
        if self.boxes is not None:
            apart = self.boxes.difference
            what = "the claim holds" if apart is None else f"outputs differ by at most {apart.bound:.6g}"
            return f"Proved: {what} on the whole box ({how})"
        float32 = (
            "float32 arithmetic gives the same"
            if self.exact_in_float32
            else "of exact arithmetic: float32 may round differently"
        )
        size = number(self.domain_size or 0)
        where = "at every position of" if isinstance(self.evidence, PositionCoverage) else "on"
        return f"Proved: network and program agree {where} all {size} inputs ({how}; {float32})"


@dataclass(frozen=True, repr=False)
class Refuted(_Verdict):
    """The claim is false; the first counterexample is the plainest that was found.

    counterexamples: at least one, each a `WordCounterexample`, or for boxes each a `PointCounterexample`.
    disagreeing: on exactly how many inputs it is false, if that was asked for and ended in time (words only).
    proof: the file with the witness, if one was asked for.
    """

    counterexamples: tuple[Any, ...]
    disagreeing: int | None = None
    proof: str | None = None
    outcome = "refuted"

    def __post_init__(self) -> None:
        kind = WordCounterexample if self.boxes is None else PointCounterexample
        if not self.counterexamples or not all(isinstance(c, kind) for c in self.counterexamples):
            raise ValueError("a refutation needs a counterexample")

    @property
    def counterexample(self) -> Any:
        """The first of them."""
        return self.counterexamples[0]

    def __repr__(self) -> str:
        more = len(self.counterexamples) - 1
        first = f"{self.counterexample}{f' and {more} more' if more else ''}"
        return f"Refuted: {self._what()} {'on' if self.boxes is None else 'at'} {first} ({self._how()})"

    def _what(self) -> str:
        return "network and program differ" if self.boxes is None else "the claim is false"

    def _how(self) -> str:
        size = "" if self.domain_size is None else f", {number(self.domain_size)} inputs in the domain"
        return f"{self.backend}, {self.seconds:.2f} s{size}"

    def _lines(self) -> list[str]:
        return [f"Refuted: {self._what()} ({self._how()})", *(f"  on {c}" for c in self.counterexamples)]


@dataclass(frozen=True, repr=False)
class Unknown(_Verdict):
    """Nobody answered within the limits, at the trust that was asked for.

    reason: one line that says why, and what to change.
    proved_inputs: on how many inputs an engine has shown that the claim holds (exact); None: it did not say.
    """

    reason: str
    proved_inputs: int | None = None
    outcome = "unknown"

    def __repr__(self) -> str:
        inputs = "" if self.domain_size is None else f", {number(self.domain_size)} inputs in the domain"
        return f"Unknown ({self.seconds:.2f} s{inputs}): {self.reason}"


Verdict = Proved | Refuted | Unknown


class Contradiction(Exception):
    """Backends contradict each other, or a proof and a replayed input do.

    That is a bug in relucid or in a solver, and never an answer.

    artefacts: the folder in which both sides' files were saved.
    """

    def __init__(self, message: str, artefacts: str = "") -> None:
        super().__init__(message)
        self.artefacts = artefacts

    def __str__(self) -> str:
        return super().__str__() + (f"; artefacts are in {self.artefacts}" if self.artefacts else "")
