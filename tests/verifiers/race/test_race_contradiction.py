"""A proof beside a replayed counterexample is a bug of somebody's: it is raised, with what is needed to find
it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from relucid.common.processes.tree import how_ended
from relucid.verifiers.race import turns
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Contradiction

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, children, many_claim

DIFFERS = ((0, 0, 1),)


@pytest.fixture(autouse=True)
def keep_artefacts_here(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    assert children() == []


@pytest.mark.parametrize("order", [("liar", "finder"), ("finder", "liar")])
def test_answers_that_arrive_together(tmp_path, order):
    """The parent looks only when both children have answered and ended."""
    claim = many_claim(more_than=2.5)
    fakes = {"liar": ("proved", ()), "finder": ("refuted", DIFFERS)}

    def wait_for_both(text: str) -> None:
        files = [tmp_path / f"{name}.pid" for name in fakes]
        while not all(f.exists() and how_ended(int(f.read_text())) for f in files):
            time.sleep(0.005)

    with pytest.raises(Contradiction, match="liar says proved, but finder has a counterexample") as caught:
        entrants = [Fake(n, "answer", fakes[n], str(tmp_path)) for n in order]
        prove_claim(claim, registry=entrants, budget=Budget(20.0, 1000, 2), progress=wait_for_both)
    folder = Path(caught.value.artefacts)
    assert str(folder) in str(caught.value)
    record = json.loads((folder / "attempts.json").read_text())
    assert sorted((a["backend"], a["outcome"]) for a in record["attempts"]) == [
        ("finder", "refuted"),
        ("liar", "proved"),
    ]
    assert [["a", "a", "b"]] in [a["inputs"] for a in record["attempts"]]
    assert record["claim"]["digest"] == claim.digest
    assert "def many" in (folder / "program.py").read_text()
    assert (folder / "network.onnx").read_bytes() == claim.network.source


def test_an_answer_that_arrives_while_the_winner_is_put_away(tmp_path, monkeypatch):
    """The finder answers only once the liar has won; it counts all the same."""
    close = turns.close

    def close_and_let_the_other_answer(children):
        close(children)
        if not (tmp_path / "go").exists():  # the first to be put away is the liar
            (tmp_path / "go").write_text("")
            file = tmp_path / "finder.pid"
            while not (file.exists() and how_ended(int(file.read_text()))):
                time.sleep(0.005)

    monkeypatch.setattr(turns, "close", close_and_let_the_other_answer)
    finder = Fake("finder", "answer", ("refuted", DIFFERS, "go"), str(tmp_path))
    with pytest.raises(Contradiction, match="liar says proved, but finder has a counterexample"):
        prove_claim(
            many_claim(more_than=2.5), registry=[Fake("liar", "prove"), finder], budget=Budget(20.0, 1000, 2)
        )


def test_answers_one_after_the_other():
    fakes = [Fake("liar", "prove"), Fake("finder", "refute", DIFFERS, trust="checked")]
    with pytest.raises(Contradiction):
        prove_claim(
            many_claim(more_than=2.5),
            registry=fakes,
            budget=Budget(20.0, 1000, 1),
            request=ProofRequest("checked"),
        )


def test_an_automaton_that_disagrees_with_the_program_is_our_bug():
    claim = many_claim(more_than=2.5)
    claim.__dict__["language"] = replace(claim.language, labels=tuple(1 - y for y in claim.language.labels))
    with pytest.raises(
        Contradiction, match=r"the automaton gives False .* running the program gives True"
    ) as caught:
        prove_claim(claim, registry=[Fake("finder", "refute", DIFFERS)], budget=Budget(20.0, 1000, 1))
    assert (Path(caught.value.artefacts) / "attempts.json").exists()
