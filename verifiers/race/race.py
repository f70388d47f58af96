"""The race: every backend that fits the claim runs at once, and the first answer that can be trusted wins.

`prove_claim` is what the Python API and the command line call.  Capabilities are matched first, and
`policy.py` orders the backends that fit.  Cheap ones run in this process (`in_process.py`), then the others
as child processes in turns (`turns.py`).  `judge.py` decides what their answers are worth, `conclude.py`
makes the verdict.  docs/theory/the-race.md is the user's view of all this.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...common.deadline import ends, unlimited
from ...common.text import number
from ...models.claims.word_claim import WordClaim
from ..attempts import Attempt, Outcome
from ..engines.bab.checkpoint import check_checkpoint
from ..proof.certify import certified, check_place, checked_where_affordable, chosen_form
from ..proof.words.subject import WordSubject
from ..verdict import Contradiction, Proved, Refuted, Verdict
from .artefacts import save_artefacts
from .backend import Backend, Budget
from .choose import choose
from .conclude import conclude, vacuity
from .count import count_disagreeing
from .entrant import one_line
from .in_process import Progress, run_here, working_checkpoint
from .judge import Judge
from .policy import plan
from .replay import WordReplayer
from .request import ProofRequest, check_limits
from .spot_check import spot_check, spot_check_in_onnxruntime
from .turns import Race

LEAST_FOR_PROOF = 2.0  # seconds that a proof may take though nobody has asked for one


def prove_claim(
    claim: WordClaim,
    *,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
    registry: Iterable[Backend] | None = None,
) -> Verdict:
    """Decide a claim by a race of backends.

    Args:
        claim: network and program (or second network) on a domain of words.
        budget: its seconds are for the whole race, which also ends with the time limit around it
            (`common/deadline.py`); its megabytes are for each entrant; its workers say how many entrants run
            side by side.
        request: who may decide, the trust that is asked for, and what to keep of a proof.
        progress: is told in a line what is going on.
        registry: the backends there are; None: the registered ones.

    Returns Proved at the trust asked for or higher, Refuted with replayed counterexamples, or Unknown with
    the reason.  Raises InputError for names and limits that make no sense, Contradiction (with saved
    artefacts) for a bug.
    """
    started = time.monotonic()
    budget, request = budget or Budget(workers=os.cpu_count() or 1), request or ProofRequest()
    check_limits(budget)
    form = chosen_form(request.form, request.place)
    if request.place is not None:
        check_place(request.place)
    progress = progress or (lambda text: None)
    if budget.checkpoint is not None:
        check_checkpoint(Path(budget.checkpoint), claim)
    asked = "exact" if request.certify or request.trust is None else request.trust
    judge = Judge(claim, asked, WordReplayer(claim), budget.counterexamples)
    try:
        order = plan(claim, _matched(claim, choose(request.backends, registry), judge))
        deadline = min(started + budget.seconds, ends())
        with working_checkpoint(budget, order) as working:
            entrants = run_here(claim, order, working, deadline, judge, progress)
            if not judge.decided and entrants:
                Race(claim, deque(entrants), working, deadline, judge, progress).run()
        if judge.decided and budget.checkpoint is not None:
            Path(budget.checkpoint).unlink(missing_ok=True)
        with unlimited():  # short, and what is decided is not to be lost
            warnings = vacuity(claim)
            if judge.proof is not None and judge.refutation is None:
                judge.doubt(spot_check(claim, budget.seed))
                warnings += (
                    spot_check_in_onnxruntime(claim, judge.replay, budget.seed)
                    if judge.refutation is None
                    else ()
                )
            verdict = conclude(judge, budget, started, warnings)
        left = deadline - time.monotonic()
        if request.certify:
            until = time.monotonic() + max(left, 1.0)
            verdict = certified(WordSubject(claim), verdict, request.place, until, progress, form)
        elif request.trust is None and isinstance(verdict, Proved):
            verdict = reach_for_checked(claim, verdict, left, progress)
        if request.count and isinstance(verdict, Refuted):
            verdict = _counted(claim, verdict, budget, started, progress)
        return verdict
    except Contradiction as error:
        raise _saved(error, claim, judge.attempts) from error


def _saved(error: Contradiction, claim: WordClaim, attempts: Sequence[Attempt]) -> Contradiction:
    """Return the contradiction with its artefacts, which are saved unless they are there already."""
    message = str(error.args[0])
    if error.artefacts and (Path(error.artefacts) / "attempts.json").exists():
        return error
    return Contradiction(message, save_artefacts(claim, attempts, message, error.artefacts))


def _counted(
    claim: WordClaim, verdict: Refuted, budget: Budget, started: float, progress: Progress
) -> Refuted:
    """Return the verdict with the number of disagreeing inputs, or a warning if time was too short."""
    left = budget.seconds - (time.monotonic() - started)
    found = count_disagreeing(
        claim, replace(budget, seconds=max(left, 0.01)), lambda text: progress(f"counting: {text}")
    )
    seconds = time.monotonic() - started
    if found.exact:
        return replace(verdict, disagreeing=found.wrong, seconds=seconds)
    least = max(found.wrong, len(verdict.counterexamples))
    between = f"from {number(least)} to {number(claim.domain_size - found.right)}"
    warning = f"the disagreeing inputs were not all counted in time: there are {between}; raise --timeout"
    return replace(verdict, warnings=(*verdict.warnings, warning), seconds=seconds)


def reach_for_checked(
    claim: WordClaim, verdict: Proved, left: float, progress: Progress = lambda text: None
) -> Proved:
    """Raise a verdict to trust "checked" where that is affordable within the seconds left.

    One of our engines must have proved it, and the checker must accept the proof.  Raises Contradiction (with
    saved artefacts) where the checker rejects what the engine says.
    """
    if verdict.trust != "exact" or not verdict.certifiable:
        return verdict
    try:
        until = time.monotonic() + affordable(verdict.seconds, left)
        return checked_where_affordable(WordSubject(claim), verdict, until, progress)
    except Contradiction as error:
        raise _saved(error, claim, verdict.attempts) from error


def affordable(decided: float, left: float) -> float:
    """Return the seconds for a proof that nobody has asked for: as long as deciding took, and at least
    LEAST_FOR_PROOF.

    A tenth of the time that is left stays: what has been decided must be told before the limit.
    """
    return min(max(LEAST_FOR_PROOF, decided), 0.9 * left)


def _matched(claim: WordClaim, backends: Iterable[Backend], judge: Judge) -> list[tuple[Backend, str]]:
    """Return the backends that fit the claim, with versions; the others become attempts that say why not."""
    fit = []
    for backend in backends:
        version: str | None = None
        outcome: Outcome = "unsupported"
        try:
            version = backend.available()
            why = "not installed" if version is None else backend.unfit(claim)
        except Exception as error:
            outcome, why = "crashed", f"{type(error).__name__}: {error}"
        if why is None:
            fit.append((backend, version or ""))
        else:
            judge.attempts.append(Attempt(backend.name, outcome, version or "", detail=one_line(why, 400)))
    return fit
