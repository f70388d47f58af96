"""Bad input, whatever it is: one line on stderr that says what, where and how to mend it, exit status 2,
nothing on stdout, nothing written.  The texts are golden: who changes a message changes it here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from known_claims import CORPUS
from onnx import TensorProto, helper, numpy_helper
from relucid.cli.main import all_commands, main

PROGRAM = (CORPUS / "count_sign_l3" / "program.py").read_text(encoding="utf-8")
ENDLESS = "def many_a(tokens):\n    n = 0\n    while n >= 0:\n        n = n + 1\n    return True\n"
CLAIM = (CORPUS / "count_sign_l3" / "claim.toml").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good claim, as the working directory, so that messages name plain file names."""
    for name in ("claim.toml", "net.onnx", "program.py"):
        shutil.copy(CORPUS / "count_sign_l3" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(old: str, new: str) -> Callable[[Path], None]:
    assert old in CLAIM
    return lambda folder: (
        (folder / "claim.toml").write_text(CLAIM.replace(old, new), encoding="utf-8") and None
    )


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data) and None


def program(text: str) -> Callable[[Path], None]:
    return write("program.py", text)


def model(
    *nodes: onnx.NodeProto, weights: dict[str, np.ndarray] | None = None, width: int = 6, outputs: int = 1
) -> Callable[[Path], None]:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(v, k) for k, v in (weights or {}).items()],
    )
    return write(
        "net.onnx",
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
        ).SerializeToString(),
    )


def gemm(weight: np.ndarray) -> Callable[[Path], None]:
    node = helper.make_node("Gemm", ["x", "w"], ["y"])
    return model(
        node, weights={"w": weight.astype(np.float32)}, width=weight.shape[0], outputs=weight.shape[1]
    )


def truncated(folder: Path) -> None:
    data = (folder / "net.onnx").read_bytes()
    (folder / "net.onnx").write_bytes(data[: len(data) // 2])


def where(body: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "claim.toml").write_text(
            CLAIM.replace("length = 3", 'length = 3\nwhere = "program.py:no"'), encoding="utf-8"
        )
        (folder / "program.py").write_text(f"{PROGRAM}\n\ndef no(tokens):\n    {body}\n", encoding="utf-8")

    return spoil


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


CASES: list[tuple[str, Callable[[Path], None], list[str]]] = [
    # what happened to the good claim, and what the message must say
    ("missing claim", remove("claim.toml"), ["claim.toml", "No such file"]),
    ("missing network", remove("net.onnx"), ["net.onnx", "there is no such file", "check the path"]),
    ("missing program", remove("program.py"), ["program.py", "No such file"]),
    ("malformed toml", write("claim.toml", "network = [\n"), ["claim.toml", "not valid TOML"]),
    ("binary toml", write("claim.toml", b"\xff\xfe\x00"), ["claim.toml", "not UTF-8"]),
    ("empty toml", write("claim.toml", ""), ["claim.toml: network", "missing"]),
    ("unknown key", replace("[domain]", 'pogram = "x"\n[domain]'), ["claim.toml: pogram", "unknown key", "known keys are"]),
    ("unknown domain key", replace("length = 3", "length = 3\nwhree = 1"), ["[domain] whree", "unknown key"]),
    ("no section", replace("[decision]", "[decisions]"), ["claim.toml: decisions", "unknown key"]),
    ("length text", replace("length = 3", 'length = "3"'), ["[domain] length", "neither a length nor a pair"]),
    ("length negative", replace("length = 3", "length = -1"), ["[domain] length"]),
    ("length reversed", replace("length = 3", 'length = [4, 2]\npad = "_"'), ["[domain] length", "no sequence has a length from 4 to 2"]),
    ("range without pad", replace("length = 3", "length = [1, 3]"), ["[domain] pad", "lengths differ", 'pad = "<pad>"']),
    ("no tokens", replace('["a", "b"]', "[]"), ["[domain] tokens", "no tokens"]),
    ("token twice", replace('["a", "b"]', '["a", "a"]'), ["[domain] tokens", "'a' is listed twice"]),
    ("token not text", replace('["a", "b"]', '["a", 1]'), ["[domain] tokens", "not a list of strings"]),
    ("huge length", replace("length = 3", "length = 1000000000"), ["[domain] length", "limit"]),
    ("wrong size", replace("length = 3", "length = 4"), ["takes 6 input values", "4 positions x 2 tokens = 8"]),
    ("bad encoding", replace('encoding = "one_hot"', 'encoding = "onehot"'), ["[input] encoding", "'onehot' is not an encoding"]),
    ("other encoding", replace('encoding = "one_hot"', 'encoding = "ids"'), ["claim.toml", "encoding"]),
    ("bad decision", replace('kind = "sign"', 'kind = "max"'), ["[decision] kind", "'max' is not a decision"]),
    ("labels do not fit", replace('kind = "sign"', 'kind = "argmax"'), ["the network has 1 output, ", "needs 2", 'use kind = "sign"']),
    ("three sign labels", replace("[false, true]", "[0, 1, 2]"), ["[decision] labels", "sign takes two labels"]),
    ("label twice", replace("[false, true]", "[1, 1]"), ["[decision] labels", "listed twice"]),
    ("label types", replace("[false, true]", "[0, 1]"), ["program.py:6: returns True on input ('a', 'a', 'a'), which is not one of the labels 0, 1"]),
    ("no labels", replace("[false, true]", "[]"), ["[decision] labels"]),
    ("float label", replace("[false, true]", "[0.5, true]"), ["[decision] labels", "strings, integers or booleans"]),
    ("no such function", replace("program.py:many_a", "program.py:few_a"), ["few_a", "many_a"]),
    ("no function named", replace("program.py:many_a", "program.py"), ["program.py", "function"]),
    ("network_b", replace('network = "net.onnx"', 'network = "net.onnx"\nnetwork_b = "net.onnx"'), ["network_b", "not both"]),
    ("empty domain", where("return False"), ["domain is empty", "where"]),
    ("where not bool", where("return 1"), ["program.py:10: returns 1 on input ('a', 'a', 'a'), which is not True or False"]),
    ("where raises", where("return tokens[9] == 'a'"), ["program.py", "IndexError"]),
    ("truncated network", truncated, ["net.onnx"]),
    ("garbage network", write("net.onnx", b"\x00\x01garbage" * 10), ["net.onnx"]),
    ("empty network", write("net.onnx", b""), ["net.onnx"]),
    ("unsupported operators", model(helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Tanh", ["s"], ["y"])),
        ["net.onnx", "Sigmoid", "Tanh"]),
    ("nan weight", gemm(np.array([[np.nan]] * 6)), ["net.onnx: tensor 'w' holds NaN or infinity"]),
    ("infinite weight", gemm(np.array([[np.inf]] * 6)), ["net.onnx: tensor 'w' holds NaN or infinity"]),
    ("syntax error", program("def many_a(tokens):\n    return (\n"), ["program.py:2"]),
    ("import", program("import os\ndef many_a(tokens):\n    return True\n"), ["program.py:1", "import"]),
    ("attribute", program("def many_a(tokens):\n    return tokens.__class__ == 1\n"), ["program.py:2: attribute access is outside the subset"]),
    ("call", program("def many_a(tokens):\n    return open('x')\n"), ["program.py:2", "open"]),
    ("never ends", program(ENDLESS), ["program.py", "steps"]),
    ("unknown name", program("def many_a(tokens):\n    return nothing\n"), ["program.py:2", "nothing"]),
    ("raises", program("def many_a(tokens):\n    return tokens[7] == 'a'\n"), ["program.py:2", "IndexError"]),
    ("no label", program("def many_a(tokens):\n    return 2\n"), ["program.py", "2", "not one of the labels"]),
]  # fmt: skip


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert status == 2, err
    assert out == ""
    assert err.startswith("relucid: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("spoil", "says"), [c[1:] for c in CASES], ids=[c[0].replace(" ", "_") for c in CASES]
)
@pytest.mark.parametrize("command", ["prove", "show"])
def test_bad_claims(
    here: Path,
    spoil: Callable[[Path], None],
    says: list[str],
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(here)
    before = sorted(here.rglob("*"))
    message = one_line(capsys, command, "claim.toml")
    for part in says:
        assert part in message
    assert sorted(here.rglob("*")) == before


USAGE = [
    (["prove"], "Missing argument 'CLAIM'"),
    (["prove", "claim.toml", "--timeout", "soon"], "--timeout"),
    (["prove", "claim.toml", "--timeout", "0"], "--timeout"),
    (["prove", "claim.toml", "--memory", "1"], "--memory"),
    (["prove", "claim.toml", "--trust", "blind"], "--trust"),
    (["prove", "claim.toml", "--backends", "marabou9000"], "enumerate"),
    (["prove", "claim.toml", "--backends", ","], "--backends"),
    (["prove", "claim.toml", "--no-such-option"], "--no-such-option"),
    (["prove", "."], "claim file"),
    (["proof", "claim.toml"], "proof"),
    (["show", "nothing"], "nothing"),
    (["distill", "nothing", "--out", "o"], "nothing"),
    (["distill", "quote_closing"], "--out"),
    (["distill", "quote_closing", "--out", "program.py"], "program.py"),
    (["distill", "quote_closing", "--out", "program.py/deeper"], "program.py"),
    (["distill", "quote_closing", "--out", "o", "--domain", "claim.toml"], "network"),
    (["distill", "quote_closing", "--out", "o", "--mask", "program.py"], "program.py"),
    (["distill", ".", "--out", "o", "--domain", "claim.toml"], "network"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), USAGE, ids=lambda x: "_".join(x) if isinstance(x, list) else ""
)
def test_bad_usage(here: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.rglob("*"))
    assert says in one_line(capsys, *arguments)
    assert sorted(here.rglob("*")) == before


TIMED = sorted(
    name for name, command in all_commands().items() if any(p.name == "timeout" for p in command.params)
)


@pytest.mark.parametrize(
    "seconds", ["nan", "inf", "-inf", "1e9", "0", "-1", "1e-400", "soon", "", "9" * 5000]
)
@pytest.mark.parametrize("command", TIMED)
def test_a_timeout_is_a_time(
    command: str, seconds: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"distill": ["--out", "o"]}.get(command, [])
    arguments = ["x"] * sum(isinstance(p, click.Argument) for p in all_commands()[command].params)
    message = one_line(capsys, command, *arguments, *options, "--timeout", seconds)
    assert "Invalid value for '--timeout'" in message and len(message) < 700, message


def test_every_command_that_may_take_long_has_a_timeout() -> None:
    assert set(TIMED) == set(all_commands()) - {"backends"}
    assert main(["prove", str(CORPUS / "count_sign_l3" / "claim.toml"), "--timeout", "2592000"]) == 0


@pytest.mark.parametrize("length", [200, 5000])
def test_long_names_are_not_told_whole(length: int, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "n" * length
    replace('"net.onnx"', f'"{name}.onnx"')(here)
    message = one_line(capsys, "prove", "claim.toml")
    assert len(message) < 700 and "nnn" in message and ".onnx: " in message
    for arguments in (
        ["prove", name],
        ["show", name],
        ["check", "claim.toml", name],
        ["report", name],
        ["verify", name, name],
    ):
        assert len(one_line(capsys, *arguments)) < 900, arguments
    for arguments in (
        ["prove", "claim.toml", "--backends", name],
        [name],
        ["prove", f"--{name}"],
        ["bench", name, "--out", "o"],
    ):
        assert len(one_line(capsys, *arguments)) < 1200, arguments


PIPES = [["report", "X"], ["compare", "X", "X"], ["check", "claim.toml", "X"], ["prove", "X"], ["show", "X.toml"], ["show", "X.json"],
         ["show", "X.onnx"], ["verify", "X", "X"], ["verify", "net.onnx", "X"], ["prove", "claim.toml", "--checkpoint", "X"]]  # fmt: skip


@pytest.mark.parametrize("arguments", PIPES, ids=" ".join)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_read(
    arguments: list[str], kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in {a for a in arguments if a.startswith("X")}:
        os.mkfifo(here / name) if kind == "pipe" else (here / name).symlink_to("/dev/zero")
    assert "regular file" in one_line(capsys, *arguments)


def test_unwritable_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """/proc takes no files, not even from root; found out before any work is done."""
    assert "/proc/relucid: cannot write in /proc" in one_line(
        capsys, "distill", "quote_closing", "--out", "/proc/relucid"
    )


def test_the_good_claim_is_good(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "claim.toml"]) == 0
    assert "proved: network = program on all 8 inputs" in capsys.readouterr().out
