"""What the parent makes of what its child says, and of its silence; the child is a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from relucid.cli.main import main
from relucid.common.processes import supervised
from relucid.models.claims.box_paths import BoxFiles
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.boxes.process import Crashed, decide_box_files
from relucid.verifiers.evidence import How, Tiling
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.report import vnncomp_word
from relucid.verifiers.verdict import Contradiction

FILES = BoxFiles(Path("n"), Path("s"))
PROVED = verdicts.to_plain(verdicts.proved("split-inputs", Tiling.at_roots(1, 1, How.BOUNDS)))


def child_says(monkeypatch: pytest.MonkeyPatch, *messages: object, then: str = "pass") -> None:
    lines = "".join(json.dumps(m) + "\n" for m in messages)
    code = f"import os, sys, time\nos.write(1, {lines.encode()!r})\n{then}\n"
    monkeypatch.setattr(supervised, "BOOT", code)


def test_an_answer_stands_whatever_becomes_of_its_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    child_says(monkeypatch, {"decided": PROVED}, then="time.sleep(60)")
    found = decide_box_files(FILES, Budget(0.5), ProofRequest(None))
    assert (found.outcome, found.trust, found.certificate) == (
        "proved",
        "exact",
        "not checked: the time limit was reached",
    )
    child_says(monkeypatch, {"decided": PROVED}, then="ballast = bytearray(2 * 10**8); time.sleep(60)")
    found = decide_box_files(FILES, Budget(50, 100), ProofRequest(None))
    assert found.outcome == "proved" and found.certificate.startswith("not checked: it needs more memory")


@pytest.mark.parametrize(
    "evidence", [None, {"cases": 1, "polyhedra": 1, "joined": 0, "splits": 1, "settled": [["BOUNDS", 1]]}]
)
def test_proved_without_evidence_that_adds_up_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, evidence: object
) -> None:
    child_says(monkeypatch, {"answer": {**PROVED, "evidence": evidence}})
    with pytest.raises(ValueError, match=r"needs evidence|do not tile"):
        decide_box_files(FILES, Budget(50), ProofRequest("exact"))
    child_says(monkeypatch, {"decided": {**PROVED, "evidence": evidence}}, then="time.sleep(60)")
    with pytest.raises(ValueError, match=r"needs evidence|do not tile"):
        decide_box_files(FILES, Budget(0.5), ProofRequest("exact"))


def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    child_says(monkeypatch)
    with pytest.raises(Crashed):
        decide_box_files(FILES, Budget(50), ProofRequest("exact"))
    child_says(monkeypatch, then="time.sleep(60)")
    assert vnncomp_word(decide_box_files(FILES, Budget(0.2), ProofRequest("exact"))) == "timeout"


def test_a_contradiction_is_status_4(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child_says(
        monkeypatch, {"decided": PROVED}, {"contradiction": ["the checker rejects its proof", str(tmp_path)]}
    )
    with pytest.raises(Contradiction) as raised:
        decide_box_files(FILES, Budget(50), ProofRequest("exact"))
    assert raised.value.artefacts == str(tmp_path)
    (tmp_path / "claim.toml").write_text('network = "n.onnx"\n[domain]\nbox = "s.vnnlib"\n')
    assert main(["prove", str(tmp_path / "claim.toml")]) == 4
    assert capsys.readouterr().err == f"relucid: the checker rejects its proof; artefacts are in {tmp_path}\n"
