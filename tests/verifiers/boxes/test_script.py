"""A clock that follows a script, bounds that fail and threads that are cancelled: at every single call in turn, and no false property is ever proved.

Each run is the same but for the call at which it goes wrong; runs go on until one of them comes to its end untouched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from box_truth import above, alone, floats, unsafe_point
from relucid.models.onnx_writer import with_source
from relucid.models.property import Case, Property, Row
from relucid.verifiers.boxes import agreement, bounds, clock, prices, rows, slopes
from relucid.verifiers.boxes import compare as compare_module
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import decide_same_label
from relucid.verifiers.boxes.answer import Answer
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.work import Cancelled

SECONDS = 1000.0  # that the script gives; it never reads a real clock


class Fired(Exception):
    """What goes wrong."""


class Script:
    """Counts calls; from call `at` on (or then only) it does what it is told."""

    def __init__(self, at: int, then: Callable[[], object]) -> None:
        self.calls, self.at, self.then = itertools.count(1), at, then
        self.fired = False

    def __call__(self) -> object:
        if next(self.calls) < self.at:
            return None
        self.fired = True
        return self.then()


def fail() -> None:
    raise Fired


def saw(weights: list[int]):
    """Of one input from 0 to 1 and a constant second one: relus at several places, so that one bound does not do."""
    places = [Fraction(k, len(weights)) for k in range(len(weights))]
    return with_source(floats(([[1, 0]] * len(weights), [-p for p in places]), ([weights], [0]), ([[1], [-1]], [0, 0])))


NET = saw([8, -16, 16, -15, 14, -16, 17, -16])
BOX = (Fraction(0), Fraction(0)), (Fraction(1), Fraction(0))


def outputs_reach(limits: tuple[Fraction, Fraction]) -> Property:
    """Some output reaches its limit, in one of two boxes: two polyhedra each."""
    unsafe = tuple((Row((), ((j, Fraction(1)),), -limit),) for j, limit in enumerate(limits))
    middle = Fraction(1, 2)
    halves = (BOX[0], (middle, Fraction(0))), ((middle, Fraction(0)), BOX[1])
    return Property(2, 2, tuple(Case(low, high, unsafe) for low, high in halves))


def top() -> Fraction:
    """The largest value of output 0: the network is linear between multiples of 1/8."""
    from relucid.models.exact_point import exact_outputs

    return max(exact_outputs(NET, [Fraction(k, 8), Fraction(0)])[0] for k in range(9))


FALSE = outputs_reach((top() - Fraction(1, 1000), Fraction(100)))  # the very top is unsafe
OTHER = saw([8, -16, 16, -15, 14, -16, 17, -17])  # differs in the last eighth


def one_network(backend: str, trust: str = "exact", threads: int = 1) -> Callable[[], Answer]:
    return lambda: decide(NET, FALSE, deadline=SECONDS, threads=threads, backend=backend, trust=trust)


def false_for_two(decide_two: Callable[..., Answer], *options: object) -> Callable[[], Answer]:
    stated = Property(2, 2, (Case(*BOX, ((),)),))
    return lambda: decide_two(NET, OTHER, stated, *options, deadline=SECONDS)


def always_positive(shift: Fraction):
    """Labels: output 0 is the saw's value minus a shift, output 1 is 0; two networks with different shifts disagree somewhere."""
    layers = NET.nodes
    return with_source(floats(*_layers(), ([[1], [0]], [-shift, 0]))) if layers else NET


def _layers():
    weights = [8, -16, 16, -15, 14, -16, 17, -16]
    places = [Fraction(k, len(weights)) for k in range(len(weights))]
    return ([[1, 0]] * len(weights), [-p for p in places]), ([weights], [0])


LABELS = always_positive(Fraction(1, 2)), always_positive(Fraction(9, 16))

RUNS: dict[str, Callable[[], Answer]] = {
    "race": one_network("race"),
    "race, two threads": one_network("race", threads=2),
    "race, float": one_network("race", "float", threads=3),
    "split inputs": one_network("split"),
    "split phases": one_network("split"),
    "split inputs, two threads": one_network("split", threads=2),
    "lp": one_network("lp"),
    "milp": one_network("milp", "float"),
    "epsilon": false_for_two(decide_against, Fraction(1, 1000)),
    "same label": lambda: decide_same_label(*LABELS, Property(2, 2, (Case(*BOX, ((),)),)), deadline=SECONDS),
}


@pytest.fixture(params=[True, False], ids=["attack", "no attack"])
def arranged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an attack, and without points that were sampled before, engines have to come to the counterexample themselves."""
    if not request.param:
        monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
        monkeypatch.setattr(agreement, "attack", lambda *a, **k: False)
        monkeypatch.setattr(agreement._Bisect, "__call__", lambda *a: None)
        sampled = compare_module._sampled
        monkeypatch.setattr(compare_module, "_sampled", lambda *a: (Fraction(0), sampled(*a)[1]))


def test_the_properties_are_false() -> None:
    assert any(unsafe_point(NET, case) for case in FALSE.cases)
    for name, run in RUNS.items():
        assert name.startswith("milp") or run().verdict == "refuted", name


def until_untouched(monkeypatch: pytest.MonkeyPatch, name: str, install: Callable[[Script], None], then: Callable[[], object]) -> int:
    """How many runs it took; each is refuted, unknown, or raises what the script raises."""
    if name == "split phases":
        alone(monkeypatch, "phases")
    for k in itertools.count(1):
        script = Script(k, then)
        install(script)
        try:
            assert RUNS[name]().verdict in ("refuted", "unknown")
        except (Fired, Cancelled):
            assert script.fired
        if not script.fired:
            return k
    raise AssertionError


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", ["late", "late once", "raises"])
@pytest.mark.usefixtures("arranged")
def test_the_clock_fires_at_every_call(monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    def install(script: Script) -> None:
        def read() -> float:
            if kind == "late once" and script.fired:
                return 0.0
            said = script()
            return 0.0 if said is None else float(said)  # type: ignore[arg-type]

        monkeypatch.setattr(clock, "read", read)

    assert until_untouched(monkeypatch, name, install, fail if kind == "raises" else lambda: 2 * SECONDS) > 1


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("error", [Fired, Cancelled])
def test_bounds_fail_at_every_call(monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception]) -> None:
    """In whatever thread it is; a cancelled thread is one of those."""
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    monkeypatch.setattr(clock, "read", lambda: 0.0)
    honest = bounds._carried

    def broken() -> None:
        raise error

    def install(script: Script) -> None:
        def carried(*arguments: object) -> object:
            script()
            return honest(*arguments)

        monkeypatch.setattr(bounds, "_carried", carried)

    assert until_untouched(monkeypatch, name, install, broken) > 1


@pytest.mark.parametrize("name", RUNS)
def test_bounds_that_are_no_numbers_prove_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(clock, "read", lambda: 0.0)
    honest = bounds._carried

    def install(script: Script) -> None:
        def carried(*arguments: object) -> bounds.Found:
            found = honest(*arguments)
            return found if script() is None else bounds.Found(found.bound * np.nan, found.inputs, found.offset * np.nan, found.replaced)

        monkeypatch.setattr(bounds, "_carried", carried)

    assert until_untouched(monkeypatch, name, install, lambda: True) > 1


def test_the_script_is_all_there_is() -> None:
    """Nobody in the package reads another clock; the two ends of the pipe watch real time."""
    from pathlib import Path

    folder = Path(clock.__file__).parent
    readers = [p.name for p in folder.glob("*.py") if "monotonic(" in p.read_text() or "perf_counter" in p.read_text()]
    assert sorted(readers) == ["process.py", "worker.py"]
    assert {above, prices, rows, slopes}
