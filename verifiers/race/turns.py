"""The race's second part: backends as child processes, some at a time, which take turns.

Comes after `in_process.py`; `race.py` starts it.  Each child is an `Entrant` (`entrant.py`), and the judge
(`judge.py`) says what its answer is worth.  A paused entrant keeps its memory and goes on later.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

from ...common.interrupts import interrupts_held
from ...common.processes.supervised import close, wait_for
from ...common.processes.tree import snapshot
from ...models.claims.word_claim import WordClaim
from ..attempts import Attempt, Outcome
from .backend import Backend, Budget
from .entrant import Entrant
from .in_process import USELESS, Progress
from .judge import Judge

TICK_SECONDS = 0.05  # between looks at the memory of the entrants, and at which of them are alive
FIRST_TURN = 2.0  # seconds of an entrant's first turn; each later one is twice as long


@dataclass
class Race:
    """The backends that run as child processes, `budget.workers` at a time.

    waiting: those that have not started, with their versions.
    deadline: when the race is over, on the monotonic clock.
    running, paused: those that have started; a paused one has had a turn and waits for the next.
    looked: when memory was last measured.
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
        threads = max(
            1, width // len(self.waiting)
        )  # several for each, if there are more workers than entrants
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
        """Start waiting entrants, then resume paused ones, until `width` of them run."""
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
        """Wait until an entrant writes, at most one tick."""
        seconds = min(TICK_SECONDS, max(0.0, self.deadline - time.monotonic()))
        wait_for((e.child for e in self.running), seconds)

    def _look(self) -> None:
        """Read what the entrants have written; measure their memory once a tick."""
        everyone = [*self.running, *self.paused]
        for entrant in everyone:
            entrant.read()
        if time.monotonic() - self.looked >= TICK_SECONDS or any(e.child.silent for e in everyone):
            self.looked = time.monotonic()
            table = snapshot()
            for entrant in everyone:
                entrant.look(table, self.budget.memory_mb)

    def _judge(self) -> None:
        """Judge the entrants that have finished, and cancel those that can no longer help."""
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
        """Pause the entrants whose turn is over, so that others can run.

        The first of them goes on if there is more than one place.
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
        """End entrants with this outcome, except those whose answer has arrived."""
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
