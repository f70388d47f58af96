"""Decide one property of one network: attack first, then branch and bound, case by case.

The order of `relucid verify`: `floats.py` makes the numbers, `attack.py` looks for a counterexample, the searches (`searches.py`)
prove that there is none or meet one on the way, `replay.py` has the last word on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ...models.errors import InputError, Unsupported
from ...models.network import Network
from ...models.property import Case, Property
from ..engines.blas import one_blas_thread
from .answer import Answer, Step, Witness
from .attack import attack
from .floats import FloatNetwork, float_network
from .race import Ended, decided
from .replay import Replayer
from .rows import Rows
from .searches import searched

Progress = Callable[[str], None]
Accept = Callable[[np.ndarray], bool]
Prelude = Callable[[FloatNetwork, Case, Accept], str]  # "proved", "refuted" (a point was accepted) or "unknown"
ATTACK_SHARE = 0.2  # of the time
NO_PROOF = "HiGHS finds no counterexample, within its tolerances; --trust float takes its word"
OUT_OF_TIME = "the time limit was reached"
STUCK = "a part of the box is too small to cut and its bounds are still not good enough in float64"


def check_fit(network: Network, stated: Property, origin: str) -> None:
    """Raises InputError where the property speaks of another network."""
    for what, said, there in (("inputs", stated.inputs, network.input_size), ("outputs", stated.outputs, network.output_size)):
        if said != there:
            raise InputError(origin, f"has {said} {what}, the network has {there}", "give the network that the property was written for")


@dataclass(eq=False)
class _Run:
    network: Network
    deadline: float
    seed: int
    threads: int
    progress: Progress
    files: tuple[Network, ...]
    preludes: Mapping[str, Prelude]
    backend: str
    trust: str
    steps: list[Step] = field(default_factory=list)
    witness: Witness | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)  # for accepting

    def __post_init__(self) -> None:
        self.replayer = Replayer(self.network, self.files)

    def accept(self, case: Case) -> Accept:
        def look(points: np.ndarray) -> bool:
            with self.alone:
                if len(points) and self.witness is None:
                    self.witness = self.replayer.first(case, points)
                return self.witness is not None

        return look


def decide(
    network: Network,
    stated: Property,
    *,
    deadline: float,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda text: None,
    files: tuple[Network, ...] = (),
    preludes: Mapping[str, Prelude] = MappingProxyType({}),
    backend: str = "race",
    trust: str = "exact",
) -> Answer:
    """Is there a counterexample?  `deadline` in time.monotonic's seconds.  Never raises for lack of time or of precision.

    `files`: where the network is several side by side, those; `preludes` have a try at every case before anything else.
    `backend`: one of `answer.BACKENDS`.  HiGHS's word that there is none counts at trust "float" only.
    """
    started = time.monotonic()
    run = _Run(network, deadline, seed, threads, progress, files, preludes, backend, trust)
    reason, decided_by = None, "bounds"
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        try:
            for number, case in enumerate(stated.cases, start=1):
                shown = f"case {number} of {len(stated.cases)}: " if len(stated.cases) > 1 else ""
                found = _case(run, case, shown)
                if run.witness is not None:
                    reason = None
                    break
                reason = reason or found
                if time.monotonic() > deadline:
                    reason = reason or (OUT_OF_TIME if number < len(stated.cases) else None)
                    break
        except Unsupported as error:
            reason = str(error)
    if run.steps:
        decided_by = run.steps[-1].backend
    warnings = (run.replayer.missing,) if run.replayer.missing else ()
    seconds = time.monotonic() - started
    steps = tuple(run.steps)
    if run.witness is not None:
        return Answer("refuted", None, decided_by, seconds, run.witness, steps, warnings)
    if run.replayer.disagreement is not None:  # an exact counterexample that onnxruntime does not share: never a proof
        witness, complaint = run.replayer.disagreement
        reason = "exact arithmetic finds a counterexample that onnxruntime, which rounds, does not confirm" + (
            f" ({complaint})" if complaint else ""
        )
        return Answer("unknown", reason, None, seconds, witness, steps, warnings)
    if reason is not None:
        return Answer("unknown", reason, None, seconds, None, steps, warnings, timeout=reason == OUT_OF_TIME)
    word = any(s.backend == "milp" and s.outcome == "proved" for s in steps)
    return Answer("proved", None, decided_by, seconds, None, steps, warnings, trust="float" if word else "exact")


def _case(run: _Run, case: Case, shown: str) -> str | None:
    """Why the case is not decided; None where it is safe, or where `run.witness` was set."""
    accept = run.accept(case)
    net = float_network(run.network, case.lower, case.upper)
    if any(not rows for rows in case.unsafe):  # every input is unsafe
        accept(np.array([(net.start_lower + net.start_upper) / 2]))
        return None if run.witness is not None else "every input is unsafe, but no point could be confirmed"
    for name, prelude in run.preludes.items():
        began = time.monotonic()
        run.progress(f"{shown}{name}")
        outcome = prelude(net, case, accept)
        _step(run, name, outcome, began)
        if outcome != "unknown":
            return None
    rows = Rows.of(net, case.unsafe)
    began = time.monotonic()
    run.progress(f"{shown}attack")
    until = began + ATTACK_SHARE * max(0.0, run.deadline - began)
    if attack(net, rows, accept, until, run.seed):
        _step(run, "attack", "refuted", began)
        return None
    _step(run, "attack", "unknown", began, "no counterexample")
    ended = searched(
        net, rows, accept, run.deadline, lambda text: run.progress(shown + text), run.threads, backend=run.backend, trust=run.trust
    )
    for e in ended:
        run.steps.append(_step_of(e, run.deadline))
    last = decided(ended)
    if last is not None:
        if last.status == "found" and run.witness is None:
            raise AssertionError(f"{ended[-1].entrant.name} found something, and there is no witness")
        return None
    results = [e.found for e in ended]
    if any(r is None or r.status == "timeout" for r in results):
        return OUT_OF_TIME
    if any(r is not None and r.status == "safe" for r in results):
        return NO_PROOF
    return " and ".join(dict.fromkeys(r.reason or STUCK for r in results if r is not None))


def _step_of(ended: Ended, deadline: float) -> Step:
    found, name = ended.found, ended.entrant.name
    if found is None:
        return Step(name, "timeout" if time.monotonic() > deadline else "cancelled", round(ended.seconds, 3))
    outcome = {
        "safe": "proved" if ended.entrant.decides(found) else "unknown",
        "found": "refuted",
        "timeout": "timeout",
        "stuck": "unknown",
    }
    name = name if found.parts or found.reason else "bounds"  # nothing was left to search
    return Step(name, outcome[found.status], round(ended.seconds, 3), found.reason or f"{found.parts} parts")


def _step(run: _Run, backend: str, outcome: str, began: float, detail: str = "") -> None:
    run.steps.append(Step(backend, outcome, round(time.monotonic() - began, 3), detail))
