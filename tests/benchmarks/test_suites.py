"""Suites of behaviours from a file: what is read, what is refused, and a run over a tiny one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from html_page import check_frame
from relucid.benchmarks.distill_behaviours import check_reference, read_suite
from relucid.benchmarks.distill_page import write_programs
from relucid.benchmarks.distill_plan import DistillPlan
from relucid.benchmarks.distill_report import beside
from relucid.benchmarks.distill_results import Measured, SuiteResult
from relucid.benchmarks.distill_search import search
from relucid.benchmarks.distill_teacher import exact_teacher
from relucid.cli.main import main
from relucid.common.deadline import OutOfTime
from relucid.common.errors import InputError
from relucid.models.circuits.teacher import label_domain
from relucid.search.candidate import Candidate
from relucid.search.synthesise import ProgramSearch

TINY = Path(__file__).with_name("behaviours.toml")
GOOD = {
    "tokens": '["0", "1"]',
    "length": "[1, 3]",
    "labels": '["0", "1"]',
    "program": "'''\ndef f(tokens):\n    return tokens[-1]\n'''",
}


def suite(folder: Path, **changed: str | None) -> Path:
    """Write a suite of one behaviour, `f`, with some keys changed or (None) left out."""
    lines = [f"{key} = {value}" for key, value in {**GOOD, **changed}.items() if value is not None]
    file = folder / "suite.toml"
    file.write_text("\n".join(["[f]", *lines]) + "\n", encoding="utf-8")
    return file


def test_a_suite_is_read_as_it_is_written() -> None:
    odd, largest, last = read_suite(TINY)
    assert odd.domain.pad is None and largest.domain.pad == "_" and last.domain.pad == "<pad>"
    assert largest.domain.order == ("0", "1", "2") and largest.reference(("0", "2", "1")) == "2"
    assert largest.reference_length == 6  # what the body calls is Python's max
    assert odd.enlarged() is None and last.enlarged() is None
    large = largest.enlarged()
    assert large is not None and large.inputs == sum(3**n for n in range(1, 16)) and large.inputs > 10**7
    truth = [w for n in range(1, 5) for w in itertools.product("xyz", repeat=n) if w[-1] != "z"]
    assert last.inputs == len(last.labelled) == len(truth)
    assert {last.domain.unpadded(w) for w in last.labelled.words} == set(truth)


def test_an_exact_teacher_says_what_the_reference_says() -> None:
    for behaviour in read_suite(TINY):
        teaching = label_domain(exact_teacher(behaviour), behaviour.domain, behaviour.labels)
        said = dict(zip(map(bytes, teaching.labelled.words), teaching.labelled.labels, strict=True))
        words = map(bytes, behaviour.labelled.words)
        assert said == dict(zip(words, behaviour.labelled.labels, strict=True))
        assert np.ptp(teaching.margins) == 0 and teaching.smallest_margin == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": "1"}, r"\[f\] colour: unknown key"),
        ({"program": None}, r"\[f\] program: missing"),
        ({"tokens": None}, r"\[f\] tokens: missing"),
        ({"labels": "[0, 1]"}, r"\[f\] labels: not a list of strings"),
        ({"labels": '["0", "0", "1"]'}, r"\[f\] labels: a label is listed twice"),
        ({"labels": '["0"]'}, r"f:2: returns '1' on input \('1',\), which is not one of the labels '0'"),
        ({"length": "[3, 1]"}, r"\[f\] length: \[3, 1\] is neither"),
        ({"length": "true"}, r"\[f\] length: True is neither"),
        ({"large_length": "[1, 99999]"}, r"\[f\] large_length: 99999 positions are over"),
        ({"order": '["0"]'}, r"\[f\] order: '1' is missing"),
        ({"tokens": '["0", "0"]'}, r"\[f\] tokens: '0' is listed twice"),
        ({"pad": '"0"'}, r"\[f\] pad: '0' is also a token"),
        ({"pad": "0"}, r"\[f\] pad: not a string"),
        ({"program": "3"}, r"\[f\] program: not a string"),
        ({"program": '"def f(:"'}, r"suite.toml:f:1: not Python"),
        ({"program": '"def f(tokens):\\n    return tokens[-2]\\n"'}, "IndexError"),
        ({"where": '"def w(tokens):\\n    return False\\n"'}, "suite.toml:f: where: keeps no sequence"),
        ({"where": '"def w(tokens):\\n    return 1\\n"'}, "not True or False"),
    ],
)
def test_a_malformed_suite_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, str], message: str
) -> None:
    file = suite(tmp_path, **changed)
    with pytest.raises(InputError, match=message) as error:
        for behaviour in read_suite(file):
            check_reference(behaviour)
    assert main(["bench", "distill", "--suite", str(file), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"relucid: {error.value}\n" and not printed.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no behaviour"),
        ("f = 3\n", "is not a section"),
        ('["../f"]\n', "is no name of a behaviour"),
        ("[f]\n[f]\n", "not valid TOML"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_suite(file)
    with pytest.raises(InputError, match="cannot read"):
        read_suite(tmp_path / "nothing.toml")


def test_a_suite_runs_with_an_exact_teacher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["bench", "distill", "--suite", str(TINY), "--out", str(out), "--only", "odd|last"]
    assert main([*command, "--backends", "enumerate", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [m["name"] for m in said["behaviours"]] == ["odd", "last-of-few"]
    for row in said["behaviours"]:
        assert row["teacher"] == "exact" and row["agreement"] == 1 and row["verdict"] == "proved"
        assert row["ratio"] == round(row["length"] / row["reference_length"], 3) <= 1.3
        assert "def helper" in row["reference"] or row["name"] == "odd"
        assert main(["prove", str(out / row["name"] / "claim.toml")]) == 0


def test_large_domains_are_sampled_and_the_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["bench", "distill", "--suite", str(TINY), "--large", "--out", str(out)]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = said["behaviours"]
    assert row["name"] == "max" and row["inputs"] == sum(3**n for n in range(1, 16))
    assert row["verdict"] == "proved" and row["teacher"] == "exact"
    assert said["totals"]["left_out"] == ["odd", "last-of-few"]
    result = json.loads((out / "large" / "max" / "result.json").read_text())
    assert result["distillation"]["executed_everywhere"] is False
    assert main(command) == 0  # the same result, from the folder
    assert "left out, without large_length: odd, last-of-few" in capsys.readouterr().out
    for more, message in (
        (["--only", "odd"], "--large: none of the behaviours has a large_length"),
        (["--teacher", "trained"], "--large: a network is trained on every input"),
        (["--search-only"], "--large: --search-only labels a small domain"),
    ):
        assert main([*command, *more]) == 2
        assert f"relucid: {message}" in capsys.readouterr().err


def test_the_page_has_every_program_beside_its_reference(tmp_path: Path) -> None:
    base = [1, "exact", 1.0, 0.0, True, (1,), 1, 1, 0, "templates", "x", 2]
    texts = ("def odd(tokens):\n    return '<b>'\n", "def odd(tokens):\n    return 'no'\n")
    proved = Measured("odd", "", *base, 12, 2, 10, texts[0], "proved", "exact", None, texts[1], 1.5, 1.0)
    failed = Measured("last", "", *base, None, 2, 10, texts[0], "unknown", None, "too <long>", None, 9.0, 8.0)
    write_programs(tmp_path / "page.html", SuiteResult((proved, failed), ("more",)))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    reader = check_frame(text)
    for part in (
        "1 of 2 proved, 1 of them within 1.3 times", "1.20 times the reference's length", "Left out", "more", "'<b>'", "'no'",
        "No program; unknown: too <long>", "Seconds: median 5.2, slowest 9.0",
    ):  # fmt: skip
        assert part in reader.text, part


def test_the_page_replaces_neither_suite_nor_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = suite(tmp_path), tmp_path / "out"
    before = file.read_bytes()
    for page in (file, out / "distill.json"):
        command = ["bench", "distill", "--suite", str(file), "--out", str(out), "--html", str(page)]
        assert main(command) == 2 and "relucid: --html: " in capsys.readouterr().err
    assert file.read_bytes() == before and not out.exists()


def test_search_only_proves_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "distill", "--suite", str(TINY), "--search-only", "--only", "odd|last"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "search only, nothing is proved: 2 of 2 programs are right on their domain" in text
    assert 'tokens.count("a")' in text and "|  def odd(tokens):" in text
    assert main([*command, "--json", "--out", str(tmp_path / "out")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["search_only"] is True and said["totals"]["right"] == 2 and "proved" not in said["totals"]
    for row in said["behaviours"]:
        assert row["right"] and row["reason"] is None and row["ratio"] <= 1.3 and row["examples"] >= 4
        names: dict = {}
        exec(row["program"], names)
        assert callable(names[row["name"].replace("-", "_")])
    assert not (tmp_path / "out").exists()
    assert main([*command, "--teacher", "exact"]) == 2
    assert "relucid: --teacher: --search-only labels a small" in capsys.readouterr().err


def test_a_domain_that_is_too_large_to_label_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = suite(tmp_path, length="[1, 24]")
    for options in (["--search-only"], ["--teacher", "trained"]):
        assert main(["bench", "distill", "--suite", str(file), *options, "--out", str(tmp_path / "out")]) == 2
        assert "f: length: 33554430 inputs are too many to learn all" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_search_that_finds_nothing_or_ends_late_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = read_suite(TINY)[0]
    monkeypatch.setattr(ProgramSearch, "best", lambda self: None)
    found = search(odd, DistillPlan(Path()))
    assert (found.right, found.near, found.ratio, found.program) == (False, False, None, None)
    assert found.reason == "the search has no program"

    def late(self: ProgramSearch) -> None:
        raise OutOfTime

    monkeypatch.setattr(ProgramSearch, "best", late)
    assert search(odd, DistillPlan(Path(), timeout=7)).reason == "time: 7 s are over"


def test_a_program_whose_text_differs_from_its_function_is_not_right(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = read_suite(TINY)[0]
    monkeypatch.setattr(
        Candidate, "source", lambda self, name="f", doc="": f"def {name}(tokens):\n    return 'odd'\n"
    )
    found = search(odd, DistillPlan(Path()))
    assert not found.right and found.reason is not None
    assert (
        found.reason.startswith("search and interpreter differ") and "gives 'odd', not 'even'" in found.reason
    )


def test_programs_stand_side_by_side() -> None:
    assert beside("a\nlonger\n", "b\n") == "  a       |  b\n  longer  |"
    long = beside("\n".join(map(str, range(100))), "x" * 300).splitlines()
    assert long[-1].strip() == "... 76 more lines  |" and len(long[0]) < 130


def test_only_the_suite_distill_has_behaviours(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--suite", str(TINY)], ["--teacher", "exact"], ["--large"], ["--search-only"]):
        assert main(["bench", "tokens", *option]) == 2
        assert f"relucid: {option[0]}: only the suite distill has behaviours" in capsys.readouterr().err
