"""What one of our engines proves is put to the proof checker, unless another trust was asked for; what the
checker says counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import relucid
from relucid.cli.main import main
from relucid.models.circuits.black_box import BlackBox
from relucid.verifiers.attempts import Trust
from relucid.verifiers.proof import tree
from relucid.verifiers.proof.format import LimitReached, Rejected
from relucid.verifiers.proof.words import producer, subject
from relucid.verifiers.race import race
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import LEAST_FOR_PROOF, affordable, prove_claim, reach_for_checked
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Contradiction, Proved

sys.path.insert(0, str(Path(__file__).parent))
from known_claims import CORPUS
from race_fakes import Fake, many_claim

TRUE = CORPUS / "count_sign_l7" / "claim.toml"


def decided(
    trust: Trust | None = None,
    proof: Path | None = None,
    backends: Sequence[str] | None = None,
    registry: Sequence[Fake] | None = None,
) -> Proved:
    asked = ProofRequest(trust, proof, backends=backends)
    verdict = prove_claim(many_claim(), budget=Budget(20.0), request=asked, registry=registry)
    assert isinstance(verdict, Proved)
    return verdict


@pytest.mark.parametrize("engine", ["enumerate", "reach", "bab"])
def test_each_of_our_engines_is_checked(engine: str) -> None:
    verdict = decided(backends=[engine])
    assert verdict.trust == "checked" and verdict.backend == engine
    assert verdict.certificate.startswith("proof: ") and verdict.proof is None  # it was thrown away


@pytest.mark.parametrize("trust", ["exact", "float"])
def test_another_trust_leaves_it_out(trust: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "checked_where_affordable", lambda *_: pytest.fail("a proof was made"))
    verdict = decided(backends=["enumerate"], trust=trust)
    assert verdict.trust == "exact" and verdict.certificate == ""


def test_the_word_of_a_solver_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "checked_where_affordable", lambda *_: pytest.fail("a proof was made"))
    assert decided(registry=[Fake("solver", "prove")]).trust == "exact"


def raising(error: BaseException) -> object:
    def lines(*_: object, **__: object) -> Iterator[dict]:
        raise error
        yield

    return lines


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            TimeoutError("out of time while proving"),
            "not checked: out of time while proving (after 2 s; --trust checked gives it all",
        ),
        (MemoryError(), "not checked: out of memory"),
        (OSError(28, "No space left on device"), "not checked: no space for a proof"),
    ],
)
def test_where_no_proof_comes_about_the_verdict_stays_exact_and_says_why(
    error: BaseException, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "run_lines", raising(error))
    verdict = decided(backends=["enumerate"])
    assert verdict.trust == "exact" and verdict.certificate.startswith(said)


def test_a_check_that_does_not_end_leaves_it_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise LimitReached("out of time")

    monkeypatch.setattr(subject, "check_proof", late)
    verdict = decided(backends=["bab"])
    assert (
        verdict.trust == "exact"
        and "could not be checked within the limits (out of time)" in verdict.certificate
    )


def test_where_running_every_word_is_too_much_a_proof_is_searched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tree, "RUN", 3)  # prefixes
    monkeypatch.setattr(producer, "RUN", 3)
    verdict = decided(backends=["enumerate"])
    assert verdict.trust == "checked" and "parts" in verdict.certificate and "run" not in verdict.certificate


def rejecting(*_: object, **__: object) -> None:
    raise Rejected("line 2: a leaf's bound is not negative")


@pytest.mark.parametrize("options", [{}, {"trust": "checked"}], ids=["by default", "asked for"])
def test_a_checker_that_rejects_is_a_contradiction(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "check_proof", rejecting)
    with pytest.raises(
        Contradiction,
        match="enumerate says proved, but the checker rejects its proof: line 2: a leaf's bound",
    ) as caught:
        decided(backends=["enumerate"], **options)
    folder = Path(caught.value.artefacts)
    assert str(folder) in str(caught.value)
    assert {path.name for path in folder.iterdir()} == {
        "attempts.json",
        "network.onnx",
        "program.py",
        "rejected.proof",
    }


def test_a_checker_that_rejects_ends_with_status_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(subject, "check_proof", rejecting)
    proof = tmp_path / "p.proof"
    for more in ([], ["--proof", str(proof)]):
        assert main(["prove", str(TRUE), *more]) == 4
        told = capsys.readouterr()
        assert told.out == "" and "the checker rejects its proof" in told.err.strip().splitlines()[-1]
        assert not proof.exists()


def test_the_command_line_and_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(TRUE), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trust"] == "checked" and told["certificate"].startswith("proof: ")
    assert main(["prove", str(TRUE), "--json", "--trust", "exact"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trust"] == "exact" and told["certificate"] is None


@pytest.mark.parametrize(
    ("decided_in", "left", "seconds"),
    [(0.1, 60.0, LEAST_FOR_PROOF), (10.0, 50.0, 10.0), (50.0, 10.0, 9.0), (0.1, 1.0, 0.9), (60.0, 0.0, 0.0)],
)
def test_as_long_again_as_deciding_took_and_at_least_two_seconds(
    decided_in: float, left: float, seconds: float
) -> None:
    assert affordable(decided_in, left) == pytest.approx(seconds)


def test_distill_checks_its_last_proof_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    made = subject.run_lines
    monkeypatch.setattr(subject, "run_lines", lambda claim: asked.append(claim.program.digest) or made(claim))
    result = relucid.distill("bracket_depth")
    assert isinstance(result.verdict, Proved) and result.verdict.trust == "checked"
    assert asked == [result.claim.program.digest] and result.refuted
    assert "trust: checked" in result.claim.program.text
    asked.clear()
    zero = BlackBox("zero", ("a", "b"), lambda ids: np.zeros((len(ids), 2)), "a function", "zero")
    result = relucid.distill(
        zero,
        {"tokens": ["a", "b"], "length": 2},
        labels=["a", "b"],
        request=relucid.ProofRequest(trust="exact"),
    )
    assert isinstance(result.verdict, Proved) and result.verdict.trust == "exact" and not asked


def test_reaching_for_it_twice_changes_nothing() -> None:
    verdict = decided(backends=["enumerate"])
    assert reach_for_checked(many_claim(), verdict, 10.0) is verdict
