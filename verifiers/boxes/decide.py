"""Decide one property of one network: attack first, then branch and bound, case by case.

The order of `relucid verify`: `floats.py` makes the numbers, `attack.py` looks for a counterexample, `input_split.py` or
`relu_split.py` proves that there is none or meets one on the way, `replay.py` has the last word on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ...models.errors import InputError, Unsupported
from ...models.network import Network
from ...models.property import Case, Property
from ..engines.blas import one_blas_thread
from . import input_split, milp, relu_split
from .answer import Answer, Step, Witness
from .attack import attack
from .floats import FloatNetwork, float_network
from .replay import Replayer
from .rows import Rows
from .work import Searched

Progress = Callable[[str], None]
Accept = Callable[[np.ndarray], bool]
Prelude = Callable[[FloatNetwork, Case, Accept], str]  # "proved", "refuted" (a point was accepted) or "unknown"
FEW_INPUTS = 16  # that are not fixed: up to here the box is cut, above it neurons are split
MOST_SHARES = 2**24  # of neurons and inputs: what cutting the box keeps for every part
ATTACK_SHARE = 0.2  # of the time
NO_PROOF = "HiGHS finds no counterexample, within its tolerances; --trust float takes its word"
OUT_OF_TIME = "the time limit was reached"


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
    steps: list[Step] = field(default_factory=list)
    witness: Witness | None = None

    def __post_init__(self) -> None:
        self.replayer = Replayer(self.network, self.files)

    def accept(self, case: Case) -> Accept:
        def look(points: np.ndarray) -> bool:
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
    backend: str = "split",
    trust: str = "exact",
) -> Answer:
    """Is there a counterexample?  `deadline` in time.monotonic's seconds.  Never raises for lack of time or of precision.

    `files`: where the network is several side by side, those; `preludes` have a try at every case before anything else.
    `backend`: "split", or "milp", whose word that there is none counts at trust "float" only.
    """
    started = time.monotonic()
    run = _Run(network, deadline, seed, threads, progress, files, preludes, backend)
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
    if any(s.backend == "milp" for s in steps):
        if trust != "float":
            return Answer("unknown", NO_PROOF, None, seconds, None, steps, warnings)
        return Answer("proved", None, decided_by, seconds, None, steps, warnings, trust="float")
    return Answer("proved", None, decided_by, seconds, None, steps, warnings)


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
    began = time.monotonic()
    for name, engine in ({"milp": milp.search} if run.backend == "milp" else engines(net)).items():
        result: Searched = engine(net, rows, accept, run.deadline, lambda text: run.progress(shown + text), run.threads)
        outcome = {"safe": "proved", "found": "refuted", "timeout": "timeout", "stuck": "unknown"}[result.status]
        name = name if result.parts else "bounds"  # nothing was left to search
        _step(run, name, outcome, began, f"{result.parts} parts")
        if result.status != "stuck":
            break
    if result.status == "safe" and run.witness is None:
        return None
    if result.status == "timeout":
        return OUT_OF_TIME
    if result.status == "stuck" and run.backend == "milp":
        return "HiGHS proposes points that no exact replay confirms"
    if result.status == "stuck":
        return "a part of the box is too small to cut and its bounds are still not good enough in float64"
    if run.witness is None:  # only "safe" proves anything
        raise AssertionError(f"the search ended with {result.status!r} and no witness")
    return None


def engines(net: FloatNetwork) -> dict[str, Callable[..., Searched]]:
    """What may prove it, in order; a later one has a try where the one before was stuck."""
    few = int((net.start_lower < net.start_upper).sum()) <= FEW_INPUTS and net.count * net.sizes[0] <= MOST_SHARES
    return {"split-inputs": input_split.search} if few else {"split-relus": relu_split.search, "split-inputs": input_split.search}


def _step(run: _Run, backend: str, outcome: str, began: float, detail: str = "") -> None:
    run.steps.append(Step(backend, outcome, round(time.monotonic() - began, 3), detail))
