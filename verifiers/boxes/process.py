"""`relucid verify` as seen from outside: one supervised child process, its time and its memory.

The parent imports nothing heavy, so a trivial instance costs one start of numpy.  Whatever the child does (a
file of gigabytes, a solver that hangs), the limits are kept.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.processes.limits import Ended, Limits
from ...common.processes.supervised import Module, Supervised, supervised
from ..verdict import BoxDetails, Verdict
from . import verdicts

GRACE_SECONDS = 0.5  # after the limit: a child that knows its deadline says how far it came
WORKER = f"{__package__}.worker"


class Crashed(Exception):
    """The child died without an answer: an internal error."""


def verify_files(
    network: str | Path,
    stated: str | Path,
    *,
    timeout: float = 60.0,
    memory_mb: int = 4096,
    seed: int = 0,
    threads: int | None = None,
    proof: Path | None = None,
    proof_format: str = "relucid",
    progress: Callable[[str], None] | None = None,
    against: str | Path | None = None,
    epsilon: Fraction | None = None,
    same_label: bool = False,
    backend: str = "race",
    trust: str | None = "exact",
) -> Verdict:
    """Decide the property of a VNN-LIB file for an ONNX file, in a child process within limits.

    `proof`: where one is written, in the format "relucid" or "aptp".  `trust`:  "float" takes a solver's
    word, "checked" wants a proof that the checker accepts, None has one made and checked where that is
    affordable.  Raises InputError, Crashed, and Contradiction where the checker rejects what was proved.
    """
    started = time.monotonic()
    job = {
        "network": str(network),
        "property": str(stated),
        "deadline": started + timeout,
        "seed": seed,
        "threads": threads or os.cpu_count() or 1,
        "proof": None if proof is None else str(proof),
        "format": proof_format,
        "progress": progress is not None,
        "against": None if against is None else str(against),
        "epsilon": None if epsilon is None else str(epsilon),
        "same_label": same_label,
        "backend": backend,
        "trust": trust,
    }
    decided: dict[str, Any] | None = None  # a verdict that stands, whatever becomes of its proof
    found: dict[str, Any] | None = None
    limits = Limits(started + timeout + GRACE_SECONDS, memory_mb)
    threads_of_libraries = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with supervised(Module(WORKER), json.dumps(job).encode(), threads_of_libraries) as child:
        for line in child.messages(limits):
            message = json.loads(line)
            if "progress" in message:
                if progress is not None:
                    progress(message["progress"])
            elif "decided" in message:
                decided = message["decided"]
            elif "contradiction" in message:
                from ..verdict import Contradiction

                raise Contradiction(*message["contradiction"])
            elif "input_error" in message:
                raise InputError(*message["input_error"])
            else:
                found = message["answer"]
                break
    peak_mb = round(child.peak_mb, 1)
    seconds = time.monotonic() - started
    if found is None:
        reason = _why(child, memory_mb)
        if decided is None:
            details = BoxDetails(timeout=child.ended == Ended("timeout"), peak_mb=peak_mb)
            return verdicts.unknown(reason, seconds, details=details)
        found = {**decided, "certificate": f"not checked: {reason}"}
    return verdicts.from_plain({**found, "seconds": seconds, "peak_mb": peak_mb})


def _why(child: Supervised, memory_mb: int) -> str:
    """Return why there is no answer: which limit was reached.  Raises Crashed where none was."""
    assert child.ended is not None
    if child.ended.how == "timeout":
        return "the time limit was reached"
    if child.ended.how == "memory":
        return f"it needs more memory than the limit of {memory_mb} MB"
    said = child.last_line.strip()[:400]
    raise Crashed(said or f"the child process {child.ended} without an answer")
