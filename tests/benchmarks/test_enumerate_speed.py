"""The comparison of `enumerate` with the old way compares the same thing."""

from __future__ import annotations

import sys
from unittest import mock

import pytest
from relucid.experiments import enumerate_speed
from relucid.experiments.enumerate_speed import CASES, IDEAS, PlainKernel, SpeedCase, old_count
from relucid.verifiers.engines.enumerate import tree
from relucid.verifiers.engines.enumerate.tree import search

SMALL = [
    SpeedCase(5, 4, (8,)),
    SpeedCase(5, 4, (6, 5), padded=True),
    SpeedCase(5, 4, (6, 5), where=True),
    SpeedCase(4, 4, (6,), three=True),
    SpeedCase(4, 4, (6,), unit=None),
]


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_both_ways_count_the_same(case: SpeedCase) -> None:
    claim = case.claim()
    wrong = old_count(claim)
    assert 0 < search(claim, 60.0, print).wrong == wrong < claim.domain_size


@pytest.mark.parametrize("case", SMALL[:3], ids=str)
def test_the_way_without_the_idea_is_right_too(case: SpeedCase) -> None:
    claim = case.claim()
    with mock.patch.object(tree, "Kernel", PlainKernel):
        assert search(claim, 60.0, print).wrong == old_count(claim)


@pytest.mark.parametrize("option", ["--repeat", "--ideas"])
def test_it_runs(option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(enumerate_speed, "CASES", SMALL)
    monkeypatch.setattr(enumerate_speed, "OF_IDEAS", SMALL[:2])
    monkeypatch.setattr(
        sys, "argv", ["enumerate_speed", "--repeat", "1", *([option] if option == "--ideas" else [])]
    )
    enumerate_speed.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(IDEAS if option == "--ideas" else SMALL)
    assert len({str(case) for case in CASES}) == len(CASES)
