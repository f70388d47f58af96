"""What a child process may take, and how it ended.  Data only; `supervised.py` and `forked.py` enforce it."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from typing import Literal

How = Literal["exited", "killed", "timeout", "memory", "interrupted"]


@dataclass(frozen=True)
class Limits:
    """When the work has to be over, in seconds of `time.monotonic`, and how many megabytes it may hold."""

    end: float = math.inf
    memory_mb: float = math.inf


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    "exited": by itself, with status `number`.  "killed": by signal `number`, which somebody else sent.
    "interrupted": whoever waits for it was interrupted, by signal `number` (0: not by a signal).
    "timeout", "memory": it was over a limit.
    """

    how: How
    number: int = 0

    def __str__(self) -> str:
        if self.how == "exited":
            return f"ended with status {self.number}"
        if self.how == "killed":
            known = self.number in set(signal.Signals)
            return f"killed by {signal.Signals(self.number).name if known else f'signal {self.number}'}"
        return {"timeout": "over the time limit", "memory": "over the memory limit"}.get(self.how, self.how)
