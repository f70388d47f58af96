"""Proofs that other people's checkers read, as files: hostile ones, the command line, export."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from claim_mutants import spoilt
from known_claims import CORPUS
from relucid.cli.main import main
from relucid.models.claims.claim_file import load_word_claim
from relucid.verifiers.proof.export import sections as sections_module
from relucid.verifiers.proof.export import solver_proofs
from relucid.verifiers.proof.export.sections import Sections
from relucid.verifiers.proof.export.third_party import DRAT, FORMS, VERIPB, Form
from relucid.verifiers.proof.format import LimitReached
from relucid.verifiers.proof.writing import write_pieces
from relucid.verifiers.race.backend import installed_version
from third_party_proofs import (
    PALINDROME,
    PARITY,
    accepted,
    forms,
    proved,
    solvable,
    third_party_queries,
    written,
)

# -- files
# ------------------------------------------------------------


@pytest.fixture(params=FORMS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"proof.{request.param}"
    path.write_bytes(written(load_word_claim(PALINDROME), FORMS[request.param]))
    return path


HEADER = (
    json.dumps({"format": "relucid veripb 1", "claim": load_word_claim(PALINDROME).digest}).encode() + b"\n"
)
HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "nothing else": (HEADER, 1, 'rejected: line 2: {"label": 0, '),
    "no JSON": (HEADER + b"\x00\x01\n", 1, "rejected: line 2: a line that says what follows is missing"),
    "deeply nested": (HEADER + b"[" * 200_000 + b"\n", 1, "rejected: line 2: a line that says"),
    "a gigantic number": (
        HEADER + b'{"label": ' + b"9" * 9000 + b"}\n",
        1,
        "rejected: line 2: a line that says",
    ),
    "a long header": (
        HEADER + b'{"label": "' + b"9" * 20_000 + b'"}\n',
        1,
        "rejected: line 2: a line that says",
    ),
    "no end of line": (HEADER + b'{"label": 0', 1, "rejected: line 2: the file is cut off"),
    "a long line": (HEADER + b"x" * (1 << 23), 3, "not checked: line 2: it is longer than 4,194,304 bytes"),
    "a zip bomb": (gzip.compress(HEADER + b"0" * (1 << 28), 9), 3, "not checked: line 2: it is longer than"),
    "a damaged zip": (gzip.compress(HEADER)[:-6], 1, "rejected: line 2: the file is damaged or cut off"),
    "no ASCII": (HEADER + "\u00e4\n".encode(), 1, "rejected: line 2: it is not a line of a proof"),
    "its own proof": (
        b"pseudo-Boolean proof version 1.1\nf\n",
        1,
        "rejected: line 1: it is not a line of a proof",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, status, says = HOSTILE[kind]
    path = tmp_path / "proof"
    path.write_bytes(data)
    assert main(["check", str(PALINDROME), str(path)]) == status
    out, err = capsys.readouterr()
    assert out.startswith(says) and out.count("\n") == 1 and err == ""


HOSTILE_STEPS = {
    "a number without end": "pol 1 " + "9" * 1_000_000 + " *",
    "factors without end": "pol 1" + f" {10**300} *" * 10_000,
    "operands without end": "pol" + " 1" * 200_000,
    "sums without end": "pol 1" + " 1 +" * 100_000,
    "a reference to what comes later": "pol 400",
    "a constraint of many terms": "rup " + "+1 x1 " * 300_000 + ">= 1 ;",
    "a variable far away": "rup +1 x999999999 >= 0 ;",
}


@pytest.mark.parametrize("kind", HOSTILE_STEPS)
def test_hostile_steps(kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = written(load_word_claim(PALINDROME), VERIPB).decode().splitlines()
    lines[3:3] = ["f", HOSTILE_STEPS[kind]]
    path = tmp_path / "proof"
    path.write_text("\n".join(lines) + "\n")
    assert main(["check", str(PALINDROME), str(path)]) in (1, 3)
    out = capsys.readouterr().out
    assert re.match(r"(rejected|not checked): line \d+: ", out) and len(out) < 200


def test_a_file_without_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def readline(self, size: int = -1) -> bytes:  # type: ignore[override]
            return HEADER if size < 0 else b"\n"

    monkeypatch.setattr(sections_module, "FILE_LIMIT", 100_000)
    endless = Sections(Endless())  # type: ignore[arg-type]
    with pytest.raises(LimitReached, match="the file is longer"):
        list(endless.lines())


@forms
def test_bits_flipped_in_a_file(form: Form) -> None:
    claim = load_word_claim(PALINDROME)
    good, rng = written(claim, form), random.Random(5)
    false = spoilt(claim, (0,) * claim.domain.max_length)
    assert false is not None
    for _ in range(20):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        accepted(claim, form, bytes(data))
        assert not accepted(false, form, bytes(data), digests=False)


def test_time_runs_out(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(PALINDROME), str(file), "--timeout", "1e-9"]) == 3
    assert capsys.readouterr().out.startswith("not checked: ")


# -- the command line
# ------------------------------------------------------------


@pytest.mark.parametrize("name", ["proof", "proof.gz"])
@forms
def test_written_and_checked(
    form: Form, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    assert main(["prove", str(PALINDROME), "--proof", str(file), "--format", form.name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trust"], told["proof"]) == ("checked", str(file)) and list(tmp_path.iterdir()) == [file]
    assert (file.read_bytes()[:2] == b"\x1f\x8b") == (name == "proof.gz")
    assert main(["check", str(PALINDROME), str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["shows"], told["queries"], told["bytes"]) == (
        True,
        "proved",
        2,
        file.stat().st_size,
    )
    assert told["steps"] > 10 and told["parts"] is None and told["exact_in_float32"] is True
    assert main(["check", str(PARITY), str(file)]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another claim\n"


def test_a_refutation_has_the_same_witness_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim, file = CORPUS / "count_near_miss" / "claim.toml", tmp_path / "witness"
    assert main(["prove", str(claim), "--proof", str(file), "--format", "drat"]) == 1
    assert main(["check", str(claim), str(file)]) == 0
    assert "accepted: network and program differ on" in capsys.readouterr().out


REFUSED = [
    (["prove", PALINDROME, "--format", "drat"], "--format: it says how a proof is written, and none is asked for; name a file for the proof"),
    (["prove", PALINDROME, "--format", "lrat", "--proof", "p"], "Invalid value for '--format': 'lrat' is not one of 'relucid', 'veripb', 'drat'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_refused(arguments: list[object], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err and err.count("\n") == 1


@forms
def test_without_the_solver(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package, extra = {"veripb": ("exact", "exact"), "drat": ("python-sat", "sat")}[form.name]
    assert installed_version(package)
    monkeypatch.setattr(solver_proofs, "installed_version", lambda name: None)
    assert main(["prove", str(PALINDROME), "--proof", str(tmp_path / "p"), "--format", form.name]) == 2
    assert capsys.readouterr().err == (
        f"relucid: --format: {form.name} proofs are written by the package {package}, which is not installed; "
        f"pip install 'relucid[{extra}]', or leave it out\n"
    )
    assert not list(tmp_path.iterdir())


NO_PROOF = {
    ("TIMEOUT", frozenset()): "out of time while proving; raise it with --timeout",
    ("UNKNOWN", frozenset()): "cadical_dimacs says unknown",
    ("SATISFIABLE", frozenset()): "cadical_dimacs gave a solution that is no counterexample",
}


@pytest.mark.parametrize("answer", NO_PROOF)
def test_without_an_answer_the_result_is_unknown(
    answer: tuple[str, frozenset[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(solver_proofs, "run_program", lambda *a: answer)
    assert (
        main(
            [
                "prove",
                str(PALINDROME),
                "--proof",
                str(tmp_path / "p"),
                "--format",
                "drat",
                "--backends",
                "enumerate",
                "--json",
            ]
        )
        == 3
    )
    told = json.loads(capsys.readouterr().out)
    assert (
        told["reason"]
        == f"trust: enumerate says proved at trust exact, but there is no checked proof: {NO_PROOF[answer]}"
    )
    assert not list(tmp_path.iterdir())


def test_claims_that_are_too_big_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("relucid.verifiers.backends.shared.queries.MAX_RELUS", 0)
    assert (
        main(
            [
                "prove",
                str(PALINDROME),
                "--proof",
                str(tmp_path / "p"),
                "--format",
                "veripb",
                "--backends",
                "enumerate",
            ]
        )
        == 3
    )
    assert "ReLUs, over the limit of 0 for solver encodings" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_log_about_other_constraints_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from relucid.common.errors import Unsupported

    real = solver_proofs.run_program

    def lying(*arguments):
        answer = real(*arguments)
        formula = arguments[-1].with_suffix(".formula")
        formula.write_text(formula.read_text().replace("+1 x1", "+2 x1", 1))
        return answer

    monkeypatch.setattr(solver_proofs, "run_program", lying)
    with pytest.raises(Unsupported, match="logged a proof about other constraints than it was given"):
        written(load_word_claim(PALINDROME), VERIPB)


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    def pieces():
        yield b"{}\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pieces(tmp_path / "proof", pieces())
    assert not list(tmp_path.iterdir())


# -- export
# ------------------------------------------------------------


def test_export(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    for _ in range(2):  # the second run overwrites
        assert main(["check", str(PALINDROME), str(file), "--export", str(folder)]) == 0
    form = FORMS[file.suffix[1:]]
    names = [
        f"label-{label}-rival-0{suffix}"
        for label in (0, 1)
        for suffix in (form.formula_suffix, form.proof_suffix)
    ]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    lines = file.read_bytes().splitlines(keepends=True)
    heads = [i for i, line in enumerate(lines) if line.startswith(b"{")]
    for (start, end), formula, proof in zip(pairwise(heads[1:]), names[::2], names[1::2], strict=True):
        assert (folder / proof).read_bytes() == b"".join(lines[start + 1 : end])
        assert (
            hashlib.sha256((folder / formula).read_bytes()).hexdigest() == json.loads(lines[start])["formula"]
        )
    capsys.readouterr()


def test_exported_formulas_are_what_solvers_refute(tmp_path: Path) -> None:
    """The formula on its own, read by the solver once more."""
    for form in FORMS.values():
        for claim, _ in proved(form)[:2]:
            for query in third_party_queries(claim, form):
                assert not solvable(form, query.problem.text())


def test_export_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert main(["prove", str(PALINDROME), "--proof", str(ours)]) == 0
    theirs.write_bytes(written(load_word_claim(PALINDROME), DRAT))
    capsys.readouterr()
    for proof, folder, says in (
        (
            ours,
            tmp_path / "out",
            "it is in no format that other tools read; write it with prove --format veripb or --format drat",
        ),
        (
            theirs,
            tmp_path / "no" / "out",
            "cannot write there: No such file or directory; name a folder that you can write to",
        ),
        (theirs, theirs, "cannot write there: File exists; name a folder"),
        (
            tmp_path / "none",
            tmp_path / "out",
            "cannot read the proof: No such file or directory; check the path",
        ),
    ):
        assert main(["check", str(PALINDROME), str(proof), "--export", str(folder)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and says in err and err.count("\n") == 1
    assert main(["check", str(PARITY), str(theirs), "--export", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(shutil.which("drat-trim") is None, reason="drat-trim is not installed")
def test_drat_trim_agrees(tmp_path: Path) -> None:
    for claim, data in proved(DRAT)[:6]:
        path = tmp_path / "proof"
        path.write_bytes(data)
        from relucid.verifiers.proof.export.export import export

        for files in export(claim, path, tmp_path / "out"):
            done = subprocess.run(
                ["drat-trim", files.formula, files.proof], capture_output=True, text=True, check=False
            )
            assert "s VERIFIED" in done.stdout
