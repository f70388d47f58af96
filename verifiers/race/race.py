"""The race: every backend that fits the claim runs at once, and the first answer that can be trusted wins.

`prove_claim` is what the Python API and the command line call.  Capabilities are matched first, and
`policy.py` orders the backends that fit.  Cheap ones run in this process (`in_process.py`), then the others
as child processes (`entrant.py`), `budget.workers` at a time and in turns: a paused entrant keeps its memory
and goes on later.  `judge.py` decides what their answers are worth, `conclude.py` makes the verdict.
docs/theory/the-race.md is the user's view of all this.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...common.deadline import ends, unlimited
from ...common.interrupts import interrupts_held
from ...common.processes.supervised import close, wait_for
from ...common.processes.tree import snapshot
from ...common.text import number
from ...models.claims.word_claim import WordClaim
from ..engines.bab.checkpoint import check_checkpoint
from ..proof.certify import certified, check_place, checked_where_affordable, chosen_form
from ..proof.words.subject import WordSubject
from ..verdict import Attempt, Contradiction, Outcome, Proved, Refuted, Verdict
from .artefacts import save_artefacts
from .backend import Backend, Budget
from .choose import choose
from .conclude import conclude, vacuity
from .count import count_disagreeing
from .entrant import Entrant, one_line
from .in_process import USELESS, Progress, run_here, working_checkpoint
from .judge import Judge
from .policy import plan
from .replay import WordReplayer
from .request import ProofRequest, check_limits
from .spot_check import spot_check, spot_check_in_onnxruntime

TICK_SECONDS = 0.05  # how often memory and life of the entrants are looked at
# seconds, where more fit than may run at once; each later turn of an entrant is twice as long
FIRST_TURN = 2.0
LEAST_FOR_PROOF = 2.0  # seconds


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
    complete = error.artefacts and (Path(error.artefacts) / "attempts.json").exists()
    return (
        error
        if complete
        else Contradiction(message, save_artefacts(claim, attempts, message, error.artefacts))
    )


def _counted(
    claim: WordClaim, verdict: Refuted, budget: Budget, started: float, progress: Progress
) -> Refuted:
    """Return the verdict with the exact number of disagreeing inputs, or a warning that says how far the
    count came.
    """
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
    """Return the backends that fit the claim, with versions; the others become "unsupported" attempts."""
    fit = []
    for backend in backends:
        version = None
        try:
            version = backend.available()
            why = "not installed" if version is None else backend.unfit(claim)
        except Exception as error:
            judge.attempts.append(
                Attempt(
                    backend.name,
                    "crashed",
                    version or "",
                    detail=one_line(f"{type(error).__name__}: {error}", 400),
                )
            )
            continue
        if why is None:
            fit.append((backend, version or ""))
        else:
            judge.attempts.append(
                Attempt(backend.name, "unsupported", version or "", detail=one_line(why, 400))
            )
    return fit


@dataclass
class Race:
    """The part with child processes.

    `waiting` have not started; `paused` have had a turn and wait for the next.
    """

    claim: WordClaim
    waiting: deque[tuple[Backend, str]]
    budget: Budget
    deadline: float
    judge: Judge
    progress: Progress
    running: list[Entrant] = field(default_factory=list)
    paused: deque[Entrant] = field(default_factory=deque)
    looked: float = 0.0

    def run(self) -> None:
        """Run until the race is decided, out of time, or everybody has finished.

        However it ends, no child is left.
        """
        width = self.budget.workers
        # for each; more than one where there are fewer entrants than workers
        threads = max(1, width // len(self.waiting))
        try:
            while self.waiting or self.running or self.paused:
                self._fill(width, threads)
                self._wait()
                self._look()
                self._judge()
                if self.judge.decided:
                    return self._stop_all("cancelled", "another answer decided the race")
                if time.monotonic() >= self.deadline:
                    return self._stop_all("timeout", f"over the limit of {self.budget.seconds:g} s")
                self._take_turns()
        finally:
            close([e.child for e in self._everyone()])

    def _fill(self, width: int, threads: int) -> None:
        before = len(self.running)
        while len(self.running) < width and (self.waiting or self.paused):
            if not self.waiting:
                entrant = self.paused.popleft()
                entrant.child.resume(snapshot())
                self.running.append(entrant)
                continue
            backend, version = self.waiting.popleft()
            seconds = max(0.1, self.deadline - time.monotonic())
            budget = replace(self.budget, seconds=seconds, workers=threads)
            try:
                with interrupts_held():
                    self.running.append(Entrant(backend, version, self.claim, budget, self.progress))
            except Exception as error:  # it cannot be sent to a process, or no process can be had
                attempt = Attempt(
                    backend.name, "crashed", version, detail=f"cannot start: {type(error).__name__}: {error}"
                )
                self.judge.consider([(backend, attempt)])
        if len(self.running) != before:
            self.progress(f"racing: {', '.join(e.backend.name for e in self.running)}")

    def _wait(self) -> None:
        """Wait until somebody writes, at most a tick."""
        seconds = min(TICK_SECONDS, max(0.0, self.deadline - time.monotonic()))
        wait_for((e.child for e in self.running), seconds)

    def _look(self) -> None:
        everyone = [*self.running, *self.paused]
        for entrant in everyone:
            entrant.read()
        if time.monotonic() - self.looked >= TICK_SECONDS or any(e.child.silent for e in everyone):
            self.looked = time.monotonic()
            table = snapshot()
            for entrant in everyone:
                entrant.look(table, self.budget.memory_mb)

    def _judge(self) -> None:
        done = [e for e in self._everyone() if e.attempt is not None]
        if not done:
            return
        self._retire(done)
        useless = [e for e in self._everyone() if not self.judge.useful(e.backend)]
        if not self.judge.decided:
            self._stop(useless, "cancelled", USELESS)
            for backend, version in [w for w in self.waiting if not self.judge.useful(w[0])]:
                self.waiting.remove((backend, version))
                self.judge.attempts.append(Attempt(backend.name, "cancelled", version, detail=USELESS))

    def _take_turns(self) -> None:
        """Pause whoever has had its turn, to make place for the next; the leader stays, if others have a
        place too.
        """
        if not (self.waiting or self.paused):
            return
        table = snapshot()
        running = self.running if self.budget.workers == 1 else self.running[1:]
        for entrant in [e for e in running if e.child.turn_seconds >= FIRST_TURN * 2**e.child.turns]:
            entrant.child.pause(table)
            self.running.remove(entrant)
            self.paused.append(entrant)

    def _stop_all(self, outcome: Outcome, detail: str) -> None:
        self._stop(self._everyone(), outcome, detail)
        for backend, version in self.waiting:
            self.judge.attempts.append(
                Attempt(backend.name, outcome, version, detail=f"{detail}; it never got a turn")
            )
        self.waiting.clear()

    def _stop(self, entrants: list[Entrant], outcome: Outcome, detail: str) -> None:
        if not entrants:
            return
        for entrant in entrants:
            entrant.read()  # an answer that has arrived counts, even now: it may contradict the winner
            if entrant.attempt is None:
                entrant.finish(outcome, detail)
        self._retire(entrants)

    def _retire(self, entrants: list[Entrant]) -> None:
        """End and reap finished entrants, and have them judged together."""
        self.running = [e for e in self.running if e not in entrants]
        self.paused = deque(e for e in self.paused if e not in entrants)
        close([e.child for e in entrants])
        self.judge.consider((e.backend, e.attempt) for e in entrants if e.attempt is not None)

    def _everyone(self) -> list[Entrant]:
        return [*self.running, *self.paused]
