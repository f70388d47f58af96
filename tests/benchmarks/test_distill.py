"""The suite of behaviours: its data, its teachers, and a run over two tiny ones: what is recorded, that it
goes on, bad input.
"""

from __future__ import annotations

import ast
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from relucid.benchmarks import distill, distill_plan
from relucid.benchmarks.distill import code_lines, run
from relucid.benchmarks.distill_behaviours import Behaviour, behaviours
from relucid.benchmarks.distill_plan import DistillPlan
from relucid.benchmarks.distill_results import Measured
from relucid.benchmarks.distill_teacher import train_teacher
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.teacher import label_domain
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program

ODD = 'def odd(tokens):\n    return "odd" if tokens.count("a") % 2 else "even"\n'
LAST = "def last(tokens):\n    return tokens[-1]\n"
TINY = (
    Behaviour("odd", Domain(("a", "b"), 4, 4), ("even", "odd"), Program.from_source(ODD)),
    Behaviour("last", Domain(("a", "b", "c"), 1, 3, pad="<pad>"), ("a", "b", "c"), Program.from_source(LAST)),
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill_plan, "behaviours", lambda: TINY)


def test_the_suite_has_at_least_forty_different_behaviours_with_every_label() -> None:
    found = behaviours()
    assert len(found) >= 40 and len({b.name for b in found}) == len({b.digest for b in found}) == len(found)
    for b in found:
        assert b.reference.name == b.name and 64 <= len(b.labelled) <= 10_000
        assert set(b.labelled.labels.tolist()) == set(range(len(b.labels))), b.name


@pytest.mark.parametrize("behaviour", behaviours(), ids=lambda b: b.name)
def test_labels_are_what_the_reference_gives_under_cpython(behaviour: Behaviour) -> None:
    names: dict = {}
    exec(behaviour.reference.source, names)
    domain = behaviour.domain
    rows = range(0, len(behaviour.labelled), 7)
    for word, label in zip(behaviour.labelled.words[rows], behaviour.labelled.labels[rows], strict=True):
        assert names[behaviour.name](domain.unpadded(word)) == behaviour.labels[label]
    everything = sum(len(domain.tokens) ** k for k in range(domain.min_length, domain.max_length + 1))
    assert len(np.unique(behaviour.labelled.words, axis=0)) == len(behaviour.labelled) == everything


def test_a_teacher_is_a_trained_network_and_the_same_for_the_same_seed() -> None:
    behaviour = TINY[1]
    first, again, other = (train_teacher(behaviour, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first.weights, again.weights, strict=True))
    assert any((a != b).any() for a, b in zip(first.weights, other.weights, strict=True))
    teaching = label_domain(first, behaviour.domain, behaviour.labels)
    truth = {
        tuple(w): y
        for w, y in zip(behaviour.labelled.words.tolist(), behaviour.labelled.labels.tolist(), strict=True)
    }
    right = [
        truth[tuple(w)] == y
        for w, y in zip(teaching.labelled.words.tolist(), teaching.labelled.labels.tolist(), strict=True)
    ]
    assert first.agreement == np.mean(right) == 1
    assert first.summary().weights_total == sum(w.size for w in first.weights) and 0 < first.epochs <= 400


def test_each_behaviour_leaves_a_claim_that_proves_again(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["bench", "distill", "--out", str(out), "--backends", "enumerate", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    lengths = said["totals"].pop("by_reference_length")
    assert sum(row["behaviours"] for row in lengths) == sum(row["settled"] for row in lengths) == 2
    assert said["totals"] | {"median_seconds": 0, "slowest_seconds": 0, "seconds": 0, "cpu_seconds": 0} == {
        "behaviours": 2, "exact_surrogates": 2, "proved": 2, "within_1.3_of_reference": 2, "teachers_equal_to_reference": 2,
        "found_by": {"expressions": 2}, "median_seconds": 0, "slowest_seconds": 0, "seconds": 0, "cpu_seconds": 0, "left_out": [], "no_longer_than_reference": 1,
    }  # fmt: skip
    said["totals"]["by_reference_length"] = lengths
    assert json.loads((out / "distill.json").read_text()) == said
    for row, behaviour in zip(said["behaviours"], TINY, strict=True):
        assert (
            row["name"] == behaviour.name
            and row["verdict"] == "proved"
            and row["inputs"] == len(behaviour.labelled)
        )
        assert (
            row["lines"] == 2 and row["length"] <= 1.3 * row["reference_length"] and row["hidden"] is not None
        )
        text = (out / behaviour.name / "program.py").read_text(encoding="utf-8")
        assert text == row["program"]
        doc = ast.get_docstring(next(n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)))
        assert doc is not None and f"Proved equal to surrogate.onnx on all {row['inputs']} inputs" in doc
        assert main(["prove", str(out / behaviour.name / "claim.toml")]) == 0
        names: dict = {}
        exec(text, names)
        claim = load_word_claim(out / behaviour.name / "claim.toml")
        for n in range(behaviour.domain.min_length, behaviour.domain.max_length + 1):
            for sequence in itertools.product(behaviour.domain.tokens, repeat=n):
                assert names[behaviour.name](sequence) == claim.program_label(sequence)


def test_what_is_measured_is_not_measured_again(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def fake(behaviour: Behaviour, plan: DistillPlan, progress: object) -> Measured:
        made.append(behaviour.name)
        return Measured(
            behaviour.name, distill._key(behaviour, plan), 1, "trained", 1.0, 0.1, True, (1,), 1, 1, 0, "templates", "x", 2, 9, 2, 9, "",
            "proved", "exact", None, "", 1.0, 0.9,
        )  # fmt: skip

    monkeypatch.setattr(distill, "measure", fake)
    first = run(DistillPlan(tmp_path))
    assert made == ["odd", "last"] and run(DistillPlan(tmp_path)) == first and made == ["odd", "last"]
    run(DistillPlan(tmp_path, only="last", again=True))
    run(DistillPlan(tmp_path, only="odd", seed=1))
    (tmp_path / "last" / "measured.json").write_text("{", encoding="utf-8")
    run(DistillPlan(tmp_path, only="last"))
    assert made == ["odd", "last", "last", "odd", "last"]


def test_an_interrupt_keeps_what_is_finished(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = distill.measure

    def second_is_interrupted(behaviour: Behaviour, plan: DistillPlan, progress) -> Measured:  # type: ignore[no-untyped-def]
        if behaviour.name == "last":
            raise KeyboardInterrupt
        return real(behaviour, plan, progress)

    monkeypatch.setattr(distill, "measure", second_is_interrupted)
    assert main(["bench", "distill", "--out", str(tmp_path), "--backends", "enumerate"]) == 130
    assert [m["name"] for m in json.loads((tmp_path / "distill.json").read_text())["behaviours"]] == ["odd"]


def test_a_behaviour_that_fails_is_a_result_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relucid.common.deadline.LATE", 0.0)  # what is done just after the end is kept
    hard = Behaviour(
        "hard", TINY[0].domain, ("even", "odd"), Program.from_source(ODD.replace("odd(", "hard("))
    )
    plan = DistillPlan(tmp_path, teacher="exact", timeout=1e-9)
    found = distill.measure(hard, plan)
    assert (
        found.verdict == "unknown" and found.program is None and found.near is False and found.ratio is None
    )
    assert found.reason is not None and "time: the limit of 1e-09 s" in found.reason
    found = distill.measure(hard, replace(plan, timeout=60.0, backends=("enumerate",)))
    assert found.verdict == "proved" and found.trust == "checked"
    lines = (tmp_path / "hard" / "progress.txt").read_text(encoding="utf-8").splitlines()
    assert "running the circuit on every input" in lines[0] and all(
        float(line.split()[0]) >= 0 for line in lines
    )
    assert any("searching for a program" in line for line in lines)


def test_bad_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="no behaviour matches 'nope'"):
        run(DistillPlan(tmp_path / "out", only="nope"))
    assert main(["bench", "distill", "--out", str(tmp_path / "out"), "--jobs", "2"]) == 2
    assert "relucid: --jobs: the suite distill runs one behaviour at a time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lines_do_not_count_docstrings() -> None:
    assert (
        code_lines(Program.from_source('def f(tokens):\n    """One.\n\n    Two.\n    """\n    return 1\n'))
        == 2
    )
