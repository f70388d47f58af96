"""Distilling a circuit that answers at every position: a program of the prefix, or one line of why not."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import relucid
from relucid.cli.main import main
from relucid.models.claims.decision import Decision, EveryPosition
from relucid.models.claims.domain import Domain
from relucid.models.claims.task import Task

CIRCUIT = """
import numpy as np

vocabulary = ["a", "b", "."]


def seen(ids):
    found = np.maximum.accumulate(ids == 1, axis=1)
    return np.stack([1 - found, found, 0 * found], axis=2).astype(float)


def ahead(ids):
    return seen(ids[:, ::-1])[:, ::-1]


def last(ids):
    return seen(ids)[:, -1]
"""
TASK = """
[domain]
tokens = ["a", "b"]
length = 5
prefix = ["."]
suffix = ["."]

[decision]
labels = ["a", "b"]
position = "every"
per_prefix = true
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "c.py").write_text(CIRCUIT, encoding="utf-8")
    (tmp_path / "task.toml").write_text(TASK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--enumerate", "10"]])
def test_a_causal_circuit_becomes_a_program_of_the_prefix(
    options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distill", "c.py:seen", "--domain", "task.toml", "--out", "out", *options]) == 0
    assert "the circuit was read at every position: the inputs are all prefixes" in capsys.readouterr().out
    result = json.loads((folder / "out" / "result.json").read_text(encoding="utf-8"))
    assert result["verdict"] == "proved" and result["domain_size"] == "62"
    found = result["distillation"]
    assert found["every_position"] is True and found["executed_everywhere"] is not bool(options)
    space: dict = {}
    exec(found["program"], space)
    for n in range(1, 6):
        for word in itertools.product("ab", repeat=n):
            assert space["task"](word) == ("b" if "b" in word else "a")
    assert main(["prove", "out/claim.toml"]) == 0


@pytest.mark.parametrize(
    ("circuit", "change", "said"),
    [
        ("ahead", ("", ""), "ahead: gives 'a' at position 0 of ('a', 'a', 'a', 'a', 'a') and 'b' there of ('a', 'a', 'a', 'a', 'b'): its label is no function of the prefix; state a task about its last position only: leave out position = \"every\""),
        ("last", ("", ""), "last: gives shape (32, 3) and type float64 for ids (32, 7), and no logits at every position; return (32, 7, 3), or leave out position"),
        ("seen", ("per_prefix = true", ""), "[decision] per_prefix: distill finds functions of the prefix, not programs that return all labels; write per_prefix = true"),
        ("seen", ('"every"', '"all"'), "task.toml: [decision] position: 'all' is not known; write position = \"every\" for a label at each position, or leave it out for one label in all"),
    ],
)  # fmt: skip
def test_what_cannot_be_distilled_is_one_line(
    circuit: str,
    change: tuple[str, str],
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "task.toml").write_text(TASK.replace(*change) if change[0] else TASK, encoding="utf-8")
    assert main(["distill", f"c.py:{circuit}", "--domain", "task.toml", "--out", "out", "--quiet"]) == 2
    assert capsys.readouterr().err == f"relucid: {said}\n"
    assert not (folder / "out").exists()


def test_a_sampled_circuit_that_looks_ahead_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["distill", "c.py:ahead", "--domain", "task.toml", "--out", "out", "--enumerate", "10"]
    assert main(asked) == 2
    assert "its label is no function of the prefix" in capsys.readouterr().err


def test_other_commands_do_not_read_every_position(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["show", "c.py:seen", "--domain", "task.toml"],):
        assert main(asked) == 2
        assert capsys.readouterr().err == (
            "relucid: task.toml: [decision] position: only distill, prove, check and show CLAIM know labels at "
            "every position; leave it out\n"
        )


def test_python_takes_the_same(folder: Path) -> None:
    domain = Domain(("a", "b"), 3, 3)
    task = Task(domain, "one_hot", Decision("argmax", ("a", "b")), "seen", EveryPosition(per_prefix=True))
    found = relucid.distill("c.py:seen", task)
    assert found.sequences == domain and found.claim.domain_size == 14 and found.task.every is None
    assert "executed on all 14 prefixes" in str(found)
