"""One entrant of the race: a backend in a supervised child process.

`turns.py` starts entrants and gives them turns.  This module turns whatever the child does (answer, die,
hang, eat memory, write nonsense) into one `Attempt`.  Nothing that comes back is unpickled or believed: it is
JSON, limited in length and checked field by field, and its words are replayed later.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...common.processes.supervised import Module, Supervised
from ...common.processes.tree import ProcessInfo, how_ended
from ...models.claims.word_claim import WordClaim
from ..attempts import TRUST_ORDER, Attempt, Outcome, Sizes, Trust
from ..evidence import Settled
from .backend import Backend, Budget
from .worker import EntrantTask

ANSWER_LIMIT = 4 << 20  # bytes that a child's answer may have
SAYABLE: tuple[Outcome, ...] = ("proved", "refuted", "unknown", "timeout", "memory", "unsupported", "crashed")


class Entrant:
    """A backend at work in a child.

    `attempt` is None until it is finished; the race then ends the child (`supervised.close`).
    """

    def __init__(
        self,
        backend: Backend,
        version: str,
        claim: WordClaim,
        budget: Budget,
        progress: Callable[[str], None],
    ) -> None:
        """Start the child.  `progress` is told what it says of itself.  Raises OSError where that fails."""
        self.backend, self.version = backend, version
        self.attempt: Attempt | None = None
        self._progress = progress
        task = EntrantTask(backend, claim, budget, time.monotonic() + budget.seconds)
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, budget.workers)))
        environment = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": str(budget.seed % 2**32)}
        self.child = Supervised(Module(EntrantTask.__module__), pickle.dumps(task), environment)

    def read(self) -> None:
        """Take what has arrived, without waiting."""
        if self.attempt is not None:
            return
        for line in self.child.read():
            if self.attempt is None:
                self._line(line)
        if self.attempt is None and self.child.unfinished_bytes > ANSWER_LIMIT:
            self.finish("crashed", f"wrote more than {ANSWER_LIMIT >> 20} MB as its answer")

    def look(self, table: Mapping[int, ProcessInfo], memory_mb: int) -> None:
        """Finish the attempt if the child holds too much memory, or has died without an answer."""
        self.child.look(table)
        if self.attempt is None and self.child.resident_mb > memory_mb:
            self.finish("memory", f"{self.child.resident_mb:.0f} MB, over the limit of {memory_mb} MB")
        if self.attempt is None and (ended := how_ended(self.child.process.pid)) is not None:
            self.read()  # its last words
            if self.attempt is None:
                without = " without an answer" if ended.how == "exited" else ""
                self.finish("crashed", f"{ended}{without}")

    def finish(self, outcome: Outcome, detail: str = "", version: str = "", **found: Any) -> None:
        """End the attempt with an outcome, and with what else of an `Attempt` was `found`."""
        self.child.see_high_water()
        said = one_line(self.child.last_line, 200)
        if outcome == "crashed" and said and said not in detail:
            detail = f"{detail}: {said}" if detail else said
        self.attempt = Attempt(
            self.backend.name,
            outcome,
            one_line(version, 60) or self.version,
            seconds=round(self.child.seconds, 3),
            peak_mb=round(self.child.peak_mb, 1) if self.child.peak_mb else None,
            detail=one_line(detail, 400),
            spans=self.child.spans,
            **found,
        )

    def _line(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("not an object")
            if "progress" in message:
                self._progress(f"{self.backend.name}: {one_line(str(message['progress']), 200)}")
                return
            outcome, found = message["outcome"], _found(message)
            if outcome not in SAYABLE:
                raise ValueError(f"outcome {outcome!r}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.finish("crashed", f"wrote nonsense as its answer ({type(error).__name__}: {error})")
            return
        if outcome == "refuted" and not found["words"]:
            self.finish("crashed", "said refuted without an input that shows it")
            return
        self.finish(outcome, str(message.get("detail") or ""), str(message.get("version") or ""), **found)


def _found(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer says, as fields of an `Attempt`.

    Raises ValueError, KeyError or TypeError if it is none.
    """
    trust: Trust | None = message.get("trust")
    if trust not in (None, *TRUST_ORDER):
        raise ValueError(f"trust {trust!r}")
    words = tuple(tuple(word) for word in message.get("words", ()))
    if any(type(s) is not int for word in words for s in word):
        raise ValueError("words are not lists of integers")
    sizes = None if message.get("sizes") is None else Sizes(**message["sizes"])
    if sizes is not None and any(type(n) is not int or n < 0 for n in vars(sizes).values()):
        raise ValueError("sizes are not numbers")
    inputs = message.get("proved_inputs")
    return {
        "trust": trust,
        "words": words,
        "proved_inputs": None if inputs is None else int(inputs, 16),
        "sizes": sizes,
        "evidence": tuple(map(_settled, message.get("evidence") or ())),
    }


def _settled(entry: Sequence[Any]) -> Settled:
    """Return one entry of a child's evidence; `evidence.py` checks its numbers.

    Raises ValueError or TypeError.
    """
    label, rivals, inputs, by = entry
    return Settled(label, None if rivals is None else tuple(rivals), int(inputs, 16), one_line(str(by), 60))


def one_line(text: str, limit: int) -> str:
    """Return the text as one line without control characters, cut to size."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
