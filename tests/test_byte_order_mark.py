"""Every text file that we read may begin with the byte order mark that some editors put before UTF-8."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from relucid.benchmarks.instances import instances
from relucid.cli.main import main
from relucid.models.circuits.json_file import read_json
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.vnnlib import load_text, load_vnnlib
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

BOM = b"\xef\xbb\xbf"
CASE = Path(__file__).parents[1].parent / "shared" / "cases" / "bom"
SPECS = {
    "1.0": "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 1))",
    "2.0": "(vnnlib-version <2.0>)(declare-network n (declare-input X float32 [1]) (declare-output Y float32 [1]))"
    "(assert (>= X[0] 0.0))(assert (<= X[0] 1.0))(assert (>= Y[0] 1.0))",
}


def marked(path: Path) -> None:
    data = path.read_bytes()
    assert not data.startswith(BOM)
    path.write_bytes(BOM + data)


@pytest.mark.skipif(not CASE.is_dir(), reason="../shared/cases is not there")
def test_the_case(capsys):
    assert (CASE / "spec.vnnlib").read_bytes().startswith(BOM)
    assert main(["verify", str(CASE / "net.onnx"), str(CASE / "spec.vnnlib")]) == 0
    assert capsys.readouterr().out.startswith("unsat\n")


@pytest.mark.parametrize("version", SPECS)
@pytest.mark.parametrize("packed", [False, True])
def test_properties(version, packed, tmp_path):
    plain, other = tmp_path / "plain.vnnlib", tmp_path / "marked.vnnlib"
    plain.write_text(SPECS[version])
    data = BOM + SPECS[version].encode()
    other.write_bytes(gzip.compress(data) if packed else data)
    assert load_vnnlib(other) == load_vnnlib(plain) and load_text(other) == SPECS[version]


def test_claims_with_their_programs(tmp_path):
    (tmp_path / "p.py").write_text('def p(tokens):\n    return "a" if tokens[0] == "a" else "b"\n')
    (tmp_path / "net.onnx").write_bytes(
        write_onnx(feed_forward([(np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32))]))
    )
    (tmp_path / "claim.toml").write_text(
        'network = "net.onnx"\nprogram = "p.py:p"\n[domain]\ntokens = ["a", "b"]\nlength = 1\n[input]\nencoding = "one_hot"\n'
        '[decision]\nkind = "argmax"\nlabels = ["a", "b"]\n'
    )
    before = load_word_claim(tmp_path / "claim.toml").digest
    marked(tmp_path / "p.py")
    marked(tmp_path / "claim.toml")
    assert load_word_claim(tmp_path / "claim.toml").digest == before
    assert main(["prove", str(tmp_path / "claim.toml")]) == 0


def test_json_files_of_circuits(tmp_path):
    path = tmp_path / "vocab.json"
    path.write_bytes(BOM + json.dumps({"tokens": ["a", "ä"]}).encode())
    assert read_json(path) == {"tokens": ["a", "ä"]}


def test_lists_of_instances(tmp_path):
    path = tmp_path / "instances.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerow(["net.onnx", "spec.vnnlib", "5"])
    marked(path)
    assert [(i.network, i.stated) for i in instances(tmp_path)] == [("net.onnx", "spec.vnnlib")]


def test_a_mark_is_no_excuse_for_what_is_no_utf8(tmp_path):
    path = tmp_path / "spec.vnnlib"
    path.write_bytes("(assert (>= Y_0 1))".encode("utf-16"))
    assert main(["verify", str(tmp_path / "none.onnx"), str(path)]) == 2
