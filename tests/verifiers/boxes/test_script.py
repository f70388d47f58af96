"""A clock that follows a script, bounds that fail, threads that are cancelled: at every single call in turn,
and no false property is ever proved.

Runs are the same but for the call at which it goes wrong; they go on until one of them comes to its end
untouched.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from box_truth import alone, floats, unsafe_point
from clocks import EVERY
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.network import Network
from relucid.models.onnx.writer import with_source
from relucid.verifiers.bounds import box_bounds as bounds
from relucid.verifiers.bounds import presolve as root
from relucid.verifiers.boxes import agreement
from relucid.verifiers.boxes import compare as compare_module
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import decide_same_label
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.engines.boxes import relu_split
from relucid.verifiers.engines.boxes.request import Cancelled
from relucid.verifiers.race.replay_points import PointReplayer
from relucid.verifiers.verdict import Verdict

SECONDS = 1000.0  # until the deadline
TICK = SECONDS / 40  # that pass from one reading of the clock to the next: a run that finds nothing ends
MISSED = 3  # points that are not heard, so that searches have something to do


class Fired(Exception):
    """What goes wrong."""


class Script:
    """Counts calls; from call `at` on it does what it is told."""

    def __init__(self, at: int, then: Callable[[], object]) -> None:
        self.counter, self.at, self.then = itertools.count(1), at, then
        self.fired, self.calls = False, 0

    def __call__(self) -> object:
        self.calls = next(self.counter)
        if self.calls < self.at:
            return None
        self.fired = True
        return self.then()


def raises(error: type[Exception]) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


# -- false properties
# ------------------------------------------------------------


def saw(*slopes: int, last: tuple[object, object] = ([[1], [-1]], [0, 0])) -> Network:
    """Of one input from 0 to 1 and another that is 0: its slope changes at 0, 1/4, 1/2 and 3/4; `last` makes
    two outputs of it.
    """
    places = [Fraction(k, len(slopes)) for k in range(len(slopes))]
    return with_source(floats(([[1, 0]] * len(slopes), [-p for p in places]), ([slopes], [0]), last))


ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)
NET, OTHER = saw(8, -16, 16, -15), saw(8, -16, 16, -16)
TOP = max(exact_outputs(NET, [Fraction(k, 4), ZERO])[0] for k in range(5))
UNSAFE = tuple(
    (Row((), ((j, ONE),), -limit),) for j, limit in enumerate((TOP - Fraction(1, 1000), Fraction(100)))
)
ONE_BOX = (ZERO, ZERO), (ONE, ZERO)
FALSE = Property(2, 2, (Case(*ONE_BOX, UNSAFE),))
LAST_FALSE = Property(
    2, 2, (Case(ONE_BOX[0], (Fraction(1, 8), ZERO), UNSAFE), Case((HALF, ZERO), ONE_BOX[1], UNSAFE))
)
ANYTHING = Property(2, 2, (Case(*ONE_BOX, ((),)),))
LABELS = tuple(
    saw(8, -16, 16, -15, last=([[1], [0]], [-shift, 0])) for shift in (Fraction(1, 2), Fraction(9, 16))
)


def one_network(
    backend: str, trust: str = "exact", threads: int = 1, stated: Property = FALSE
) -> Callable[[], Verdict]:
    return lambda: decide(
        NET, stated, BoxOptions(deadline=SECONDS, threads=threads, backend=backend, trust=trust)
    )


RUNS: dict[str, Callable[[], Verdict]] = {
    "race": one_network("race"),
    "race, two threads": one_network("race", threads=2),
    "race, float": one_network("race", "float", threads=3),
    "race, exact programs": one_network("race"),
    "race, cases": one_network("race", stated=LAST_FALSE),
    "split inputs": one_network("split"),
    "split inputs, two threads": one_network("split", threads=2),
    "split phases": one_network("split"),
    "split phases, two threads": one_network("split", threads=2),
    "lp": one_network("lp"),
    "lp, two threads": one_network("lp", threads=2),
    "milp": one_network("milp", "float"),
    "attack": one_network("race"),
    "difference": lambda: decide_against(
        NET, OTHER, ANYTHING, Fraction(1, 1000), BoxOptions(deadline=SECONDS)
    ),
    "difference, searched": lambda: decide_against(
        NET, OTHER, ANYTHING, Fraction(1, 1000), BoxOptions(deadline=SECONDS)
    ),
    "same label": lambda: decide_same_label(*LABELS, ANYTHING, BoxOptions(deadline=SECONDS)),
    "same label, searched": lambda: decide_same_label(*LABELS, ANYTHING, BoxOptions(deadline=SECONDS)),
}


@pytest.fixture(params=RUNS)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Arranged so that the engine that is meant has to come to the counterexample itself, soon."""
    chosen: str = request.param
    for module, steps in (
        (relu_split, "ROOT_STEPS"),
        (relu_split, "STEPS"),
        (relu_split, "LAST_STEPS"),
        (root, "NEURON_STEPS"),
    ):
        monkeypatch.setattr(module, steps, 2)
    if "exact" not in chosen:
        monkeypatch.setattr(decide_module, "whole_box", lambda *a: None)
    if "phases" in chosen:
        alone(monkeypatch, "phases")
    if chosen not in ("attack", "difference", "same label"):
        honest, box_alone = PointReplayer.first, compare_module._sampled
        missed = MISSED if chosen != "milp" else 0  # which has one point to tell

        def first(self: PointReplayer, case: Case, points: np.ndarray) -> object:
            self.__dict__["heard"] = self.__dict__.get("heard", 0) + 1
            return honest(self, case, points) if self.__dict__["heard"] > missed else None

        monkeypatch.setattr(PointReplayer, "first", first)
        monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
        monkeypatch.setattr(agreement, "attack", lambda *a, **k: False)
        monkeypatch.setattr(agreement._Bisect, "__call__", lambda *a: None)
        monkeypatch.setattr(compare_module, "_sampled", lambda *a: (box_alone(*a)[0] * 0, (ZERO, ZERO)))
    return chosen


def test_the_property_is_false(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """And each engine finds that out, if nothing goes wrong."""
    assert (
        unsafe_point(NET, FALSE.cases[0])
        and not unsafe_point(NET, LAST_FALSE.cases[0])
        and unsafe_point(NET, LAST_FALSE.cases[1])
    )
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * TICK / 8)
    ticks = itertools.count()
    assert RUNS[name]().outcome == "refuted"


# -- what goes wrong
# ------------------------------------------------------------


FIRST = 8  # calls at each of which it goes wrong; then at every second one, third one, and so on
every = pytest.mark.parametrize("first", [FIRST, pytest.param(EVERY, marks=pytest.mark.slow)])


def until_untouched(
    name: str, install: Callable[[Script], None], then: Callable[[], object], first: int
) -> None:
    """Every run is refuted or unknown, or raises what the script has it raise."""
    k = 1
    while True:
        script = Script(k, then)
        install(script)
        try:
            assert RUNS[name]().outcome in ("refuted", "unknown")
        except (Fired, Cancelled):
            assert script.fired
        if not script.fired:
            assert k > 2 or name == "attack", "nobody asked"  # the attack needs no bounds
            return
        k += 1 + k // first


@every
@pytest.mark.parametrize("kind", ["late from then on", "late once", "raises"])
def test_the_clock_fires_at_every_call(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str, first: int
) -> None:
    def install(script: Script) -> None:
        def read() -> float:
            said = script()
            on_time = said is None or (kind == "late once" and script.calls > script.at)
            return TICK * script.calls if on_time else 2 * SECONDS

        monkeypatch.setattr(time, "monotonic", read)

    until_untouched(name, install, raises(Fired) if kind == "raises" else lambda: True, first)


@every
@pytest.mark.parametrize("error", [Fired, Cancelled, None], ids=["fails", "cancelled", "no number"])
def test_bounds_fail_at_every_call(
    monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception] | None, first: int
) -> None:
    """In whatever thread that is."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * TICK)
    honest = bounds._backward

    def install(script: Script) -> None:
        nonlocal ticks
        ticks = itertools.count()

        def carried(*arguments: object) -> bounds.LinearBounds:
            said, found = script(), honest(*arguments)  # type: ignore[arg-type]
            return (
                found
                if said is None
                else bounds.LinearBounds(
                    found.bound * np.nan, found.inputs, found.offset * np.nan, found.replaced
                )
            )

        monkeypatch.setattr(bounds, "_backward", carried)

    until_untouched(name, install, (lambda: True) if error is None else raises(error), first)


def test_nobody_reads_another_clock() -> None:
    """But for the process that watches the child."""
    verifiers = Path(decide_module.__file__).parents[1]
    readers = [
        p.name
        for room in ("boxes", "engines/boxes")
        for p in (verifiers / room).glob("*.py")
        if any(word in p.read_text() for word in ("monotonic(", "perf_counter", "time.time("))
    ]
    assert sorted(readers) == ["process.py"]
