"""The generator on small specs with little training: what it writes, that it writes the same again, and that
it goes on.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from relucid.benchmarks import tokens as module
from relucid.benchmarks.cells import FittedCell, Prefixes, fit_cell
from relucid.benchmarks.families import PAD, QUOTES, Spec, make, specs
from relucid.benchmarks.family_programs import ADJACENT, CLAMPED, MORE, QUOTE, at_least
from relucid.benchmarks.learning import Recipe, TrainingProblem
from relucid.benchmarks.tokens import recipe_digest, seed_of, train_spec, write_suite
from relucid.benchmarks.training import fit
from relucid.benchmarks.words import Walks
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.language import build_language
from relucid.models.network.float32 import exact_in_float32

SMALL = replace(make("count", (2, 5), 2, (4,), at_least(3)), steps=60)
QUOTED = replace(make("quote", 4, ("'", '"', "a"), (3, 3), QUOTE, **QUOTES), steps=40)  # type: ignore[arg-type]
WRONG = replace(make("count", 6, 2, (4,), at_least(3), stated=at_least(4)), steps=300)
RAW = replace(make("compare", 4, 3, (4,), MORE, bits=None), steps=40)


def test_claims_load_and_say_what_the_spec_says(tmp_path: Path) -> None:
    entries = write_suite(tmp_path, chosen=[SMALL, QUOTED, RAW])
    assert json.loads((tmp_path / "suite.json").read_text())["claims"] == entries
    by_name = {e["name"]: e for e in entries}
    for spec, size in ((SMALL, 4 + 8 + 16 + 32), (QUOTED, 4 * 2), (RAW, 3**4)):
        entry = by_name[spec.name]
        claim = load_word_claim(tmp_path / spec.name / "claim.toml")
        assert int(entry["domain_size"]) == claim.domain_size == size
        assert entry["claim_digest"] == claim.digest and entry["network_digest"] == claim.network.digest
        assert (claim.domain.min_length, claim.domain.max_length) == spec.length
        assert claim.decision == spec.decision
        assert entry["widths"] == list(spec.hidden)
        assert exact_in_float32(claim.network, claim.domain.positions).ok == (spec.bits is not None)
    assert load_word_claim(tmp_path / SMALL.name / "claim.toml").domain.pad == PAD


def test_the_same_seeds_give_the_same_network_and_others_another(tmp_path: Path) -> None:
    first, again, other = (train_spec(SMALL, seeds)[0].digest for seeds in ("tune", "tune", "report"))
    assert first == again != other


def test_a_folder_that_is_there_is_kept_and_one_of_another_spec_is_not(tmp_path: Path) -> None:
    write_suite(tmp_path, chosen=[SMALL, QUOTED])
    marks = {
        name: (tmp_path / name / "network.onnx").stat().st_mtime_ns for name in (SMALL.name, QUOTED.name)
    }
    said: list[str] = []
    write_suite(tmp_path, "tune", said.append, chosen=[SMALL, replace(QUOTED, steps=41)])
    assert (tmp_path / SMALL.name / "network.onnx").stat().st_mtime_ns == marks[SMALL.name]
    assert (tmp_path / QUOTED.name / "network.onnx").stat().st_mtime_ns != marks[QUOTED.name]
    assert "is there" in said[0] and "training" in said[1]


def test_a_stopped_run_leaves_whole_folders_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*arguments: object) -> None:
        raise KeyboardInterrupt

    write_suite(tmp_path, chosen=[SMALL])
    with monkeypatch.context() as patch:
        patch.setattr(module, "random_tests", stops)  # the last step before the folder gets its name
        with pytest.raises(KeyboardInterrupt):
            write_suite(tmp_path, chosen=[SMALL, QUOTED])
    assert sorted(p.name for p in tmp_path.iterdir()) == [SMALL.name, "suite.json"]
    assert [e["name"] for e in write_suite(tmp_path, chosen=[SMALL, QUOTED])] == sorted(
        [SMALL.name, QUOTED.name]
    )


def test_a_wrong_program_is_trained_for_the_right_one(tmp_path: Path) -> None:
    (entry,) = write_suite(tmp_path, chosen=[WRONG])
    claim = load_word_claim(tmp_path / WRONG.name / "claim.toml")
    assert ">= 4" in claim.program.text and entry["flaw"] == "program"
    every = np.concatenate([words for words, _ in claim.language.words()])
    assert (claim.network_labels(every) == ((every == 0).sum(axis=1) >= 3)).all()
    assert entry["random_tests_differ"]


def test_only_chooses_by_name(tmp_path: Path) -> None:
    assert [e["name"] for e in write_suite(tmp_path, only="^quote", chosen=[SMALL, QUOTED])] == [QUOTED.name]
    with pytest.raises(InputError, match="matches no claim"):
        write_suite(tmp_path, only="nothing", chosen=[SMALL])


def test_float64_labels_of_random_tests_are_the_exact_ones(tmp_path: Path) -> None:
    write_suite(tmp_path, chosen=[RAW, QUOTED])
    for spec in (RAW, QUOTED):
        claim = load_word_claim(tmp_path / spec.name / "claim.toml")
        every = np.concatenate([words for words, _ in claim.language.words()])
        assert (module._labels(claim, every) == claim.network_labels(every)).all()


def test_the_attack_finds_what_random_words_miss() -> None:
    """A network that is right but on two of 2^18 words: counting a, with one weight that is too large where
    all others are not a.
    """
    from relucid.benchmarks.attack import Attack
    from relucid.benchmarks.learning import Perceptron, one_thread

    spec = make("count", 18, 2, (1,), at_least(1))
    problem = TrainingProblem(build_language(spec.domain(), spec.taught, spec.labels), 2, True)
    assert problem.whole is None
    with one_thread() as torch:
        model = Perceptron(torch, problem, Recipe((1,)), np.random.default_rng(0))
        table = np.zeros((18, 2, 1))
        table[:, 0] = 1.0
        table[7, 0] = 0.25  # one a, and it stands at place 7: too little
        values = [table.reshape(36, 1), np.zeros(1), np.ones((1, 1)), np.array([-0.5])]
        with torch.no_grad():
            for parameter, value in zip(model.parameters, values, strict=True):
                parameter.copy_(torch.from_numpy(value))
        attack = Attack(torch, problem, np.random.default_rng(1))
        assert attack.run(model) < 0
        assert attack.words is not None
        assert [1] * 7 + [0] + [1] * 10 in attack.words.tolist()


def test_training_learns_a_small_language_and_stays_on_the_grid() -> None:
    spec = make("adjacent", 5, 3, (16,), ADJACENT)
    problem = TrainingProblem(build_language(spec.domain(), spec.taught, spec.labels), 2, True)
    fitted = fit(problem, Recipe((16,), bits=4, steps=800), np.random.default_rng(0))
    assert fitted.worst > 0
    every = np.concatenate([words for words, _ in problem.language.words()])
    right = np.concatenate([labels for _, labels in problem.language.words()])
    out = fitted.network.evaluate(spec.domain().one_hot(every))
    assert ((out[:, 0] > 0) == right).all()
    assert 16 % fitted.network.nodes[0].denominator == 0  # type: ignore[union-attr]


def test_an_unrolled_cell_is_the_cell() -> None:
    rng = np.random.default_rng(0)
    cell = FittedCell(
        rng.integers(-1, 2, (3, 3)) * 1.0,
        rng.integers(-8, 9, (2, 3)) / 8,
        rng.integers(-8, 9, (1, 3)) / 8,
        np.array([0.5]),
    )
    words = rng.integers(2, size=(50, 6))
    state = np.zeros((50, 3))
    for t in range(6):
        state = np.maximum(state @ cell.recurrent.T + cell.token[words[:, t]], 0)
    network = cell.unrolled(6)
    hot = np.eye(2, dtype=np.int8)[words].reshape(50, -1)
    assert (network.evaluate(hot) / network.scale == state @ cell.readout.T + cell.offset).all()


def test_prefixes_carry_the_labels_of_the_program() -> None:
    spec = make("tied-clamped", 6, ("(", ")", "a"), (), CLAMPED, cell=4)
    prefixes = Prefixes(lambda n: build_language(spec.domain(n), spec.taught, spec.labels), 6, 3)
    words, labels = prefixes.sample(np.random.default_rng(0), 20, 6)
    for word, row in zip(words, labels, strict=True):
        assert [spec.taught(tuple(spec.tokens[s] for s in word[:n])) for n in range(1, 7)] == [
            bool(y) for y in row
        ]


def test_a_cell_comes_out_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CELLS", 3), ("FLOAT_STAGES", ((3, 5, 0.03),)), ("ROUNDED_STAGES", ((3, 5, 0.01),))):
        monkeypatch.setattr(f"relucid.benchmarks.cells.{name}", value)
    spec = make("tied-clamped", 6, ("(", ")", "a"), (), CLAMPED, cell=4)
    prefixes = Prefixes(lambda n: build_language(spec.domain(n), spec.taught, spec.labels), 6, 3)
    first, again = (fit_cell(prefixes, 4, 1, np.random.default_rng(5))[0] for _ in range(2))
    assert first.unrolled(4).digest == again.unrolled(4).digest
    assert (first.recurrent == np.round(first.recurrent)).all()


def test_the_suite_is_as_large_and_as_varied_as_it_says() -> None:
    suite = specs()
    assert len(suite) >= 60 and len({s.name for s in suite}) == len(suite)
    assert {len(s.tokens) for s in suite} >= {2, 3, 4, 5, 6, 8, 12}
    assert min(s.length[1] for s in suite) == 6 and max(s.length[1] for s in suite) == 64
    trained = [s for s in suite if not s.cell]
    assert {len(s.hidden) for s in trained} == {1, 2, 3}
    assert {w for s in trained for w in s.hidden} >= {4, 8, 16, 24, 32}
    tied = [s for s in suite if s.cell]
    assert {s.length[1] for s in tied} == {8, 16, 24, 32, 48, 64}
    assert (
        sum(s.flaw == "early" for s in suite) >= 5
        and any(s.stated for s in suite)
        and any(s.bits is None for s in suite)
    )


@pytest.mark.parametrize("spec", specs(), ids=lambda s: s.name)
def test_programs_and_domains_are_in_the_subset(spec: Spec) -> None:
    language = build_language(spec.domain(), spec.taught, spec.labels)
    assert all(n > 0 for n in language.count_by_label(len(spec.labels)))
    words = Walks(language).uniform(np.random.default_rng(0), 3)
    for word in words:
        sequence = spec.domain().unpadded(word)
        assert spec.where is None or spec.where(sequence) is True
        assert spec.decision.index(spec.taught(sequence)) == language.label_of(tuple(map(int, word)))


def test_seed_sets_are_disjoint_and_every_spec_has_its_own() -> None:
    seeds = [
        seed_of(s, which, restart)
        for s in specs()
        for which in ("tune", "report")
        for restart in range(-1, 5)
    ]  # type: ignore[arg-type]
    assert len(set(seeds)) == len(seeds)
    assert (
        recipe_digest(SMALL, "tune")
        != recipe_digest(SMALL, "report")
        != recipe_digest(replace(SMALL, steps=61), "report")
    )


def test_the_module_is_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "specs", lambda: (SMALL,))
    module.main(["--out", str(tmp_path), "--seeds", "report"])
    assert re.search(r"claim 1 of 1: training count-2to5", capsys.readouterr().err)
    assert main(
        ["prove", str(tmp_path / SMALL.name / "claim.toml"), "--json", "--backends", "enumerate"]
    ) in (0, 1)
