"""The child's side of a race's entrant: runs one backend on one claim and sends its answer as a message.

`entrant.py` starts it as a supervised child.  The task comes pickled, from the parent, which is trusted.  The
answer goes back as JSON, because the parent must not have to trust this process.
"""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import IO

from ...common.errors import Unsupported
from ...common.processes.inside import Parent
from ...models.claims.word_claim import WordClaim
from ..attempts import Attempt
from .backend import Backend, Budget

# The share of the time until the race's limit, from LEAST to MOST seconds, for keeping and telling how far it
# came.
LAST_WORDS = 0.05
LEAST_LAST_WORDS, MOST_LAST_WORDS = 0.15, 2.0


@dataclass(frozen=True)
class EntrantTask:
    """What an entrant is asked to do.  From `deadline` on (`time.monotonic`) nobody listens any more."""

    backend: Backend
    claim: WordClaim
    budget: Budget
    deadline: float


def main(request: IO[bytes], parent: Parent) -> None:
    """Run the pickled task and send its answer."""
    task = pickle.load(request)
    if not isinstance(task, EntrantTask):
        raise TypeError(f"the task is a {type(task).__name__}")
    parent.send(_answer(task, parent.progress))


def _answer(task: EntrantTask, progress: Callable[[str], None]) -> dict[str, object]:
    left = task.deadline - time.monotonic()
    # an engine that knows its time can say how far it came
    left -= min(max(LEAST_LAST_WORDS, LAST_WORDS * left), MOST_LAST_WORDS)
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
