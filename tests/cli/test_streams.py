"""The exit status is an answer: it never depends on whether a message could be written, or on which of the
standard streams are there.
"""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers import prove as prove_module

TRUE = CORPUS / "count_sign_l3" / "claim.toml"
FALSE = CORPUS / "count_near_miss" / "claim.toml"
BOX = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 0))\n(assert (<= X_0 1))\n(assert (>= Y_0 9))\n"
HANGS = "import itertools\nvocabulary = ['a', 'b']\ndef hangs(ids):\n    any(itertools.repeat(False))\n"
TASK = '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n'
CLOSED = [" ".join(c) for n in range(1, 4) for c in itertools.combinations(("<&-", ">&-", "2>&-"), n)]


def status(where: Path, arguments: list[str], streams: str) -> int:
    """Of the command, its streams as bash has them."""
    command = f"{shlex.join([sys.executable, '-P', '-m', 'relucid', *arguments])} {streams}"
    return subprocess.run(
        ["bash", "-c", command], cwd=where, capture_output=True, timeout=180, check=False
    ).returncode


ENDS = {
    "no such file": (["prove", "nope"], 2),
    "no such option": (["prove", "--bogus"], 2),
    "no arguments": ([], 2),
    "time": (["distill", "circuit.py:hangs", "--domain", "task.toml", "--out", "out", "--timeout", "0.5"], 3),
    "time, as JSON": (
        [
            "distill",
            "circuit.py:hangs",
            "--domain",
            "task.toml",
            "--out",
            "out",
            "--timeout",
            "0.5",
            "--json",
        ],
        3,
    ),
}


@pytest.mark.parametrize(
    "streams", ["2>/dev/full", "2>&-", "2> >(exec true)"], ids=["full", "closed", "nobody reads"]
)
@pytest.mark.parametrize("end", ENDS)
def test_an_error_that_cannot_be_written_has_its_status(end: str, streams: str, tmp_path: Path) -> None:
    (tmp_path / "circuit.py").write_text(HANGS, encoding="utf-8")
    (tmp_path / "task.toml").write_text(TASK, encoding="utf-8")
    arguments, expected = ENDS[end]
    assert status(tmp_path, arguments, streams) == expected


@pytest.mark.parametrize("streams", CLOSED)
def test_closed_streams(streams: str, tmp_path: Path) -> None:
    assert status(tmp_path, ["prove", str(TRUE)], streams) == 0
    assert status(tmp_path, ["prove", str(FALSE)], streams) == 1


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_of_other_commands(streams: str, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward([(np.ones((1, 1)), np.zeros(1))])))
    (tmp_path / "box.vnnlib").write_text(BOX, encoding="utf-8")
    assert status(tmp_path, ["verify", "net.onnx", "box.vnnlib", "--proof", "proof"], streams) == 0
    assert status(tmp_path, ["verify", "net.onnx", "box.vnnlib", "--check", "proof"], streams) == 0
    assert status(tmp_path, ["show", str(TRUE)], streams) == 0


def test_what_is_opened_in_the_place_of_a_closed_stream_is_no_stream(tmp_path: Path) -> None:
    """Nothing that is printed gets into a file or pipe that happens to have the number of stderr."""
    proof = tmp_path / "proof"
    assert status(tmp_path, ["prove", str(TRUE), "--proof", str(proof)], "<&- >&- 2>&-") == 0
    assert status(tmp_path, ["check", str(TRUE), str(proof)], "") == 0


@pytest.mark.parametrize(
    "arguments", [["prove", str(TRUE)], ["prove", str(TRUE), "--json"], ["backends"], ["backends", "--json"], ["show", str(TRUE), "--json"],
                  ["--help"], ["prove", "--help"], ["--version"]], ids=" ".join,
)  # fmt: skip
def test_a_result_that_cannot_be_written(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "relucid", *arguments]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=180, check=False
        )
    assert (done.returncode, done.stderr) == (
        4,
        "relucid: cannot write the result (No space left on device)\n",
    )


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_limit_that_nobody_reads_of(more: list[str], tmp_path: Path) -> None:
    """A reader who has gone away must not make an unknown a proof."""
    body = "    n = 1\n    for t in tokens:\n        n = (3 * n + (1 if t == 'a' else 2)) % 1000003\n    return n == 1\n"
    (tmp_path / "p.py").write_text(f"def f(tokens):\n{body}", encoding="utf-8")
    (tmp_path / "net.onnx").write_bytes(write_onnx(feed_forward([(np.ones((2, 34)), np.zeros(2))])))
    claim = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b"]\nlength = 17\n[decision]\nlabels = [false, true]\n'
    (tmp_path / "claim.toml").write_text(claim, encoding="utf-8")
    assert status(tmp_path, ["prove", "claim.toml", "--timeout", "0.5", *more], "> >(exec true)") == 3


class Broken:
    """A stream that takes nothing."""

    encoding, errors, closed = "utf-8", "strict", False

    def __init__(self, error: type[OSError]) -> None:
        self.error = error

    def write(self, text: str) -> int:
        raise self.error(5, "Input/output error")

    def flush(self) -> None:
        raise self.error(5, "Input/output error")

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("error", [OSError, BrokenPipeError])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([str(TRUE)], 0), ([str(FALSE)], 1), (["nope"], 2)],
    ids=["proved", "refuted", "bad"],
)
def test_a_terminal_that_has_gone(
    arguments: list[str], expected: int, error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a status line is shown there."""
    monkeypatch.setattr(sys, "stderr", Broken(error))
    assert main(["prove", *arguments]) == expected


def test_internal_errors_that_cannot_be_written_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise BrokenPipeError("of a worker")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prove_module, "prove_claim", fail)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    monkeypatch.setattr(sys, "stderr", Broken(OSError))
    assert main(["prove", str(TRUE)]) == 4


def test_streams_are_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    assert main(["--version"]) == 0
    assert (sys.stdout, sys.stderr) == before and capsys.readouterr().out.startswith("relucid")


IMPORTED = (
    "relucid.cli.main",
    "relucid.cli.limits",
    "click",
    "relucid.common.errors",
    "relucid.cli.status",
)
WITH_THE_COMMAND = ("relucid.cli.proving", "relucid.verifiers.report")
STARTS = """
import importlib.abc, sys
class Stop(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            raise {error}
sys.meta_path.insert(0, Stop())
import relucid.__main__
sys.argv[1:] = ["prove", "nope"]
relucid.__main__.entry()
"""


INTERRUPT = "KeyboardInterrupt", 130, "relucid: interrupted\n"
BROKEN = "ImportError('gone')", 4, "relucid: internal error (ImportError: gone)\n"


@pytest.mark.parametrize(
    ("name", "error", "expected", "says"),
    [
        *((name, *INTERRUPT) for name in (*IMPORTED, *WITH_THE_COMMAND)),
        *((name, *BROKEN) for name in IMPORTED),
    ],
)
def test_what_ends_it_while_it_is_imported(
    name: str, error: str, expected: int, says: str, tmp_path: Path
) -> None:
    code = STARTS.format(name=name, error=error)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (expected, "", says)


def test_nothing_is_imported_before_interrupts_are_caught(tmp_path: Path) -> None:
    """But the package itself, and what Python has loaded by then."""
    code = "import sys\nbefore = set(sys.modules)\nimport relucid.__main__\nprint(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert set(eval(done.stdout)) <= {"relucid", "relucid.__main__", "relucid.version", "__future__"}
