"""The commands within their limits: hostile inputs, every kind of end, every command interrupted.

Real processes.  What is here would run for minutes or for ever; that it ends at all is what is tested, so
that nothing depends on how fast the machine is.  How limits are kept is tested in `common/`.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from known_claims import CORPUS, SHARED
from onnx import TensorProto, helper, numpy_helper
from relucid.cli.main import main
from relucid.models.claims.decision import Decision
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.report import certificate_json, unchecked_json, undecided_json, verdict_json
from relucid.verifiers.verdict import Unknown

OUTER = 180.0  # seconds
RELUCID = [sys.executable, "-P", "-m", "relucid"]
CASES = SHARED / "cases"
TRUE = CORPUS / "count_sign_l3" / "claim.toml"
ONE_BY_ONE = "def f(tokens):\n    n = 1\n    for t in tokens:\n        n = (3 * n + (1 if t == 'a' else 2)) % 1000003\n    return n == 1\n"
HANGS = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b"]\nlength = 17\n[decision]\nlabels = [false, true]\n'
CIRCUIT = """
import itertools, os, signal
vocabulary = ["a", "b"]

def first(ids):
    return ids[:, 0]

def hangs(ids):
    any(itertools.repeat(False))

def waits(ids):
    try:
        while True:
            pass
    finally:
        any(itertools.repeat(False))

def faults(ids):
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)

def killed(ids):
    os.kill(os.getpid(), signal.SIGKILL)

def eats(ids):
    kept = []
    while True:
        kept.append(b"x" * (1 << 22))
"""
BOX = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 0))\n(assert (<= X_0 1))\n(assert (>= Y_0 9))\n"


def slow_to_read(path: Path) -> None:
    """A small file that takes minutes to read: constants that are added up, over and over."""
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["s"], ["c0"], value=numpy_helper.from_array(np.array([1], np.float32))
        )
    ]
    nodes += [helper.make_node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(60)]
    nodes += [
        helper.make_node("ReduceMax", ["c60"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    shape, value = TensorProto.FLOAT, helper.make_tensor_value_info
    sizes = numpy_helper.from_array(np.array([1 << 22], np.int64), "s")
    graph = helper.make_graph(nodes, "g", [value("x", shape, [1, 1])], [value("y", shape, [1, 1])], [sizes])
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
        ).SerializeToString()
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What hangs in each command."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "net.onnx").write_bytes(write_onnx(feed_forward([(np.ones((2, 34)), np.zeros(2))])))
    (folder / "p.py").write_text(ONE_BY_ONE, encoding="utf-8")
    (folder / "claim.toml").write_text(HANGS, encoding="utf-8")
    (folder / "circuit.py").write_text(CIRCUIT, encoding="utf-8")
    (folder / "domain.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n', encoding="utf-8"
    )
    slow_to_read(folder / "slow.onnx")
    (folder / "box.vnnlib").write_text(BOX, encoding="utf-8")
    (folder / "box.toml").write_text(
        'network = "slow.onnx"\n[domain]\nbox = "box.vnnlib"\n', encoding="utf-8"
    )
    (folder / "proof").write_text("{}\n", encoding="utf-8")
    return folder


HANGING = {
    "prove": ["prove", "claim.toml"],
    "prove a box": ["prove", "box.toml"],
    "check": ["check", "claim.toml", "proof"],
    "show a claim": ["show", "claim.toml"],
    "show a network": ["show", "slow.onnx"],
    "show a circuit": ["show", "circuit.py:hangs", "--domain", "domain.toml"],
    "distill": ["distill", "circuit.py:hangs", "--domain", "domain.toml", "--out", "out"],
    "distill, in a finally": ["distill", "circuit.py:waits", "--domain", "domain.toml", "--out", "out"],
    "verify": ["verify", "slow.onnx", "box.vnnlib"],
    "verify --check": ["verify", "slow.onnx", "box.vnnlib", "--check", "proof"],
    "train": ["train", "var_swap", "--out", "out", "--steps", "1000000", "--layers", "1", "--width", "8"],
}


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=OUTER)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def relucid(where: Path, *arguments: str) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [*RELUCID, *arguments], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = ended(process)
    return process.returncode, out, err


def below(pid: int) -> list[int]:
    """The process's descendants."""
    try:
        children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [p for child in children for p in below(child)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("command", HANGING)
def test_every_command_ends_at_its_limit(command: str, here: Path, tmp_path: Path) -> None:
    """Status 3 and the reason, and nothing half-written."""
    arguments = [str(tmp_path / a) if a == "out" else a for a in HANGING[command]]
    status, out, err = relucid(here, *arguments, "--timeout", "0.5")
    assert status == 3 and ("time" in out or "time" in err) and "limit" in out + err, (out, err)
    assert len(err.splitlines()) + len(out.splitlines()) <= 2
    left = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert left <= {"training.pt"}  # from which it goes on


@pytest.mark.parametrize("command", HANGING)
def test_every_command_ends_at_an_interrupt(command: str, here: Path, tmp_path: Path) -> None:
    """At any moment: status 130, one line, nobody is left, nothing is half-written."""
    arguments = [str(tmp_path / a) if a == "out" else a for a in HANGING[command]]
    process = subprocess.Popen(
        [*RELUCID, *arguments], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + OUTER
    while not below(process.pid):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    time.sleep(random.Random(os.urandom(8)).uniform(0, 3))  # any phase will do
    family = below(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = ended(process)
    said = [
        line for line in err.splitlines() if not line.startswith("terminate called")
    ]  # C++, where torch is interrupted in its start
    assert (process.returncode, out, said) == (130, "", ["relucid: interrupted"])
    while any(map(alive, family)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} <= {"training.pt"}


def test_bench_ends_at_an_interrupt(here: Path, tmp_path: Path) -> None:
    arguments = ["bench", str(here / "claim.toml"), "--backends", "enumerate", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*RELUCID, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + OUTER
    while not below(process.pid):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert (*ended(process), process.returncode) == ("", "relucid: interrupted\n", 130)


KEYS = {
    "prove": set(verdict_json(Unknown(None, 0.0, None, (), (), "why"))),
    "check": set(certificate_json(None, "why", 1)),
    "distill": set(verdict_json(Unknown(None, 0.0, None, (), (), "why"))),
    "verify": set(verdict_json(verdicts.unknown("why"))),
    "verify --check": {"accepted", "reason", "leaves"},
}


@pytest.mark.parametrize("command", KEYS)
def test_a_limit_that_is_reached_has_all_keys(command: str, here: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path / a) if a == "out" else a for a in HANGING[command]]
    status, out, _ = relucid(here, *arguments, "--timeout", "0.5", "--json")
    told = json.loads(out)
    assert status == 3 and set(told) == KEYS[command] and "time" in told["reason"]
    assert (
        told.get("verdict", "unknown") == "unknown"
        and told.get("word", "timeout") == "timeout"
        and not told.get("accepted")
    )


def test_unknown_has_the_keys_of_a_verdict() -> None:
    assert set(undecided_json("why")) == KEYS["prove"] and set(unchecked_json("why")) == KEYS["check"]


def test_in_a_process_that_is_not_its_own_the_command_looks_at_the_clock(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prove", str(here / "claim.toml"), "--timeout", "0.1"]) == 3
    assert capsys.readouterr().out.startswith(
        "unknown: time: the limit of 0.1 s was reached; raise it with --timeout ("
    )


def test_the_memory_limit(here: Path, tmp_path: Path) -> None:
    status, out, err = relucid(
        here,
        "distill",
        "circuit.py:eats",
        "--domain",
        "domain.toml",
        "--out",
        str(tmp_path / "out"),
        "--memory",
        "900",
    )
    assert (status, out) == (3, "")
    assert (
        err
        == "relucid: unknown: memory: relucid's own process reached the limit of 900 MB; raise it with --memory\n"
    )


def test_a_process_that_dies(here: Path, tmp_path: Path) -> None:
    """A fault in a library is an internal error; SIGKILL is what the system sends where memory runs out."""
    options = ["--domain", "domain.toml", "--out", str(tmp_path / "out")]
    assert relucid(here, "distill", "circuit.py:faults", *options) == (
        4,
        "",
        "relucid: internal error: the process was ended by SIGSEGV\n",
    )
    status, out, err = relucid(here, "distill", "circuit.py:killed", *options)
    assert (status, out) == (3, "") and err.startswith(
        "relucid: unknown: memory: the process was killed from outside"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_sends_another_signal_sees_it(number: int, here: Path) -> None:
    process = subprocess.Popen(
        [*RELUCID, "prove", "claim.toml"], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + OUTER
    while not (family := below(process.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    assert (*ended(process), process.returncode) == ("", "", -number)
    assert not any(map(alive, family))


# Shared cases


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared is not here")
@pytest.mark.parametrize("claim", ["claim.toml", "claim2.toml"])
def test_hang_past_timeout(claim: str, tmp_path: Path) -> None:
    status, out, err = relucid(
        tmp_path, "prove", str(CASES / "hang_past_timeout" / claim), "--timeout", "2", "--json"
    )
    told = json.loads(out)
    if told["verdict"] == "refuted":  # quick machines find out in time
        assert (status, err) == (1, "")
        return
    assert (status, err, told["verdict"]) == (3, "", "unknown") and told["reason"].startswith("time: ")


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared is not here")
def test_onnx_memory_bomb(tmp_path: Path) -> None:
    command = [
        *RELUCID,
        "prove",
        str(CASES / "onnx_memory_bomb" / "claim.toml"),
        "--timeout",
        "2",
        "--memory",
        "500",
    ]
    # by a small process between: what is started from this one counts with this one's size
    code = "import resource, subprocess, sys; status = subprocess.run(sys.argv[1:]).returncode; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode in (2, 3), done.stderr
    assert int(done.stdout.splitlines()[-1]) / 1024 < 500  # it takes 3.5 GB where nothing limits it


# Their kinds

MANY = 40_000


@pytest.mark.parametrize(("labels", "wrong"), [("numbers", 0), ("words", 1)])
def test_forty_thousand_labels(labels: str, wrong: int, tmp_path: Path) -> None:
    """Each is compared with few others: both answers come, in less memory than a table of labels by labels
    would take.
    """
    names = [i if labels == "numbers" else f"w{i}" for i in range(MANY)]
    weights = np.zeros((MANY, 4))
    weights[7, 0] = wrong
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward([(weights, np.zeros(MANY))])))
    (tmp_path / "p.py").write_text(f"def f(tokens):\n    return {names[0]!r}\n", encoding="utf-8")
    claim = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b"]\nlength = 2\n[decision]\nlabels = '
    (tmp_path / "claim.toml").write_text(claim + json.dumps(names) + "\n", encoding="utf-8")
    status, out, err = relucid(
        tmp_path, "prove", "claim.toml", "--timeout", "600", "--memory", "1000", "--json"
    )
    assert status == wrong, err
    assert json.loads(out)["verdict"] == ("refuted" if wrong else "proved")
    code = f"from relucid.models.claims.decision import Decision\nd = Decision('argmax', tuple({names!r}))\nprint(sum(d.index(y) for y in d.labels))"
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "code.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) == MANY * (MANY - 1) // 2


def test_labels_are_told_apart_by_their_type() -> None:
    decision = Decision("argmax", (1, True, "1", 0, False))
    assert [decision.index(y) for y in decision.labels] == [0, 1, 2, 3, 4]
    assert decision.index(2) is decision.index("True") is decision.index(None) is decision.index((1,)) is None  # type: ignore[func-returns-value]


def test_a_checkpoint_with_a_huge_number(tmp_path: Path) -> None:
    """Anywhere in it: bad input or unknown, and it ends."""
    rng = np.random.default_rng(3)
    layers = [
        (rng.integers(-15, 16, (n, m)) / 8.0, rng.integers(-15, 16, n) / 8.0)
        for m, n in ((96, 24), (24, 24), (24, 2))
    ]
    layers[-1] = (layers[-1][0], np.array([0.0, -250.0]))
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward(layers)))
    (tmp_path / "p.py").write_text("def f(tokens):\n    return False\n", encoding="utf-8")
    claim = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b", "c", "d"]\nlength = 24\n'
    (tmp_path / "claim.toml").write_text(f"{claim}[decision]\nlabels = [false, true]\n", encoding="utf-8")
    kept = tmp_path / "kept"
    places: list[tuple[object, ...]] = []
    for seconds in (4, 10, 30, 90):  # until there is something to keep
        if len(places) < 4:
            relucid(
                tmp_path,
                "prove",
                "claim.toml",
                "--backends",
                "bab",
                "--checkpoint",
                "kept",
                "--timeout",
                str(seconds),
            )
            good = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"labels": {}}
            places = numbers(good["labels"], ())
    for place in random.Random(1).sample(places, 4):
        changed = json.loads(json.dumps(good))
        inner = changed["labels"]
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = 10**15
        kept.write_text(json.dumps(changed), encoding="utf-8")
        status, out, err = relucid(
            tmp_path, "prove", "claim.toml", "--backends", "bab", "--checkpoint", "kept", "--timeout", "2"
        )
        assert status in (2, 3), (place, out, err)


def numbers(value: object, place: tuple[object, ...]) -> list[tuple[object, ...]]:
    """Where the numbers are."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, item in inner for found in numbers(item, (*place, key))]
    return [place] if isinstance(value, int) else []


def test_a_proof_whose_numbers_grow_without_end(tmp_path: Path) -> None:
    """A few kB that unpack to many: each step multiplies a bound, and there is no coefficient that would be
    too large.
    """
    claim = CORPUS / "palindrome" / "claim.toml"
    status, _, err = relucid(
        tmp_path, "prove", str(claim), "--proof", "good", "--format", "veripb", "--timeout", "60"
    )
    assert status == 0, err
    lines = (tmp_path / "good").read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("pseudo-Boolean"))
    bomb = "pol x1 ~x1 +" + (" " + "9" * 400 + " *") * 5000
    lines[first + 1 : first + 1] = [bomb] * 20
    (tmp_path / "bomb.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", 9))
    status, out, err = relucid(tmp_path, "check", str(claim), "bomb.gz", "--timeout", "20")
    assert status == 3 and "bits" in out, (out, err)
