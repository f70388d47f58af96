"""Claim files about boxes: one network, two networks, and what is wrong with a file, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.cli.options import ClaimLimits, Output, ProofFile
from relucid.cli.verify import prove_box
from relucid.models.claims.claim_file import load_box_files
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

SPEC = "".join(
    f"(declare-const X_{i} Real)\n(assert (>= X_{i} 0))\n(assert (<= X_{i} 1))\n" for i in range(2)
)
SPEC += "(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n(assert (>= Y_0 {}))\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """(x0 + x1, 1); a copy of it that is off by 1/16; one that prefers the other output somewhere."""
    for name, shift in (("net", 0.0), ("copy", 0.0625), ("other", 0.5)):
        layers = [
            (np.eye(2), np.zeros(2)),
            (np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([shift, 3.0 - 4 * shift])),
        ]
        (tmp_path / f"{name}.onnx").write_bytes(write_onnx(feed_forward(layers, encoding="real")))
    (tmp_path / "spec.vnnlib").write_text(SPEC.format("2.5"))
    (tmp_path / "false.vnnlib").write_text(SPEC.format("1.5"))
    return tmp_path


def claim(folder: Path, text: str) -> str:
    (folder / "claim.toml").write_text(text)
    return str(folder / "claim.toml")


ONE = 'network = "net.onnx"\n[domain]\nbox = "spec.vnnlib"\n'
TWO = 'network = "net.onnx"\nnetwork_b = "{}"\n[domain]\nbox = "spec.vnnlib"\n[decision]\n{}\n'


def answer(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, dict[str, object]]:
    status = main(["prove", claim(folder, text), "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def test_one_network_with_its_proof(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof = str(folder / "proof")
    status, found = answer(folder, ONE, capsys, "--proof", proof)
    assert (status, found["verdict"], found["trust"], found["domain_size"], found["proof"]) == (
        0,
        "proved",
        "checked",
        None,
        proof,
    )
    assert main(["check", claim(folder, ONE), proof]) == 0 and capsys.readouterr().out.startswith(
        "accepted: 1 parts, 1 leaves"
    )
    false = ONE.replace("spec", "false")
    assert main(["check", claim(folder, false), proof]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another property\n"
    status, found = answer(folder, false, capsys, "--proof", proof)
    assert (status, found["verdict"]) == (1, "refuted")
    assert main(["check", claim(folder, false), proof]) == 0 and "a counterexample" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "decision", "status"),
    [
        ("copy.onnx", 'kind = "argmax"', 0), ("other.onnx", 'kind = "argmax"', 1), ("other.onnx", "", 1),
        ("copy.onnx", 'kind = "within"\nepsilon = "3/10"', 0), ("copy.onnx", 'kind = "within"\nepsilon = 0.2', 1),
    ],
)  # fmt: skip
def test_two_networks(
    folder: Path, capsys: pytest.CaptureFixture[str], other: str, decision: str, status: int
) -> None:
    assert answer(folder, TWO.format(other, decision), capsys)[0] == status


def reached(
    folder: Path,
    text: str,
    capsys: pytest.CaptureFixture[str],
    *,
    trust: str | None,
    backends: str | None = None,
) -> dict[str, object]:
    """What `prove --json` says at this trust; None: nothing was said about it."""
    box = load_box_files(claim(folder, text))
    limits = ClaimLimits(60.0, 4096, 1, 0, trust, backends)
    assert prove_box(box, limits, ProofFile(), Output(quiet=True, as_json=True)) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("backends", [None, "split", "lp"])
@pytest.mark.parametrize(("trust", "got"), [(None, "checked"), ("checked", "checked"), ("exact", "exact")])
def test_checked_by_default(
    folder: Path, capsys: pytest.CaptureFixture[str], trust: str | None, backends: str | None, got: str
) -> None:
    found = reached(folder, ONE, capsys, trust=trust, backends=backends)
    assert (found["verdict"], found["trust"], found["proof"]) == ("proved", got, None)
    assert (
        (found["certificate"] is None)
        if got == "exact"
        else ", 1 parts, 1 leaves; " in str(found["certificate"])
    )
    assert sorted(p.name for p in folder.iterdir()) == [
        "claim.toml",
        "copy.onnx",
        "false.vnnlib",
        "net.onnx",
        "other.onnx",
        "spec.vnnlib",
    ]


def test_check_takes_files_as_verify_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof = str(folder / "proof")
    net, spec, false = (str(folder / name) for name in ("net.onnx", "spec.vnnlib", "false.vnnlib"))
    assert main(["verify", net, spec, "--proof", proof, "--backends", "race", "--quiet"]) == 0
    assert capsys.readouterr().out == "unsat\n"
    for command in (["check", net, spec, proof], ["verify", net, spec, "--check", proof]):
        assert main(command) == 0
        assert capsys.readouterr().out.startswith("accepted: 1 parts, 1 leaves (")
    assert main(["check", net, false, proof]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another property\n"
    assert main(["check", net, spec, proof, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"accepted": True, "reason": None, "leaves": 1}
    assert main(["check", net, spec, proof, "--export", "out"]) == 2
    assert main(["check", proof]) == 2
    assert "Missing argument 'PROOF'." in capsys.readouterr().err


def test_the_trust_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", claim(folder, ONE), "--trust", "checked"]) == 0
    out = capsys.readouterr().out
    assert "\ntrust checked: proof: " in out and ", 1 parts, 1 leaves; " in out


def test_what_cannot_be_checked_is_exact_and_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two networks there are no proofs; where a solver's word was asked for, nothing is checked."""
    found = reached(folder, TWO.format("copy.onnx", 'kind = "within"\nepsilon = "3/10"'), capsys, trust=None)
    assert (found["trust"], found["certificate"]) == (
        "exact",
        "not checked: there are no proofs about two networks over a box",
    )
    found = reached(folder, ONE, capsys, trust="float")
    assert found["verdict"] == "proved" and found["certificate"] is None


WRONG = {
    'network = "net.onnx"\n[domain]\nbox = 3\n': '[domain] box: missing, or not a string; write box = "property.vnnlib"',
    '[domain]\nbox = "spec.vnnlib"\n': 'network: missing, or not a string; write network = "original.onnx"',
    ONE + 'tokens = ["a"]\n': "[domain] tokens: unknown key; known keys are box",
    ONE + "[input]\n": "input: unknown key; known keys are network, network_b, domain, decision",
    ONE
    + '[decision]\nkind = "argmax"\n': "[decision]: the VNN-LIB file says what must not come out; remove it, or add network_b",
    TWO.format(
        "copy.onnx", 'kind = "sign"'
    ): '[decision] kind: \'sign\' is no way to compare outputs over a box; use "argmax" or "within"',
    TWO.format("copy.onnx", "labels = [1]"): "[decision] labels: unknown key; known keys are kind",
    TWO.format(
        "copy.onnx", 'kind = "within"'
    ): '[decision] epsilon: missing; write epsilon = 0.01 or epsilon = "1/100"',
    TWO.format(
        "copy.onnx", 'kind = "within"\nepsilon = -1'
    ): "[decision] epsilon: -1 is negative; give 0 or more",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = claim(folder, text)
    assert main(["prove", path]) == 2
    assert capsys.readouterr().err == f"relucid: {path}: {WRONG[text]}\n"


@pytest.mark.parametrize(
    ("backend", "trust"), [("race", "exact"), ("split", "exact"), ("lp", "exact"), ("milp", "float")]
)
def test_one_backend_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], backend: str, trust: str
) -> None:
    assert main(["prove", claim(folder, ONE), "--backends", backend, "--trust", trust, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "proved"


def test_options_that_are_about_tokens(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = claim(folder, ONE)
    for option in (
        ["--count"],
        ["--format", "drat"],
        ["--dump", "d"],
        ["--checkpoint", "c"],
        ["--counterexamples", "2"],
    ):
        assert main(["prove", path, *option]) == 2
        assert (
            capsys.readouterr().err
            == f"relucid: {option[0]}: is for claims about tokens, and this one is about a box; leave it out\n"
        )
    for names in ("bab", "lp,split"):
        assert main(["prove", path, "--backends", names]) == 2
        assert capsys.readouterr().err == (
            "relucid: --backends: a claim about a box is decided by one of race, split, lp, milp; name one of them, or leave it out\n"
        )
    assert main(["prove", path, "--backends", "lp", "--proof", str(folder / "p")]) == 2
    assert main(["check", path, str(folder / "p"), "--export", "d"]) == 2
    two = claim(folder, TWO.format("copy.onnx", ""))
    assert (
        main(["prove", two, "--proof", str(folder / "p")]) == 2
        and main(["prove", two, "--trust", "checked"]) == 2
        and main(["check", two, str(folder / "p")]) == 2
    )
    assert capsys.readouterr().err.count("there are no proofs about two networks over a box") == 3
