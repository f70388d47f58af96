"""`relucid compare`: what changed between two runs that were written by hand, and the exit status that CI
looks at.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from relucid.benchmarks.comparison import signed_rank
from relucid.cli.main import main


def line(claim: str, backend: str, verdict: str, seconds: float, **changes: object) -> dict[str, object]:
    return {
        "claim": claim, "digest": "d" + claim, "family": "count", "domain_size": "1000", "length": 8, "tokens": 3, "backend": backend,
        "version": "1", "outcome": verdict, "verdict": verdict, "trust": "exact" if verdict == "proved" else None, "seconds": seconds,
        "peak_mb": 50.0, "by": backend, "detail": "", "timeout": 60.0, "memory": 4096, "workers": None, "seed": 0, "seeds": "tune",
        "machine": "m", "relucid": "0", "when": "2026-11-25T00:00:00+00:00", **changes,
    }  # fmt: skip


def many(factor: float, backend: str = "fast", first: int = 0) -> list[dict[str, object]]:
    return [
        line(f"c{i}", backend, "proved", round((1 + i) * (factor + 0.01 * (i % 3)), 3))
        for i in range(first, 12)
    ]


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(
        before: list[dict[str, object]], after: list[dict[str, object]], *words: str
    ) -> tuple[int, dict[str, Any], str]:
        for name, lines in (("a.jsonl", before), ("b.jsonl", after)):
            (tmp_path / name).write_text("".join(json.dumps(entry) + "\n" for entry in lines))
        files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
        status = main(["compare", *files, *words, "--json"])
        told = json.loads(capsys.readouterr().out)
        assert main(["compare", *files, *words]) == status
        return status, told, capsys.readouterr().out

    return run


def test_nothing_changed(compare: Any) -> None:
    status, told, text = compare(many(1.0), many(1.0))
    assert status == 0 and not told["worse"] and text.splitlines()[-1] == "not worse"
    (column,) = told["columns"]
    assert (column["pairs"], column["ratio"], column["p"], column["slower"], column["faster"]) == (
        12,
        1.0,
        1.0,
        False,
        False,
    )
    assert all(
        told[k] == [] for k in ("newly_solved", "newly_lost", "newly_wrong", "faster", "slower", "remarks")
    )


def test_slower_and_faster_columns(compare: Any) -> None:
    status, told, text = compare(many(1.0) + many(2.0, "other"), many(1.5) + many(1.0, "other"))
    fast, other = told["columns"]
    assert status == 1 and told["worse"] and text.splitlines()[-1] == "worse"
    assert (fast["slower"], fast["faster"], other["slower"], other["faster"]) == (True, False, False, True)
    assert fast["p"] == pytest.approx(2 / 2**12) and fast["ratio"] == pytest.approx(1.5, abs=0.01)
    assert (len(told["slower"]), len(told["faster"])) == (12, 12)
    assert compare(many(2.0), many(1.0))[0] == 0


def test_few_or_small_differences_are_not_worse(compare: Any) -> None:
    assert compare(many(1.0, first=9), many(3.0, first=9))[0] == 0  # three pairs show nothing
    status, told, _ = compare(many(1.0), many(1.05))  # all slower, but within the tolerance
    assert status == 0 and told["columns"][0]["p"] < 0.01 and told["slower"] == []
    assert compare(many(1.0), many(1.05), "--tolerance", "0.01")[0] == 1


def test_many_columns_are_one_verdict(compare: Any) -> None:
    """Six pairs that are all slower have p = 1/32: enough for one column at 0.05, and not for one of two."""
    before, after = many(1.0, first=6), many(1.5, first=6)
    assert compare(before, after)[0] == 1
    status, told, _ = compare(before + many(1.0, "other"), after + many(1.0, "other"))
    assert (
        told["columns"][0]["p"] == pytest.approx(1 / 32) and not told["columns"][0]["slower"] and status == 0
    )
    assert compare(before + many(1.0, "other"), after + many(1.0, "other"), "--alpha", "0.07")[0] == 1


def test_solved_lost_and_wrong(compare: Any) -> None:
    base = [
        line("one", "x", "proved", 1.0),
        line("two", "x", "unknown", 60.1, outcome="timeout"),
        line("three", "x", "proved", 1.0),
    ]
    better = [base[0], line("two", "x", "refuted", 5.0), base[2]]
    status, told, text = compare(base, better)
    assert status == 0 and [(c["claim"], c["before"], c["after"]) for c in told["newly_solved"]] == [
        ("two", None, 5.0)
    ]
    assert "newly solved: two by x (- -> 5.00 s, refuted)" in text
    status, told, text = compare(better, base)
    assert status == 1 and [(c["claim"], c["outcome"]) for c in told["newly_lost"]] == [("two", "timeout")]
    known = [line("one", "x", "proved", 1.0, known="proved"), line("one", "y", "proved", 1.0, known="proved")]
    status, told, text = compare(known, [known[0], line("one", "y", "refuted", 0.5, known="proved")])
    assert (
        status == 1
        and [(c["claim"], c["column"]) for c in told["newly_wrong"]] == [("one", "y")]
        and "newly wrong: one by y" in text
    )


def test_what_cannot_be_compared_is_said(
    compare: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [
        line("one", "x", "proved", 1.0),
        line("two", "x", "proved", 1.0),
        line("old", "x", "proved", 1.0),
    ]
    after = [
        line("one", "x", "proved", 1.0, timeout=10.0),
        line("two", "x", "proved", 9.0, digest="other"),
        line("new", "x", "proved", 1.0),
    ]
    status, told, text = compare(before, after)
    assert status == 0 and told["columns"][0]["claims"] == 1
    assert told["remarks"] == [
        "timeout differs: 60.0 before, 10.0 after",
        "1 attempts are about claims that have changed: not compared",
        "1 attempts are only in the first run: not compared",
        "1 attempts are only in the second run: not compared",
    ]
    assert text.startswith("note: timeout differs")
    (tmp_path / "c.jsonl").write_text(json.dumps(line("else", "x", "proved", 1.0)) + "\n")
    (tmp_path / "bad.jsonl").write_text("{}\n\n")
    for other, said in (
        ("c.jsonl", "no attempt in common"),
        ("nosuch", "cannot read"),
        ("bad.jsonl", "bad.jsonl:1: is no result"),
    ):
        assert main(["compare", str(tmp_path / "a.jsonl"), str(tmp_path / other)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and said in err and err.count("\n") == 1


def test_repeats_count_by_their_median(compare: Any) -> None:
    runs = [line("one", "x", "proved", s, repeat=k) for k, s in enumerate((1.0, 9.0, 1.1))]
    status, told, _ = compare(runs, [line("one", "x", "proved", 1.1)])
    assert (
        status == 0 and told["slower"] == told["faster"] == [] and told["columns"][0]["median_before"] == 1.1
    )


def test_signed_rank_against_counting_all_signs() -> None:
    """Exact two-sided p of ranks 1..8, by all 256 sign patterns."""
    differences = [1.0, -2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    ranks = range(1, 9)
    sums = [sum(r for k, r in enumerate(ranks) if mask >> k & 1) for mask in range(256)]
    seen = sum(r for d, r in zip(differences, ranks, strict=True) if d > 0)
    low, high = sum(s <= seen for s in sums), sum(s >= seen for s in sums)
    assert signed_rank(differences) == pytest.approx(min(1.0, 2 * min(low, high) / 256))
    assert signed_rank([0.0, 0.0]) == 1.0
