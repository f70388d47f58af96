"""Who decides a race, who ends it, and what becomes of the others; scripted, not timed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from box_truth import above, floats
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.unsafe_rows import UnsafeRows
from relucid.verifiers.engines.boxes import searches
from relucid.verifiers.engines.boxes.request import Cancelled, Searched, SearchRequest
from relucid.verifiers.engines.boxes.search_race import SearchEntrant, decided, race_searches
from relucid.verifiers.evidence import How, Lost, Tiling

DONE, FOUND, STUCK, TIMEOUT = (Searched(status, 1) for status in ("done", "found", "stuck", "timeout"))


def says(found, *, wait=None, how=How.BOUNDS):
    """Settles both polyhedra of the question, where it is done."""

    def search(progress, tree):
        if wait is not None:
            wait.wait(10)
        progress("done")
        if found is DONE:
            tree.settle(tree.roots, how)
        return found

    return search


def waits(heard):
    """Works until it hears that nobody needs it."""

    def search(progress, tree):
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


@pytest.mark.parametrize("found", [DONE, FOUND], ids=["safe", "found"])
def test_the_first_to_decide_ends_the_others(found):
    heard = threading.Event()
    ended = race_searches(
        [SearchEntrant("slow", waits(heard)), SearchEntrant("quick", says(found), after=0.01)], 2, soon()
    )
    assert [(e.entrant.name, e.found) for e in ended] == [("slow", None), ("quick", found)] and decided(
        ended
    ) is ended[-1]
    assert (ended[-1].evidence is None) == (found is FOUND)
    assert heard.wait(10)


def test_who_waits_begins_when_nobody_runs():
    ended = race_searches(
        [SearchEntrant("first", says(STUCK)), SearchEntrant("last", says(DONE), after=1e6)], 2, soon()
    )
    assert [e.entrant.name for e in ended] == ["first", "last"] and decided(
        ended
    ).evidence == Tiling.at_roots(1, 2, How.BOUNDS)


def test_who_waits_does_not_begin_after_the_end():
    begun = []
    ended = race_searches(
        [
            SearchEntrant("first", says(FOUND)),
            SearchEntrant("last", lambda progress, tree: begun.append(1), after=1e6),
        ],
        2,
        soon(),
    )
    assert [e.entrant.name for e in ended] == ["first"] and not begun


def test_the_word_of_one_without_a_proof_decides_nothing():
    over = threading.Event()

    def prover(progress, tree):
        over.wait(10)
        return STUCK

    def word(progress, tree):
        threading.Timer(0.05, over.set).start()
        return says(DONE, how=How.WORD)(progress, tree)

    ended = race_searches([SearchEntrant("prover", prover), SearchEntrant("word", word)], 2, soon())
    assert decided(ended) is None and {e.entrant.name: e.found for e in ended} == {
        "prover": STUCK,
        "word": DONE,
    }
    over.clear()
    assert decided(
        race_searches([SearchEntrant("prover", prover), SearchEntrant("word", word)], 2, soon(), word=True)
    ).evidence.by_word


def part_of_it(progress, tree):
    tree.settle(tree.roots[:1], How.BOUNDS)
    return DONE


def nothing_at_all(progress, tree):
    return DONE


def half_of_it(progress, tree):
    left, _ = tree.split(tree.roots)
    tree.settle(left, How.BOUNDS)
    return DONE


@pytest.mark.parametrize(
    "others", [[], [SearchEntrant("slow", waits(threading.Event()))]], ids=["alone", "racing"]
)
@pytest.mark.parametrize("lazy", [part_of_it, nothing_at_all, half_of_it])
def test_who_says_that_it_is_done_and_is_not_proves_nothing(lazy, others):
    with pytest.raises(Lost, match="lazy is done, and has not settled all subdomains"):
        race_searches([*others, SearchEntrant("lazy", lazy, after=0.01)], 2, soon())


@pytest.mark.parametrize("status", ["stuck", "timeout"])
def test_parts_that_tile_the_box_are_a_proof_whatever_is_said(status):
    def modest(progress, tree):
        left, right = tree.split(tree.roots)
        tree.settle(left, How.BOUNDS)
        tree.settle(right, How.EXACT)
        return Searched(status, 4)

    assert decided(race_searches([SearchEntrant("modest", modest)], 2, soon())).evidence.settled == (
        ("BOUNDS", 2),
        ("EXACT", 2),
    )


def test_what_a_search_raises_is_raised_and_ends_the_others():
    heard = threading.Event()

    def broken(progress, tree):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race_searches(
            [SearchEntrant("slow", waits(heard)), SearchEntrant("broken", broken, after=0.01)], 2, soon()
        )
    assert heard.wait(10)


def test_nobody_is_waited_for_long_after_the_deadline():
    release = threading.Event()
    ended = race_searches(
        [SearchEntrant("deaf", says(DONE, wait=release)), SearchEntrant("late", says(TIMEOUT))],
        2,
        time.monotonic() - 5,
    )
    release.set()
    assert decided(ended) is None


def test_one_alone_needs_no_thread():
    names = []

    def search(progress, tree):
        names.append(threading.current_thread() is threading.main_thread())
        return says(DONE)(progress, tree)

    assert decided(race_searches([SearchEntrant("alone", search)], 2, soon())).found is DONE and names == [
        True
    ]


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

    def noted(entrants, polyhedra, deadline, progress, word):
        seen.update({e.name: e.after for e in entrants})
        assert polyhedra == 1 and word == (options.get("trust") == "float")
        return []

    monkeypatch.setattr(searches, "race_searches", noted)
    network, stated = floats((np.ones((1, inputs)), [0])), above(1, inputs=inputs)
    case = stated.cases[0]
    net = float_network(network, case.lower, case.upper)
    rows = UnsafeRows.of(net, case.unsafe)
    searches.searched(SearchRequest(net, rows, lambda points: False, soon(), threads=threads), **options)
    assert seen == expected
