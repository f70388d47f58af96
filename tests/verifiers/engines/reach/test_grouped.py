"""Deciding and counting one label's words, in every way that a part can be settled, against brute force."""

from __future__ import annotations

import time

import pytest
from clocks import later
from reach_cases import cases
from relucid.common.errors import Unsupported
from relucid.verifiers.engines.reach import grouped as reach_grouped
from relucid.verifiers.engines.reach import problem as reach_problem
from relucid.verifiers.engines.reach.grouped import GroupedSearch
from relucid.verifiers.engines.reach.refine import Options

VARIANTS = {
    "as it is": Options(),
    "nothing is tried": Options(few=1),
    "one bound, no attack": Options(few=1, nodes=1, rounds=0, attacks=1, steps_of_attack=0),
    "coarse refinements": Options(few=2, nodes=4, rounds=2, clusters=2, steps=1),
    "halves only": Options(few=1, nodes=1, rounds=1, edges=0),
    "no room to grow": Options(few=1, nodes=2, rounds=1, growth=1, grown=0),
    "the latest first": Options(few=1, nodes=2, rounds=1, waiting=0),
}


DAILY = ("as it is", "one bound, no attack", "halves only")


@pytest.mark.parametrize(
    "variant", [v if v in DAILY else pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS]
)
def test_decided_and_counted_as_by_brute_force(variant: str) -> None:
    outcomes = set()
    for case in cases(15):
        deciding = GroupedSearch(case.queries, options=VARIANTS[variant])
        assert deciding.run(later(), wanted=10**6)
        assert set(deciding.words) == case.wrong
        first = GroupedSearch(case.queries, options=VARIANTS[variant])
        assert first.run(later()) and bool(first.words) == bool(case.wrong) and set(first.words) <= case.wrong
        counting = GroupedSearch(case.queries, counting=True, options=VARIANTS[variant])
        assert counting.run(later())
        assert (counting.right, counting.wrong, counting.open) == (
            len(case.words) - len(case.wrong),
            len(case.wrong),
            0,
        )
        outcomes.add(bool(case.wrong))
    assert outcomes == {True, False}


@pytest.mark.parametrize("width, fraction", [(8, 3), (5, 5), (6, 2)])
def test_rounded_numbers_give_the_same_answers(
    width: int, fraction: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach_grouped, "joined", lambda queries: None)
    for name, setting in (("SAFE", 2**14), ("WIDTH", width), ("FRACTION", fraction)):
        monkeypatch.setattr(reach_problem, name, setting)
    rounded = 0
    for case in cases(15):
        for few in (1, 50_000) if len(case.words) <= 20 else (50_000,):
            try:
                counting = GroupedSearch(
                    case.queries, counting=True, options=Options(few=few, nodes=4, rounds=2)
                )
                deciding = GroupedSearch(case.queries, options=Options(few=few, nodes=4, rounds=2))
            except Unsupported:
                continue
            rounded += any(bounder.problem.shift for bounder in counting.bounders)
            assert counting.run(later()) and deciding.run(later(), wanted=10**6)
            assert (counting.right, counting.wrong) == (len(case.words) - len(case.wrong), len(case.wrong))
            assert set(deciding.words) == case.wrong
    assert rounded > 10


def test_it_can_be_stopped_at_any_time_and_always_knows_what_is_open() -> None:
    stopped = 0
    for case in cases(15):
        if len(case.words) < 10:
            continue
        parts = GroupedSearch(case.queries, counting=True, options=Options(few=1, nodes=2, rounds=1))
        assert not parts.run(time.monotonic() - 1) and parts.open == len(case.words)
        seconds = 0.001
        while not parts.run(time.monotonic() + seconds):
            assert parts.right + parts.wrong + parts.open == len(case.words)
            stopped, seconds = stopped + 1, 1.3 * seconds  # a part that was stopped begins again
        assert (parts.right, parts.wrong, parts.open) == (
            len(case.words) - len(case.wrong),
            len(case.wrong),
            0,
        )
    assert stopped > 20


def test_a_subdomain_that_runs_out_of_time_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case = max(cases(15), key=lambda c: len(c.words))
    parts = GroupedSearch(case.queries, counting=True, options=Options(few=1))
    work, turns = GroupedSearch._work, iter(range(10**6))

    def interrupted(
        self: GroupedSearch,
        part: reach_grouped.GraphSubdomain,
        until: float,
        children: list[reach_grouped.GraphSubdomain],
    ) -> None:
        work(self, part, until, children)
        if next(turns) % 2 == 0:
            raise reach_grouped.ReachOutOfTime

    monkeypatch.setattr(GroupedSearch, "_work", interrupted)
    while not parts.run(later()):
        assert parts.right + parts.wrong + parts.open == len(case.words)
    assert (parts.right, parts.wrong) == (len(case.words) - len(case.wrong), len(case.wrong))
