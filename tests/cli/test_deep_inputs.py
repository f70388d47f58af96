"""Data that nest without end are bad input, wherever they are read: one line, status 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.common.text import DEEPEST, parsed_json

MUCH = "[" * 200_000 + "]" * 200_000
DEEP = '{"attempts": ' + "[" * 300 + "]" * 300 + "}"  # Python parses it, and stumbles later


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("claim.toml", "net.onnx", "program.py"):
        shutil.copy(CORPUS / "count_sign_l3" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "") and err.count("\n") == 1 and len(err) < 1000, err
    return err


@pytest.mark.parametrize("text", [MUCH, DEEP], ids=["much", "deep"])
def test_json(text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("deep.json", "results.jsonl", "made.json", "expected.json", "result.json"):
        (here / name).write_text(text + "\n", encoding="utf-8")
    one_line(capsys, "report", "deep.json")
    one_line(capsys, "compare", "deep.json", "deep.json")
    one_line(capsys, "bench", "claim.toml", "--out", ".", "--backends", "enumerate")
    one_line(capsys, "bench", "--report", ".")
    one_line(capsys, "show", "deep.json")
    (here / "results.jsonl").unlink()
    one_line(capsys, "report", ".")
    assert (
        main(["bench", "claim.toml", "--out", "out", "--backends", "enumerate", "--quiet"]) == 0
    )  # what lies beside a claim is passed over


HEADER = f"\n[{'.'.join(['a'] * 20_000)}]\n"


@pytest.mark.parametrize(
    "text",
    [HEADER, f"\nx = {'[' * 100}{']' * 100}\n", f"\nx = {'[' * 50_000}\n"],
    ids=["header", "lists", "many lists"],
)
def test_toml(text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = (here / "claim.toml").read_text(encoding="utf-8")
    (here / "claim.toml").write_text(claim + text, encoding="utf-8")
    for command in ("prove", "show"):
        assert "claim.toml" in one_line(capsys, command, "claim.toml")
    one_line(capsys, "distill", "quote_closing", "--domain", "claim.toml", "--out", "out")


def test_depth() -> None:
    assert parsed_json("[" * DEEPEST + "]" * DEEPEST) is not None and parsed_json('{"a": 1}') == {"a": 1}
    for n in (DEEPEST + 1, 1_000, 100_000):
        with pytest.raises(ValueError, match="deep"):
            parsed_json("[" * n + "]" * n)
