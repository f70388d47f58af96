"""`relucid.prove`: the Python way from a claim to a verdict.

States the claim if it is not stated yet (`models/claims/at_hand.py`), brings it into the form that engines
take, and hands it to the race; or to `verify.py` where it is about boxes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..common.deadline import OutOfTime, until
from ..common.errors import InputError
from ..models.apart import check_apart, claim_files
from ..models.claims.at_hand import LOAD_IT, DomainLike, NetworkLike, ProgramLike, make_claim
from ..models.claims.claim import Claim
from ..models.claims.decision import Decision, Label
from ..models.claims.position_claims import PositionClaims
from ..models.claims.reduce import reduced
from ..models.claims.word_claim import WordClaim
from ..models.claims.words import Words
from .race.backend import Budget
from .race.in_process import Progress
from .race.positions import prove_positions
from .race.race import prove_claim
from .race.request import ProofRequest, asked
from .verdict import Unknown, Verdict
from .verify import verify_claim


def prove(
    claim: Claim | WordClaim | NetworkLike,
    program: ProgramLike | None = None,
    domain: DomainLike | None = None,
    *,
    labels: Sequence[Label] | Decision | None = None,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Decide a claim: is it true of every input?

        relucid.prove("net.onnx", close_quote, {"tokens": ["'", '"', "a"], "length": 8}, labels=["'", '"'])
        relucid.prove(relucid.load_claim("claim.toml"), budget=relucid.Budget(seconds=600))

    Arguments:
        claim: a `Claim` from `relucid.load_claim` or `relucid.make_claim`, or the `claim` of what
            `relucid.distill` returns; then nothing is said about program, domain and labels.  Or a network,
            as `make_claim` takes it: is it equal to `program` on every word of `domain`?
        program, domain, labels: as `make_claim` takes them.
        budget: seconds for all of it, reading included, megabytes for each solver, how many solvers run side
            by side, and the seed.  None: 60 seconds and one solver for each core.
        request: how far a proof must be trusted, who may decide, and where the proof is written.
        progress: called with a line of text now and then.

    Returns `Proved`, `Refuted` with counterexamples that were replayed exactly, or `Unknown` with the reason.
    Raises InputError for what cannot be read or does not fit, and Contradiction where two backends disagree:
    a bug.
    """
    budget, request = asked(budget, request)
    if isinstance(claim, str | os.PathLike):
        check_apart([("path", request.place)], [Path(claim)])
    started = time.monotonic()
    try:
        with until(started + budget.seconds):
            stated = _stated(claim, program, domain, labels)
            if isinstance(stated, Claim) and stated.origin is not None and request.place is not None:
                check_apart([("path", request.place)], claim_files(stated.origin))
            if isinstance(stated, Claim) and not isinstance(stated.input_set, Words):
                left = replace(budget, seconds=max(0.01, started + budget.seconds - time.monotonic()))
                return verify_claim(stated, left, request, progress)
            words = reduced(stated) if isinstance(stated, Claim) else stated
            return decide(words, budget, request, progress)
    except OutOfTime:
        limit = f"the limit of {budget.seconds:g} s was reached while the claim was prepared"
        reason = f"time: {limit}; give a larger budget"
        return Unknown(None, time.monotonic() - started, None, (), (), reason)


def decide(
    claim: WordClaim | PositionClaims,
    budget: Budget,
    request: ProofRequest,
    progress: Progress | None = None,
) -> Verdict:
    """Decide a claim about words, in one label or in one for each position; see `prove`."""
    if isinstance(claim, PositionClaims):
        return prove_positions(claim, budget=budget, request=request, progress=progress)
    return prove_claim(claim, budget=budget, request=request, progress=progress)


def _stated(
    claim: Claim | WordClaim | NetworkLike,
    program: ProgramLike | None,
    domain: DomainLike | None,
    labels: Sequence[Label] | Decision | None,
) -> Claim | WordClaim:
    """The claim that the arguments of `prove` state.  Raises InputError."""
    if isinstance(claim, Claim | WordClaim):
        if program is not None or domain is not None or labels is not None:
            raise InputError("prove", "the claim says program, domain and labels itself", "leave them out")
        return claim
    if program is None and domain is None and labels is None:
        raise InputError("prove", "a network alone is no claim", f"add program and domain; {LOAD_IT}")
    if domain is None:
        raise InputError("domain", "is missing", 'for example {"tokens": ["a", "b"], "length": 8}')
    return make_claim(claim, program, domain, labels=labels)
