"""Who decides a race, who ends it, and what becomes of the others; scripted, not timed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from box_truth import above, floats
from relucid.verifiers.boxes import searches
from relucid.verifiers.boxes.floats import float_network
from relucid.verifiers.boxes.race import Entrant, decided, race
from relucid.verifiers.boxes.rows import Rows
from relucid.verifiers.boxes.work import Cancelled, Searched

SAFE, FOUND, STUCK, TIMEOUT = (Searched(status, 1) for status in ("safe", "found", "stuck", "timeout"))


def says(found, *, wait=None):
    def search(progress):
        if wait is not None:
            wait.wait(10)
        progress("done")
        return found

    return search


def waits(heard):
    """Works until it hears that nobody needs it."""

    def search(progress):
        try:
            while True:
                progress("still here")
                time.sleep(0.001)
        except Cancelled:
            heard.set()
            raise

    return search


def soon():
    return time.monotonic() + 20


@pytest.mark.parametrize("found", [SAFE, FOUND], ids=["safe", "found"])
def test_the_first_to_decide_ends_the_others(found):
    heard = threading.Event()
    ended = race([Entrant("slow", waits(heard)), Entrant("quick", says(found), after=0.01)], soon())
    assert [(e.entrant.name, e.found) for e in ended] == [("slow", None), ("quick", found)] and decided(ended) is found
    assert heard.wait(10)


def test_who_waits_begins_when_nobody_runs():
    ended = race([Entrant("first", says(STUCK)), Entrant("last", says(SAFE), after=1e6)], soon())
    assert [e.entrant.name for e in ended] == ["first", "last"] and decided(ended) is SAFE


def test_who_waits_does_not_begin_after_the_end():
    begun = []
    ended = race([Entrant("first", says(FOUND)), Entrant("last", lambda progress: begun.append(1), after=1e6)], soon())
    assert [e.entrant.name for e in ended] == ["first"] and not begun


def test_the_word_of_one_without_a_proof_decides_nothing():
    over = threading.Event()

    def prover(progress):
        over.wait(10)
        return STUCK

    def word(progress):
        threading.Timer(0.05, over.set).start()
        return SAFE

    ended = race([Entrant("prover", prover), Entrant("word", word, proves=False)], soon())
    assert decided(ended) is None and {e.entrant.name: e.found for e in ended} == {"prover": STUCK, "word": SAFE}
    found = Searched("found", 1)
    assert decided(race([Entrant("word", says(found), proves=False)], soon())) is found
    by_bounds = Searched("safe", 0)
    assert decided(race([Entrant("word", says(by_bounds), proves=False)], soon())) is by_bounds


def test_what_a_search_raises_is_raised_and_ends_the_others():
    heard = threading.Event()

    def broken(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race([Entrant("slow", waits(heard)), Entrant("broken", broken, after=0.01)], soon())
    assert heard.wait(10)


def test_nobody_is_waited_for_long_after_the_deadline():
    release = threading.Event()
    ended = race([Entrant("deaf", says(SAFE, wait=release)), Entrant("late", says(TIMEOUT))], time.monotonic() - 5)
    release.set()
    assert decided(ended) is None


def test_one_alone_needs_no_thread():
    names = []

    def search(progress):
        names.append(threading.current_thread() is threading.main_thread())
        return SAFE

    assert decided(race([Entrant("alone", search)], soon())) is SAFE and names == [True]


@pytest.mark.parametrize(
    ("inputs", "threads", "options", "expected"),
    [
        (4, 2, {}, {"split-inputs": 0.0, "split-lp": 5.0}),
        (12, 2, {}, {"split-inputs": 0.0, "split-lp": 0.1}),
        (20, 2, {}, {"split-relus": 0.0, "split-lp": 0.1}),
        (20, 3, {}, {"split-relus": 0.0, "split-lp": 0.1, "milp": 5.0}),
        (20, 2, {"trust": "float"}, {"split-relus": 0.0, "split-lp": 0.1, "milp": 5.0}),
        (20, 8, {"backend": "lp"}, {"split-lp": 0.0}),
        (20, 8, {"backend": "split"}, {"split-relus": 0.0}),
        (20, 1, {"backend": "milp"}, {"milp": 0.0}),
    ],
)
def test_who_takes_part_and_when(monkeypatch, inputs, threads, options, expected):
    seen = {}

    def noted(entrants, deadline, progress):
        seen.update({e.name: e.after for e in entrants})
        assert all(e.proves or e.name == "milp" for e in entrants)
        assert all(e.proves == (options.get("trust") == "float") for e in entrants if e.name == "milp")
        return []

    monkeypatch.setattr(searches, "race", noted)
    network, stated = floats((np.ones((1, inputs)), [0])), above(1, inputs=inputs)
    case = stated.cases[0]
    net = float_network(network, case.lower, case.upper)
    searches.searched(net, Rows.of(net, case.unsafe), lambda points: False, soon(), lambda text: None, threads, **options)
    assert seen == expected
