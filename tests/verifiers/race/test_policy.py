"""The table of the race: it loads, it names what exists, it decides about order only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, many_claim
from relucid.verifiers.race import policy
from relucid.verifiers.race.policy import Features, Rule, plan, table
from relucid.verifiers.race.registry import all_backends

HUGE = Features(10**40, 10**4, 10**3, 10**6)
RULES = (
    Rule("tiny", {}, {"inputs": 4}, (("cheap", 1.0),), ("slow",)),
    Rule("rest", {}, {}, (("cheap", 2.0), ("slow", 3.0)), ("b", "cheap", "a")),
)


def test_the_shipped_table_names_backends_that_exist_and_covers_every_claim() -> None:
    known = all_backends()
    for rule in table():
        assert rule.name and {name for name, _ in rule.here} | set(rule.then) <= set(known), rule
        assert all(known[name].capabilities.in_process and seconds > 0 for name, seconds in rule.here), rule
        assert len(set(rule.then)) == len(rule.then)
    assert table()[-1].least == table()[-1].most == {} and any(rule.fits(HUGE) for rule in table())


def fit(*fakes: Fake) -> list:
    return [(fake, fake.version) for fake in fakes]


def names(entries) -> list[str]:
    return [backend.name for backend, _ in entries]


def test_order_is_the_tables_then_everybody_else() -> None:
    cheap, slow = Fake("cheap", "prove", in_process=True), Fake("slow", "prove")
    found = plan(
        many_claim(), fit(Fake("x", "prove"), Fake("a", "prove"), cheap, slow, Fake("b", "prove")), RULES
    )
    assert found.rule == "rest"
    assert [(entry[0].name, seconds) for entry, seconds in found.here] == [
        ("cheap", 2.0)
    ]  # slow cannot run in this process
    assert names(found.then) == ["b", "cheap", "a", "x", "slow"]


def test_what_is_cheap_but_not_named_leads_on_small_domains_and_comes_last_on_big_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = Fake("own", "prove", in_process=True), Fake("other", "prove")
    found = plan(many_claim(), fit(own, other), RULES)
    assert [(entry[0].name, seconds) for entry, seconds in found.here] == [("own", None)] and names(
        found.then
    ) == ["other"]
    monkeypatch.setattr(policy, "SMALL", 1)
    found = plan(many_claim(), fit(own, other), RULES)
    assert found.here == () and names(found.then) == ["other", "own"]


def test_features_and_conditions() -> None:
    claim = many_claim()
    features = Features.of(claim)
    assert features.inputs == claim.domain_size and features.edges == claim.language.edge_count
    assert features.relus == claim.network.relu_count and features.layers == 0
    assert Rule("r", {"edges": 1}, {"inputs": features.inputs}, (), ()).fits(features)
    assert not Rule("r", {}, {"inputs": features.inputs - 1}, (), ()).fits(features)
    assert not Rule("r", {"edges": features.edges + 1}, {}, (), ()).fits(features)


def test_a_misspelt_condition_is_noticed() -> None:
    with pytest.raises(ValueError, match="unknown key 'input_at_most' in rule 'r'"):
        policy._rule({"name": "r", "here": [], "then": [], "input_at_most": 3})
