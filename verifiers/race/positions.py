"""Claims about every position: a race for each position, and one verdict about all of them.

`prove_positions` is what the Python API and the command line call for such claims, as they call `prove_claim`
for others.  It proves what holds at every position, and a counterexample at one of them refutes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace

from ...common.deadline import ends
from ...common.errors import InputError
from ...common.scratch import lasting
from ...models.claims.position_claims import PositionClaims
from ..attempts import TRUST_ORDER, Attempt
from ..evidence import Coverage, PositionCoverage
from ..proof.certify import OURS, certified, check_place, checked_where_affordable
from ..proof.words.positions_subject import PositionsSubject
from ..verdict import Contradiction, Proved, Refuted, Unknown, Verdict
from .backend import Budget
from .conclude import vacuity
from .count_positions import count_disagreeing
from .in_process import Progress
from .race import affordable, prove_claim
from .request import ProofRequest, check_limits


def prove_positions(
    claim: PositionClaims,
    *,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Decide a claim about every position, one position after the other.

    Args:
        claim: the claims at all positions.
        budget: its seconds are for all positions together; those that are left get equal shares.
        request: as for `prove_claim`.  `count` counts the inputs on which some position differs.
        progress: is told in a line what is going on.

    Returns Proved at the least trust of all positions, or with one proof that the checker accepted; Refuted
    at the first position with counterexamples; or Unknown.  Raises InputError for what such claims do not
    have, and Contradiction (with saved artefacts) for a bug.
    """
    budget, request = budget or Budget(workers=os.cpu_count() or 1), request or ProofRequest()
    check_limits(budget)
    _check_asked(budget, request)
    run = _Run(claim, budget, request, progress or (lambda text: None))
    try:
        return run.verdict()
    except Contradiction as error:
        if error.artefacts:
            raise
        folder = lasting("relucid-contradiction-")
        PositionsSubject(claim).save(folder)
        raise Contradiction(str(error.args[0]), str(folder)) from error


def _check_asked(budget: Budget, request: ProofRequest) -> None:
    """Raise InputError for what claims about every position do not have."""
    why = "is for claims about one label, and this one is about every position"
    if request.form != OURS:
        raise InputError("form", f"{request.form} {why}", "leave it out")
    if budget.checkpoint is not None:
        raise InputError("checkpoint", why, "leave it out")
    if request.place is not None:
        check_place(request.place)


@dataclass
class _Run:
    """The races that were run so far.

    shares: the evidence at each position that is proved.
    attempts: what every backend did, with the position.
    """

    claim: PositionClaims
    budget: Budget
    request: ProofRequest
    progress: Progress
    started: float = field(default_factory=time.monotonic)
    attempts: list[Attempt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return min(self.budget.seconds - self.seconds, ends() - time.monotonic())

    def verdict(self) -> Verdict:
        """Run a race for each position, until one refutes; then make the verdict about all."""
        self.warnings += vacuity(self.claim)
        found: dict[int, Verdict] = {}
        for i in self.claim.parts:
            verdict = self._at(i, len(self.claim.parts) - len(found))
            if isinstance(verdict, Refuted):
                return self._finished(self._refuted(i, verdict))
            found[i] = verdict
        unknown = {i: v for i, v in found.items() if isinstance(v, Unknown)}
        if unknown:
            i, first = next(iter(unknown.items()))
            more = f" (and at {len(unknown) - 1} more positions)" if len(unknown) > 1 else ""
            return Unknown(None, *self._common(), f"at position {i}{more}: {first.reason}")
        return self._finished(self._proved({i: v for i, v in found.items() if isinstance(v, Proved)}))

    def _at(self, i: int, open_positions: int) -> Verdict:
        """Run the race at a position, in its share of the time that is left."""
        begun, part = self.seconds, self.claim.parts[i]
        trust = "exact" if self.request.certify or self.request.trust is None else self.request.trust
        request = ProofRequest(trust, backends=self.request.backends)
        budget = replace(self.budget, seconds=max(0.01, self.left / open_positions))
        found = prove_claim(
            part,
            budget=budget,
            request=request,
            progress=lambda text: self.progress(f"position {i}: {text}"),
        )
        for attempt in found.attempts:
            detail = f"position {i}: {attempt.detail}" if attempt.detail else f"position {i}"
            spans = tuple((round(a + begun, 3), round(b + begun, 3)) for a, b in attempt.spans)
            self.attempts.append(attempt.with_(detail=detail, spans=spans, proved_inputs=None))
        said = vacuity(part)  # what is plain at one position need not be so at all
        self.warnings += [f"at position {i}: {text}" for text in found.warnings if text not in said]
        return found

    def _common(self) -> tuple[float, int, tuple[Attempt, ...], tuple[str, ...]]:
        return self.seconds, self.claim.domain_size, tuple(self.attempts), tuple(self.warnings)

    def _refuted(self, i: int, found: Refuted) -> Refuted:
        counterexamples = tuple(replace(c, position=i) for c in found.counterexamples)
        return Refuted(found.backend, *self._common(), counterexamples)

    def _proved(self, found: dict[int, Proved]) -> Proved:
        parts = tuple((i, v.evidence) for i, v in found.items() if isinstance(v.evidence, Coverage))
        every = found.values()
        return Proved(
            ", ".join(dict.fromkeys(str(v.backend) for v in every)),
            *self._common(),
            min((v.trust for v in every), key=TRUST_ORDER.index),
            all(v.exact_in_float32 for v in every),
            PositionCoverage(self.claim.words.by_length, parts),
            certifiable=all(v.certifiable for v in every),
        )

    def _finished(self, verdict: Proved | Refuted) -> Verdict:
        """Return the verdict with its certificate, and with the count if that is wanted."""
        subject, left, request = PositionsSubject(self.claim), self.left, self.request
        found: Verdict = verdict
        if request.certify:
            until = time.monotonic() + max(left, 1.0)
            found = certified(subject, verdict, request.place, until, self.progress)
        elif request.trust is None and isinstance(verdict, Proved) and _may_be_checked(verdict):
            until = time.monotonic() + affordable(verdict.seconds, left)
            found = checked_where_affordable(subject, verdict, until, self.progress)
        if request.count and isinstance(found, Refuted):
            self.progress("counting")
            count, why = count_disagreeing(self.claim, time.monotonic() + self.left)
            warnings = found.warnings if count is not None else (*found.warnings, why)
            found = replace(found, disagreeing=count, warnings=warnings, seconds=self.seconds)
        return found


def _may_be_checked(verdict: Proved) -> bool:
    return verdict.trust == "exact" and verdict.certifiable
