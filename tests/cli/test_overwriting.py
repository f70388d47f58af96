"""No command writes over what it reads, nor one of its results over another: that is bad input, before any
work is done.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.apart import check_apart
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

BOX = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 0))\n(assert (<= X_0 1))\n(assert (>= Y_0 9))\n"
CIRCUIT = "vocabulary = ['a', 'b']\ndef last(ids):\n    return ids[:, -1]\n"
TASK = '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n'
PAIR = 'network = "net.onnx"\nnetwork_b = "b.onnx"\n[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = [false, true]\nkind = "sign"\n'
ZOO = Path(__file__).resolve().parents[2] / "models" / "zoo" / "quotes_and_brackets"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything that is read."""
    for name in ("claim.toml", "net.onnx", "program.py"):
        shutil.copy(CORPUS / "count_sign_l3" / name, tmp_path)
    shutil.copy(tmp_path / "net.onnx", tmp_path / "b.onnx")
    claim = (tmp_path / "claim.toml").read_text(encoding="utf-8")
    (tmp_path / "where.toml").write_text(
        claim.replace("length = 3", 'length = 3\nwhere = "where.py:keeps"'), encoding="utf-8"
    )
    (tmp_path / "where.py").write_text("def keeps(tokens):\n    return True\n", encoding="utf-8")
    (tmp_path / "pair.toml").write_text(PAIR, encoding="utf-8")
    (tmp_path / "one.onnx").write_bytes(write_onnx(feed_forward([(np.ones((1, 1)), np.zeros(1))])))
    model = onnx.load(tmp_path / "one.onnx")
    onnx.save(model, tmp_path / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    (tmp_path / "box.vnnlib").write_text(BOX, encoding="utf-8")
    (tmp_path / "box.toml").write_text(
        'network = "one.onnx"\n[domain]\nbox = "box.vnnlib"\n', encoding="utf-8"
    )
    (tmp_path / "instances.csv").write_text("one.onnx,box.vnnlib,5\n", encoding="utf-8")
    (tmp_path / "circuit.py").write_text(CIRCUIT, encoding="utf-8")
    (tmp_path / "task.toml").write_text(TASK, encoding="utf-8")
    (tmp_path / "proof").write_text("{}\n", encoding="utf-8")
    shutil.copytree(ZOO, tmp_path / "model")
    (tmp_path / "picture.svg").write_text("mine", encoding="utf-8")
    (tmp_path / "link.svg").symlink_to(tmp_path / "model" / "vocab.json")
    os.link(tmp_path / "net.onnx", tmp_path / "twin")
    (tmp_path / "linked").symlink_to(tmp_path / "claim.toml")
    out = tmp_path / "out"
    out.mkdir()
    (out / "claim.toml").write_text(TASK, encoding="utf-8")
    shutil.copy(tmp_path / "claim.toml", out / "program.toml")
    (out / "results.jsonl").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


DISTILL = ["distill", "circuit.py:last", "--domain", "task.toml"]
OVER = [
    *(["prove", "claim.toml", "--proof", place] for place in ("claim.toml", "net.onnx", "program.py", "./out/../net.onnx", "twin", "linked")),
    ["prove", "linked", "--proof", "claim.toml"],
    ["prove", "where.toml", "--proof", "where.py"],
    ["prove", "pair.toml", "--proof", "b.onnx"],
    ["prove", "claim.toml", "--checkpoint", "net.onnx"],
    ["prove", "claim.toml", "--checkpoint", "kept", "--proof", "kept"],
    ["prove", "claim.toml", "--dump", "new", "--proof", "out/../new"],
    *(["prove", "box.toml", "--proof", place] for place in ("box.toml", "one.onnx", "box.vnnlib")),
    *(["verify", "one.onnx", "box.vnnlib", "--proof", place] for place in ("one.onnx", "box.vnnlib")),
    ["verify", "big.onnx", "box.vnnlib", "--proof", "big.data"],
    [*DISTILL, "--out", "new", "--html", "new/claim.toml"],
    [*DISTILL, "--out", "out", "--html", "out/program.py"],
    [*DISTILL, "--out", "new", "--html", "task.toml"],
    [*DISTILL, "--out", "new", "--html", "circuit.py"],
    ["distill", "circuit.py:last", "--domain", "out/claim.toml", "--out", "out"],
    ["distill", "model", "--mask", "model/quote_closing.mask.json", "--out", "new", "--html", "model/quote_closing.mask.json"],
    ["show", "model", "--no-run", "--draw", "link.svg"],
    ["prune", "model", "task.toml", "--out", "model/final_model.pt"],
    ["prune", "model", "task.toml", "--mask", "model/quote_closing.mask.json", "--out", "model/quote_closing.mask.json"],
    ["report", "out/results.jsonl", "--html", "out/results.jsonl"],
    ["report", "out", "--html", "out/results.jsonl"],
    ["bench", "claim.toml", "--out", "new", "--html", "net.onnx"],
    ["bench", "claim.toml", "--out", "new", "--html", "new/results.csv"],
    ["bench", ".", "--out", "new", "--html", "instances.csv"],
    ["bench", "vnncomp", ".", "--out", "new", "--html", "box.vnnlib"],
    ["bench", "--report", "out", "--html", "out/results.jsonl"],
]  # fmt: skip


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.lstat().st_ino)
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize("arguments", OVER, ids=" ".join)
def test_an_input_is_not_written_over(
    arguments: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(here)
    status = main(arguments)
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert ("names an input" in err or "is written by" in err) and "choose another" in err, err
    assert tree(here) == before and not (here / "new").exists()


def test_a_result_of_an_earlier_run_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the same command, in the folder of its inputs."""
    for _ in range(2):
        assert main(["prove", "claim.toml", "--proof", "earlier"]) == 0
        assert main(["show", "model", "--no-run", "--draw", "model/picture.svg"]) == 0
        assert main([*DISTILL, "--out", "again"]) == 0
    assert main(["check", "claim.toml", "earlier"]) == 0 and main(["prove", "again/claim.toml"]) == 0


def test_exported_files_are_not_written_over_the_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("exact")
    claim = str(CORPUS / "ascending" / "claim.toml")
    assert main(["prove", claim, "--proof", str(tmp_path / "p"), "--format", "veripb"]) == 0
    assert main(["check", claim, str(tmp_path / "p"), "--export", str(tmp_path / "other")]) == 0
    name = min(p.name for p in (tmp_path / "other").iterdir())
    os.rename(tmp_path / "p", tmp_path / name)
    before = (tmp_path / name).read_bytes()
    capsys.readouterr()
    assert main(["check", claim, str(tmp_path / name), "--export", str(tmp_path)]) == 2
    assert "names an input" in capsys.readouterr().err and (tmp_path / name).read_bytes() == before


def test_of_what_does_not_exist_the_names_are_compared(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with pytest.raises(InputError, match="is written by --a, too; choose another"):
        check_apart(
            [("--a", tmp_path / "folder" / "x"), ("--b", tmp_path / "link" / ".." / "link" / "x")], ()
        )
    check_apart(
        [("--a", tmp_path / "folder" / "x"), ("--b", None), ("--c", tmp_path / "x")], (tmp_path / "y",)
    )
