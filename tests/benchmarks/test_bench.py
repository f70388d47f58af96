"""Runs over small folders of claims: what is recorded, that it goes on, how it stops, and bad input."""

from __future__ import annotations

import _thread
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from clocks import LONG
from known_claims import CORPUS
from relucid.benchmarks import bench
from relucid.benchmarks.attempt import AttemptLimits, attempt, side_by_side
from relucid.benchmarks.results import RESULTS, read
from relucid.benchmarks.suite import Column, cases, columns
from relucid.benchmarks.watch import BenchTask, _Live
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.common.processes.tree import ProcessInfo, snapshot
from relucid.models.claims.claim_file import load_word_claim

NAMES = ("count_near_miss", "count_sign_l3")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(CORPUS / name, tmp_path / "suite" / name)
    return tmp_path / "suite"


def run(suite: Path, *words: str) -> int:
    return main(["bench", str(suite), "--out", str(suite.parent / "out"), *words])


def test_each_column_on_each_claim_is_one_line(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(suite, "--backends", "enumerate,race", "--timeout", "50000", "--json") == 0
    found = read(suite.parent / "out")
    assert [(r.claim, r.backend) for r in found] == [(c, b) for c in NAMES for b in ("enumerate", "race")]
    for r in found:
        claim = load_word_claim(suite / r.claim / "claim.toml")
        expected = json.loads((suite / r.claim / "expected.json").read_text())
        assert (r.digest, r.domain_size, r.length, r.tokens) == (
            claim.digest, str(claim.domain_size), claim.domain.max_length, len(claim.domain.tokens),
        )  # fmt: skip
        assert r.verdict == r.outcome == expected["verdict"]
        assert r.seconds > 0.1 and r.timeout == 50000 and r.peak_mb is not None and r.peak_mb > 20
        assert r.trust == ("exact" if r.verdict == "proved" else None)
        assert r.cpu_seconds is not None and r.cpu_seconds > 0.2
        assert r.known == expected["verdict"] and r.file == str(suite / r.claim / "claim.toml")
        assert (r.counterexample is not None) == (r.verdict == "refuted")
        assert [a["backend"] for a in r.attempts] == ([] if r.backend == "enumerate" else ["enumerate"])
    said = json.loads(capsys.readouterr().out)
    assert (
        said["columns"]["enumerate"]["solved"] == said["columns"]["race"]["solved"] == 2
        and said["wrong"] == []
    )


def test_options_sizes_and_the_races_spans_are_recorded(suite: Path) -> None:
    assert run(suite, "--backends", "cpsat:tighten:workers=1", "--only", "near") == 0
    (r,) = read(suite.parent / "out")
    assert r.options == ("tighten", "workers=1") and r.version and r.backend == "cpsat:tighten:workers=1"
    assert (
        r.sizes is not None
        and r.sizes["queries"] >= 1
        and r.sizes["unstable"] > 0
        and r.sizes["variables"] > 20
    )
    (row,) = csv.DictReader((suite.parent / "out" / "results.csv").open(encoding="utf-8"))
    assert (
        row["options"] == "tighten:workers=1"
        and int(row["variables"]) == r.sizes["variables"]
        and row["verdict"] == r.verdict
    )
    assert r.counterexample is not None and row["counterexample"].split() == r.counterexample["tokens"]


def test_processor_time_is_that_of_the_whole_tree(
    tmp_path: Path, one: tuple[object, Column], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that is reaped, and a grandchild that nobody reaps, which is there until somebody has looked at
    it: both count.
    """
    burnt, seen = tmp_path / "burnt", tmp_path / "seen"
    burn = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    stay = f"{burn}\nopen({str(burnt)!r}, 'w').close()\ntime.sleep(3600)"
    orphan = f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {stay!r}])\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)"
    looks: list[bool] = []

    def look() -> dict[int, ProcessInfo]:
        if any(looks):
            seen.touch()  # the look before this one counted it all
        looks.append(burnt.exists())
        return snapshot()

    monkeypatch.setattr("relucid.common.processes.supervised.snapshot", look)
    for code in (f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])", orphan):
        monkeypatch.setattr("relucid.benchmarks.attempt._command", python(code))
        found = attempt(*one, AttemptLimits(LONG, 500), threading.Event())  # type: ignore[arg-type]
        assert found is not None and 0.55 < found["cpu_seconds"] < 10


def test_repeats_are_attempts_of_their_own_and_medians_count(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([5.0, 1.0, 3.0, 2.0])

    def fake(case: object, column: Column, limits: AttemptLimits, stop: object) -> dict[str, object]:
        more = {"trust": None, "by": "x", "detail": "", "seconds": next(times), "peak_mb": 1.0}
        return {"outcome": "refuted", "verdict": "refuted", **more}

    monkeypatch.setattr(bench, "attempt", fake)
    words = ("--backends", "enumerate", "--only", "near")
    assert run(suite, *words, "--repeat", "2") == 0
    assert run(suite, *words, "--repeat", "3") == 0  # one more
    assert [(r.repeat, r.seconds) for r in read(suite.parent / "out")] == [(0, 5.0), (1, 1.0), (2, 3.0)]
    summary = json.loads((suite.parent / "out" / "summary.json").read_text())
    assert summary["columns"]["enumerate"]["claims"] == 1 and summary["columns"]["enumerate"]["median"] == 3.0


def test_dump_writes_every_claim_and_column_before_anything_runs(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(case: object, column: Column, limits: AttemptLimits, stop: object) -> dict[str, object]:
        assert len(list((suite.parent / "dump").glob("*/index.json"))) == 2
        return {
            "outcome": "unknown",
            "verdict": "unknown",
            "trust": None,
            "by": None,
            "detail": "",
            "seconds": 1.0,
            "peak_mb": 1.0,
        }

    monkeypatch.setattr(bench, "attempt", fake)
    words = ("--backends", "race,enumerate,z3-bv:tighten,highs", "--dump", str(suite.parent / "dump"))
    assert run(suite, *words) == 0
    for name in NAMES:
        assert sorted(p.name for p in (suite.parent / "dump" / name).iterdir()) == [
            "README.txt",
            "highs",
            "index.json",
            "z3-bv.tighten",
        ]
    assert run(suite, *words) == 2  # the folder is not new


def test_progress_is_lines_when_piped_and_nothing_when_quiet(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(case: object, column: Column, limits: AttemptLimits, stop: object) -> dict[str, object]:
        answer = "proved" if "l3" in case.name else "unknown"  # type: ignore[attr-defined]
        return {
            "outcome": answer,
            "verdict": answer,
            "trust": None,
            "by": None,
            "detail": "",
            "seconds": 1.0,
            "peak_mb": 1.0,
        }

    monkeypatch.setattr(bench, "attempt", fake)
    monkeypatch.setattr("relucid.benchmarks.watch.PIPE_SECONDS", 0.0)
    assert run(suite, "--backends", "enumerate") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "relucid: 2 of 2 attempts, about 0 s left; solved: enumerate 1/2"
    assert run(suite, "--backends", "enumerate", "--again", "-q") == 0
    out, err = capsys.readouterr()
    assert err == "" and out.splitlines()[1].startswith("column") and len(out.splitlines()) == 3


def test_a_terminal_sees_who_runs_and_who_has_solved_what(suite: Path) -> None:
    from rich.console import Console

    watch = _Live()
    found = cases(str(suite), suite.parent, "tune", "", lambda text: None)
    tasks = [BenchTask(case, columns(["enumerate"])[0]) for case in found]
    watch.begin(tasks, 3)
    watch.started(tasks[0])
    screen = Console(width=80, record=True, file=io.StringIO())
    screen.print(watch)
    shown = screen.export_text()
    assert (
        "0 of 2 attempts, 3 were there" in shown
        and f"enumerate on {NAMES[0]}, 0 s" in shown
        and "\x1b" not in shown
    )


def test_what_is_recorded_is_not_run_again(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str, float]] = []

    def fake(case: object, column: Column, limits: AttemptLimits, stop: object) -> dict[str, object]:
        made.append((case.name, column.name, limits.seconds))  # type: ignore[attr-defined]
        return {
            "outcome": "timeout",
            "verdict": "unknown",
            "trust": None,
            "by": None,
            "detail": "",
            "seconds": 1.0,
            "peak_mb": 1.0,
        }

    monkeypatch.setattr(bench, "attempt", fake)
    assert run(suite, "--backends", "enumerate", "--only", "near") == 0
    assert made == [("count_near_miss", "enumerate", 60.0)]
    assert run(suite, "--backends", "enumerate,race") == 0
    assert made[1:] == [
        ("count_near_miss", "race", 60.0),
        ("count_sign_l3", "enumerate", 60.0),
        ("count_sign_l3", "race", 60.0),
    ]
    made.clear()
    assert run(suite, "--backends", "enumerate,race") == 0 and made == []
    for words in (
        ["--timeout", "5"],
        ["--memory", "500"],
        ["--again"],
        ["--seed", "1"],
    ):  # each is another attempt
        assert run(suite, "--backends", "race", "--only", "near", *words) == 0
        assert len(made) == 1, words
        made.clear()
    program = suite / "count_near_miss" / "program.py"
    program.write_text(program.read_text().replace("return", "x = 1\n    return", 1))  # another digest
    assert run(suite, "--backends", "enumerate,race") == 0
    assert [c for c, *_ in made] == ["count_near_miss"] * 2


def test_results_are_there_at_once_and_an_interrupt_keeps_them(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(
        case: object, column: Column, limits: AttemptLimits, stop: threading.Event
    ) -> dict[str, object]:
        if column.name == "race":
            raise KeyboardInterrupt
        return {
            "outcome": "proved",
            "verdict": "proved",
            "trust": "exact",
            "by": "x",
            "detail": "",
            "seconds": 1.0,
            "peak_mb": 1.0,
        }

    monkeypatch.setattr(bench, "attempt", stops)
    assert run(suite, "--backends", "enumerate,race") == 130
    assert len(read(suite.parent / "out")) == 1
    assert json.loads((suite.parent / "out" / "summary.json").read_text())["claims"] == 1


def started(suite: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A benchmark whose attempt sleeps, with the attempt's process."""
    tied = suite.parent / "tied"
    script = (
        "import pathlib, sys, time, relucid.benchmarks.attempt as b, relucid.common.processes.supervised as a\n"
        "b._command = lambda *x: [sys.executable, '-c', 'import time; time.sleep(3600)']\n"
        f"tie = a.tie\na.tie = lambda *x: (tie(*x), pathlib.Path({str(tied)!r}).touch())\n"
        "from relucid.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "bench",
        str(suite),
        "--out",
        str(suite.parent / "out"),
        "--backends",
        "enumerate",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not tied.exists():
        assert process.poll() is None
        time.sleep(0.05)
    children = [p for p, i in snapshot().items() if i.parent == process.pid]
    assert children
    return process, children


def test_ctrl_c_ends_the_solver_too(suite: Path) -> None:
    process, children = started(suite)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=3600)
    assert (process.returncode, out, err) == (130, "", "relucid: interrupted\n")
    assert not any(p in snapshot() for p in children)


def test_an_interrupt_that_another_thread_was_given_is_seen() -> None:
    """The kernel may give a signal to any thread: then nothing wakes the main one, which has to look up by
    itself.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    stopped: list[bool] = []

    def run(item: int, stop: threading.Event) -> None:
        threading.Timer(0.2, _thread.interrupt_main).start()
        stopped.append(stop.wait(3600))

    try:
        with pytest.raises(KeyboardInterrupt):
            list(side_by_side([1], 1, run))
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help")
def test_kill_9_ends_the_solver_too(suite: Path) -> None:
    """Nobody is left to end it but the kernel; what would go on would disturb the run that goes
    on from here.
    """
    process, children = started(suite)
    process.kill()
    process.communicate(timeout=3600)
    while any(p in snapshot() for p in children):  # by itself it would sleep for an hour
        time.sleep(0.05)


def test_jobs_run_side_by_side_with_fewer_workers(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=3600)
    workers = []

    def fake(case: object, column: Column, limits: AttemptLimits, stop: object) -> dict[str, object]:
        together.wait()
        workers.append(limits.workers)
        return {
            "outcome": "unknown",
            "verdict": "unknown",
            "trust": None,
            "by": None,
            "detail": "",
            "seconds": 1.0,
            "peak_mb": 1.0,
        }

    monkeypatch.setattr(bench, "attempt", fake)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert run(suite, "--backends", "enumerate,race", "--jobs", "2") == 0
    assert workers == [2] * 4


@pytest.fixture
def one(suite: Path) -> tuple[object, Column]:
    (case,) = cases(str(suite / NAMES[0]), suite.parent, "tune", "", lambda text: None)
    return case, columns(["enumerate"])[0]


def python(code: str) -> object:
    return lambda *arguments: [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "outcome", "detail"),
    [
        ("import time; time.sleep(3600)", "timeout", "ended from outside"),
        ("x = bytearray(300 << 20)\nimport time; time.sleep(3600)", "memory", "over 10 MB"),
        ("raise SystemExit('no good')", "crashed", "no good"),
        ("print('{}')", "crashed", "ended with status 0"),
        (
            "import sys; print('relucid: they contradict each other', file=sys.stderr); sys.exit(4)",
            "contradiction",
            "contradict",
        ),
    ],
)
def test_whatever_a_process_does_is_a_result(
    one: tuple[object, Column], monkeypatch: pytest.MonkeyPatch, code: str, outcome: str, detail: str
) -> None:
    monkeypatch.setattr("relucid.benchmarks.attempt._command", python(code))
    monkeypatch.setattr("relucid.benchmarks.attempt.GRACE_SECONDS", 0.2)
    monkeypatch.setattr("relucid.benchmarks.attempt.MAIN_MB", 100)
    seconds = 0.5 if outcome == "timeout" else LONG
    found = attempt(*one, AttemptLimits(seconds, 10), threading.Event())  # type: ignore[arg-type]
    assert found is not None
    assert (found["outcome"], found["verdict"]) == (outcome, "unknown") and detail in found["detail"]
    assert found["seconds"] < 3600  # it did not wait for those who sleep


def test_limits_and_trust_reach_prove(one: tuple[object, Column]) -> None:
    from relucid.benchmarks.attempt import _command

    case = one[0]
    command = _command(case, Column("highs", "highs", "float", "1"), AttemptLimits(2.5, 300, 1, 7))  # type: ignore[arg-type]
    text = " ".join(command)
    for words in (
        "--trust float",
        "--timeout 2.5",
        "--memory 300",
        "--seed 7",
        "--backends highs",
        "--workers 1",
        "--json",
    ):
        assert words in text
    assert "--backends" not in _command(case, Column("race", None, "exact", "1"), AttemptLimits())  # type: ignore[arg-type]


def test_columns() -> None:
    names = [c.name for c in columns(None)]
    assert names[0] == "race" and {"enumerate", "z3-bv", "highs"} <= set(names)
    (tight,) = columns(["highs:tighten"])
    assert tight.trust == "float" and tight.backends == "highs:tighten"
    assert columns(["z3-bv"])[0].trust == "exact"


def test_claims_are_named_after_their_folders(suite: Path) -> None:
    shutil.copytree(suite / NAMES[0], suite / "more" / "deep")
    (suite / "more" / "deep" / "claim.toml").rename(suite / "more" / "deep" / "other.toml")
    found = cases(str(suite), suite.parent, "tune", "", lambda text: None)
    assert [c.name for c in found] == [*NAMES, "more/deep/other"]
    assert [c.family for c in found] == ["other"] * 3
    assert [
        c.name
        for c in cases(str(suite / NAMES[1] / "claim.toml"), suite.parent, "tune", "", lambda text: None)
    ] == [NAMES[1]]


def test_the_claims_of_other_seeds_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "suite.json").write_text(json.dumps({"seeds": "tune", "claims": []}))
    with pytest.raises(InputError, match="holds the claims of the seeds 'tune'"):
        cases("tokens", tmp_path, "report", "", lambda text: None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "SUITE: names nothing to run"),
        (["nosuch"], "nosuch: is no suite"),
        (["{suite}", "--backends", "nosuch"], "there is no backend 'nosuch'"),
        (["{suite}", "--backends", ","], "names no backend"),
        (["{suite}", "--backends", "z3-bv:nosuch"], "has no option 'nosuch'"),
        (["{suite}", "--only", "["], "'[' is no regular expression"),
        (["{suite}", "--only", "nosuch"], "'nosuch' matches no claim"),
        (["{suite}/count_sign_l3/net.onnx"], "not UTF-8 text"),
        (["{suite}", "--out", "{suite}/count_sign_l3/claim.toml"], "is a file"),
        (["{empty}"], "holds no claim file"),
        (["{vnncomp}", "--html", "{empty}"], "--html: {empty} is a folder"),
        (["{vnncomp}", "--only", "nosuch"], "'nosuch' matches no instance of"),
        (["{vnncomp}", "--dump", "x"], "--dump: the suite vnncomp has no columns"),
        (["{suite}", "{vnncomp}"], "takes no directory"),
        (["distill", "--repeat", "2"], "--repeat: the suite distill runs one behaviour at a time"),
        (["{suite}", "--html", "{empty}"], "--html: {empty} is a folder"),
        (["{suite}", "--backends", "race,enumerate", "--dump", "dump"], "none of these columns has formulas"),
        (["{suite}", "--timeout", "0"], "--timeout"),
        (["{suite}", "--seeds", "other"], "--seeds"),
        (["tokens", "--only", "nosuch"], "'nosuch' matches no claim of the suite"),
        (["--report", "nosuch"], "nosuch: holds no results"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    suite: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vnncomp").mkdir()
    (tmp_path / "vnncomp" / "instances.csv").write_text("a.onnx,b.vnnlib,10\n")
    places = {"suite": suite, "empty": tmp_path / "empty", "vnncomp": tmp_path / "vnncomp"}
    assert main(["bench", *(w.format(**places) for w in words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said.format(**places) in err and err.count("\n") == 1
    assert not (tmp_path / "out" / "bench" / RESULTS).exists()
