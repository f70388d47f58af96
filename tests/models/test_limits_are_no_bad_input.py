"""Where memory or time runs out while something is read, that is no fault of what is read."""

from __future__ import annotations

import ast
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from known_claims import CORPUS
from relucid.common import files
from relucid.common.deadline import OutOfTime
from relucid.common.files import open_file, read_file
from relucid.models.claims import vnnlib
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.onnx import files as onnx_files
from relucid.verifiers.proof.certificate import check_file
from relucid.verifiers.proof.export import export
from relucid.verifiers.proof.words import subject
from relucid.verifiers.race import dump

PACKAGE = Path(files.__file__).parents[1]
CLAIM = CORPUS / "count_sign_l3" / "claim.toml"


@pytest.mark.parametrize("read", [onnx_files.load_model, vnnlib.load_text], ids=["model", "property"])
def test_memory_that_runs_out_while_unpacking(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> bytes:
        raise MemoryError

    (tmp_path / "x").write_bytes(gzip.compress(b"x"))
    monkeypatch.setattr(gzip.GzipFile, "read", full)
    with pytest.raises(MemoryError):
        read(tmp_path / "x")


def test_little_memory_is_enough_for_a_small_file(tmp_path: Path) -> None:
    """Whatever its limit is: in a process that may have less."""
    (tmp_path / "x").write_bytes(b"small")
    code = "import resource, sys\nfrom relucid.common.files import read_file\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nprint(read_file(sys.argv[1], (1 << 31) - 1))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "b'small'\n"


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 50])
def test_at_most_one_byte_over_the_limit_is_read(size: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(size)))
    assert read_file(tmp_path / "x", 10) == bytes(range(min(size, 11)))


def test_a_file_that_does_not_say_how_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIECE", 3)
    found = read_file("/proc/self/cmdline", 1 << 20)
    assert len(found) > 9 and read_file("/proc/self/cmdline", 7) == found[:8]


def test_time_that_runs_out_while_checking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*arguments: object, **options: object) -> None:
        raise OutOfTime("the time limit was reached")

    claim = load_word_claim(CLAIM)
    (tmp_path / "p").write_text("{}\n", encoding="utf-8")
    monkeypatch.setattr(subject, "check_proof", late)
    with pytest.raises(OutOfTime):
        check_file(subject.WordSubject(claim), tmp_path / "p")
    monkeypatch.setattr(export, "form_of", lambda header: object())
    monkeypatch.setattr(export, "each_section", late)
    with pytest.raises(OutOfTime):
        export.export(claim, tmp_path / "p", tmp_path / "out")
    monkeypatch.setattr(dump, "formulas", late)
    with pytest.raises(OutOfTime):
        dump.dump_claim(claim, ["z3-bv"], tmp_path / "dump", 60, lambda text: None)


def test_whoever_blames_every_exception_on_an_input_lets_limits_pass() -> None:
    for path in (PACKAGE / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Try):
                caught = [ast.unparse(h.type) if h.type else "all" for h in node.handlers]
                if "Exception" in caught:
                    assert caught[0] == "LIMITS", f"{path}:{node.lineno}"


def test_a_device_is_not_read() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        open_file("/dev/zero")
