"""Claims proved in others' formats: what solvers write is accepted, and nothing that is false, with digests on and off."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from claim_mutants import CLAIM_MUTANTS, brute_force, spoilt, told_by_its_network
from known_claims import CORPUS, corpus, golden
from random_claims import random_claim
from relucid.cli import main
from relucid.models.claim import Claim
from relucid.models.claim_file import load_claim
from relucid.models.errors import InputError
from relucid.verifiers.backend import installed_version
from relucid.verifiers.proof import sections as sections_module
from relucid.verifiers.proof import solver_proofs
from relucid.verifiers.proof.format import LimitReached, Rejected
from relucid.verifiers.proof.producer import Unproved
from relucid.verifiers.proof.sections import Sections
from relucid.verifiers.proof.solver_proofs import section_pieces
from relucid.verifiers.proof.third_party import DRAT, FORMS, VERIPB, Form, check_sections
from relucid.verifiers.proof.writing import write_pieces

PALINDROME, PARITY = (CORPUS / name / "claim.toml" for name in ("palindrome", "parity_4"))


def written(claim: Claim, form: Form) -> bytes:
    return b"".join(section_pieces(claim, form, 60.0))


@cache
def proved(form: Form) -> tuple[tuple[Claim, bytes], ...]:
    """True claims with at least one query, and their proofs; the short ones first."""
    small = [load_claim(CORPUS / name / "claim.toml") for name in ("palindrome", "parity_4", "adjacent_ab")]
    told = [claim for seed in range(24) if (claim := told_by_its_network(random_claim(seed)))]
    found = [(claim, written(claim, form)) for claim in [*small, *told]]
    return tuple(sorted((f for f in found if f[1].count(b"\n") > 20), key=lambda f: len(f[1])))


def accepted(claim: Claim, form: Form, data: bytes, digests: bool = True) -> bool:
    try:
        check_sections(claim, form, Sections(io.BytesIO(data)), digests=digests)
    except Rejected as why:
        assert re.match(r"line \d+: ", str(why)) and "\n" not in str(why)
        return False
    return True


forms = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


@forms
def test_what_solvers_prove_is_accepted(form: Form) -> None:
    assert len(proved(form)) >= 8
    for claim, data in proved(form):
        assert brute_force(claim) and accepted(claim, form, data), claim.name
        found = check_sections(claim, form, Sections(io.BytesIO(data)))
        assert found.queries == data.count(b'"formula"') >= 1 and found.steps > 3


@forms
def test_what_bounds_settle_needs_no_steps(form: Form) -> None:
    claim = load_claim(CORPUS / "count_sign_l3" / "claim.toml")
    data = written(claim, form)
    assert data.count(b"\n") == 2 and accepted(claim, form, data)
    assert str(check_sections(claim, form, Sections(io.BytesIO(data)))) == f"{form.name}, 0 queries, 0 steps"


@forms
def test_false_claims_have_no_proofs(form: Form) -> None:
    tried = 0
    for known in (*corpus(), *golden()):
        if known.expected["verdict"] == "refuted":
            tried += 1
            with pytest.raises(Unproved, match="network and program differ on"):
                written(load_claim(known.claim_file), form)
    assert tried >= 10


# -- mutants of the claim --------------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize("kind", CLAIM_MUTANTS)
def test_no_mutant_of_the_claim_is_accepted_unless_it_is_true(form: Form, kind: str) -> None:
    rng, false = random.Random(kind), 0
    for claim, data in proved(form)[:6]:
        for _ in range(4):
            try:
                other = CLAIM_MUTANTS[kind](claim, rng)
            except InputError:
                continue  # no claim at all
            if other.digest != claim.digest:
                assert not accepted(other, form, data)
            if not brute_force(other):
                false += 1
                assert not accepted(other, form, data, digests=False)
    assert false >= (2 if kind != "where" else 0)


@forms
def test_proofs_of_other_claims_and_networks_that_differ_on_one_input(form: Form) -> None:
    turned = 0
    for claim, data in proved(form):
        rng = random.Random(claim.digest)
        words = [tuple(map(int, w)) for block, _ in claim.language.words() for w in block]
        other = spoilt(claim, rng.choice(words))
        if other is not None:
            turned += 1
            assert not accepted(other, form, data, digests=False)
        false = next(c for c in (random_claim(rng.randrange(1000)) for _ in range(100)) if not brute_force(c))
        assert not accepted(false, form, data, digests=False)
        for another, _ in rng.sample(proved(form), 2):
            assert another.digest == claim.digest or not accepted(another, form, data)
    assert turned >= 6


# -- mutants of the proof --------------------------------------------------------------------------------------------------

Lines = list[str]


def steps(lines: Lines, kind: str = "") -> list[int]:
    """The places of proof lines, of those of one kind."""
    return [i for i, line in enumerate(lines) if not line.startswith(("{", "pseudo")) and line.startswith(kind)]


def numbers_changed(line: str, rng: random.Random, change: Callable[[int], int]) -> str:
    """One of the line's numbers."""
    places = [m for m in re.finditer(r"\d+", line) if m.group() != "0"]
    place = rng.choice(places)
    return line[: place.start()] + str(change(int(place.group()))) + line[place.end() :]


def replaced(lines: Lines, place: int, line: str) -> None:
    lines[place] = line


def ends(lines: Lines) -> list[int]:
    """The places of the steps that end a section."""
    return [i for i in range(1, len(lines)) if lines[i].startswith("{") and not lines[i - 1].startswith("{")]


MUTANTS: dict[str, Callable[[Lines, random.Random], object]] = {
    "step dropped": lambda p, r: p.pop(r.choice(steps(p))),
    "many steps dropped": lambda p, r: [p.pop(r.choice(steps(p))) for _ in range(len(steps(p)) // 3)],
    "step doubled": lambda p, r: (lambda i: p.insert(i, p[i]))(r.choice(steps(p))),
    "steps swapped": lambda p, r: (lambda a, b: p.__setitem__(slice(None), swapped(p, a, b)))(*(r.choice(steps(p)) for _ in "ab")),
    "steps shuffled": lambda p, r: p.__setitem__(slice(None), shuffled(p, r)),
    "number changed": lambda p, r: (lambda i: replaced(p, i, numbers_changed(p[i], r, lambda n: n + r.choice([1, -1, 7]))))(
        r.choice([i for i in steps(p) if re.search("[1-9]", p[i])])
    ),
    "number gigantic": lambda p, r: (lambda i: replaced(p, i, numbers_changed(p[i], r, lambda n: 10**300 + n)))(
        r.choice([i for i in steps(p) if re.search("[1-9]", p[i])])
    ),
    "number made 0": lambda p, r: (lambda i: replaced(p, i, numbers_changed(p[i], r, lambda n: 0)))(
        r.choice([i for i in steps(p) if re.search("[1-9]", p[i])])
    ),
    "sign changed": lambda p, r: (lambda i: replaced(p, i, p[i].replace("~", "") if "~" in p[i] else flipped(p[i])))(r.choice(steps(p))),
    "word dropped": lambda p, r: (lambda i, w: replaced(p, i, " ".join([*w[: (k := r.randrange(len(w)))], *w[k + 1 :], "\n"])))(
        *(lambda i: (i, p[i].split()))(r.choice(steps(p)))
    ),
    "contradiction too early": lambda p, r: (lambda i: p.insert(i, p[r.choice(ends(p)) - 1]))(r.choice(steps(p))),
    "contradiction dropped": lambda p, r: p.pop(r.choice(ends(p)) - 1),
    "nothing but a contradiction": lambda p, r: p.__setitem__(slice(None), [x for i, x in enumerate(p) if not steps([x]) or i + 1 in ends(p)]),
    "everything deleted": lambda p, r: p.insert(r.choice(steps(p)), "d " + " ".join(map(str, range(1, 40))) + "\n"),
    "truncated": lambda p, r: p.__setitem__(slice(None), p[: r.randrange(len(p))]),
    "cut in a line": lambda p, r: (lambda i: p.__setitem__(slice(None), [*p[:i], p[i][: len(p[i]) // 2]]))(r.randrange(len(p))),
    "section dropped": lambda p, r: p.__setitem__(slice(None), without_section(p, r)),
    "section doubled": lambda p, r: p.__setitem__(slice(None), with_section_twice(p, r)),
    "header dropped": lambda p, r: p.pop(r.choice([i for i, x in enumerate(p) if x.startswith("{")])),
    "other query": lambda p, r: (lambda i: replaced(p, i, p[i].replace('"label": 0', '"label": 1') if '"label": 0' in p[i] else p[i].replace('"rival": 0', '"rival": 9')))(
        r.choice([i for i, x in enumerate(p) if '"label"' in x])
    ),
    "formula of its own": lambda p, r: (lambda i: replaced(p, i, re.sub(r'"formula": "\w+"', '"formula": "0"', p[i])))(
        r.choice([i for i, x in enumerate(p) if '"formula"' in x])
    ),
    "something after the end": lambda p, r: p.append('{"end": true}\n'),
    "other format": lambda p, r: replaced(p, 0, p[0].replace("veripb", "drat") if "veripb" in p[0] else p[0].replace("drat", "veripb")),
}  # fmt: skip
MUST_REJECT = {
    "contradiction dropped", "truncated", "cut in a line", "section dropped", "section doubled", "header dropped", "other query",
    "formula of its own", "something after the end", "other format", "nothing but a contradiction",
}  # fmt: skip


def flipped(line: str) -> str:
    return line.replace("x", "~x", 1) if "x" in line else line[1:] if line.startswith("-") else f"-{line}"


def swapped(lines: Lines, a: int, b: int) -> Lines:
    out = list(lines)
    out[a], out[b] = out[b], out[a]
    return out


def shuffled(lines: Lines, rng: random.Random) -> Lines:
    order = steps(lines)
    out = list(lines)
    for a, b in zip(order, rng.sample(order, len(order)), strict=True):
        out[a] = lines[b]
    return out


def one_section(lines: Lines, rng: random.Random) -> tuple[int, int]:
    start = rng.choice([i for i, line in enumerate(lines) if '"formula"' in line])
    return start, next(i for i in range(start + 1, len(lines)) if lines[i].startswith("{"))


def without_section(lines: Lines, rng: random.Random) -> Lines:
    start, end = one_section(lines, rng)
    return lines[:start] + lines[end:]


def with_section_twice(lines: Lines, rng: random.Random) -> Lines:
    start, end = one_section(lines, rng)
    return lines[:end] + lines[start:end] + lines[end:]


@forms
@pytest.mark.parametrize("kind", MUTANTS)
def test_mutants_of_the_proof(form: Form, kind: str) -> None:
    """Shown for the claim they may be accepted (it is true); shown for a false neighbour never; some are no proofs of anything."""
    rng, made = random.Random(kind), 0
    for claim, data in proved(form)[:6]:
        for turn in range(2):
            lines = data.decode().splitlines(keepends=True)
            original = list(lines)
            MUTANTS[kind](lines, rng)
            if lines == original:
                continue
            made += 1
            mutant = "".join(lines).encode()
            if kind in MUST_REJECT:
                assert not accepted(claim, form, mutant)
            else:
                accepted(claim, form, mutant)  # an answer, whatever it is, not an error
            if not turn:
                word = next(iter(claim.language.words(1)))[0][0]
                other = spoilt(claim, tuple(map(int, word)))
                assert other is None or not accepted(other, form, mutant, digests=False)
    assert made >= 6, made


@forms
def test_constraints_of_the_formula_that_are_not_there(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that needs a constraint is rejected without it: formulas with solutions are never refuted."""
    rejected = 0
    for claim, data in proved(form)[:3]:
        problem = next(iter(third_party_queries(claim, form))).problem
        lines = data.decode().splitlines(keepends=True)
        section = [x for x in lines[2 : next(i for i in range(2, len(lines)) if lines[i].startswith("{"))]]
        assert problem.check(section, lambda: None) >= 1
        rng = random.Random(len(data))
        for _ in range(8):
            left = fewer(problem, rng.randrange(problem.constraints))
            try:
                left.check(section, lambda: None)
            except Rejected:
                rejected += 1
            else:
                assert not solvable(form, left.text())
    assert rejected >= 4


def third_party_queries(claim: Claim, form: Form):
    from relucid.verifiers.proof.third_party import queries

    return queries(claim, form, float("inf"))


def fewer(problem, gone: int):
    """The problem without one of its constraints, which says nothing in its place, so that the others keep their numbers."""
    from dataclasses import replace

    from relucid.verifiers.proof.inequalities import Inequality

    if hasattr(problem, "axioms"):
        left = replace(problem)
        left.__dict__["axioms"] = [Inequality({}, 0) if i == gone else a for i, a in enumerate(problem.axioms)]
        return left
    clauses = tuple(c for i, c in enumerate(problem.encoded.clauses) if i != gone)
    return replace(problem, encoded=replace(problem.encoded, clauses=clauses))


def solvable(form: Form, text: str) -> bool:
    from relucid.verifiers.solver_process import run_program

    logger = solver_proofs.LOGGERS[form.name]
    answer, _ = run_program(logger.program, text, 20.0, *logger.arguments)
    return answer == "SATISFIABLE"


# -- files -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=FORMS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"proof.{request.param}"
    path.write_bytes(written(load_claim(PALINDROME), FORMS[request.param]))
    return path


HEADER = json.dumps({"format": "relucid veripb 1", "claim": load_claim(PALINDROME).digest}).encode() + b"\n"
HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "nothing else": (HEADER, 1, 'rejected: line 2: {"label": 0, '),
    "no JSON": (HEADER + b"\x00\x01\n", 1, "rejected: line 2: a line that says what follows is missing"),
    "deeply nested": (HEADER + b"[" * 200_000 + b"\n", 1, "rejected: line 2: a line that says"),
    "a gigantic number": (HEADER + b'{"label": ' + b"9" * 9000 + b"}\n", 1, "rejected: line 2: a line that says"),
    "a long header": (HEADER + b'{"label": "' + b"9" * 20_000 + b'"}\n', 1, "rejected: line 2: a line that says"),
    "no end of line": (HEADER + b'{"label": 0', 1, "rejected: line 2: the file is cut off"),
    "a long line": (HEADER + b"x" * (1 << 23), 3, "not checked: line 2: it is longer than 4,194,304 bytes"),
    "a zip bomb": (gzip.compress(HEADER + b"0" * (1 << 28), 9), 3, "not checked: line 2: it is longer than"),
    "a damaged zip": (gzip.compress(HEADER)[:-6], 1, "rejected: line 2: the file is damaged or cut off"),
    "no ASCII": (HEADER + "\u00e4\n".encode(), 1, "rejected: line 2: it is not a line of a proof"),
    "its own proof": (b"pseudo-Boolean proof version 1.1\nf\n", 1, "rejected: line 1: it is not a line of a proof"),
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
    lines = written(load_claim(PALINDROME), VERIPB).decode().splitlines()
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
    claim = load_claim(PALINDROME)
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


# -- the command line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["proof", "proof.gz"])
@forms
def test_written_and_checked(form: Form, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    assert main(["prove", str(PALINDROME), "--proof", str(file), "--format", form.name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trust"], told["proof"]) == ("checked", str(file)) and list(tmp_path.iterdir()) == [file]
    assert (file.read_bytes()[:2] == b"\x1f\x8b") == (name == "proof.gz")
    assert main(["check", str(PALINDROME), str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["shows"], told["queries"], told["bytes"]) == (True, "proved", 2, file.stat().st_size)
    assert told["steps"] > 10 and told["parts"] is None and told["exact_in_float32"] is True
    assert main(["check", str(PARITY), str(file)]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another claim\n"


def test_a_refutation_has_the_same_witness_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim, file = CORPUS / "count_near_miss" / "claim.toml", tmp_path / "witness"
    assert main(["prove", str(claim), "--proof", str(file), "--format", "drat"]) == 1
    assert main(["check", str(claim), str(file)]) == 0
    assert "accepted: network and program differ on" in capsys.readouterr().out


REFUSED = [
    (["prove", PALINDROME, "--format", "drat"], "--format: it says how a proof is written, and none is asked for; add --proof FILE"),
    (["prove", PALINDROME, "--format", "lrat", "--proof", "p"], "Invalid value for '--format': 'lrat' is not one of 'relucid', 'veripb', 'drat'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_refused(arguments: list[object], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err and err.count("\n") == 1


@forms
def test_without_the_solver(form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    package, extra = {"veripb": ("exact", "exact"), "drat": ("python-sat", "sat")}[form.name]
    assert installed_version(package)
    monkeypatch.setattr(solver_proofs, "installed_version", lambda name: None)
    assert main(["prove", str(PALINDROME), "--proof", str(tmp_path / "p"), "--format", form.name]) == 2
    assert capsys.readouterr().err == (
        f"relucid: --format: {form.name} proofs are written by the package {package}, which is not installed; "
        f"pip install 'relucid[{extra}]', or leave --format out\n"
    )
    assert not list(tmp_path.iterdir())


NO_PROOF = {
    ("TIMEOUT", frozenset()): "out of time while proving; raise it with --timeout",
    ("UNKNOWN", frozenset()): "cadical_dimacs says unknown",
    ("SATISFIABLE", frozenset()): "cadical_dimacs gave a solution that is no counterexample",
}


@pytest.mark.parametrize("answer", NO_PROOF)
def test_without_an_answer_the_result_is_unknown(
    answer: tuple[str, frozenset[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(solver_proofs, "run_program", lambda *a: answer)
    assert main(["prove", str(PALINDROME), "--proof", str(tmp_path / "p"), "--format", "drat", "--backends", "enumerate", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["reason"] == f"trust: enumerate says proved at trust exact, but there is no checked proof: {NO_PROOF[answer]}"
    assert not list(tmp_path.iterdir())


def test_claims_that_are_too_big_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("relucid.verifiers.queries.MAX_RELUS", 0)
    assert main(["prove", str(PALINDROME), "--proof", str(tmp_path / "p"), "--format", "veripb", "--backends", "enumerate"]) == 3
    assert "ReLUs, over the limit of 0 for solver encodings" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_log_about_other_constraints_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from relucid.models.errors import Unsupported

    real = solver_proofs.run_program

    def lying(*arguments):
        answer = real(*arguments)
        formula = arguments[-1].with_suffix(".formula")
        formula.write_text(formula.read_text().replace("+1 x1", "+2 x1", 1))
        return answer

    monkeypatch.setattr(solver_proofs, "run_program", lying)
    with pytest.raises(Unsupported, match="logged a proof about other constraints than it was given"):
        written(load_claim(PALINDROME), VERIPB)


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    def pieces():
        yield b"{}\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pieces(tmp_path / "proof", pieces())
    assert not list(tmp_path.iterdir())


# -- export ------------------------------------------------------------------------------------------------------------------


def test_export(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    for _ in range(2):  # the second run overwrites
        assert main(["check", str(PALINDROME), str(file), "--export", str(folder)]) == 0
    form = FORMS[file.suffix[1:]]
    names = [f"label-{label}-rival-0{suffix}" for label in (0, 1) for suffix in (form.formula_suffix, form.proof_suffix)]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    lines = file.read_bytes().splitlines(keepends=True)
    heads = [i for i, line in enumerate(lines) if line.startswith(b"{")]
    for (start, end), formula, proof in zip(pairwise(heads[1:]), names[::2], names[1::2], strict=True):
        assert (folder / proof).read_bytes() == b"".join(lines[start + 1 : end])
        assert hashlib.sha256((folder / formula).read_bytes()).hexdigest() == json.loads(lines[start])["formula"]
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
    theirs.write_bytes(written(load_claim(PALINDROME), DRAT))
    capsys.readouterr()
    for proof, folder, says in (
        (ours, tmp_path / "out", "it is in no format that other tools read; write it with prove --format veripb or --format drat"),
        (theirs, tmp_path / "no" / "out", "cannot write there: No such file or directory; name a folder that you can write to"),
        (theirs, theirs, "cannot write there: File exists; name a folder"),
        (tmp_path / "none", tmp_path / "out", "cannot read the proof: No such file or directory; check the path"),
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
        from relucid.verifiers.proof.export import export

        for files in export(claim, path, tmp_path / "out"):
            done = subprocess.run(["drat-trim", files.formula, files.proof], capture_output=True, text=True, check=False)
            assert "s VERIFIED" in done.stdout
