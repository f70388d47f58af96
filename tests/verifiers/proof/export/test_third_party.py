"""Claims proved in others' formats: what solvers write is accepted, and nothing that is false, with digests
on and off.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable

import pytest
from claim_mutants import CLAIM_MUTANTS, brute_force, spoilt
from known_claims import CORPUS, corpus, golden
from random_claims import random_claim
from relucid.common.errors import InputError
from relucid.models.claims.claim_file import load_word_claim
from relucid.verifiers.proof.export.sections import Sections
from relucid.verifiers.proof.export.third_party import Form, check_sections
from relucid.verifiers.proof.format import Rejected
from relucid.verifiers.proof.words.producer import Unproved
from third_party_proofs import accepted, fewer, forms, proved, solvable, third_party_queries, written


@forms
def test_what_solvers_prove_is_accepted(form: Form) -> None:
    assert len(proved(form)) >= 8
    for claim, data in proved(form):
        assert brute_force(claim) and accepted(claim, form, data), claim.name
        found = check_sections(claim, form, Sections(io.BytesIO(data)))
        assert found.queries == data.count(b'"formula"') >= 1 and found.steps > 3


@forms
def test_what_bounds_settle_needs_no_steps(form: Form) -> None:
    claim = load_word_claim(CORPUS / "count_sign_l3" / "claim.toml")
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
                written(load_word_claim(known.claim_file), form)
    assert tried >= 10


# -- mutants of the claim
# ------------------------------------------------------------


@forms
@pytest.mark.parametrize("kind", CLAIM_MUTANTS)
def test_no_mutant_of_the_claim_is_accepted_unless_it_is_true(form: Form, kind: str) -> None:
    rng, false = random.Random(kind), 0
    for claim, data in proved(form)[:6]:
        for _ in range(2):
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


# -- mutants of the proof
# ------------------------------------------------------------

Lines = list[str]


def steps(lines: Lines, kind: str = "") -> list[int]:
    """The places of proof lines, of those of one kind."""
    return [
        i for i, line in enumerate(lines) if not line.startswith(("{", "pseudo")) and line.startswith(kind)
    ]


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
    """Shown for the claim they may be accepted (it is true); shown for a false neighbour never; some are no
    proofs of anything.
    """
    rng, made = random.Random(kind), 0
    for claim, data in proved(form)[:6]:
        original = data.decode().splitlines(keepends=True)
        lines = list(original)
        for _ in range(8):  # some changes change nothing
            MUTANTS[kind](lines, rng)
            if lines != original:
                break
        made += lines != original
        mutant = "".join(lines).encode()
        if kind in MUST_REJECT:
            assert not accepted(claim, form, mutant)
        else:
            accepted(claim, form, mutant)  # an answer, whatever it is, not an error
        word = next(iter(claim.language.words(1)))[0][0]
        other = spoilt(claim, tuple(map(int, word)))
        assert other is None or not accepted(other, form, mutant, digests=False)
    assert made >= 5, made


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
