"""The checker: it accepts what was proved, and nothing that is false, with digests on and off."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claim_mutants import CLAIM_MUTANTS, brute_force, spoilt, told_by_its_network
from known_claims import CORPUS, corpus, golden
from proof_cases import Lines, run_everything
from random_claims import random_claim
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.engines.bab.bounding import BabOptions
from relucid.verifiers.proof import tree
from relucid.verifiers.proof.format import LimitReached, Rejected, read_lines
from relucid.verifiers.proof.tree import covers
from relucid.verifiers.proof.words import checker, producer
from relucid.verifiers.proof.words.checker import check_proof
from relucid.verifiers.proof.words.network_rows import Built, build
from relucid.verifiers.proof.words.producer import proof_lines
from relucid.verifiers.proof.writing import node, write_lines


@cache
def proved() -> tuple[tuple[WordClaim, Lines], ...]:
    """True claims with proofs by parts, as they come out of a file."""
    found = []
    options, minimising = producer.BabOptions, producer.MINIMISING
    producer.MINIMISING = -1.0  # evidence as the search found it, so that there is something to change
    producer.BabOptions = lambda **given: BabOptions(
        **given, cell_nodes=1, presolve_iterations=3, iterations=2
    )
    try:
        small = [
            load_word_claim(k.claim_file) for k in (*corpus(), *golden()) if k.expected["verdict"] == "proved"
        ]
        small = [c for c in small if c.domain_size <= 300 and c.network.relu_count <= 20]
        for claim in [
            *small,
            *(told for seed in range(110) if (told := told_by_its_network(random_claim(seed)))),
        ]:
            found.append((claim, json.loads(json.dumps(list(proof_lines(claim, 60, run=False))))))
    finally:
        producer.BabOptions, producer.MINIMISING = options, minimising
    found.sort(
        key=lambda f: -sum(len(line.get("leaves", ())) > 0 for line in f[1])
    )  # those with most evidence first
    return tuple(found[:45])


@cache
def short() -> tuple[tuple[WordClaim, Lines], ...]:
    """Those of at most 20 lines, whose mutants are checked quickly; every kind of evidence is among them."""
    return tuple((claim, lines) for claim, lines in proved() if len(lines) <= 20)


def accepted(claim: WordClaim, lines: Lines, digests: bool = True) -> bool:
    try:
        check_proof(claim, lines, digests=digests)
    except Rejected as why:
        assert str(why) and "\n" not in str(why)
        return False
    return True


def test_what_was_proved_is_accepted() -> None:
    assert len(proved()) == 45
    assert (
        sum(any(line.get("split") for line in lines) for _, lines in proved()) >= 5
    )  # some are cut into parts
    assert (
        sum(any(leaf[1] for line in lines for leaf in line.get("leaves", ())) for _, lines in proved()) >= 10
    )  # some split ReLUs
    for claim, lines in proved():
        before = copy.deepcopy(lines)
        assert brute_force(claim) and accepted(claim, lines), claim.name
        assert lines == before  # the checker only reads


def test_running_every_word_is_accepted_where_the_claim_is_true_and_only_there() -> None:
    verdicts = set()
    for claim in map(random_claim, range(60)):
        assert accepted(claim, run_everything(claim)) == brute_force(claim)
        verdicts.add(brute_force(claim))
    assert verdicts == {True, False}


# -- mutants of the claim: a proof of one claim shown for another, digests off
# -----------------------------------------


@pytest.mark.parametrize("kind", CLAIM_MUTANTS)
def test_no_mutant_of_the_claim_is_accepted_unless_it_is_true(kind: str) -> None:
    """With digests every mutant is rejected; without them, those that are false: brute force says which."""
    rng, false = random.Random(kind), 0
    for claim, lines in short():
        for _ in range(2):
            try:
                other = CLAIM_MUTANTS[kind](claim, rng)
            except InputError:
                continue  # no claim at all
            if other.digest != claim.digest:
                assert not accepted(other, lines)
            if not brute_force(other):
                false += 1
                assert not accepted(other, lines, digests=False)
    assert false >= (10 if kind not in ("where",) else 1)


def test_a_proof_of_one_claim_shown_for_another() -> None:
    rng = random.Random(7)
    claims = [c for c in map(random_claim, range(80)) if not brute_force(c)]
    for claim in claims:
        for _, lines in rng.sample(proved(), 8):
            assert not accepted(claim, lines, digests=False)


def test_networks_that_differ_on_one_single_input() -> None:
    """A neuron that sees one word only is added to the network, strong enough to turn its label: true
    neighbours' proofs must not do.
    """
    turned = 0
    for claim, lines in short():
        rng = random.Random(claim.digest)
        words = [tuple(map(int, w)) for block, _ in claim.language.words() for w in block]
        for _ in range(2):
            other = spoilt(claim, rng.choice(words))
            if other is not None:
                turned += 1
                assert not brute_force(other) and not accepted(other, lines, digests=False)
    assert turned > 60


# -- mutants of the evidence: whatever they are, they must not prove what is false
# ---------------------------------------


def places(lines: Lines, key: str) -> list[int]:
    return [i for i, line in enumerate(lines) if key in line]


def full(lines: Lines) -> list[int]:
    """Parts in which something is settled."""
    return [i for i in places(lines, "leaves") if lines[i]["leaves"]]


def leaves(lines: Lines) -> list[list[Any]]:
    return [leaf for i in places(lines, "leaves") for leaf in lines[i]["leaves"]]


def multiplier_lists(lines: Lines) -> list[list[int]]:
    found = [part for leaf in leaves(lines) if isinstance(leaf[2], list) for part in leaf[2]]
    return [
        m
        for m in found + [e[i] for n in places(lines, "bounds") for e in lines[n]["bounds"] for i in (2, 3)]
        if m
    ]


def slope_lists(lines: Lines) -> list[list[int]]:
    found = [part for leaf in leaves(lines) if isinstance(leaf[2], list) for part in leaf[2][1:3]]
    return [
        m
        for m in found + [e[i] for n in places(lines, "bounds") for e in lines[n]["bounds"] for i in (2, 3)]
        if m
    ]


def splits(lines: Lines) -> list[list[Any]]:
    return [lines[i]["split"] for i in places(lines, "leaves") if isinstance(lines[i]["split"], list)]


def any_number(m: list[int], rng: random.Random, values: list[Any]) -> None:
    """Another value for one of the multipliers, which stand as ReLU, value, ReLU, value, ..."""
    m[rng.randrange(1, len(m), 2)] = rng.choice(values)


EVIDENCE_MUTANTS: dict[str, Callable[[Lines, random.Random], Any]] = {
    "leaf dropped": lambda p, r: (lambda i: lines_pop(p[i]["leaves"], r))(r.choice(full(p))),
    "leaf doubled": lambda p, r: (lambda i: p[i]["leaves"].extend(copy.deepcopy(p[i]["leaves"][:1])))(
        r.choice(full(p))
    ),
    "all leaves dropped": lambda p, r: p[r.choice(full(p))].update(leaves=[]),
    "part dropped": lambda p, r: p.pop(r.choice(places(p, "leaves"))),
    "part doubled": lambda p, r: (lambda i: p.insert(i, copy.deepcopy(p[i])))(r.choice(places(p, "leaves"))),
    "parts swapped": lambda p, r: (lambda a, b: p.__setitem__(slice(None), swapped(p, a, b)))(
        *(r.choice(places(p, "leaves")) for _ in "ab")
    ),
    "label line dropped": lambda p, r: p.pop(r.choice(places(p, "tree"))),
    "label doubled": lambda p, r: (lambda i: p.insert(i, copy.deepcopy(p[i])))(r.choice(places(p, "tree"))),
    "other label": lambda p, r: p[r.choice(places(p, "tree"))].update(
        tree=r.choice([0, 1, 2, -1, True, "0"])
    ),
    "run instead": lambda p, r: p.__setitem__((i := r.choice(places(p, "tree"))), {"run": p[i]["tree"]}),
    "slope out of range": lambda p, r: any_number(r.choice(slope_lists(p)), r, [-1, 257, 10**6, 2**200]),
    "slope of another value": lambda p, r: any_number(r.choice(multiplier_lists(p)), r, [0, 1, 128, 256]),
    "beta negative": lambda p, r: any_number(
        r.choice([x[2][3] for x in leaves(p) if isinstance(x[2], list) and x[2][3]]), r, [-1, -(10**9)]
    ),
    "beta gigantic": lambda p, r: any_number(
        r.choice([x[2][3] for x in leaves(p) if isinstance(x[2], list) and x[2][3]]),
        r,
        [10**30, 2**129, 10**500],
    ),
    "multipliers of another leaf": lambda p, r: (lambda a, b: a.__setitem__(2, copy.deepcopy(b[2])))(
        *(r.choice(leaves(p)) for _ in "ab")
    ),
    "multipliers of another ReLU": lambda p, r: (
        lambda m: m.__setitem__(r.randrange(0, len(m), 2), r.choice([0, 1, 2, -1, 99]))
    )(r.choice(multiplier_lists(p))),
    "multipliers shuffled": lambda p, r: r.shuffle(r.choice(multiplier_lists(p))),
    "a ReLU twice": lambda p, r: (lambda m: m.extend([m[0], r.choice([0, 1, 256])]))(
        r.choice(multiplier_lists(p))
    ),
    "run instead of split": lambda p, r: p[
        r.choice([i for i in places(p, "leaves") if p[i]["split"]])
    ].update(split="run"),
    "run what is settled": lambda p, r: p[
        r.choice([i for i in places(p, "leaves") if p[i]["split"] is None])
    ].update(split="run"),
    "multipliers too short": lambda p, r: r.choice(multiplier_lists(p)).pop(),
    "no evidence": lambda p, r: r.choice(leaves(p)).__setitem__(
        2, r.choice([None, "run", [], [[], [], []], [[], [], [], []], "trust me", 0])
    ),
    "phase flipped": lambda p, r: (lambda x: x[1].__setitem__(-1, -x[1][-1]))(
        r.choice([x for x in leaves(p) if x[1]])
    ),
    "phase of another ReLU": lambda p, r: (lambda x: x[1].__setitem__(-1, r.choice([1, 2, 3, 0, 99, -99])))(
        r.choice([x for x in leaves(p) if x[1]])
    ),
    "phases dropped": lambda p, r: r.choice([x for x in leaves(p) if x[1]]).__setitem__(1, []),
    "other rival": lambda p, r: r.choice(leaves(p)).__setitem__(0, r.choice([0, 1, 5, -1, True])),
    "split elsewhere": lambda p, r: r.choice(splits(p)).__setitem__(1, r.choice([0, 1, 2, 99, -1])),
    "split by other values": lambda p, r: r.choice(splits(p)).__setitem__(
        2, r.choice([[], [0], [1], [0, 1, 2], [99], [-1]])
    ),
    "split of another kind": lambda p, r: r.choice(splits(p)).__setitem__(
        0, r.choice(["state", "symbol", "interval"])
    ),
    "split forgotten": lambda p, r: p[r.choice([i for i in places(p, "leaves") if p[i]["split"]])].update(
        split=None
    ),
    "bounds of another ReLU": lambda p, r: r.choice(
        [e for n in places(p, "bounds") for e in p[n]["bounds"]]
    ).__setitem__(0, r.choice([0, 1, 2, -1, 99])),
    "bounds of the other side": lambda p, r: r.choice(
        [e for n in places(p, "bounds") for e in p[n]["bounds"]]
    ).__setitem__(1, r.choice([1, -1, 0, 2])),
    "truncated": lambda p, r: p.__setitem__(slice(None), p[: r.randrange(len(p))]),
    "something after the end": lambda p, r: p.append({"end": True}),
    "unknown key": lambda p, r: r.choice(p).update(note="believe me"),
    "rounding misreported": lambda p, r: p[0].update(exact_in_float32=not p[0]["exact_in_float32"]),
}


def lines_pop(closed: list[Any], rng: random.Random) -> None:
    if closed:
        closed.pop(rng.randrange(len(closed)))


def swapped(lines: Lines, a: int, b: int) -> Lines:
    out = list(lines)
    out[a], out[b] = out[b], out[a]
    return out


MUST_REJECT = {
    "part dropped", "label line dropped", "label doubled", "slope out of range", "beta negative", "multipliers too short", "truncated",
    "something after the end", "unknown key", "rounding misreported",
}  # fmt: skip


ENOUGH = 16  # proofs per kind of mutant


@cache
def false_neighbour(claim: WordClaim) -> WordClaim | None:
    """The claim with a network that errs on one word."""
    word = next(iter(claim.language.words(1)))[0][0]
    return spoilt(claim, tuple(map(int, word)))


@cache
def built_once(claim: WordClaim, label: int) -> Built:
    return build(claim, label, claim.language.restricted(label))


@pytest.fixture
def rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many mutants of the same claim's proof: its rows are built once, by the same code."""
    monkeypatch.setattr(checker, "build", lambda claim, label, language: built_once(claim, label))


@pytest.mark.usefixtures("rows_are_kept")
@pytest.mark.parametrize("kind", EVIDENCE_MUTANTS)
def test_mutants_of_the_evidence(kind: str) -> None:
    """Shown for the claim they may be accepted (it is true); shown for a false neighbour never; some are no
    proofs of anything.
    """
    rng, made = random.Random(kind), 0
    for claim, lines in short():
        mutant = copy.deepcopy(lines)
        for _ in range(8):  # some changes change nothing
            try:
                EVIDENCE_MUTANTS[kind](mutant, rng)
            except IndexError:
                break  # this proof has nothing of the kind
            if mutant != lines:
                break
        if mutant == lines:
            continue
        made += 1
        if kind in MUST_REJECT:
            assert not accepted(claim, mutant), mutant
        else:
            accepted(claim, mutant)  # an answer, whatever it is, not an error
        other = false_neighbour(claim)
        if other is not None:
            assert not accepted(other, mutant, digests=False)
        if made == ENOUGH:
            break
    assert made >= (5 if kind.startswith("bounds of") else 12), made


def test_every_kind_of_mutant_was_made_from_enough_proofs() -> None:
    assert len(CLAIM_MUTANTS) + len(EVIDENCE_MUTANTS) >= 20


# -- files
# ------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    claim = load_word_claim(CORPUS / "count_sign_l7" / "claim.toml")
    path = tmp_path / "proof"
    write_lines(path, proof_lines(claim, 60))
    return path


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"\x00\x01\x02\n",
    "not an object": b"[1]\n",
    "deeply nested": b"[" * 200_000 + b"\n",
    "nested objects": b'{"format":' * 50_000 + b"\n",
    "a gigantic number": b'{"format": ' + b"9" * 100_000 + b"}\n",
    "a float": b'{"format": 1.5}\n',
    "NaN": b'{"format": NaN}\n',
    "no end of line": b'{"format": "relucid proof 3"}',
    "a long line": b'{"format": "' + b"x" * (1 << 24) + b'"}\n',
    "a zip bomb": gzip.compress(b'{"a": "' + b"0" * (1 << 28), 9),
    "a damaged zip": gzip.compress(b'{"format": "relucid proof 3"}\n')[:-6],
    "half a zip": b"\x1f\x8b",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_rejected_at_once(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "proof"
    path.write_bytes(HOSTILE[kind])
    assert main(["check", str(CORPUS / "count_sign_l7" / "claim.toml"), str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("rejected: line 1: ") and out.count("\n") == 1 and err == ""


def test_a_million_cuts_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    claim, lines = next((c, p) for c, p in proved() if any("leaves" in line for line in p))
    start = next(i for i, line in enumerate(lines) if "leaves" in line)
    monkeypatch.setattr(tree, "LINES", 50)
    endless = chain(lines[:start], repeat(node(split=["symbol", 0, [0]]), 10**6))
    with pytest.raises(Rejected, match="too large"):
        check_proof(claim, endless)


def test_time_runs_out(file: Path) -> None:
    claim = load_word_claim(CORPUS / "count_sign_l7" / "claim.toml")
    with pytest.raises(LimitReached):
        check_proof(claim, read_lines(file), deadline=0.0)


def test_gzipped_and_plain_files_say_the_same(file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "proof.gz"
    write_lines(packed, read_lines(file))
    assert packed.read_bytes()[:2] == b"\x1f\x8b" and list(read_lines(packed)) == list(read_lines(file))
    again = packed.read_bytes()
    write_lines(packed, read_lines(file))
    assert packed.read_bytes() == again  # the same lines, the same bytes


def test_bits_flipped_in_a_file(file: Path) -> None:
    """No flipped bit makes the checker stumble, or a false claim true."""
    good, rng = file.read_bytes(), random.Random(3)
    claim = load_word_claim(CORPUS / "count_sign_l7" / "claim.toml")
    false = spoilt(claim, (0,) * claim.domain.max_length)
    assert false is not None
    for _ in range(300):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(bytes(data))
        for shown, digests in ((claim, True), (false, False)):
            try:
                check_proof(shown, read_lines(file), digests=digests)
            except Rejected:
                continue
            assert shown is claim


def test_an_interrupted_or_full_disk_leaves_no_file(tmp_path: Path) -> None:
    def lines():
        yield {"format": "relucid proof 3"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lines(tmp_path / "proof", lines())
    assert not list(tmp_path.iterdir())


def test_coverage_of_phase_trees() -> None:
    assert covers({()}) and not covers(set())
    assert covers({((0, 1),), ((0, -1), (2, 1)), ((0, -1), (2, -1))})
    assert not covers({((0, 1),), ((0, -1), (2, 1))})
    assert not covers({((0, 1),), ((1, -1),)})


def test_a_key_that_is_there_twice(file: Path) -> None:
    claim = load_word_claim(CORPUS / "count_sign_l7" / "claim.toml")
    first, *rest = file.read_text(encoding="ascii").splitlines(keepends=True)
    file.write_text("".join([first.replace("{", '{"format": "another", ', 1), *rest]), encoding="ascii")
    with pytest.raises(Rejected, match="line 1: it is not a line of a proof"):
        check_proof(claim, read_lines(file))


def test_states_are_cut_of_deterministic_automata_only() -> None:
    """This program's automaton guesses the last two tokens: it is unambiguous, but its states are no
    functions of prefixes.
    """
    source = """def f(tokens):
    k = 0
    for t in tokens:
        if t == tokens[-1]:
            k = (k + 1) % 5
        elif t == tokens[-2]:
            k = (2 * k) % 5
    return k == 1
"""
    claim = WordClaim(
        feed_forward([(np.zeros((1, 24)), np.array([0.0]))]),
        Program(source, "f"),
        Domain(("a", "b", "c"), 8, 8),
        Decision("sign", (False, True)),
    )
    assert not claim.language.restricted(0).deterministic
    head = next(proof_lines(claim, 60))
    lines = [head, {"tree": 0}, node(split=["state", 2, [0]])]
    with pytest.raises(Rejected, match="line 3: a split by states needs a deterministic automaton"):
        check_proof(claim, lines)


def test_equal_and_opposite_units_are_one() -> None:
    """|x| by two ReLUs, each twice and once scaled: one unstable ReLU, and the proof holds."""
    row = np.array([[1.0, -1.0] * 3])
    first = np.concatenate([row, -row, row, 2 * row, -3 * row])
    domain = Domain(("a", "b"), 3, 3)
    program = Program("def f(tokens):\n    return tokens.count('a') == 3 or tokens.count('b') == 3\n", "f")
    layers = [(first, np.zeros(5)), (np.array([[1.0, 1.0, 1.0, 0.5, 1.0]]), np.array([-6.0]))]
    claim = WordClaim(feed_forward(layers), program, domain, Decision("sign", (False, True)))
    assert brute_force(claim)
    built = build(claim, 0, claim.language.restricted(0))
    assert len(built.lower) == 1
    words = np.concatenate([w for w, _ in claim.language.restricted(0).words()])
    x = np.array(
        [
            built.rows.symbols.reshape(-1, 3, 2)[0, np.arange(3), w].sum() + built.rows.constant[0]
            for w in words
        ]
    )
    lead = np.array([built.rows.symbols.reshape(-1, 3, 2)[1, np.arange(3), w].sum() for w in words])
    lead += built.rows.relus[1, 0] * np.maximum(x, 0) + built.rows.constant[1]
    outputs = claim.network.evaluate(domain.one_hot(words))[:, 0]
    assert ((lead >= 0) == (outputs > 0)).all() and (lead < 0).all()
    assert accepted(claim, list(proof_lines(claim, 60, run=False)))
