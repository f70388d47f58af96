"""Evidence that does not account for every input, rival by rival, exactly once makes no `Proved`, whoever
hands it in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from relucid.models.claims.claim_file import load_word_claim
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.engines.bab.cells import SettledNode
from relucid.verifiers.engines.bab.leaves import Leaves
from relucid.verifiers.evidence import Coverage, Settled, Share, Uncovered
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.choose import choose
from relucid.verifiers.race.judge import Judge
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.registry import all_backends
from relucid.verifiers.race.replay import WordReplayer
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Unknown

sys.path.insert(0, str(Path(__file__).parent))
from known_claims import corpus
from race_fakes import Fake, many_claim

SHARES = (Share(4, 2), Share(0, 2), Share(3, 2))
WHOLE = (Settled(None, None, 7, "run"),)
BY_LABEL = (
    Settled(0, (0,), 4, "bounds"),
    Settled(0, (1,), 1, "leaves"),
    Settled(0, (1,), 3, "leaves"),
    Settled(2, None, 3, "sums"),
)


@pytest.mark.parametrize("settled", [WHOLE, BY_LABEL], ids=["whole", "by label"])
def test_complete_evidence(settled: tuple[Settled, ...]) -> None:
    assert Coverage(SHARES, settled).inputs == 7


@pytest.mark.parametrize("settled", [WHOLE, BY_LABEL], ids=["whole", "by label"])
def test_each_piece_is_needed_and_counts_once(settled: tuple[Settled, ...]) -> None:
    for i, piece in enumerate(settled):
        for change in (
            [],
            [piece, piece],
            [replace(piece, inputs=piece.inputs - 1)],
            [replace(piece, inputs=piece.inputs + 1)],
        ):
            with pytest.raises(Uncovered):
                Coverage(SHARES, (*settled[:i], *change, *settled[i + 1 :]))


@pytest.mark.parametrize(
    "wrong",
    [
        Settled(1, None, -1, "x"), Settled(3, None, 0, "x"), Settled(-1, None, 0, "x"), Settled(0, (2,), 0, "x"), Settled(0, (0, 0), 0, "x"),
        Settled(None, (0,), 0, "x"), Settled(None, None, 0.0, "x"), Settled(None, None, True, "x"), Settled(0, (True,), 0, "x"), "proved",
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_evidence_at_all(wrong: object) -> None:
    with pytest.raises(Uncovered):
        Coverage(SHARES, (*BY_LABEL, wrong))  # type: ignore[arg-type]


def test_more_of_one_label_does_not_make_up_for_less_of_another() -> None:
    with pytest.raises(Uncovered, match="rival 1 of label 0 accounts for 3 of 4 inputs"):
        Coverage(SHARES, (Settled(0, None, 3, "x"), Settled(2, None, 4, "x")))


def test_proved_cannot_be_built_without_it() -> None:
    proved = prove_claim(many_claim(), request=ProofRequest(backends=["enumerate"]))
    assert isinstance(proved, Proved)
    for evidence in (
        None,
        Coverage((Share(7, 1),), (Settled(None, None, 7, "run"),)),
        Settled(None, None, 8, "run"),
    ):
        with pytest.raises(ValueError, match="does not cover"):
            replace(proved, evidence=evidence)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["reach", "bab", "bab:no-words", "bab:no-relus"])
def test_the_evidence_of_our_engines_adds_up_on_true_claims(name: str) -> None:
    """`test_known_answers.py` asks that of the others."""
    (backend,) = choose([name])
    proofs = 0
    for known in corpus()[:: 2 if name in ("reach", "bab") else 6]:
        claim = load_word_claim(known.claim_file)
        if known.expected["verdict"] == "proved" and backend.unfit(claim) is None:
            found = backend.solve(claim, Budget(20.0), lambda text: None)
            if found.outcome == "proved":
                assert Coverage.of(claim, found.evidence).inputs == claim.domain_size
                proofs += 1
    assert proofs


@pytest.mark.parametrize("in_process", [False, True])
def test_a_backend_that_shows_nothing_proves_nothing(in_process: bool) -> None:
    silent = Fake("silent", "nonsense", (Attempt("silent", "proved"),), in_process=in_process)
    verdict = prove_claim(many_claim(), registry=[silent], budget=Budget(20.0))
    assert (
        isinstance(verdict, Unknown)
        and "said proved, but its evidence against rival 1 of label 0 accounts for 0 of 4" in verdict.reason
    )


def test_a_leaf_that_is_lost_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a search forgets to keep, it cannot count."""
    kept = Leaves.add
    calls: list[int] = []

    def forgetting(lost: int) -> Callable[..., None]:
        def add(self: Leaves, cell: int, leaves: Iterable[SettledNode]) -> None:
            calls.append(cell)
            if len(calls) != lost:
                kept(self, cell, leaves)

        return add

    bab, claims = (
        all_backends()["bab"],
        [load_word_claim(k.claim_file) for k in corpus() if k.expected["verdict"] == "proved"],
    )
    for claim in claims[:4]:
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Leaves, "add", forgetting(0))
            assert bab.solve(claim, Budget(20.0), lambda text: None).outcome == "proved"
        for lost in range(1, min(len(calls), 8) + 1):
            calls.clear()
            with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="do not add up"):
                patch.setattr(Leaves, "add", forgetting(lost))
                bab.solve(claim, Budget(20.0), lambda text: None)


def test_the_judge_says_what_is_missing() -> None:
    claim = many_claim()
    judge = Judge(claim, "exact", WordReplayer(claim))
    judge.consider(
        [(all_backends()["bab"], Attempt("bab", "proved", evidence=(Settled(0, (0,), 4, "leaves"),)))]
    )
    assert judge.proof is None and judge.attempts[0].outcome == "crashed"
    assert (
        judge.attempts[0].detail
        == "said proved, but its evidence against rival 1 of label 1 accounts for 0 of 4 inputs"
    )
