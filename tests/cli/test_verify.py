"""`relucid verify` and `relucid bench vnncomp` as scripts and people see them: words, witnesses, JSON, exit
status, limits.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from known_claims import KEYS
from onnx import TensorProto, helper, numpy_helper
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ACAS = DATA / "acasxu"
needs_data = pytest.mark.skipif(not ACAS.is_dir(), reason="../shared/data is not there")
BOX = "(declare-const X_0 Real)(declare-const Y_0 Real)\n(assert (>= X_0 0))(assert (<= X_0 1))\n"


def run(*arguments, timeout=60, cwd=None):
    command = [sys.executable, "-P", "-m", "relucid", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd)


@pytest.fixture
def folder(tmp_path):
    """x -> relu(x) - relu(x - 0.5): at most 0.5."""
    first = np.array([[1.0], [1.0]], dtype=np.float32), np.array([0.0, -0.5], dtype=np.float32)
    second = np.array([[1.0, -1.0]], dtype=np.float32), np.array([0.0], dtype=np.float32)
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward([first, second], encoding="real")))
    (tmp_path / "unsat.vnnlib").write_text(BOX + "(assert (>= Y_0 0.50001))")
    (tmp_path / "sat.vnnlib.gz").write_bytes(gzip.compress((BOX + "(assert (>= Y_0 0.5))").encode()))
    return tmp_path


def test_unsat(folder):
    result = run("verify", folder / "net.onnx", folder / "unsat.vnnlib")
    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr, lines[0]) == (0, "", "unsat")
    assert lines[1].startswith("proved for the rational network on the whole box (")


def test_sat_with_a_witness_that_onnxruntime_confirms(folder):
    import onnxruntime

    result = run("verify", folder / "net.onnx", folder / "sat.vnnlib.gz")
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert (
        lines[0] == "sat"
        and lines[1].startswith("((X_0 ")
        and lines[2].startswith(" (Y_0 ")
        and lines[2].endswith("))")
    )
    x = np.float32(lines[1].split()[1].rstrip(")"))
    y = float(lines[2].split()[1].rstrip(")"))
    assert 0.5 <= x <= 1
    got = onnxruntime.InferenceSession(str(folder / "net.onnx")).run(
        None, {"input": np.array([[x]], dtype=np.float32)}
    )[0]
    assert float(got.reshape(-1)[0]) == y == 0.5


def test_json(folder):
    result = run("verify", folder / "net.onnx", folder / "sat.vnnlib.gz", "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 1 and result.stdout.count("\n") == 1
    assert set(found) >= KEYS
    assert (found["verdict"], found["trust"], found["reason"], found["domain_size"], found["word"]) == (
        "refuted",
        None,
        None,
        None,
        "sat",
    )
    (x,), (y,) = found["counterexample"]["input"], found["counterexample"]["output"]
    assert Fraction(1, 2) <= Fraction(x) <= 1 and Fraction(y) == Fraction(1, 2)
    assert set(found["attempts"][0]) == {"backend", "version", "outcome", "seconds", "peak_mb", "detail"}
    found = json.loads(run("verify", folder / "net.onnx", folder / "unsat.vnnlib", "--json").stdout)
    assert (found["verdict"], found["trust"], found["counterexample"]) == ("proved", "exact", None)


def test_rounding_is_unknown_with_both_sides_shown(tmp_path):
    """(x + 2**26) - 2**26 in the file's own order: onnxruntime's float32 sees multiples of 8."""
    big = numpy_helper.from_array(np.float32([2**26]), "big")
    nodes = [
        helper.make_node("Add", ["x", "big"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Sub", ["r", "big"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1]) for n in "xy"]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], [big]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, tmp_path / "net.onnx")
    (tmp_path / "p.vnnlib").write_text(BOX + "(assert (>= Y_0 0.25))(assert (<= Y_0 0.75))")
    result = run("verify", tmp_path / "net.onnx", tmp_path / "p.vnnlib", "--timeout", "10")
    assert result.returncode == 3 and result.stdout.startswith("unknown\n")
    for words in (
        "exact arithmetic finds a counterexample that onnxruntime",
        "exact input: ",
        "exact output: ",
        "onnxruntime's output: 0.0",
    ):
        assert words in result.stdout


ERRORS = {
    "no network": (["none.onnx", "unsat.vnnlib"], "none.onnx: there is no such file; check the path"),
    "no property": (["net.onnx", "none.vnnlib"], "none.vnnlib: there is no such file; check the path"),
    "swapped": (["unsat.vnnlib", "net.onnx"], "net.onnx: is no text"),
    "other sizes": (
        ["net.onnx", "two.vnnlib"],
        "two.vnnlib: has 2 inputs, the network has 1; give the network that the property was written for",
    ),
    "damaged": (["net.onnx", "bad.vnnlib"], "bad.vnnlib:1: (assert) is not understood"),
    "usage": (["net.onnx"], "Missing argument 'SPEC'"),
    "limits": (["net.onnx", "unsat.vnnlib", "--timeout", "0"], "Invalid value for '--timeout'"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_bad_input_is_one_line_and_status_2(folder, name):
    arguments, message = ERRORS[name]
    (folder / "two.vnnlib").write_text(
        "(declare-const X_1 Real)" + BOX + "(assert (>= X_1 0))(assert (<= X_1 0))"
    )
    (folder / "bad.vnnlib").write_text("(assert)")
    result = run("verify", *arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1 and message in result.stderr


def hard(folder):
    """A random network and a limit that bounds cannot settle quickly."""
    rng = np.random.default_rng(1)
    layers = []
    for a, b in pairwise([12, 100, 100, 100, 1]):
        weight = rng.normal(0, 1, (b, a)).astype(np.float32) / np.float32(np.sqrt(a))
        layers.append((weight, rng.normal(0, 0.5, b).astype(np.float32)))
    (folder / "hard.onnx").write_bytes(write_onnx(feed_forward(layers, encoding="real")))
    head = "".join(
        f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(12)
    )
    (folder / "hard.vnnlib").write_text(head + "(declare-const Y_0 Real)(assert (>= Y_0 3))")
    return folder / "hard.onnx", folder / "hard.vnnlib"


def test_timeout_is_a_word_of_its_own(folder):
    result = run("verify", *hard(folder), "--timeout", "1.5")  # by itself it would take hours
    assert (result.returncode, result.stdout.splitlines()[0]) == (3, "timeout")


def test_memory_ends_as_unknown_with_that_reason(folder):
    result = run("verify", *hard(folder), "--timeout", "30", "--memory", "64")
    assert (result.returncode, result.stdout.splitlines()[0]) == (3, "unknown")
    assert "it needs more memory than the limit of 64 MB" in result.stdout


def test_a_network_too_large_is_unknown(folder):
    weights = helper.make_node("ConstantOfShape", ["s"], ["w"])
    nodes = [weights, helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(
        nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(np.array([1, 2**30]), "s")]
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "large.onnx",
    )
    result = run("verify", folder / "large.onnx", folder / "unsat.vnnlib")
    assert (result.returncode, result.stdout.splitlines()[0]) == (
        3,
        "unknown",
    ) and "over the limit of" in result.stdout


def test_interrupt_leaves_nothing_behind(folder):
    command = [sys.executable, "-P", "-m", "relucid", "verify", *map(str, hard(folder)), "--timeout", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text().split() and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(children.read_text().split()[0])
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "relucid: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_nothing_heavy_is_imported_on_the_way(folder):
    code = (
        "import sys, json, os\nfrom relucid.verifiers.boxes.worker import _answer\nimport time\n"
        f"job = dict(network={str(folder / 'net.onnx')!r}, property={str(folder / 'unsat.vnnlib')!r}, deadline=time.monotonic() + 1e6, seed=0, threads=1, against=None, epsilon=None, proof=None, backend='split', trust='exact')\n"
        "found = _answer(job, lambda text: None, lambda message: None)\nassert found['answer']['outcome'] == 'proved', found\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'scipy', 'ortools', 'z3', 'vnnlib', 'matplotlib'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == "[]\n"


def test_bench_writes_the_competition_s_table(folder):
    (folder / "instances.csv").write_text(
        "net.onnx,unsat.vnnlib,20\nnet.onnx,sat.vnnlib,20\n\nnet.onnx,none.vnnlib,20\n"
    )
    result = run("bench", "vnncomp", folder, "--out", folder / "out")
    assert result.returncode == 0, result.stderr
    rows = list(csv.reader((folder / "out" / "results.csv").open()))
    assert [(r[0], r[1], r[2], r[4]) for r in rows] == [
        (folder.name, "net.onnx", "unsat.vnnlib", "unsat"),
        (folder.name, "net.onnx", "sat.vnnlib", "sat"),
        (folder.name, "net.onnx", "none.vnnlib", "error"),
    ]
    assert (folder / "out" / "counterexamples" / "2.txt").read_text().startswith("sat\n((X_0 ")
    before = (folder / "out" / "results.csv").read_text()
    found = json.loads(
        run("bench", "vnncomp", folder, "--out", folder / "out", "--json").stdout
    )  # goes on: nothing is run again
    assert (found["instances"], found["sat"], found["unsat"], found["error"]) == (3, 1, 1, 1)
    assert (folder / "out" / "results.csv").read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no instances.csv"),
        ("a,b\n", "instances.csv:1: is not `network,property,seconds`"),
        ("\n", "has no instances"),
        ("a\0.onnx,b,1\n", "instances.csv:1: is not `network,property,seconds`"),
        ("a,b,1\n" + "x" * 200_000 + ",b,1\n", "instances.csv:2: is not CSV"),
        ("x" * 5000 + ",b,1\n", "instances.csv:1: is not `network,property,seconds`"),
        ("x" * 250 + ",b,1\n", "instances.csv:1: is not `network,property,seconds`"),
        ("a/" + "x" * 250 + "/b.onnx,b,1\n", "instances.csv:1: is not `network,property,seconds`"),
    ],
)
def test_bench_of_what_is_no_benchmark(tmp_path, text, message):
    if text is not None:
        (tmp_path / "instances.csv").write_text(text)
    result = run("bench", "vnncomp", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == 2 and message in result.stderr and result.stderr.count("\n") == 1


QUICK = {
    ("ACASXU_run2a_1_2_batch_2000", "prop_4"): "unsat",
    ("ACASXU_run2a_1_7_batch_2000", "prop_3"): "sat",
    ("ACASXU_run2a_2_1_batch_2000", "prop_3"): "unsat",
    ("ACASXU_run2a_2_4_batch_2000", "prop_2"): "sat",
    ("ACASXU_run2a_5_1_batch_2000", "prop_3"): "unsat",
}


@needs_data
@pytest.mark.parametrize(("network", "stated"), QUICK, ids=lambda v: v)
def test_quick_instances_of_acas_xu(network, stated):
    found = json.loads(
        run(
            "verify", ACAS / "onnx" / f"{network}.onnx.gz", ACAS / "vnnlib" / f"{stated}.vnnlib.gz", "--json"
        ).stdout
    )
    assert found["word"] == QUICK[network, stated]


@needs_data
@pytest.mark.slow
def test_all_of_acas_xu(tmp_path):
    """The known answers; property 2 is violated by six of these networks, 3 and 4 by 1_7."""
    assert run("bench", "vnncomp", ACAS, "--out", tmp_path, "--timeout", "60", timeout=2400).returncode == 0
    violated = {(n, 2) for n in ("1_2", "2_1", "2_4", "3_6", "5_1", "5_3")} | {("1_7", 3), ("1_7", 4)}
    for row in csv.reader((tmp_path / "results.csv").open()):
        name = row[1].split("run2a_")[1].split("_batch")[0], int(row[2].split("prop_")[1].split(".")[0])
        assert row[4] == ("sat" if name in violated else "unsat"), row
