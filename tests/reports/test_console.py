"""What commands print where: colours on a terminal, none with NO_COLOR or in a pipe; `--quiet` and `--json`
on every command.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import onnx
import pytest
from known_claims import CORPUS
from onnx import TensorProto, helper
from relucid.cli.main import all_commands, main

CLAIM = CORPUS / "count_sign_l3" / "claim.toml"
NEAR_MISS = CORPUS / "count_near_miss" / "claim.toml"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|[34]8;[\d;]+)(?:;\d+)*m")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proof, a property of a network, results of a benchmark, and a circuit of four lines."""
    folder = tmp_path_factory.mktemp("made")
    assert main(["prove", str(CLAIM), "--proof", str(folder / "proof")]) == 0
    gemm = helper.make_node("Gemm", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [gemm], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])], [helper.make_tensor("w", TensorProto.FLOAT, [1, 1], [2.0])],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "net.onnx",
    )
    for name, bound in (("unsat", 9.0), ("sat", 1.0)):
        lines = [
            "(declare-const X_0 Real)",
            "(declare-const Y_0 Real)",
            "(assert (>= X_0 0))",
            "(assert (<= X_0 1))",
            f"(assert (>= Y_0 {bound}))",
        ]
        (folder / f"{name}.vnnlib").write_text("\n".join(lines) + "\n")
    assert (
        main(["bench", str(CLAIM), "--backends", "enumerate", "--out", str(folder / "bench"), "--quiet"]) == 0
    )
    (folder / "mine.py").write_text("vocabulary = ['a', 'b']\ndef last(ids):\n    return ids[:, -1]\n")
    (folder / "mine.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n'
    )
    return folder


COMMANDS = {
    "prove": ["prove", str(CLAIM)],
    "check": ["check", str(CLAIM), "proof"],
    "show": ["show", str(CLAIM)],
    "show circuit": ["show", "mine.py:last"],
    "show network": ["show", str(CLAIM.with_name("net.onnx"))],
    "verify": ["verify", "net.onnx", "unsat.vnnlib"],
    "bench": ["bench", str(CLAIM), "--backends", "enumerate", "--out", "bench"],
    "report": ["report", "bench"],
    "compare": ["compare", "bench", "bench"],
    "backends": ["backends"],
    "distill": ["distill", "mine.py:last", "--out", "out"],
    "train": ["train", "var_swap", "--out", "model", "--steps", "300", "--layers", "1"],
    "prune": ["prune", "model", "var_swap", "--steps", "20"],
}
FAST = ["prove", "check", "show", "verify"]  # the others in the slow suite: each starts two processes


def on_a_terminal(folder: Path, arguments: list[str], **environment: str) -> str:
    """All that a terminal is sent."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "relucid", *arguments], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
        env={**{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI")}, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(slave)
    sent = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        sent += part
    os.close(master)
    assert process.wait(timeout=60) in (0, 3)
    return sent.decode()


def test_every_command_is_here() -> None:
    assert {name.split()[0] for name in COMMANDS} == set(all_commands())


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in COMMANDS]
)
def test_no_color_and_pipes(name: str, made: Path) -> None:
    arguments = COMMANDS[name]
    if name == "prune" and not (made / "model").exists():
        subprocess.run(
            [sys.executable, "-m", "relucid", *COMMANDS["train"]],
            cwd=made,
            check=False,
            capture_output=True,
            timeout=120,
        )
    plain = on_a_terminal(made, arguments, NO_COLOR="1")
    assert not COLOUR.search(plain), plain
    piped = subprocess.run(
        [sys.executable, "-m", "relucid", *arguments],
        cwd=made,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "\x1b" not in piped.stdout and piped.stdout and piped.returncode in (0, 3)
    assert "\x1b" not in piped.stderr and (name == "bench" or piped.stderr == "")


@pytest.mark.parametrize("name", ["prove", "check", "show"])
def test_colours_are_there_to_be_switched_off(name: str, made: Path) -> None:
    assert COLOUR.search(on_a_terminal(made, COMMANDS[name]))


def test_every_command_takes_json() -> None:
    for name, command in all_commands().items():
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert "--json" in options, name


@pytest.mark.parametrize(
    "name",
    ["prove", "check", "show", "show circuit", "show network", "verify", "report", "compare", "backends"],
)
def test_json_is_one_value_and_nothing_else_quiet_or_not(
    name: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(made)
    for quiet in ([], ["--quiet"])[: 1 if name == "backends" else 2]:
        assert main([*COMMANDS[name], "--json", *quiet]) == 0
        out, err = capsys.readouterr()
        assert err == "" and out.count("\n") == 1 and json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["prove", str(CLAIM)], 0, r"proved: network = program on all 8 inputs \(.*\)\n"),
        (["check", str(CLAIM), "proof"], 0, r"accepted: network = program on all 8 inputs \(.*\)\n"),
        (["check", str(NEAR_MISS), "proof"], 1, r"rejected: .*\n"),
        (["verify", "net.onnx", "unsat.vnnlib"], 0, r"unsat\n"),
        (["verify", "net.onnx", "sat.vnnlib"], 1, r"sat\n\(\(X_0 [\d.]+\)\n ?\(Y_0 [\d.]+\)\)\n"),
        (["show", str(CLAIM.with_name("net.onnx"))], 0, r"network .*\n .* ReLUs\n .*sha256 \w{64}\n"),
        (
            ["show", "mine.py:last"],
            0,
            r"circuit  .*\n  Python function, run as it is\n  origin: .*\n  run on all 8 inputs\n",
        ),
    ],
)
def test_quiet_is_the_answer_and_the_status(
    arguments, status, says, made: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(made)
    assert main([*arguments, "--quiet"]) == status
    out, err = capsys.readouterr()
    assert re.fullmatch(says, out), out
    assert err == ""
    assert main([*arguments, "-q", "--json"]) == status and json.loads(capsys.readouterr().out)


def test_a_quiet_claim_is_neither_program_nor_samples(made: Path, capsys) -> None:
    assert main(["show", str(CLAIM), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert (
        out.startswith("claim ") and "def " not in out and "sample" not in out and len(out.splitlines()) == 5
    )


def test_quiet_errors_are_still_said(made: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(made)
    for command in (
        ["show", "nothing"],
        ["check", "nothing", "proof"],
        ["verify", "nothing.onnx", "unsat.vnnlib"],
    ):
        assert main([*command, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("relucid: nothing") and err.count("\n") == 1
