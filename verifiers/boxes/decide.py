"""Decide a property of a network: bounds for all cases, then, case by case, an attack and branch and bound.

`worker.py` calls this for `relucid verify`.  `bounds/floats.py` makes the numbers, and `first_bounds.py`
settles what is easy.  `attack.py` looks for a counterexample.  The searches (`searches.py`) prove that there
is none, or meet one on the way.  `race/replay_points.py` decides whether a point is a counterexample.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ...common.clock import now, share_of
from ...common.errors import Unsupported
from ...models.claims.head_property import HeadProperty
from ...models.claims.property import Case, Property
from ...models.network.network import Network
from ..attempts import Attempt, Outcome
from ..bounds.blas import one_blas_thread
from ..bounds.floats import FloatNetwork, float_network
from ..bounds.unsafe_rows import UnsafeRows
from ..counterexamples import PointCounterexample
from ..engines.boxes.attack import attack
from ..engines.boxes.first_bounds import first_bounds
from ..engines.boxes.request import SearchRequest
from ..engines.boxes.search_race import EndedSearch, decided
from ..engines.boxes.searches import searched
from ..engines.exact.last_word import Shown, Unsafe, as_point, whole_box
from ..engines.exact.ties import Ties
from ..evidence import How, Tiling
from ..race.replay_points import PointReplayer
from ..verdict import BoxDetails, Verdict
from . import verdicts
from .options import BoxOptions

Accept = Callable[[np.ndarray], bool]
# A prelude has a try at every case before anything else.  It returns None if it does not show that the case
# is safe.
Prelude = Callable[[FloatNetwork, Case, Accept], Tiling | None]
ATTACK_SHARE, BOUNDS_SHARE = 0.2, 0.2  # of the time
NO_PROOF = "HiGHS finds no counterexample, within its tolerances; --trust float takes its word"
OUT_OF_TIME = "the time limit was reached"
STUCK = "a part of the box is too small to cut and its bounds are still not good enough in float64"


@dataclass(eq=False)
class _Run:
    """One call of `decide`: its arguments, and what has been found so far."""

    network: Network
    options: BoxOptions
    files: tuple[Network, ...]
    preludes: Mapping[str, Prelude]
    about: HeadProperty | None
    attempts: list[Attempt] = field(default_factory=list)
    found: PointCounterexample | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)  # for accepting

    def __post_init__(self) -> None:
        self.replayer = PointReplayer(self.network, self.files, self.about)

    def accept(self, case: Case) -> Accept:
        """Return a function that says whether there is a counterexample now; searches call it with points."""

        def look(points: np.ndarray) -> bool:
            with self.alone:
                if len(points) and self.found is None:
                    self.found = self.replayer.first(case, points)
                return self.found is not None

        return look


def decide(
    network: Network,
    stated: Property,
    options: BoxOptions,
    *,
    files: tuple[Network, ...] = (),
    preludes: Mapping[str, Prelude] = MappingProxyType({}),
    about: HeadProperty | None = None,
) -> Verdict:
    """Decide whether the property has a counterexample.  Never raises for lack of time or of precision.

    files: the networks whose files onnxruntime runs, if `network` is several side by side.
    preludes: by name, what has a try at every case first.
    about: the property that is really asked, if `stated` is that in terms of logits (`heads.py`).

    Raises NearMiss if `about` is given and a point meets `stated`, but is no counterexample.
    """
    started = now()
    run = _Run(network, options, files, preludes, about)
    reason, decided_by = None, "bounds"
    shown: dict[int, Tiling] = {}
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        try:
            if len(stated.cases) > 1:
                shown |= _first(run, stated)
            for number, case in enumerate(stated.cases):
                if number in shown:
                    continue
                if now() > options.deadline:
                    reason = reason or OUT_OF_TIME
                    break
                found = _case(
                    run, case, f"case {number + 1} of {len(stated.cases)}: " if len(stated.cases) > 1 else ""
                )
                if isinstance(found, Tiling):
                    shown[number] = found
                elif run.found is not None:
                    break
                else:
                    reason = reason or found
        except Unsupported as error:
            reason = str(error)
    if run.attempts:
        decided_by = run.attempts[-1].backend
    warnings = (run.replayer.missing,) if run.replayer.missing else ()
    seconds = now() - started
    attempts = tuple(run.attempts) if len(stated.cases) < 2 else _summed(run.attempts)
    if run.found is not None:
        return verdicts.refuted(decided_by, run.found, seconds, attempts, warnings)
    # an exact counterexample that onnxruntime does not share: never a proof
    if run.replayer.disagreement is not None:
        point, complaint = run.replayer.disagreement
        reason = (
            "exact arithmetic finds a counterexample that onnxruntime, which rounds, does not confirm"
            + (f" ({complaint})" if complaint else "")
        )
        return verdicts.unknown(reason, seconds, attempts, warnings, BoxDetails(point=point))
    evidence = Tiling.total([len(case.unsafe) for case in stated.cases], shown)
    if evidence is None:
        details = BoxDetails(timeout=reason in (None, OUT_OF_TIME))
        return verdicts.unknown(reason or OUT_OF_TIME, seconds, attempts, warnings, details)
    return verdicts.proved(decided_by, evidence, seconds, attempts, warnings)


def _first(run: _Run, stated: Property) -> dict[int, Tiling]:
    """Return what bounds on the whole box settle, by the number of the case."""
    began = now()
    found = first_bounds(
        run.network,
        stated.cases,
        share_of(run.options.deadline, BOUNDS_SHARE),
        run.options.progress,
        run.options.threads,
    )
    _step(
        run,
        "bounds",
        "proved" if len(found) == len(stated.cases) else "unknown",
        began,
        f"{len(found)} of {len(stated.cases)} cases",
    )
    return found


def _summed(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Join the attempts on different cases in which the same engine came to the same end."""
    grouped: dict[tuple[str, Outcome], list[Attempt]] = {}
    for attempt in attempts:
        grouped.setdefault((attempt.backend, attempt.outcome), []).append(attempt)
    return tuple(
        Attempt.own(
            *key, sum(a.seconds for a in some), some[0].detail if len(some) == 1 else f"{len(some)} cases"
        )
        for key, some in grouped.items()
    )


def _case(run: _Run, case: Case, shown: str) -> Tiling | str:
    """Return what shows that the case is safe, or why it is not decided.

    If `run.found` is set afterwards, the case is refuted, and the result means nothing.
    """
    accept = run.accept(case)
    net = float_network(run.network, case.lower, case.upper)
    if any(not rows for rows in case.unsafe):  # every input is unsafe
        accept(np.array([(net.start_lower + net.start_upper) / 2]))
        return "every input is unsafe, but no point could be confirmed"
    exact = _exactly(run, case, net, shown) if run.options.backend == "race" else None
    if isinstance(exact, Shown):
        return Tiling.at_roots(1, len(case.unsafe), How.EXACT)
    for name, prelude in run.preludes.items():
        began = now()
        run.options.progress(f"{shown}{name}")
        found = prelude(net, case, accept)
        _step(
            run,
            name,
            "refuted" if run.found is not None else "unknown" if found is None else "proved",
            began,
        )
        if found is not None or run.found is not None:
            return found or ""
    rows = UnsafeRows.of(net, case.unsafe)
    began = now()
    run.options.progress(f"{shown}attack")
    if attack(net, rows, accept, share_of(run.options.deadline, ATTACK_SHARE), run.options.seed):
        _step(run, "attack", "refuted", began)
        return ""
    _step(run, "attack", "unknown", began, "no counterexample")
    if isinstance(exact, Unsafe) and accept(as_point(exact)):
        _step(run, "exact", "refuted", began)
        return ""
    options = run.options

    def progress(text: str) -> None:
        options.progress(shown + text)

    ended = searched(
        SearchRequest(net, rows, accept, options.deadline, progress, options.threads),
        backend=options.backend,
        trust=options.trust,
        ties=Ties(run.network, case, accept),
    )
    for e in ended:
        run.attempts.append(_attempt_of(e, run.options.deadline))
    last = decided(ended)
    if last is not None:
        if last.evidence is None and run.found is None:
            raise AssertionError(f"{last.entrant.name} found something, and there is no witness")
        return last.evidence or ""
    results = [e.found for e in ended]
    if any(r is None or r.status == "timeout" for r in results):
        return OUT_OF_TIME
    if any(e.evidence is not None for e in ended):
        return NO_PROOF
    return " and ".join(dict.fromkeys(r.reason or STUCK for r in results if r is not None))


def _exactly(run: _Run, case: Case, net: FloatNetwork, shown: str) -> Shown | Unsafe | None:
    """Try exact arithmetic on the whole box, which decides if the network or its last layers are small."""
    began = now()
    run.options.progress(f"{shown}exact programs")
    found = whole_box(run.network, case, net)
    if isinstance(found, Shown):
        _step(run, "exact", "proved", began, f"{len(found.leaves)} linear programs")
    return found


def _attempt_of(ended: EndedSearch, deadline: float) -> Attempt:
    found, name = ended.found, ended.entrant.name
    if found is None:
        return Attempt.own(name, "timeout" if now() > deadline else "cancelled", ended.seconds)
    outcome: Outcome = "unknown"
    if ended.evidence is not None:
        outcome = "proved" if ended.decides else "unknown"
    elif found.status in ("found", "timeout"):
        outcome = "refuted" if found.status == "found" else "timeout"
    name = name if found.subdomains or found.reason else "bounds"  # nothing was left to search
    return Attempt.own(name, outcome, ended.seconds, found.reason or f"{found.subdomains} parts")


def _step(run: _Run, backend: str, outcome: Outcome, began: float, detail: str = "") -> None:
    """Note what an engine came to."""
    run.attempts.append(Attempt.own(backend, outcome, now() - began, detail))
