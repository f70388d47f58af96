"""Checkpoints from `prove_claim` and from the command line: what is kept, what is refused, and that it goes
on.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clocks import LONG, later
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.backends.bab import BACKEND
from relucid.verifiers.engines.bab.bounding import BabOptions
from relucid.verifiers.engines.bab.checkpoint import save
from relucid.verifiers.engines.bab.labels import LabelSearches
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted

HARD = CORPUS / "clamped_6" / "claim.toml"
SMALL_STEPS = BabOptions(attack=False, optimise=False, functions=2, cell_nodes=0, presolve_iterations=0)


@pytest.fixture
def claim() -> WordClaim:
    return load_word_claim(HARD)


def begun(claim: WordClaim, steps: int) -> LabelSearches:
    """A few steps of every label's search."""
    whole = LabelSearches(claim, later(), SMALL_STEPS)
    for search in whole.searches.values():
        search._start()
        for _ in range(steps):
            if search.waiting:
                left, status = search._step(search.waiting.take())
                search.waiting.put(left or [])
                assert not status
    return whole


def test_unfinished_work_is_kept_and_goes_on(claim: WordClaim, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    whole = begun(claim, 40)
    share = whole.proved_inputs()
    assert 0 < share < claim.domain_size
    save(file, claim, whole.searches)
    again = LabelSearches(claim, later(), SMALL_STEPS, checkpoint=file)
    assert again.proved_inputs() == share
    verdict = prove_claim(
        claim,
        request=ProofRequest(backends=["bab"]),
        budget=Budget(seconds=LONG, workers=1, checkpoint=str(file)),
    )
    assert isinstance(verdict, Proved) and not file.exists() and not list(tmp_path.iterdir())


def test_a_timeout_says_how_much_is_proved_and_writes_the_file(
    claim: WordClaim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.json"
    save(file, claim, begun(claim, 40).searches)
    monkeypatch.setattr(LabelSearches, "_run", lambda self, *_: False)  # out of time at once
    attempt = BACKEND.solve(claim, Budget(seconds=5, checkpoint=str(file)), lambda text: None)
    assert attempt.outcome == "timeout" and 0 < (attempt.proved_inputs or 0) < claim.domain_size
    assert json.loads(file.read_text())["claim"] == claim.digest


def test_an_interrupt_keeps_what_was_done(
    claim: WordClaim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: LabelSearches, *_: object) -> bool:
        for search in self.searches.values():
            search._start()
        raise KeyboardInterrupt

    monkeypatch.setattr(LabelSearches, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        BACKEND.solve(claim, Budget(seconds=5, checkpoint=str(tmp_path / "kept")), lambda text: None)
    monkeypatch.undo()
    assert LabelSearches(claim, later(), checkpoint=tmp_path / "kept").searches[0].started


def test_a_refuted_claim_leaves_no_file_and_is_refuted_from_one(tmp_path: Path) -> None:
    claim = load_word_claim(CORPUS / "clamped_three_layers_near_miss" / "claim.toml")
    file = tmp_path / "kept"
    whole = LabelSearches(claim, later(), SMALL_STEPS)
    for search in whole.searches.values():
        search._start()
    save(file, claim, whole.searches)
    verdict = prove_claim(
        claim,
        request=ProofRequest(backends=["bab"]),
        budget=Budget(seconds=LONG, workers=1, checkpoint=str(file)),
    )
    assert isinstance(verdict, Refuted) and not file.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "it is not a checkpoint of relucid"),
        (b"[1, 2]", "it is not a checkpoint of relucid"),
        (b"[" * 100_000, "it is not a checkpoint of relucid"),
        (
            b'{"format": "relucid bab record 1", "claim": "0", "labels": {}}',
            "the checkpoint is about another claim",
        ),
        (
            b'{"format": "relucid bab record 1", "claim": "0", "labels": 3}',
            "it is not a checkpoint of relucid",
        ),
        (
            b'{"format": "relucid bab record 9", "claim": "0", "labels": {}}',
            "it is not a checkpoint of relucid",
        ),
    ],
)
def test_files_that_are_none_are_refused_and_left_alone(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept"
    file.write_bytes(content)
    assert main(["prove", str(HARD), "--checkpoint", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"relucid: {file}: {says}; ") and err.count("\n") == 1
    assert file.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, claim: WordClaim) -> None:
    with pytest.raises(InputError, match="the checkpoint could not be written there"):
        prove_claim(claim, budget=Budget(checkpoint=str(tmp_path / "missing" / "kept")))
    with pytest.raises(InputError, match="cannot read the checkpoint"):
        prove_claim(claim, budget=Budget(checkpoint=str(tmp_path)))


def test_an_empty_file_is_a_beginning(tmp_path: Path, claim: WordClaim) -> None:
    (tmp_path / "kept").write_bytes(b"\n")
    assert isinstance(
        prove_claim(
            claim,
            request=ProofRequest(backends=["bab"]),
            budget=Budget(seconds=LONG, checkpoint=str(tmp_path / "kept")),
        ),
        Proved,
    )
