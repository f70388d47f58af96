"""The command line as scripts and people meet it: JSON keys, exit statuses, warnings, limits, Ctrl-C, pipes,
plain text.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from known_claims import CORPUS, KEYS, SHARED
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers import prove as prove_module
from relucid.verifiers.proof.words import subject
from relucid.verifiers.verdict import Contradiction

NEAR_MISS = CORPUS / "count_near_miss" / "claim.toml"
TRUE = CORPUS / "count_sign_l7" / "claim.toml"
RELUCID = [sys.executable, "-m", "relucid"]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    status = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err == ""
    return status, json.loads(out)


ATTEMPT_KEYS = {"backend", "version", "outcome", "seconds", "peak_mb", "detail", "spans", "sizes"}


def test_json_of_a_proof(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = answer(capsys, "prove", str(TRUE))
    assert status == 0 and set(told) >= KEYS
    assert (told["verdict"], told["trust"], told["reason"], told["domain_size"]) == (
        "proved",
        "checked",
        None,
        "2187",
    )
    assert told["counterexample"] is None and told["proof"] is None
    assert told["attempts"] and all(set(a) == ATTEMPT_KEYS for a in told["attempts"])


def test_json_of_a_refutation(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = answer(capsys, "prove", str(NEAR_MISS), "--counterexamples", "10")
    assert status == 1 and told["verdict"] == "refuted" and told["trust"] is None
    assert told["counterexample"]["tokens"] == told["counterexamples"][0]["tokens"]
    found = {tuple(c["tokens"]) for c in told["counterexamples"]}
    assert len(found) == 4  # brute force counted 4: all of them, each once
    claim = load_word_claim(NEAR_MISS)
    assert all(claim.program_label(tokens) is False for tokens in found)


def test_checked_is_what_the_checker_has_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = answer(capsys, "prove", str(TRUE), "--trust", "checked", "--backends", "enumerate")
    assert (status, told["verdict"], told["trust"], told["proof"]) == (0, "proved", "checked", None)


CHECK_KEYS = {
    "accepted",
    "shows",
    "reason",
    "domain_size",
    "tokens",
    "parts",
    "leaves",
    "run",
    "exact_in_float32",
    "bytes",
    "seconds",
    "queries",
    "steps",
}


@pytest.mark.parametrize("name", ["proof", "proof.gz"])
def test_a_proof_is_written_and_checked(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    status, told = answer(capsys, "prove", str(TRUE), "--proof", str(file))
    assert (status, told["trust"], told["proof"]) == (0, "checked", str(file)) and list(
        tmp_path.iterdir()
    ) == [file]
    status, told = answer(capsys, "check", str(TRUE), str(file))
    assert status == 0 and set(told) == CHECK_KEYS
    assert (told["accepted"], told["shows"], told["domain_size"], told["bytes"]) == (
        True,
        "proved",
        "2187",
        file.stat().st_size,
    )
    status, told = answer(capsys, "check", str(NEAR_MISS), str(file))
    assert (status, told["accepted"], told["shows"], told["reason"]) == (
        1,
        False,
        None,
        "line 1: it is a proof about another claim",
    )
    assert main(["check", str(TRUE), str(file), "--timeout", "1e-9"]) == 3
    assert capsys.readouterr().out.startswith("not checked: ")


def test_a_refutation_has_a_witness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "witness"
    status, told = answer(capsys, "prove", str(NEAR_MISS), "--proof", str(file))
    assert (status, told["verdict"], told["proof"]) == (1, "refuted", str(file))
    status, checked = answer(capsys, "check", str(NEAR_MISS), str(file))
    assert (status, checked["shows"], checked["tokens"]) == (0, "refuted", told["counterexample"]["tokens"])
    good = json.loads(file.read_text())
    for key, value in [
        ("tokens", ["a"]),
        ("tokens", "aaa"),
        ("network_label", "x"),
        ("outputs", ["1/0"]),
        ("claim", "0"),
        ("program_label", 1),
    ]:
        file.write_text(json.dumps({**good, key: value}) + "\n")
        status, checked = answer(capsys, "check", str(NEAR_MISS), str(file))
        assert status == 1 and checked["reason"] and not checked["accepted"], key


def test_proofs_that_cannot_be_written_or_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (
        (
            ["prove", str(TRUE), "--proof", str(tmp_path / "none" / "proof")],
            "the proof could not be written there",
        ),
        (["prove", str(TRUE), "--proof", str(tmp_path)], "the proof could not be written there"),
        (
            ["check", str(TRUE), str(tmp_path / "none")],
            "cannot read the proof: No such file or directory; check the path",
        ),
        (["check", str(TRUE), str(tmp_path)], "cannot read the proof"),
    ):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == "" and says in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_a_proof_in_time_the_result_is_unknown_and_says_who_was_convinced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object, **__: object):
        raise TimeoutError("out of time while proving")
        yield

    monkeypatch.setattr(subject, "proof_lines", late)
    status, told = answer(capsys, "prove", str(TRUE), "--trust", "checked", "--backends", "enumerate")
    assert (status, told["verdict"]) == (3, "unknown")
    assert told["reason"] == (
        "trust: enumerate says proved at trust exact, but there is no checked proof: out of time while proving; raise it with --timeout"
    )


@pytest.mark.parametrize(
    "name", ["count_near_miss", "clamped_three_layers_near_miss", "count_length_12_near_miss"]
)
def test_counting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = CORPUS / name
    status, told = answer(capsys, "prove", str(folder / "claim.toml"), "--count")
    assert (
        status == 1
        and told["disagreeing"] == json.loads((folder / "expected.json").read_text())["disagreeing"]
    )


def test_float_trust_has_to_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = answer(capsys, "prove", str(TRUE), "--backends", "highs")
    assert status == 3 and "accept it with --trust float" in told["reason"]
    status, told = answer(capsys, "prove", str(TRUE), "--backends", "highs", "--trust", "float")
    assert status == 0 and told["trust"] == "float"


def test_the_same_seed_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def story() -> list:
        _, told = answer(capsys, "prove", str(NEAR_MISS), "--backends", "z3-bv", "--seed", "7")
        return [told["counterexample"], [(a["backend"], a["outcome"]) for a in told["attempts"]]]

    assert story() == story()


def test_text_of_a_refutation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(NEAR_MISS)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("refuted: network and program differ (domain: 2,187 inputs, by enumerate, ")
    for part in ("input", "network says", "program says", "the race", "enumerate"):
        assert part in out
    assert "\x1b" not in out


def test_vacuous_claims_are_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(CORPUS / "one_label_only" / "claim.toml")]) == 0
    out = capsys.readouterr().out
    assert "warning: vacuous: the program gives the label 'yes' on every input of the domain" in out
    assert "the program never gives the label 'no'" in out


def test_a_predicate_that_keeps_nothing_of_some_length_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = CORPUS / "length_and_member"
    for name in ("net.onnx", "program.py"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "where.py").write_text(
        "def odd_or_long(tokens):\n    return len(tokens) != 2\n", encoding="utf-8"
    )
    text = (
        (source / "claim.toml")
        .read_text(encoding="utf-8")
        .replace("[input]", 'where = "where.py:odd_or_long"\n\n[input]')
    )
    (tmp_path / "claim.toml").write_text(text, encoding="utf-8")
    assert main(["prove", str(tmp_path / "claim.toml")]) == 0
    assert "warning: vacuous: `where` keeps no input of length 2" in capsys.readouterr().out


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A claim over 4**24 inputs with dense random weights that nobody decides in a second."""
    folder = tmp_path_factory.mktemp("hard")
    rng = np.random.default_rng(3)
    layers = [
        (rng.integers(-15, 16, (n, m)) / 8.0, rng.integers(-15, 16, n) / 8.0)
        for m, n in ((96, 24), (24, 24), (24, 2))
    ]
    layers[-1] = (layers[-1][0], np.array([0.0, -250.0]))  # random inputs stay under it, bounds do not
    (folder / "net.onnx").write_bytes(write_onnx(feed_forward(layers)))
    (folder / "p.py").write_text("def f(tokens):\n    return False\n", encoding="utf-8")
    claim = 'network = "net.onnx"\nprogram = "p.py:f"\n[domain]\ntokens = ["a", "b", "c", "d"]\nlength = 24\n'
    (folder / "claim.toml").write_text(f"{claim}[decision]\nlabels = [false, true]\n", encoding="utf-8")
    return folder / "claim.toml"


def test_limits_are_named_where_they_bite(hard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = answer(capsys, "prove", str(hard), "--timeout", "2", "--backends", "enumerate,z3-real")
    assert status == 3 and told["verdict"] == "unknown"
    assert "time: 2 s limit reached by z3-real; raise it with --timeout" in told["reason"]
    assert {a["backend"]: a["outcome"] for a in told["attempts"]} == {
        "enumerate": "unsupported",
        "z3-real": "timeout",
    }


def test_ctrl_c(hard: Path) -> None:
    """Status 130, one line, no children left."""
    process = subprocess.Popen(
        [*RELUCID, "prove", str(hard), "--backends", "z3-real,z3-bv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    children = wait_for_children(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "relucid: interrupted\n")
    for child in children:
        assert not alive(child)


def wait_for_children(pid: int) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("the race never started a child")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{' '.join(RELUCID)} backends | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_contradictions_are_internal_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def contradict(*arguments: object, **options: object) -> None:
        raise Contradiction("a says proved, b refuted", "/somewhere")

    monkeypatch.setattr(prove_module, "prove_claim", contradict)
    assert main(["prove", str(TRUE)]) == 4
    assert capsys.readouterr().err == "relucid: a says proved, b refuted; artefacts are in /somewhere\n"


def test_bugs_leave_a_report_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(prove_module, "prove_claim", fail)
    assert main(["prove", str(TRUE)]) == 4
    err = capsys.readouterr().err
    assert err.startswith("relucid: internal error (ZeroDivisionError: oops)") and err.count("\n") == 1
    report = Path(re.search(r"with (\S+)", err)[1])  # type: ignore[index]
    assert "Traceback" in report.read_text(encoding="utf-8")
    report.unlink()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"relucid, version \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("prove", "distill", "show", "backends"))


def test_no_arguments_show_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "Usage: relucid" in out + err


def test_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends"]) == 0
    table = capsys.readouterr().out
    assert main(["backends", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"enumerate", "cpsat", "highs", "scip", "z3-bv", "z3-real", "bitwuzla"} <= {
        r["name"] for r in rows
    }
    assert all(r["name"] in table for r in rows)


def test_show_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(CORPUS / "depth_where_context" / "claim.toml"), "--samples", "4"]) == 0
    out = capsys.readouterr().out
    for part in (
        "gives the same label as depth on every input",
        "20 sequences of 6 tokens over ( )",
        "for which nested (in program.py) is true",
        "the network sees them as <s> ... <d> <e>",
        "labels   0, 1, 2 (the largest output wins, ties go to the first)",
        "def depth(tokens):",
        "sample input",
    ):
        assert part in out
    assert len([line for line in out.splitlines() if line.startswith(("( ", ") "))]) == 4


@pytest.mark.parametrize("what", ["quote_closing", str(CORPUS / "count_near_miss" / "net.onnx")])
def test_show_circuit_and_network(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", what, "--no-run"]) == 0
    out = capsys.readouterr().out
    assert "nodes" in out or "ReLU" in out


def test_show_claim_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Two samples of a claim that is false on four inputs, one of each label; sizes as brute force counted
    them.
    """
    status, told = answer(capsys, "show", str(NEAR_MISS), "--samples", "2")
    claim = load_word_claim(NEAR_MISS)
    assert status == 0 and told["kind"] == "claim"
    assert (told["digest"], told["network"]["digest"], told["program"]["text"]) == (
        claim.digest,
        claim.network.digest,
        claim.program.text,
    )
    assert (
        told["domain"]["tokens"] == list(claim.domain.tokens)
        and told["domain"]["length"] == [7, 7]
        and told["domain"]["where"] is None
    )
    assert told["domain_size"] == "2187" == str(sum(map(int, told["label_sizes"])))
    assert {s["program_label"] for s in told["samples"]} == {False, True} and len(told["samples"]) == 2
    for sample in told["samples"]:
        assert claim.program_label(sample["tokens"]) is sample["program_label"]
        word = [claim.domain.padded(sample["tokens"])]
        assert claim.decision.labels[int(claim.network_labels(word)[0])] is sample["network_label"]


def test_show_json_warns_about_a_vacuous_claim(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = answer(capsys, "show", str(CORPUS / "one_label_only" / "claim.toml"), "--samples", "0")
    assert any(w.startswith("vacuous: ") for w in told["warnings"]) and told["samples"] == []


def test_show_network_and_circuit_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = answer(capsys, "show", str(NEAR_MISS.with_name("net.onnx")))
    assert (
        told["kind"] == "network"
        and told["inputs"] == load_word_claim(NEAR_MISS).network.input_size
        and told["exact_in_float32"] in (True, False)
    )
    _, told = answer(capsys, "show", "quote_closing", "--no-run")
    assert (
        told["kind"] == "circuit"
        and told["circuit"]["nodes_kept"] < told["circuit"]["nodes_total"]
        and "<bos>" in told["vocabulary"]
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here")
def test_show_shared_circuit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(SHARED / "data" / "circuit_sparsity")]) == 0
    assert "576 of 576 nodes" in capsys.readouterr().out


def test_progress_only_where_somebody_watches() -> None:
    result = subprocess.run(
        [*RELUCID, "prove", str(TRUE)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert result.stderr == "" and "\x1b" not in result.stdout
