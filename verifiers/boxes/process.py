"""`relucid verify` as seen from outside: one supervised child process, its time and its memory.

The parent imports nothing heavy, so a trivial instance costs one start of numpy.  Whatever the child does (a
file of gigabytes, a solver that hangs), the limits are kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ...common.errors import InputError
from ...common.processes.limits import Ended, Limits
from ...common.processes.supervised import Module, Supervised, supervised
from ...models.claims.box_paths import BoxFiles
from ..race.backend import Budget
from ..race.request import ProofRequest
from ..verdict import BoxDetails, Verdict
from . import verdicts

GRACE_SECONDS = 0.5  # after the limit: a child that knows its deadline says how far it came
WORKER = f"{__package__}.worker"


class Crashed(Exception):
    """The child died without an answer: an internal error."""


def decide_box_files(
    files: BoxFiles,
    budget: Budget,
    request: ProofRequest,
    progress: Callable[[str], None] | None = None,
    measure: bool = False,
) -> Verdict:
    """Decide what files about boxes claim, in a child process within limits.

    Arguments:
        files: an ONNX file or two, and a VNN-LIB file.
        budget: seconds for all of it, megabytes and threads (`workers`) of the child, and the seed.
        request: the trust that is asked for, one backend (None: "race"), and where a proof is written, in the
            format "relucid" or "aptp".
        progress: is told in a line what is going on.
        measure: of two networks: the question is how far their outputs are apart, and not whether they agree.

    Raises InputError, Crashed, and Contradiction where the checker rejects what was proved.
    """
    started = time.monotonic()
    two = files.network_b is not None
    names = request.backends or ("race",)
    job = {
        "network": str(files.network),
        "property": str(files.stated),
        "deadline": started + budget.seconds,
        "seed": budget.seed,
        "threads": budget.workers,
        "proof": None if request.place is None else str(request.place),
        "format": request.form,
        "progress": progress is not None,
        "against": None if files.network_b is None else str(files.network_b),
        "epsilon": None if files.epsilon is None else str(files.epsilon),
        "same_label": two and files.epsilon is None and not measure,
        "backend": names if isinstance(names, str) else names[0],
        "trust": request.trust,
    }
    decided: dict[str, Any] | None = None  # a verdict that stands, whatever becomes of its proof
    found: dict[str, Any] | None = None
    limits = Limits(started + budget.seconds + GRACE_SECONDS, budget.memory_mb)
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
        reason = _why(child, budget.memory_mb)
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
