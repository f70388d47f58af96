"""The child process of the race: runs one backend on one claim and writes its answer as JSON lines.

`entrant.py` starts it in its own session.  The task comes pickled on stdin (from the parent, which is trusted); the answer
goes back on a pipe of its own as lines of JSON, because the parent must not have to trust this process.  Whatever a
solver prints goes elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from ...common.errors import Unsupported
from ...common.lifeline import follow_parent
from ...models.claims.word_claim import WordClaim
from ..verdict import Attempt
from .backend import Backend, Budget

PR_SET_CHILD_SUBREAPER = 36  # Linux, <sys/prctl.h>
LINGER_SECONDS = 10.0
LAST_WORDS = 0.05  # of the time until the race's limit, and LEAST to MOST seconds: for telling and keeping how far it came
LEAST_LAST_WORDS, MOST_LAST_WORDS = 0.15, 2.0
PROGRESS_SECONDS = 0.1  # at most one progress line per this


@dataclass(frozen=True)
class Task:
    """What a child is asked to do; from `deadline` on (time.monotonic, one clock for all processes) nobody listens any more."""

    backend: Backend
    claim: WordClaim
    budget: Budget
    deadline: float


def main(answer_fd: int, lifeline_fd: int) -> None:
    """Run the task on stdin; exits with 0 when an answer was written, whatever it was."""
    follow_parent(lifeline_fd)
    _be_a_good_child()
    answers = _Answers(answer_fd)
    task = pickle.load(sys.stdin.buffer)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if not isinstance(task, Task):
        raise TypeError(f"the task is a {type(task).__name__}")
    answers.send(_answer(task, answers.progress))
    # stay until the parent ends us, so that it still finds what we started below us
    select.select([lifeline_fd], [], [], LINGER_SECONDS)
    # not through interpreter shutdown: a solver's threads must not keep an answered entrant alive
    os._exit(0)


def _answer(task: Task, progress: Callable[[str], None]) -> dict[str, object]:
    left = task.deadline - time.monotonic()
    left -= min(
        max(LEAST_LAST_WORDS, LAST_WORDS * left), MOST_LAST_WORDS
    )  # an engine that knows its time can say how far it came
    try:
        attempt = task.backend.solve(
            task.claim, replace(task.budget, seconds=min(task.budget.seconds, max(left, 0.05))), progress
        )
    except Unsupported as error:
        return {"outcome": "unsupported", "detail": str(error)}
    except MemoryError:
        return {"outcome": "memory", "detail": "ran out of memory"}
    except Exception as error:
        traceback.print_exc()
        return {"outcome": "crashed", "detail": f"{type(error).__name__}: {error}"}
    if not isinstance(attempt, Attempt):
        return {"outcome": "crashed", "detail": f"returned a {type(attempt).__name__} instead of an attempt"}
    return {
        "outcome": attempt.outcome,
        "version": attempt.version,
        "trust": attempt.trust,
        "detail": attempt.detail,
        "words": [[int(s) for s in word] for word in attempt.words],
        "proved_inputs": None if attempt.proved_inputs is None else hex(attempt.proved_inputs),
        "evidence": [[s.label, s.rivals, hex(s.inputs), s.by] for s in attempt.evidence],
        "sizes": None if attempt.sizes is None else asdict(attempt.sizes),
    }


@dataclass
class _Answers:
    """The way back: one JSON object per line; solvers may report progress from any thread."""

    fd: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: float = 0.0

    def progress(self, text: str) -> None:
        if time.monotonic() - self.last >= PROGRESS_SECONDS:
            self.last = time.monotonic()
            self.send({"progress": str(text)[:500]})

    def send(self, message: dict[str, object]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self.lock:
            while data:
                data = data[os.write(self.fd, data) :]


def _be_a_good_child() -> None:
    with contextlib.suppress(OSError, ImportError):  # a crash leaves no core file
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with (
        contextlib.suppress(OSError),
        open("/proc/self/oom_score_adj", "w") as file,
    ):  # if memory runs out: us, not the parent
        file.write("1000")
    with contextlib.suppress(
        OSError, AttributeError
    ):  # orphans of ours stay below us, where `processes.Tree` finds them
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
