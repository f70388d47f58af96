"""Every claim with a known answer, by the race and by each backend alone: the right answer, or an honest
"cannot".
"""

from __future__ import annotations

import json

import pytest
from clocks import LONG
from known_claims import GOLDEN, Known, corpus, golden
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import Relu
from relucid.verifiers.evidence import Coverage
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.registry import all_backends, get
from relucid.verifiers.race.replay import WordReplayer

BACKENDS = ["enumerate", "cpsat", "highs", "scip", "z3-bv", "z3-real", "bitwuzla"]
CLAIMS = [*corpus(), *golden()]
VALID = [k for k in CLAIMS if k.expected["exit"] != 2]
HARD = {
    ("z3-real", "clamped_6"),
    ("bitwuzla", "clamped_6"),
}  # half a minute and more: these get a moment only


def ids(known: Known) -> str:
    return known.folder.name


def test_the_corpus_covers_what_it_should() -> None:
    facts = [(load_word_claim(k.claim_file), k.expected) for k in corpus()]
    assert len(facts) >= 30
    assert {e["verdict"] for _, e in facts} == {"proved", "refuted"}
    assert {c.decision.kind for c, _ in facts} == {"argmax", "sign"}
    assert {c.network.encoding for c, _ in facts} == {"one_hot", "ids"}
    assert {len(c.domain.tokens) for c, _ in facts} >= {2, 3, 4, 5, 6}
    assert {c.domain.max_length for c, _ in facts} >= {1, 12}
    assert (
        any(c.domain.where for c, _ in facts)
        and any(c.domain.pad for c, _ in facts)
        and any(c.domain.prefix for c, _ in facts)
    )
    assert {sum(isinstance(n, Relu) for n in c.network.nodes) for c, _ in facts} >= {1, 2, 3}  # hidden layers
    assert {(c.decision.kind, e["verdict"]) for c, e in facts if has_tie(c)} >= {
        ("argmax", "proved"),
        ("argmax", "refuted"),
        ("sign", "proved"),
        ("sign", "refuted"),
    }


def has_tie(claim: WordClaim) -> bool:
    """Some input on which only the rule for ties decides: two greatest outputs, or an output of zero."""
    for words, _ in claim.language.words():
        y = claim.network.evaluate(claim.domain.one_hot(words))
        on_the_boundary = (
            y[:, 0] == 0
            if claim.decision.kind == "sign"
            else (y == y.max(axis=1, keepdims=True)).sum(axis=1) > 1
        )
        if on_the_boundary.any():
            return True
    return False


def test_all_backends_are_there() -> None:
    assert set(all_backends()) >= set(BACKENDS)
    assert all(get(name).available() for name in BACKENDS)


def prove(known: Known, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict]:
    status = main(["prove", str(known.claim_file), "--json", "--timeout", str(LONG), *options])
    out = capsys.readouterr().out
    return status, json.loads(out) if out else {}


def agrees(known: Known, status: int, answer: dict) -> None:
    """Verdict, exit status and domain size; a counterexample is checked against the claim anew."""
    expected = known.expected
    assert status == expected["exit"], answer
    if status == 2:
        assert answer == {}
        return
    assert (answer["verdict"], answer["domain_size"]) == (expected["verdict"], expected["domain_size"])
    if status == 1:
        claim = load_word_claim(known.claim_file)
        found = answer["counterexample"]
        word = claim.domain.padded(found["tokens"])
        network = claim.decision.labels[int(claim.network_labels([word])[0])]
        program = claim.program_label(found["tokens"])
        assert json.dumps([network, program]) == json.dumps([found["network_label"], found["program_label"]])
        assert json.dumps(network) != json.dumps(program)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/golden is not here")
@pytest.mark.parametrize("known", golden(), ids=ids)
@pytest.mark.parametrize("backend", ["race", "z3-bv", "highs"])
def test_golden(known: Known, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command line: all backends, an exact one, one with tolerances.

    `verifiers/backends/test_conformance.py` has the other pairs.
    """
    options = [] if backend == "race" else ["--backends", backend]
    options += ["--trust", "float"] if backend == "highs" else []
    agrees(known, *prove(known, capsys, *options))


@pytest.mark.parametrize("known", corpus(), ids=ids)
def test_corpus_by_the_race(known: Known, capsys: pytest.CaptureFixture[str]) -> None:
    agrees(known, *prove(known, capsys))


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_alone(backend: str, part: int) -> None:
    """Directly, without the race: the right answer on every claim, with evidence that adds up; or, where it
    takes long, none.
    """
    solver = get(backend)
    for known in corpus()[part::4]:
        claim = load_word_claim(known.claim_file)
        assert solver.unfit(claim) is None
        hard = (backend, known.folder.name) in HARD
        attempt = solver.solve(claim, Budget(seconds=1.0 if hard else LONG), lambda message: None)
        assert attempt.outcome == known.expected["verdict"] or (
            hard and attempt.outcome in ("timeout", "unknown")
        ), (known.folder, attempt)
        if attempt.outcome == "proved":
            assert Coverage.of(claim, attempt.evidence).inputs == claim.domain_size
        assert (attempt.outcome == "refuted") == bool(attempt.words)
        assert all(differs(claim, word) for word in attempt.words), (known.folder, attempt)


def differs(claim: WordClaim, word: tuple[int, ...]) -> bool:
    return WordReplayer(claim)(word).status == "differs"


def test_expected_counterexamples_replay() -> None:
    """The brute-force counterexamples that come with the claims are ones for us too."""
    refuted = [k for k in VALID if k.expected["one_counterexample"]]
    assert len(refuted) >= 10
    for known in refuted:
        claim = load_word_claim(known.claim_file)
        found = known.expected["one_counterexample"]
        result = WordReplayer(claim)(claim.domain.padded(found["tokens"]))
        assert result.status == "differs", (known.folder, result)


def test_known_answers_are_counted_right() -> None:
    """The number of disagreeing inputs, by exact batched evaluation against the automaton's labels."""
    for known in VALID:
        claim = load_word_claim(known.claim_file)
        wrong = sum(
            int((claim.network_labels(words) != labels).sum()) for words, labels in claim.language.words()
        )
        assert str(wrong) == known.expected["disagreeing"], known.folder
