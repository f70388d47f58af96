"""Claims about every position: verdict, counterexample and count are those of brute force."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import relucid
from hypothesis import HealthCheck, given, settings
from position_cases import PositionCase, position_cases
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_reduced
from relucid.models.claims.position_claims import PositionClaims
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.evidence import Coverage, PositionCoverage, Settled, Share, Uncovered
from relucid.verifiers.race import count_positions, positions
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.positions import prove_positions
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.report import verdict_json
from relucid.verifiers.verdict import Proved, Refuted, Unknown, Verdict

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def claim_of(case: PositionCase, folder: Path) -> PositionClaims:
    found = load_reduced(case.write(folder))
    assert isinstance(found, PositionClaims)
    return found


@SLOW
@given(position_cases())
def test_verdict_and_count_are_those_of_brute_force(case: PositionCase) -> None:
    with tempfile.TemporaryDirectory() as folder:
        claim = claim_of(case, Path(folder))
    wrong = case.wrong()
    assert claim.domain_size == len(case.words)
    assert {i: p.domain_size for i, p in claim.parts.items()} == {
        i: n for i in range(case.lengths[1]) if (n := sum(len(w) > i for w in case.words))
    }
    verdict = prove_positions(claim, budget=Budget(60), request=ProofRequest(count=True))
    if not wrong:
        assert isinstance(verdict, Proved) and verdict.trust == "checked"
        assert isinstance(verdict.evidence, PositionCoverage)
        assert [i for i, _ in verdict.evidence.parts] == list(claim.parts)
        return
    assert isinstance(verdict, Refuted) and verdict.disagreeing == len(wrong)
    found = verdict.counterexample
    assert found.position in wrong[found.tokens]
    assert found.network_label == case.network_labels(found.tokens)[found.position]
    assert found.program_label == case.program_labels(found.tokens)[found.position]
    shown = verdict_json(verdict)["counterexample"]
    assert shown["position"] == found.position and shown["tokens"] == list(found.tokens)


COUNTING = """def answer(tokens):
    return "y" if tokens.count("b") > 1 else "x"
"""


def counting(folder: Path, program: str = COUNTING, **changes: object) -> Path:
    """A network of three positions that says y after two b, as the program does."""
    import numpy as np

    rows, bias = np.zeros((3, 9), dtype=int), np.full(3, -1)
    for i in range(3):
        rows[i, [3 * j + 1 for j in range(i + 1)]] = 1
    fields = {"lengths": (1, 3), "prefix": 0, "sign": True, "per_prefix": True, "where": None} | changes
    return PositionCase(((rows, bias),), program=program, **fields).write(folder)


def test_the_command_says_every_position(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(counting(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("proved: network = program at every position of all 14 inputs (trust: checked")
    wrong = counting(tmp_path, COUNTING.replace("> 1", "> 2"))
    assert main(["prove", str(wrong), "--count"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("refuted: network and program differ on exactly 5 inputs")
    assert "position" in out.splitlines()[1] and out.splitlines()[2].split()[:3] == ["b", "b", "1"]
    assert main(["prove", str(wrong), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["counterexample"]
    assert found == {
        "tokens": ["b", "b"],
        "network_label": "y",
        "program_label": "x",
        "outputs": ["1"],
        "position": 1,
    }


def test_python_takes_such_claims(tmp_path: Path) -> None:
    claim = relucid.load_claim(counting(tmp_path))
    place = tmp_path / "proof"
    verdict = relucid.prove(claim, request=ProofRequest(path=place))
    assert isinstance(verdict, Proved) and verdict.trust == "checked" and verdict.domain_size == 14
    assert "agree at every position of all 14 inputs" in repr(verdict)
    assert relucid.check(claim, place).shows == "proved"
    wrong = relucid.load_claim(counting(tmp_path, COUNTING.replace("> 1", "> 2")))
    found = relucid.prove(wrong)
    assert isinstance(found, Refuted) and "['b', 'b'] at position 1: network 'y'" in str(found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "drat", "--proof", "p"], "--format: drat is for claims about one label, and this one is about every position; leave it out"),
        (["--checkpoint", "c"], "--checkpoint: is for claims about one label, and this one is about every position; leave it out"),
        (["--dump", "d"], "--dump: is for claims about one label, and this one is about every position; leave it out"),
    ],
)  # fmt: skip
def test_what_such_claims_do_not_have(
    options: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prove", str(counting(tmp_path)), *options]) == 2
    assert said in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {"claim.toml", "net.onnx", "p.py"}


def test_what_is_too_much_to_count_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = load_reduced(counting(tmp_path, COUNTING.replace("> 1", "> 2")))
    assert isinstance(claim, PositionClaims)
    monkeypatch.setattr(count_positions, "MOST", 10)
    verdict = prove_positions(claim, request=ProofRequest(count=True))
    assert isinstance(verdict, Refuted) and verdict.disagreeing is None
    assert any("34 pairs of an input and a position are over the limit of 10" in w for w in verdict.warnings)
    monkeypatch.undo()
    assert count_positions.count_disagreeing(claim, 0.0)[0] is None  # out of time


def test_a_position_without_an_answer_leaves_the_claim_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are still asked: one of them may refute."""
    claim, real, budgets = load_reduced(counting(tmp_path)), positions.prove_claim, []
    assert isinstance(claim, PositionClaims)

    def fake(part: WordClaim, *, budget: Budget, **rest: object) -> Verdict:
        budgets.append(budget.seconds)
        if part is claim.parts[1]:
            return Unknown(None, 0.0, part.domain_size, (), ("careful",), "time: too short")
        return real(part, budget=budget, **rest)

    monkeypatch.setattr(positions, "prove_claim", fake)
    verdict = prove_positions(claim, budget=Budget(30))
    assert isinstance(verdict, Unknown) and verdict.domain_size == 14
    assert verdict.reason == "at position 1: time: too short"
    assert verdict.warnings == ("at position 1: careful",)
    assert len(budgets) == 3 and 9 < budgets[0] <= 10 and 10 < budgets[1] <= 15

    wrong = load_reduced(counting(tmp_path, COUNTING.replace("> 1", "> 2 or len(tokens) > 2")))
    assert isinstance(wrong, PositionClaims)
    claim = wrong
    found = prove_positions(wrong, budget=Budget(30))
    assert isinstance(found, Refuted) and found.counterexample.position == 2


def test_the_trust_is_the_least_of_all_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, real = load_reduced(counting(tmp_path)), positions.prove_claim
    assert isinstance(claim, PositionClaims)

    def fake(part: WordClaim, **rest: object) -> Verdict:
        found = real(part, **rest)  # type: ignore[arg-type]
        assert isinstance(found, Proved)
        if part is claim.parts[1]:
            return replace(
                found, trust="float", backend="rounding", certifiable=False, exact_in_float32=False
            )
        return found

    monkeypatch.setattr(positions, "prove_claim", fake)
    verdict = prove_positions(claim, request=ProofRequest(trust="float"))
    assert isinstance(verdict, Proved) and verdict.trust == "float" and not verdict.certifiable
    assert verdict.backend == "enumerate, rounding" and not verdict.exact_in_float32
    assert [a.detail.partition(":")[0] for a in verdict.attempts] == [f"position {i}" for i in range(3)]
    found = prove_positions(claim)
    assert isinstance(found, Proved) and found.trust == "float"  # nothing is said to be checked


def test_evidence_needs_every_position_and_every_input() -> None:
    def covered(inputs: int) -> Coverage:
        return Coverage((Share(inputs, 1),), (Settled(None, None, inputs, "run"),))

    good = PositionCoverage((1, 2, 4), ((0, covered(6)), (1, covered(4))))
    assert good.inputs == 7
    for parts in (
        ((0, covered(6)),),
        ((1, covered(4)), (0, covered(6))),
        ((0, covered(6)), (1, covered(3))),
        ((0, covered(7)), (1, covered(4))),
        ((0, covered(6)), (1, covered(4)), (2, covered(1))),
        ((0, covered(6)), (1, None)),
    ):
        with pytest.raises(Uncovered):
            PositionCoverage((1, 2, 4), parts)  # type: ignore[arg-type]
