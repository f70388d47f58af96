"""`relucid bench distill --search-only`: what the program search makes of each behaviour, and nothing else.

The labels come from the reference, on the whole domain.  There is no teacher, no surrogate and no prover, so
nothing is proved.  It is for people who work on the search: results are never kept.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..common.deadline import OutOfTime, check, until
from ..common.errors import InputError
from ..models.automata.labelled import Labelled
from ..models.program.program import Program
from ..search.candidate import Candidate
from ..search.problem import SearchProblem
from ..search.synthesise import ProgramSearch
from .distill_behaviours import Behaviour
from .distill_plan import DistillPlan, Progress, chosen_behaviours
from .distill_results import NEAR, by_length, is_near, ratio

START = 4  # examples that the search starts with, as in a distillation


@dataclass(frozen=True)
class FoundProgram:
    """What the search found for one behaviour.

    Fields are None if it found no program.

    right: whether the program's text gives the right label on every input of the domain.
    examples: inputs that the search had been shown by the end, counterexamples included.
    refuted: programs that were wrong on some input.
    cpu_seconds: processor time of the search and of running its programs on the domain.
    """

    name: str
    inputs: int
    right: bool
    reason: str | None
    found_by: str | None
    template: str | None
    length: int | None
    reference_length: int
    program: str | None
    reference: str
    examples: int
    refuted: int
    cpu_seconds: float

    @property
    def ratio(self) -> float | None:
        """The program's length over the reference's."""
        return ratio(self.length, self.reference_length)

    @property
    def near(self) -> bool:
        """Whether the program is right and at most NEAR times as long as the reference."""
        return self.right and is_near(self.length, self.reference_length)


def run(
    plan: DistillPlan,
    progress: Progress = lambda text: None,
    show: Callable[[FoundProgram], None] = lambda found: None,
) -> list[FoundProgram]:
    """Search for each behaviour that was asked for.  `show` is called with each result.

    Raises InputError.
    """
    wanted, found = chosen_behaviours(plan, progress).behaviours, []
    for k, behaviour in enumerate(wanted, 1):
        start = f"{k} of {len(wanted)}: {behaviour.name}"
        found.append(search(behaviour, plan, lambda text, start=start: progress(f"{start}: {text}")))  # type: ignore[misc]
        show(found[-1])
    return found


def search(behaviour: Behaviour, plan: DistillPlan, progress: Progress = lambda text: None) -> FoundProgram:
    """Search until a program is right on the whole domain, or the time is over."""

    def say(text: str) -> None:
        check()
        progress(text)

    data = behaviour.labelled
    started, reason = time.process_time(), None
    problem = SearchProblem.of(data, behaviour.domain, behaviour.labels)
    searching = ProgramSearch(problem, seed=plan.seed, start=START, progress=say)
    candidate = None
    try:
        with until(time.monotonic() + plan.timeout):
            candidate = _right(searching, data, behaviour)
            if candidate is None:
                reason = "the search has no program"
    except OutOfTime:
        reason = f"time: {plan.timeout:g} s are over"
    seconds = time.process_time() - started
    source = None if candidate is None else candidate.source(behaviour.name)
    if source is not None and (wrong := _difference(behaviour, source)):
        reason = f"search and interpreter differ: {wrong}"
    return FoundProgram(
        name=behaviour.name,
        inputs=len(data),
        right=reason is None,
        reason=reason,
        found_by=None if candidate is None else candidate.way,
        template=None if candidate is None else candidate.template,
        length=None if candidate is None else candidate.description_length,
        reference_length=behaviour.reference_length,
        program=source,
        reference=behaviour.reference.source,
        examples=len(searching.known),
        refuted=len(searching.refuted),
        cpu_seconds=round(seconds, 2),
    )


def _right(searching: ProgramSearch, data: Labelled, behaviour: Behaviour) -> Candidate | None:
    """Show the search one input after the other that it gets wrong; None if it has no program."""
    while (candidate := searching.best()) is not None:
        check()
        wrong = np.flatnonzero(candidate.evaluate(data.words) != data.labels)
        if len(wrong):
            searching.refine(data.take(wrong[:1]))
            continue
        try:
            _ = _as_written(behaviour, candidate.source(behaviour.name)).language
        except InputError:  # no prover could read it
            searching.reject(candidate)
            continue
        return candidate
    return None


def _as_written(behaviour: Behaviour, source: str) -> Behaviour:
    """Return the behaviour with this program's text in place of the reference."""
    return replace(behaviour, reference=Program.from_source(source, origin="the program that was found"))


def _difference(behaviour: Behaviour, source: str) -> str:
    """Name an input on which the text gives another label than the reference; "" if there is none."""
    first, second = (
        dict(zip(map(bytes, found.labelled.words), found.labelled.labels.tolist(), strict=True))
        for found in (behaviour, _as_written(behaviour, source))
    )
    word = next((word for word, label in first.items() if second[word] != label), None)
    if word is None:
        return ""
    tokens = behaviour.domain.unpadded(np.frombuffer(word, dtype=behaviour.labelled.words.dtype))
    return f"{tokens!r} gives {behaviour.labels[second[word]]!r}, not {behaviour.labels[first[word]]!r}"


def search_json(found: Sequence[FoundProgram]) -> dict[str, Any]:
    """Return everything found, and the totals."""
    lengths = by_length([(s.reference_length, s.length, s.right) for s in found])
    totals = {
        "behaviours": len(found),
        "right": sum(s.right for s in found),
        f"within_{NEAR}_of_reference": sum(s.near for s in found),
        "no_longer_than_reference": sum(g["no_longer"] for g in lengths),
        "by_reference_length": lengths,
        "median_cpu_seconds": statistics.median(s.cpu_seconds for s in found),
        "slowest_cpu_seconds": max(s.cpu_seconds for s in found),
        "cpu_seconds": round(sum(s.cpu_seconds for s in found), 1),
    }
    return {
        "search_only": True,
        "behaviours": [asdict(s) | {"ratio": s.ratio} for s in found],
        "totals": totals,
    }
