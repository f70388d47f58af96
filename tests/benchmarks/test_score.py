"""The report's numbers from results that were written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from relucid.benchmarks.bench import report
from relucid.benchmarks.portfolio import race_against_the_best
from relucid.benchmarks.results import RESULTS, Result, latest, mend_torn_line, read
from relucid.benchmarks.score import exponent, growth, summarise
from relucid.benchmarks.summary_json import summary_json
from relucid.cli.main import main
from relucid.common.errors import InputError


def line(claim: str, backend: str, verdict: str, seconds: float, **changes: object) -> dict[str, object]:
    return {
        "claim": claim, "digest": "d" + claim, "family": "count", "domain_size": "1000", "length": 8, "tokens": 3, "backend": backend,
        "version": "1", "outcome": verdict, "verdict": verdict, "trust": "exact" if verdict == "proved" else None, "seconds": seconds,
        "peak_mb": 50.0, "by": backend, "detail": "", "timeout": 60.0, "memory": 4096, "workers": None, "seed": 0, "seeds": "tune",
        "machine": "m", "relucid": "0", "when": "2026-11-25T00:00:00+00:00", **changes,
    }  # fmt: skip


LINES = [
    line("one", "race", "proved", 1.0, by="fast"),
    line("one", "fast", "proved", 0.5),
    line("one", "loose", "proved", 2.0, trust="float"),
    line("two", "race", "refuted", 3.0, domain_size=str(10**20), family="quote"),
    line("two", "fast", "unknown", 60.2, outcome="timeout", domain_size=str(10**20), family="quote"),
    line("two", "loose", "proved", 4.0, trust="float", domain_size=str(10**20), family="quote"),
    line("three", "race", "proved", 8.0),
    line("three", "fast", "proved", 61.0),  # too late
    line("three", "loose", "unknown", 0.2, outcome="unsupported"),
]


def results(lines: list[dict[str, object]]) -> list[Result]:
    return [Result(**entry) for entry in lines]  # type: ignore[arg-type]


def write(folder: Path, lines: list[dict[str, object]]) -> None:
    (folder / RESULTS).write_text("".join(json.dumps(entry) + "\n" for entry in lines))


def test_par2_medians_and_counts() -> None:
    summary = summarise(results(LINES))
    race, fast, loose = map(summary.score, ("race", "fast", "loose"))
    assert (race.proved, race.refuted, race.claims) == (2, 1, 3)
    assert (race.par2, race.median) == (pytest.approx(4.0), 3.0)
    assert (fast.solved, dict(fast.unsolved)) == (1, {"timeout": 1, "late": 1})
    assert (fast.par2, fast.median) == (pytest.approx((0.5 + 120 + 120) / 3), 60.0)
    assert (loose.solved, dict(loose.unsolved)) == (1, {"wrong": 1, "unsupported": 1})
    assert loose.par2 == pytest.approx((2 + 120 + 120) / 3)


def test_groups_by_size_and_family() -> None:
    summary = summarise(results(LINES))
    assert {title: len(rows) for title, rows in summary.by_size().items()} == {"up to 10^6": 6, "to 10^24": 3}
    assert summary.score("race", summary.by_family()["quote"]).refuted == 1


@pytest.mark.parametrize(
    ("size", "title"), [(10**6, "up to 10^6"), (10**6 + 1, "to 10^15"), (10**24 + 1, "beyond 10^24")]
)
def test_size_classes_have_their_upper_end(size: int, title: str) -> None:
    assert list(summarise(results([line("a", "b", "proved", 1.0, domain_size=str(size))])).by_size()) == [
        title
    ]


def test_contradictions_are_firm_only_where_an_exact_backend_is_wrong() -> None:
    (wrong,) = summarise(results(LINES)).wrong
    assert (wrong.claim, wrong.proved, wrong.refuted, wrong.firm) == ("two", ("loose",), ("race",), False)
    summary = summarise(results([*LINES, line("one", "other", "refuted", 90.0)]))  # late answers are as wrong
    assert [(w.claim, w.firm) for w in summary.wrong] == [("one", True), ("two", False)]
    assert summary.score("fast").solved == 0


def test_an_answer_that_the_known_one_contradicts_is_wrong_and_not_solved() -> None:
    """Whoever says so, and with nobody to contradict it; a refutation, too."""
    known = [
        line("a", "x", "proved", 1.0, known="refuted"), line("b", "x", "refuted", 1.0, known="proved"), line("c", "x", "proved", 1.0, known="proved"),
        line("c", "y", "proved", 1.0, known="proved", trust="float"), line("a", "y", "proved", 1.0, known="refuted", trust="float"),
    ]  # fmt: skip
    summary = summarise(results(known))
    assert [(w.claim, w.proved, w.refuted, w.firm, w.known) for w in summary.wrong] == [
        ("a", ("x", "y"), (), True, "refuted"), ("b", (), ("x",), True, "proved"),
    ]  # fmt: skip
    x, y = summary.score("x"), summary.score("y")
    assert (x.solved, dict(x.unsolved), y.solved, dict(y.unsolved)) == (1, {"wrong": 2}, 1, {"wrong": 1})
    assert x.par2 == pytest.approx((1 + 120 + 120) / 3)


def test_a_race_that_contradicts_itself_is_wrong() -> None:
    (wrong,) = summarise(results([line("one", "race", "unknown", 1.0, outcome="contradiction")])).wrong
    assert wrong.firm and wrong.claim == "one"


def test_the_race_beside_the_best() -> None:
    beside = race_against_the_best(summarise(results(LINES)))
    assert beside is not None
    assert beside["claims"] == 1  # only "one" was solved by another
    assert beside["median_ratio"] == pytest.approx((1.0 - 0.3) / 0.5)
    assert beside["within_1.3_times_and_0.3_seconds"] == 0  # 1.0 > 1.3 * 0.5 + 0.3
    assert beside["solved_by_others_only"] == 0
    assert race_against_the_best(summarise(results(LINES[1:2]))) is None


def test_growth_needs_three_lengths_and_leaves_out_what_was_not_solved() -> None:
    lines = [line(f"t{n}", "race", "proved", (n / 8) ** 2, length=n, family="tied-x") for n in (8, 16, 32)]
    lines.append(line("t64", "race", "unknown", 60.0, length=64, family="tied-x", outcome="timeout"))
    summary = summarise(results(lines))
    assert growth(summary, "race") == {"tied-x": [(8, 1.0), (16, 4.0), (32, 16.0)]}
    assert exponent(growth(summary, "race")["tied-x"]) == pytest.approx(2.0)
    assert growth(summarise(results(lines[1:])), "race") == {}


def test_missing_attempts_are_told() -> None:
    assert dict(summarise(results(LINES[:-1])).missing) == {"race": 0, "fast": 0, "loose": 1}


def test_an_attempt_that_was_made_again_counts_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            *LINES,
            line("one", "race", "proved", 5.0, by="fast"),
            line("one", "race", "proved", 9.0, timeout=10.0),
        ],
    )
    found = read(tmp_path)
    assert len(found) == len(LINES) + 1
    assert [r.seconds for r in latest(found) if (r.claim, r.backend) == ("one", "race")] == [9.0]


def test_a_torn_last_line_is_passed_over_and_cut_off(tmp_path: Path) -> None:
    write(tmp_path, LINES)
    with open(tmp_path / RESULTS, "a") as file:
        file.write('{"claim": "four", "dig')
    assert len(read(tmp_path)) == len(LINES)
    mend_torn_line(tmp_path)
    assert (tmp_path / RESULTS).read_text().count("\n") == len(LINES) and (
        tmp_path / RESULTS
    ).read_text().endswith("}\n")


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense",
        "{}",
        json.dumps(line("a", "b", "proved", -1.0)),
        json.dumps(line("a", "b", "proved", 1.0, domain_size="x")),
    ],
)
def test_other_bad_lines_are_named(tmp_path: Path, bad: str) -> None:
    write(tmp_path, LINES)
    (tmp_path / RESULTS).write_text(bad + "\n" + (tmp_path / RESULTS).read_text())
    with pytest.raises(InputError, match=r"results\.jsonl:1: is no result"):
        read(tmp_path)


def test_report_prints_wrong_answers_first_and_writes_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [*LINES, line("one", "other", "refuted", 7.0)])
    assert main(["bench", "--report", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "WRONG: one: proved by race, fast, loose; refuted by other"
    assert said[1] == "wrong within its tolerances: two: proved by loose; refuted by race"
    assert any(row.split()[:4] == ["race", "1", "2", "of"] for row in said)
    assert any("loose (float)" in row for row in said)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["columns"]["race"]["unsolved"] == {"wrong": 1}
    assert (tmp_path / "results.csv").read_text().count("\n") == len(LINES) + 2


def test_json_is_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, LINES)
    assert main(["bench", "--report", str(tmp_path), "--json", "--only", "^(one|two)$"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (
        said
        == json.loads((tmp_path / "summary.json").read_text())
        == summary_json(report(tmp_path, "^(one|two)$"))
    )
    assert said["claims"] == 2
    assert said["runs"] == [
        {
            "timeout": 60.0,
            "memory": 4096,
            "workers": None,
            "seed": 0,
            "seeds": "tune",
            "machine": "m",
            "relucid": "0",
        }
    ]


@pytest.mark.parametrize("words", ["", "--only nothing"])
def test_report_on_nothing_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    if words:
        write(tmp_path, LINES)
    assert main(["bench", "--report", str(tmp_path), *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "holds no results" in err
