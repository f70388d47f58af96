"""Other tools beside ours: their words, turns, limits, and going on."""

from __future__ import annotations

import csv
import gzip
import sys

import numpy as np
import pytest
from relucid.experiments.rivals import answered, main
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Result: holds\n", "unsat"),
        ("violated\n((X_0 0.5))", "sat"),
        ("unsat\nproved", "unsat"),
        ("sat\n((X_0 1))", "sat"),
        ("timeout", "timeout"),
        ("Traceback: saturated unsatisfied", "unknown"),
        ("", "unknown"),
    ],
)
def test_words(text, word):
    assert answered(text) == word


def test_in_turns_with_limits_and_again(tmp_path, capsys):
    (tmp_path / "net.onnx.gz").write_bytes(
        gzip.compress(write_onnx(feed_forward([(np.eye(1), np.zeros(1))], encoding="real")))
    )
    text = "(declare-const X_0 Real)(assert (>= X_0 0))(assert (<= X_0 1))(declare-const Y_0 Real)(assert (>= Y_0 {}))"
    (tmp_path / "no.vnnlib").write_text(text.format(2))
    (tmp_path / "yes.vnnlib").write_text(text.format(0.5))
    (tmp_path / "instances.csv").write_text("net.onnx,no.vnnlib,30\nnet.onnx,yes.vnnlib,30\n")
    (tmp_path / "liar.py").write_text(
        "import sys\nassert open(sys.argv[1], 'rb').read(2) != b'\\x1f\\x8b'\nopen(sys.argv[2], 'w').write('holds')\n"
    )
    tools = [f"liar={sys.executable} {tmp_path / 'liar.py'} {{net}} {{answer}}"]
    table = tmp_path / "table.csv"
    main(tmp_path, table, 20, tools)
    rows = list(csv.DictReader(table.open()))
    assert [(r["tool"], r["word"]) for r in rows] == [
        ("relucid", "unsat"),
        ("liar", "unsat"),
        ("relucid", "sat"),
        ("liar", "unsat"),
    ]
    said = capsys.readouterr().out
    assert "relucid: 2 of 2 decided" in said and "they contradict each other: net.onnx yes.vnnlib" in said
    main(tmp_path, table, 20, tools)
    assert list(csv.DictReader(table.open())) == rows


def test_who_takes_too_long_is_ended(tmp_path, monkeypatch):
    from relucid.benchmarks.instances import Instance
    from relucid.experiments import rivals

    monkeypatch.setattr(rivals, "GRACE_SECONDS", 0.2)
    for name in ("net.onnx", "p.vnnlib"):
        (tmp_path / name).write_bytes(b"x")
    word, wall, _ = rivals.run_one(
        f"{sys.executable} -c 'import time; time.sleep(60)'",
        tmp_path,
        Instance("net.onnx", "p.vnnlib", 1.0),
        0.5,
    )
    assert word == "timeout" and wall < 20
