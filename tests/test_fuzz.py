"""The hunt for wrong answers finds them: an engine, a checker or a command is spoilt, and the case is found,
made small, saved and replayed.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

import pytest
from fuzz import boxes, budgets, hostile, mutation, networks, programs, proofs, runner, table, words
from fuzz.registry import KINDS, kind
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.backends.exhaustive import Enumerate
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.evidence import How, Tiling
from relucid.verifiers.verdict import Proved


def hunt(name: str, folder: Path, **changes: object) -> int:
    asked = {
        "kind": name,
        "seed": 1,
        "minutes": 1.0,
        "count": 400,
        "skip": 0,
        "out": folder,
        "json": folder / "counts.json",
        "busy": 0,
        "failures": 1,
    }
    return runner.run(runner.Run(**{**asked, **changes}))  # type: ignore[arg-type]


def proved(*args: object, **options: object) -> Proved:
    return verdicts.proved("split", Tiling.at_roots(1, 1, How.BOUNDS))


SPOILT = {  # what says something wrong: where it is, its name, and what stands there instead
    "programs": (programs, "in_ours", lambda program, tokens, steps=0: ("value", 7)),
    "words": (
        Enumerate,
        "solve",
        lambda self, claim, budget, progress: Attempt("enumerate", "proved", trust="exact"),
    ),
    "boxes": (boxes, "decide", proved),
    "networks": (networks, "decide_same_label", proved),
    "proofs": (proofs, "_accepts", lambda form, shown, proof: True),
    "hostile": (hostile, "main", lambda arguments: 4),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_found_saved_and_replayed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "SHRINKING", 1.0)
    with monkeypatch.context() as spoiling:
        spoiling.setattr(*SPOILT[name])
        assert hunt(name, tmp_path) == 1
        (saved,) = tmp_path.glob(f"{name}-1-*.json")
        assert runner.replay(saved) == 1
    said = capsys.readouterr().out
    assert f"{name}: seed 1" in said and f"python -m tests.fuzz replay {saved}" in said
    found = json.loads(saved.read_text())
    assert set(found) == {"kind", "problem", "before", "found by", "commit", "case", "whole"}
    assert len(json.dumps(found["case"])) <= len(json.dumps(found["whole"]))
    assert json.loads((tmp_path / "counts.json").read_text())["failed"][0]["file"] == str(saved)
    assert runner.replay(saved) == 0  # mended


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("hostile",)])
def test_a_seed_and_a_number_name_a_case(name: str) -> None:
    one, other = (
        [json.dumps(c) for c in itertools.islice(kind(name).cases(random.Random("x 5")), 40)] for _ in "ab"
    )
    assert one == other and len(set(one)) > 10


class Fake:
    """A kind whose cases are numbers; 5 and above are wrong, in a way of their own."""

    SECONDS = 0.2

    def __init__(self, wrong: object) -> None:
        self.wrong = wrong

    def cases(self, rng: random.Random):
        return ({"n": n} for n in itertools.count())

    def problem(self, case, counts):
        counts["row", "column"] += 1
        return None if case["n"] < 5 else self.wrong(case)

    def smaller(self, case):
        return iter([{"n": case["n"] - 1}] if case["n"] else [])


def raises(case):
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda case: "too large", "too large"),
        (raises, "raises KeyError: 'gone'"),
        (lambda case: time.sleep(60), "it hangs"),
    ],
)
def test_raising_and_hanging_are_findings_and_cases_become_small(
    wrong, says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "kind", lambda name: Fake(wrong))
    assert hunt("fake", tmp_path, skip=9) == 1
    found = json.loads((tmp_path / "fake-1-9.json").read_text())
    assert found["case"] == {"n": 5} and found["whole"] == {"n": 9} and found["problem"] == says
    assert found["found by"] == "python -m tests.fuzz fake --seed 1 --skip 9 --count 1"


def test_nothing_found_is_status_0_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "kind", lambda name: Fake(None))
    assert hunt("fake", tmp_path, count=5) == 0
    found = json.loads((tmp_path / "counts.json").read_text())
    assert (found["cases"], found["counts"], found["failed"]) == (5, {"row": {"column": 5}}, [])
    assert not list(tmp_path.glob("*.at"))


def test_tables_add_up(tmp_path: Path) -> None:
    for i, counts in enumerate(
        (
            {"bab, ample": {"proved": 3, "timeout": 9}},
            {"bab, starved": {"refuted": 4}, "z3-bv, ample": {"proved": 1000}},
        )
    ):
        run = {
            "kind": "words",
            "seed": i,
            "commit": "c",
            "cases": 9,
            "seconds": 60,
            "counts": counts,
            "failed": [],
        }
        (tmp_path / f"{i}.json").write_text(json.dumps(run))
    totals = dict(table.totals(table.runs_of(tmp_path.glob("*.json"))))
    assert (
        totals["claims decided, about tokens and about boxes"] == 1007
        and totals["of them by `bab`"] == 7
        and totals["findings"] == 0
    )
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.written(page, tmp_path.glob("*.json"))
    text = page.read_text()
    assert (
        "| bab, starved | | 4 |" in text.replace("|  |", "| |")
        and "old" not in text
        and text.startswith("before\n")
        and text.endswith("\nafter\n")
    )


def test_the_page_has_a_place_for_the_tables() -> None:
    text = (Path(__file__).parents[1] / "docs" / "theory" / "reliability.md").read_text(encoding="utf-8")
    assert text.index(table.BEGIN) < text.index(table.END) and all(f"| `{name}` |" in text for name in KINDS)


def test_mutations_change_and_stay_in_kind() -> None:
    rng = random.Random(0)
    value = {"a": [1, 2, [3, 4]], "b": {"c": "x"}}
    assert sum(mutation.other_json(value, rng) != value for _ in range(200)) > 100 and value == {
        "a": [1, 2, [3, 4]],
        "b": {"c": "x"},
    }
    for change in (mutation.other_bytes, mutation.other_text, mutation.other_json_text):
        data = b'{"n": 12, "names": ["a", "b"]}\n'
        assert sum(change(data, rng) != data for _ in range(200)) > 100
        assert isinstance(change(b"", rng), bytes)


def test_starved_budgets_are_starved() -> None:
    rng, seen = random.Random(0), set()
    for _ in range(200):
        given = budgets.starved(rng, words.LIMITS, words.AMPLE, words.CALLS)
        assert budgets.is_starved(given, words.AMPLE) and not budgets.is_starved(
            budgets.ample(words.AMPLE), words.AMPLE
        )
        seen.add((given["seconds"], given["leap"] and given["leap"][1]))
    assert len(seen) == len(words.LIMITS) + 3
    with budgets.kept_by({"seconds": 1.0, "leap": [2, 1e7]}):
        first = time.monotonic()
        assert time.monotonic() == first + 1e7
