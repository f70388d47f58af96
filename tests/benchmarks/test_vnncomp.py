"""`relucid bench` on a folder with an instances.csv: a real run over instances made here, its results, its
page, and `compare`.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from html_page import check_frame
from relucid.benchmarks import attempt, vnncomp
from relucid.cli.main import main
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

PYTHON = sys.executable
NAMES = ["net.onnx holds.vnnlib", "net.onnx fails.vnnlib", "net.onnx none.vnnlib"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """|x0 - x1| on the unit square: never above 1, sometimes above 3/4; and a property that is not there."""
    place = tmp_path_factory.mktemp("vnn") / "distances"
    place.mkdir()
    network = feed_forward(
        [(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.zeros(1))],
        encoding="real",
    )
    (place / "net.onnx").write_bytes(write_onnx(network))
    box = "".join(
        f"(declare-const X_{i} Real)\n(assert (>= X_{i} 0))\n(assert (<= X_{i} 1))\n" for i in range(2)
    )
    for name, bound in (("holds", "1.001"), ("fails", "0.75")):
        (place / f"{name}.vnnlib").write_text(f"{box}(declare-const Y_0 Real)\n(assert (>= Y_0 {bound}))\n")
    (place / "instances.csv").write_text(
        "net.onnx,holds.vnnlib,30\nnet.onnx,fails.vnnlib,30\nnet.onnx,none.vnnlib,30\n"
    )
    return place


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything."""
    place = tmp_path_factory.mktemp("out")
    words = [
        "bench",
        str(folder),
        "--out",
        str(place),
        "--repeat",
        "2",
        "--html",
        str(place / "page.html"),
        "-q",
    ]
    assert main(words) == 0
    return place


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_line_of_json_for_each_attempt(folder: Path, out: Path) -> None:
    found = lines(out)
    assert [(r["claim"], r["repeat"]) for r in found] == [(name, k) for k in (0, 1) for name in NAMES]
    assert [(r["verdict"], r["outcome"], r["trust"]) for r in found[:3]] == [
        ("proved", "proved", "exact"), ("refuted", "refuted", None), ("unknown", "crashed", None),
    ]  # fmt: skip
    for r in found:
        assert (
            r["backend"] == "verify"
            and r["family"] == "distances"
            and r["timeout"] == 30
            and r["memory"] == 4096
            and r["seed"] == 0
        )
        assert (
            r["seconds"] > 0
            and r["cpu_seconds"] > 0
            and r["peak_mb"] > 5
            and r["machine"]
            and r["version"]
            and r["when"]
        )
        assert (r["file"], r["spec"]) == (str(folder / "net.onnx"), str(folder / r["claim"].split()[1]))
    assert len({r["digest"] for r in found}) == 3 and "none.vnnlib" in found[2]["detail"]
    assert found[0]["attempts"] and all(
        {"backend", "outcome", "seconds"} <= set(a) for a in found[0]["attempts"]
    )
    x, y = found[1]["counterexample"]["input"], found[1]["counterexample"]["output"]
    assert abs(Fraction(x[0]) - Fraction(x[1])) == Fraction(y[0]) >= Fraction(3, 4) and all(
        0 <= Fraction(v) <= 1 for v in x
    )


def test_the_table_and_the_witness_are_the_competition_s(folder: Path, out: Path) -> None:
    rows = list(csv.reader((out / "results.csv").open()))
    assert [(*r[:5], r[6]) for r in rows] == [
        ("distances", *name.split(), "0", word, "30")
        for name, word in zip(NAMES, ("unsat", "sat", "error"), strict=True)
    ]
    seconds: dict[str, list[float]] = {}
    for r in lines(out):
        seconds.setdefault(r["claim"], []).append(r["seconds"])
    assert [float(r[5]) for r in rows] == [
        min(seconds[name]) for name in NAMES
    ]  # the lower of two is their median
    text = (out / "counterexamples" / "2.txt").read_text()
    assert text.startswith("sat\n((X_0 ") and text.endswith(")\n")
    values = [float(pair.strip("()\n").split()[1]) for pair in text.removeprefix("sat\n(").splitlines()]
    session = onnxruntime.InferenceSession(onnx.load(folder / "net.onnx").SerializeToString())
    shape = [n or 1 for n in session.get_inputs()[0].shape]
    answer = session.run(
        None, {session.get_inputs()[0].name: np.array(values[:2], dtype=np.float32).reshape(shape)}
    )[0]
    assert math.isclose(float(answer.ravel()[0]), values[2]) and values[2] >= 0.75


def test_backends_are_columns(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(folder), "--out", str(tmp_path), "--only", "holds|fails"]
    assert main([*words, "--backends", "lp,milp", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["unsat"], found["sat"], list(found["backends"])) == (1, 1, ["lp", "milp"]) and found[
        "backends"
    ]["milp"]["unsat"] == 1
    assert [(r["claim"], r["backend"]) for r in lines(tmp_path)] == [
        (n, f"verify:{b}") for n in NAMES[:2] for b in ("lp", "milp")
    ]
    assert {r["by"] for r in lines(tmp_path)[::2]} <= {"attack", "split-lp"}
    for table in ("results.csv", "results-milp.csv"):
        assert [row[4] for row in csv.reader((tmp_path / table).open())] == ["unsat", "sat"]
    assert main([*words, "--backends", "lp,race"]) == 0  # goes on
    said = capsys.readouterr().out
    assert (
        "verify:lp" in said
        and "\nlp: 2 instances, 1 sat, 1 unsat" in said
        and "\nrace: 2 instances, 1 sat, 1 unsat" in said
    )
    assert len(lines(tmp_path)) == 6
    for names, why in (("lp,lp", "'lp' is twice"), ("z3-bv", "'z3-bv' is no backend of verify")):
        assert main([*words, "--backends", names]) == 2
        assert capsys.readouterr().err == f"relucid: --backends: {why}; choose among race, split, lp, milp\n"


def test_the_page(folder: Path, out: Path) -> None:
    text = (out / "page.html").read_text(encoding="utf-8")
    reader = check_frame(text)
    assert (
        reader.cells["overview", "verify", "solved"] == "2"
        and reader.cells["overview", "verify", "proved"] == "1"
    )
    words = " ".join(reader.text.split())
    assert (
        "a box of real inputs" in words
        and f"relucid verify {folder / 'net.onnx'} {folder / 'holds.vnnlib'} --timeout 30" in words
    )
    assert (
        "on the input" in words
        and "the network gives" in words
        and "boxes" in words
        and "Growth with the size" not in words
    )


def test_report_and_compare_read_it(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = (out / "results.csv").read_text()
    assert main(["report", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["claims"] == 3
        and found["columns"]["verify"]["solved"] == 2
        and set(found["columns"]["verify"]["by_size"]) == {"boxes"}
    )
    assert main(["bench", "--report", str(out)]) == 0
    assert (
        "boxes" in capsys.readouterr().out and (out / "results.csv").read_text() == table
    )  # it stays the competition's
    assert main(["compare", str(out), str(out)]) == 0
    worse = [
        {**r, "verdict": "unknown", "outcome": "timeout", "counterexample": None}
        if r["verdict"] == "refuted"
        else r
        for r in lines(out)
    ]
    (tmp_path / "worse.jsonl").write_text("".join(json.dumps(r) + "\n" for r in worse))
    capsys.readouterr()
    assert main(["compare", str(out), str(tmp_path / "worse.jsonl")]) == 1
    assert "newly lost: net.onnx fails.vnnlib by verify" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "worse.jsonl"), str(out)]) == 0
    assert "newly solved: net.onnx fails.vnnlib by verify" in capsys.readouterr().out


def test_a_run_that_was_killed_goes_on(
    folder: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lines and a torn one are there: what they say is not run again, the rest is."""
    whole = (out / "results.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join(whole[:2]) + whole[2][:50])
    run: list[str] = []
    real: Callable[..., dict[str, Any]] = vnncomp._attempt

    def seen(plan: vnncomp.VnncompPlan, task: Any, stop: threading.Event) -> dict[str, Any]:
        run.append(task.instance.name)
        return real(plan, task, stop)

    monkeypatch.setattr(vnncomp, "_attempt", seen)
    assert main(["bench", "vnncomp", str(folder), "--out", str(tmp_path), "-q"]) == 0
    assert run == NAMES[2:] and [r["claim"] for r in lines(tmp_path)] == NAMES
    assert main(["bench", "vnncomp", str(folder), "--out", str(tmp_path), "-q", "--only", "holds"]) == 0
    assert run == NAMES[2:] and len(list(csv.reader((tmp_path / "results.csv").open()))) == 1
    assert (
        main(
            [
                "bench",
                "vnncomp",
                str(folder),
                "--out",
                str(tmp_path),
                "-q",
                "--only",
                "holds",
                "--timeout",
                "20",
            ]
        )
        == 0
    )
    assert run == [NAMES[2], NAMES[0]]  # under another limit it is another attempt
    (folder / "none.vnnlib").write_text("nonsense")
    assert main(["bench", "vnncomp", str(folder), "--out", str(tmp_path), "-q", "--only", "none"]) == 0
    (folder / "none.vnnlib").unlink()
    assert run == [NAMES[2], NAMES[0], NAMES[2]]  # and another file another instance


def test_side_by_side_they_are_the_same_in_the_same_order(
    folder: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vnncomp.os, "cpu_count", lambda: 4)
    assert main(["bench", str(folder), "--out", str(tmp_path), "--jobs", "2", "-q"]) == 0
    assert sorted(r["claim"] for r in lines(tmp_path)) == sorted(NAMES) and {
        r["workers"] for r in lines(tmp_path)
    } == {2}
    tables = [[r[:5] for r in csv.reader((place / "results.csv").open())] for place in (out, tmp_path)]
    assert tables[0] == tables[1]


def test_an_interrupt_ends_what_runs_and_keeps_what_is_finished(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: list[bool] = []

    def slow(plan: vnncomp.VnncompPlan, task: Any, stop: threading.Event) -> dict[str, Any] | None:
        if "holds" in task.instance.name:
            return {"outcome": "proved", "verdict": "proved", "trust": "exact"}
        stops.append(stop.wait(20))
        return None

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vnncomp, "_attempt", slow)
    monkeypatch.setattr(vnncomp, "write_files", interrupt)
    with pytest.raises(KeyboardInterrupt):
        vnncomp.run(vnncomp.VnncompPlan(folder, tmp_path, workers=1, jobs=2), lambda text: None)
    assert stops == [True] and [r["claim"] for r in lines(tmp_path)] == [NAMES[0]]


def test_limits_are_enforced_from_outside(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the process does."""
    instance = vnncomp.Instance("net.onnx", "holds.vnnlib", 1.0)
    for code, outcome, said in (
        ("import time; time.sleep(60)", "timeout", "over 0.5 s, ended from outside"),
        ("x = bytearray(1400 << 20); import time; time.sleep(60)", "memory", "over 100 MB"),
        ("raise SystemExit(7)", "crashed", "ended with status 7 without a word"),
    ):
        monkeypatch.setattr(sys, "executable", write_python(tmp_path, code))
        monkeypatch.setattr(attempt, "GRACE_SECONDS", 0.5 if outcome == "timeout" else 20.0)
        task = vnncomp._Task(1, instance, "race", vnncomp.AttemptLimits(0.5, 100), 0, ())
        found = vnncomp._attempt(vnncomp.VnncompPlan(folder, tmp_path), task, threading.Event())
        assert (found["outcome"], found["detail"]) == (outcome, said)


def write_python(place: Path, code: str) -> str:
    """A program that does this instead of `python -P -m relucid ...`."""
    path = place / "python"
    path.write_text(f"#!{PYTHON}\n{code}\n")
    path.chmod(0o755)
    return str(path)


def test_twice_the_same_instance(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "instances.csv").write_text("a.onnx,b.vnnlib,10\na.onnx,b.vnnlib,20\n")
    assert main(["bench", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "instances.csv:2: is there twice" in capsys.readouterr().err
