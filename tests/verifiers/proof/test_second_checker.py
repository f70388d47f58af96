"""Two checkers that share no code say the same about proofs and mutants; the second one is in
tests/second_checker.
"""

from __future__ import annotations

import ast
import copy
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocks import calls
from known_claims import Known, corpus, golden
from proof_cases import Lines, run_everything
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx
from relucid.verifiers.proof import format
from relucid.verifiers.proof.words import checker, producer

pytest.importorskip("flint", reason="the second checker computes with python-flint")
import second_checker
from second_checker import claim as second_claim
from second_checker import onnx_file, rows, words

ROOT = Path(second_checker.__file__).parent
PROVED = [k for k in (*corpus(), *golden()) if k.expected["exit"] == 0]
QUICK = [
    k
    for k in PROVED
    if k.folder.name not in ("parity_6_two_layers", "mod3", "clamped_6", "toggle_padded", "walk_two_locals")
]


def lines_of(claim_file: Path, *, parts: bool) -> Lines:
    return json.loads(json.dumps(list(producer.proof_lines(load_word_claim(claim_file), 30, run=not parts))))


def written(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")
    return path


def first_accepts(claim: WordClaim, proof: Path) -> bool:
    try:
        checker.check_proof(claim, format.read_lines(proof), digests=False)
    except format.Rejected:
        return False
    return True


def second_accepts(claim_file: Path, proof: Path) -> bool:
    try:
        second_checker.check(claim_file, proof)
    except second_checker.Rejected:
        return False
    return True


# -- another program
# ------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=lambda p: p.stem)
def test_it_shares_no_code_with_relucid(path: Path) -> None:
    allowed = {"numpy", "onnx", "flint", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert all(name.split(".")[0] in allowed for name in names), (path, names)


def known(claims: list[Known]) -> Any:
    return pytest.mark.parametrize("claim", claims, ids=[k.folder.name for k in claims])


# -- its own reading of claims
# ------------------------------------------------------------


def test_machines_cover_the_claims_and_agree_with_running_every_word() -> None:
    covered = 0
    for claim in PROVED:
        read = second_claim.read(claim.folder)
        try:
            by_machine = words.languages(read, whole_words=False)
        except second_checker.Unsupported:
            continue
        covered += 1
        assert by_machine == words.languages(read, whole_words=True), claim.folder.name
        sizes = [words.Part.whole(language).count() for language in by_machine]
        assert sum(sizes) == int(claim.expected["domain_size"])
    assert covered >= 0.9 * len(PROVED)


def test_rows_are_the_same() -> None:
    from relucid.verifiers.proof.words.network_rows import build

    for known_claim in PROVED:
        claim, read = load_word_claim(known_claim.claim_file), second_claim.read(known_claim.folder)
        network = onnx_file.read(read)
        for c, language in enumerate(words.languages(read)):
            part = words.Part.whole(language)
            if part.empty or not claim.decision.rivals(c):
                continue
            mine, theirs = (
                rows.of_label(read, network, part, c),
                build(claim, c, claim.language.restricted(c)),
            )
            assert mine.bounds == list(zip(map(int, theirs.lower), map(int, theirs.upper), strict=True))
            width, present = claim.language.symbol_count, [{s for _, s, _ in edges} for edges in part.edges]
            for i, row in enumerate([*mine.relus, *mine.rivals]):
                flat = {
                    divmod(k, width): int(v)
                    for k, v in enumerate(theirs.rows.symbols[i])
                    if v and k % width in present[k // width]
                }
                assert {k: int(v) for k, v in row.symbols.items() if v} == flat
                assert {j: int(v) for j, v in row.relus.items() if v} == {
                    j: int(v) for j, v in enumerate(theirs.rows.relus[i]) if v
                }
                assert int(row.const) == int(theirs.rows.constant[i])


# -- both accept what was proved
# ------------------------------------------------------------


@known(PROVED)
def test_both_accept_running(claim: Known, tmp_path: Path) -> None:
    proof = written(tmp_path / "proof", lines_of(claim.claim_file, parts=False))
    assert first_accepts(load_word_claim(claim.claim_file), proof) and second_accepts(claim.folder, proof)


@known(QUICK)
def test_both_accept_parts(claim: Known, tmp_path: Path) -> None:
    proof = written(tmp_path / "proof", lines_of(claim.claim_file, parts=True))
    assert first_accepts(load_word_claim(claim.claim_file), proof) and second_accepts(claim.folder, proof)


def test_neither_accepts_a_false_claim_by_running_it(tmp_path: Path) -> None:
    refuted = [k for k in (*corpus(), *golden()) if k.expected["exit"] == 1]
    assert len(refuted) >= 10
    for claim in refuted:
        proof = written(tmp_path / "proof", run_everything(load_word_claim(claim.claim_file)))
        assert not first_accepts(load_word_claim(claim.claim_file), proof) and not second_accepts(
            claim.folder, proof
        )


TOML = """network = "net.onnx"
program = "program.py:label"
[domain]
tokens = {tokens}
length = {length}
{more}
[input]
encoding = "one_hot"
[decision]
kind = "sign"
labels = [false, true]
"""


def made(folder: Path, program: str, layers: list, *, tokens: list[str], length: int, more: str = "") -> Path:
    (folder / "program.py").write_text(program, encoding="utf-8")
    (folder / "claim.toml").write_text(
        TOML.format(tokens=json.dumps(tokens), length=length, more=more), encoding="utf-8"
    )
    network = feed_forward([(np.array(w, dtype=float), np.array(b, dtype=float)) for w, b in layers])
    (folder / "net.onnx").write_bytes(write_onnx(network, positions=length, alphabet=len(tokens)))
    return folder / "claim.toml"


BALANCED = """def label(tokens):
    return tokens.count("(") - tokens.count(")") >= 2


def inside(tokens):
    depth = 0
    for t in tokens:
        if t == "(":
            depth += 1
        elif t == ")":
            depth -= 1
        if depth < 0 or depth > 4:
            return False
    return True
"""


def large(folder: Path) -> Path:
    """Over 10^17 words of 48 symbols: relu(depth - 1) - relu(depth - 2) > 1/2, in two layers, with noise in
    all weights.
    """
    rng = np.random.default_rng(5)
    length = 48
    shape = np.outer([1, 1, 1, -1, -1, -1, 1, -1], np.tile([1.0, -1.0, 0.0], length))
    first = shape + rng.integers(-13, 14, size=shape.shape) / 1024
    second = rng.integers(-1, 2, size=(4, 8)) / 4
    second[0, :2] = [2, -2]
    bias = [-1.0, -2.0, -0.5, 1.5, 2.5, 1.0, 0.0, 2.0]
    layers = [(first, bias), (second, [0.0, 0.25, 0.5, 0.0]), ([[1.0, 0.25, -0.25, 0.25]], [-1.0])]
    return made(
        folder, BALANCED, layers, tokens=["(", ")", "."], length=length, more='where = "program.py:inside"'
    )


def test_a_large_claim(tmp_path: Path) -> None:
    claim_file = large(tmp_path)
    lines = lines_of(claim_file, parts=True)
    assert sum(len(line.get("leaves", ())) for line in lines) >= 3
    proof = written(tmp_path / "proof", lines)
    said = []
    assert calls(lambda: said.append(second_accepts(claim_file, proof))) < 3_000_000 and said == [True]
    assert first_accepts(load_word_claim(claim_file), proof)
    for line in lines:  # and the leaves are needed
        if line.get("leaves"):
            line["leaves"].pop()
            break
    assert not second_accepts(claim_file, written(proof, lines)) and not first_accepts(
        load_word_claim(claim_file), proof
    )


# -- both reject the same
# ------------------------------------------------------------


@pytest.fixture(scope="module")
def cut_up() -> list[tuple[Known, Lines]]:
    """Proofs with parts, split ReLUs and betas, from a search that may not think long."""
    with pytest.MonkeyPatch.context() as patch:
        options = producer.BabOptions
        patch.setattr(
            producer,
            "BabOptions",
            lambda **given: options(**given, cell_nodes=1, presolve_iterations=3, iterations=2),
        )
        chosen = [
            k
            for k in PROVED
            if k.folder.name
            in ("adjacent_ab", "long_run", "palindrome", "all_some_none", "parity_4", "last_mark_ids")
        ]
        return [(k, lines_of(k.claim_file, parts=True)) for k in chosen]


def places(value: Any, before: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    yield before, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in pairs:
        yield from places(inside, (*before, key))


OTHER = [
    None,
    True,
    0,
    1,
    -1,
    "run",
    "parts",
    [],
    [0],
    {},
    ["symbol", 0, [0]],
    ["state", 1, [0]],
    256,
    257,
    10**30,
    10**50,
]


def mutant(lines: Lines, rng: np.random.Generator) -> Lines:
    """One place below the header changed: a value, the order or number of a list's entries, a line."""
    lines = copy.deepcopy(lines)
    all_places = [p for p in places(lines[1:]) if p[0]]
    if rng.random() < 0.5:
        all_places = [p for p in all_places if not isinstance(p[1], int)]
    path, value = all_places[rng.integers(len(all_places))]
    at: Any = lines[1:]
    copied = at
    for key in path[:-1]:
        at = at[key]
    how = rng.integers(6)
    if isinstance(value, int) and not isinstance(value, bool) and how < 4:
        at[path[-1]] = [value + 1, value - 1, -value, 2 * value][how]
    elif isinstance(at, list) and how == 0:
        del at[path[-1]]
    elif isinstance(at, list) and how == 1:
        at.insert(int(rng.integers(len(at) + 1)), copy.deepcopy(value))
    elif isinstance(at, list) and how == 2:
        at[path[-1]], at[-1] = at[-1], at[path[-1]]
    elif isinstance(value, list) and how == 3:
        at[path[-1]] = value[::-1]
    elif isinstance(value, list) and how == 4:
        at[path[-1]] = [-v if type(v) is int else v for v in value]
    else:
        at[path[-1]] = OTHER[rng.integers(len(OTHER))]
    return [lines[0], *copied]


def test_they_agree_on_mutants_of_the_evidence(cut_up: list[tuple[Known, Lines]], tmp_path: Path) -> None:
    rng, rejected = np.random.default_rng(0), 0
    for known_claim, lines in cut_up:
        claim = load_word_claim(known_claim.claim_file)
        for _ in range(12):
            proof = written(tmp_path / "proof", changed := mutant(lines, rng))
            first = first_accepts(claim, proof)
            rejected += not first
            assert second_accepts(known_claim.folder, proof) == first, (known_claim.folder.name, changed)
    assert rejected >= 25


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


CLAIM_MUTANTS = {  # claim of the corpus, file, change
    "label order": ("long_run", "claim.toml", replaced("labels = [0, 1]", "labels = [1, 0]")),
    "program body": ("long_run", "program.py", replaced(">= 3", ">= 2")),
    "comparison": ("long_run", "program.py", replaced('"a"', '"b"')),
    "token order": ("adjacent_ab", "claim.toml", replaced('["a", "b"]', '["b", "a"]')),
    "predicate": ("which_quote", "program.py", replaced("== 1", "<= 2")),
    "no predicate": ("which_quote", "claim.toml", replaced('where = "program.py:one_quote"', "")),
    "decision": ("adjacent_ab", "claim.toml", replaced("[false, true]", "[true, false]")),
}


@pytest.mark.parametrize("name", CLAIM_MUTANTS)
def test_neither_accepts_a_proof_for_another_claim(name: str, tmp_path: Path) -> None:
    which, file, change = CLAIM_MUTANTS[name]
    known_claim = next(k for k in PROVED if k.folder.name == which)
    shutil.copytree(known_claim.folder, tmp_path / "claim")
    (tmp_path / "claim" / file).write_text(
        change((tmp_path / "claim" / file).read_text(encoding="utf-8")), encoding="utf-8"
    )
    for parts in (True, False):
        proof = written(tmp_path / "proof", lines_of(known_claim.claim_file, parts=parts))
        assert not second_accepts(tmp_path / "claim", proof)
        assert not first_accepts(load_word_claim(tmp_path / "claim" / "claim.toml"), proof)


@pytest.mark.slow
def test_every_proved_claim_of_the_token_benchmark_has_a_proof_that_both_accept(tmp_path: Path) -> None:
    """Makes the benchmark (minutes), then proves what is true of it, writes proofs and has both checkers read
    them.
    """
    from relucid.benchmarks import tokens
    from relucid.experiments import proofs

    tokens.write_suite(tmp_path / "claims", "report")
    (tmp_path / "proofs").mkdir()
    proved, missing, slow = 0, [], []
    for file in sorted((tmp_path / "claims").glob("*/claim.toml")):
        place = tmp_path / "proofs" / file.parent.name
        row = proofs.measured(file, 120, place)
        if row.outcome == "refuted":
            continue
        proved += 1
        if row.outcome != "checked":
            missing.append((row.claim, row.outcome))
            continue
        try:
            second_checker.check(file.parent, place)
        except second_checker.Unsupported as why:  # more to run than it has patience for
            slow.append((row.claim, str(why)))
    assert proved >= 40 and not missing, missing
    assert len(slow) <= proved // 20, slow
