"""Proofs and mutants of proofs, in every format, shown for false claims: a checker that accepts one is wrong.

A true claim is proved; the proof, changed or not, is then shown for claims that differ a little and are
false: by one word, a weight, a label, the program, the predicate, a box's side, a row.  Digests are switched
off, or they would be all that stands in between.
"""

from __future__ import annotations

import io
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from typing import Any
from unittest.mock import patch

from relucid.common.errors import InputError, Unsupported
from relucid.verifiers.engines.bab.bounding import BabOptions
from relucid.verifiers.engines.boxes import searches
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.boxes.producer import proof_lines as box_proof_lines
from relucid.verifiers.proof.export import third_party
from relucid.verifiers.proof.export.sections import Sections
from relucid.verifiers.proof.export.solver_proofs import section_pieces
from relucid.verifiers.proof.export.third_party import FORMS, check_sections
from relucid.verifiers.proof.export.third_party import queries as third_party_queries
from relucid.verifiers.proof.format import LimitReached, Rejected
from relucid.verifiers.proof.words import checker, producer
from relucid.verifiers.proof.words.producer import Unproved

from . import boxes, claims, nets, polygons
from .mutation import other_json, other_lines
from .registry import Case, Counts

FORMATS = ("relucid", "relucid", "boxes", "boxes", "veripb", "drat")
NEIGHBOURS, MUTANTS = 8, 30  # false neighbours of one proved claim, mutants shown for each
LIMIT = 5.0  # seconds for a check
Lines = list[Any]


def cases(rng: random.Random) -> Iterator[Case]:
    donors: dict[str, Lines] = {}
    while True:
        form = rng.choice(FORMATS)
        stated, proof = proved_box(rng) if form == "boxes" else proved_claim(rng, form)
        false = [stated, *(false_box if form == "boxes" else false_claim)(rng, stated)]
        for shown in false:
            for turn in range(MUTANTS):
                mutant = proof
                for _ in range(0 if turn == 0 else rng.choice((1, 1, 1, 2, 3))):
                    for _ in range(5):  # some changes change nothing
                        changed = mutated(form, mutant, rng, donors.get(form, []))
                        if changed != mutant:
                            break
                    mutant = changed
                yield {"form": form, "shown": shown, "proof": mutant}
        donors[form] = proof


def mutated(form: str, proof: Lines, rng: random.Random, donors: Lines) -> Lines:
    if form in FORMS:
        return other_lines(proof, rng, [x for x in donors if not x.startswith("{")])
    if rng.random() < 0.25:
        return [
            json.loads(x)
            for x in other_lines([json.dumps(x) for x in proof], rng, [json.dumps(x) for x in donors])
            if whole(x)
        ]
    changed = other_json(proof[1:], rng, [donors[1:-1]] if donors else [])
    return [*proof[:1], *(line for line in changed if isinstance(line, dict))]  # a file holds objects only


def whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


# -- claims about tokens
# ------------------------------------------------------------


@contextmanager
def much_to_show() -> Iterator[None]:
    """Proofs as the search found them, from a search that may not think long: so that there is evidence to
    change.
    """
    before = producer.BabOptions, producer.MINIMISING
    producer.BabOptions, producer.MINIMISING = (
        (lambda **given: BabOptions(**given, cell_nodes=1, presolve_iterations=3, iterations=2)),
        -1.0,
    )  # type: ignore[assignment]
    try:
        yield
    finally:
        producer.BabOptions, producer.MINIMISING = before  # type: ignore[misc]


def proved_claim(rng: random.Random, form: str) -> tuple[claims.Plain, Lines]:
    """One whose proof has something in it."""
    while True:
        question = claims.random_question(rng)
        if not claims.truth(question).words or len(set(claims.truth(question).labels.tolist())) < 2:
            continue
        for _ in range(20):
            outputs = 1 if question["kind"] == "sign" else len(question["labels"])
            plain = {
                "question": question,
                "nodes": claims.fitted(rng, claims.truth(question), question, outputs),
            }
            if claims.wrong_words(plain):
                continue
            try:
                lines = proof_of(plain, form)
            except (Unproved, Unsupported, TimeoutError):
                continue
            if len(lines) > (12 if form in FORMS else 3):
                return plain, lines


def proof_of(plain: claims.Plain, form: str) -> Lines:
    claim = claims.built(plain)
    if form in FORMS:
        return b"".join(section_pieces(claim, FORMS[form], 20.0)).decode().splitlines(keepends=True)
    with much_to_show():
        return json.loads(json.dumps(list(producer.proof_lines(claim, 20.0, run=False))))


def false_claim(rng: random.Random, plain: claims.Plain) -> Iterator[claims.Plain]:
    """Neighbours that are false."""
    found = 0
    for _ in range(200):
        other = rng.choice(CLAIM_CHANGES)(rng, plain)
        if other is None or not claims.truth(other["question"]).words:
            continue
        try:
            claims.built(other)
        except InputError:
            continue
        if claims.wrong_words(other):
            yield other
            found += 1
            if found == NEIGHBOURS:
                return


def with_question(plain: claims.Plain, **changes: Any) -> claims.Plain:
    return {**plain, "question": {**plain["question"], **changes}}


def other_program(rng: random.Random, plain: claims.Plain) -> claims.Plain:
    fill = {
        "x": rng.choice("ab"),
        "y": rng.choice("ab"),
        "k": rng.randint(-1, 2),
        "start": rng.random() < 0.5,
        "reset": rng.random() < 0.5,
    }
    return with_question(plain, program=rng.choice(claims.PROGRAMS).format(**fill))


def spoilt(rng: random.Random, plain: claims.Plain) -> claims.Plain | None:
    """The network with a new ReLU that sees one word only and turns its label: max(0, matches -
    length + 1).
    """
    known, nodes = claims.truth(plain["question"]), plain["nodes"]
    last = nodes[-1]
    i = rng.randrange(len(known.words))
    seen = known.inputs[i]
    told, _ = nets.outputs(nodes, known.inputs[i : i + 1])
    label, strength = (
        int(claims.decided(plain["question"], told)[0]),
        1 + sum(abs(int(v)) for v in told[0]) * last[4],
    )
    push = [0] * len(last[3])
    if plain["question"]["kind"] == "sign":
        push[0] = -strength if label == 1 else strength
    else:
        push[(label + 1) % len(push)] = strength
    count = len(nodes)
    match = ["affine", [0], [[[int(v) for v in seen]]], [1 - int(seen.sum())], 1]
    ends = ["affine", [*last[1], count + 1], [*last[2], [[v] for v in push]], last[3], last[4]]
    return {**plain, "nodes": [*nodes[:-1], match, ["relu", count], ends]}


CLAIM_CHANGES: tuple[Callable[[random.Random, claims.Plain], claims.Plain | None], ...] = (
    spoilt,
    spoilt,
    spoilt,
    lambda r, p: {**p, "nodes": nets.nudged(r, p["nodes"])},
    lambda r, p: {**p, "nodes": nets.nudged(r, p["nodes"])},
    lambda r, p: with_question(p, labels=r.sample(p["question"]["labels"], len(p["question"]["labels"]))),
    other_program,
    lambda r, p: with_question(p, where=None if p["question"]["where"] else r.choice(claims.WHERE)),
)


# -- claims about boxes
# ------------------------------------------------------------


def proved_box(rng: random.Random) -> tuple[polygons.Plain, Lines]:
    """One that is just true."""
    while True:
        box = boxes.random_box(rng)
        try:
            network, stated = built_box(box)
            for rows in box["unsafe"]:
                top = polygons.largest(network, stated.cases[0], polygons.row_of(rows[-1]))
                rows[-1]["constant"] = str(
                    Fraction(rows[-1]["constant"]) - top - rng.choice((Fraction(1, 64), Fraction(1, 1024)))
                )
            network, stated = built_box(box)
            few = searches.FEW_INPUTS
            searches.FEW_INPUTS = rng.choice((few, -1))
            try:
                lines = json.loads(
                    json.dumps(
                        list(
                            box_proof_lines(
                                network, stated, {"network": "n", "property": "p"}, time.monotonic() + 3.0
                            )
                        )
                    )
                )
            finally:
                searches.FEW_INPUTS = few
        except (Unsupported, TimeoutError):
            continue
        if any(line.get("leaves") for line in lines):
            return box, lines


def built_box(box: polygons.Plain) -> Any:
    network = nets.built(box["nodes"], box["inputs"], "real")
    return network, polygons.property_of(box, network.output_size)


def false_box(rng: random.Random, box: polygons.Plain) -> Iterator[polygons.Plain]:
    found = 0
    for _ in range(200):
        other = json.loads(json.dumps(box))
        kind = rng.randrange(4)
        if kind == 0:
            other["nodes"] = nets.nudged(rng, other["nodes"])
        elif kind == 1:
            i = rng.randrange(box["inputs"])
            other["upper"][i] = str(Fraction(other["upper"][i]) + Fraction(rng.randint(1, 16), 8))
        else:
            row = rng.choice(rng.choice(other["unsafe"]))
            if kind == 2:
                row["constant"] = str(
                    Fraction(row["constant"])
                    + rng.choice((Fraction(1, 60), Fraction(1, 1000), Fraction(1, 8), 2))
                )
            else:
                row["y"] = [[j, str(Fraction(c) + rng.choice((-1, 1)))] for j, c in row["y"]]
        if boxes.truth(other) is not None:
            yield other
            found += 1
            if found == NEIGHBOURS:
                return


# -- the checkers
# ------------------------------------------------------------


def problem(case: Case, counts: Counts) -> str | None:
    form, shown = case["form"], case["shown"]
    try:
        accepted = accepts(form, shown, case["proof"])
    except InputError:
        return None  # no claim at all: only smaller cases get here
    false = boxes.truth(shown) is not None if form == "boxes" else bool(wrong_words(shown))
    counts[f"{form}, {'false' if false else 'true'} claims", "accepted" if accepted else "rejected"] += 1
    return f"the checker of {form} accepts a proof of a false claim" if accepted and false else None


wrong_words = claims.recent(claims.wrong_words)


def once(function: Callable[..., Any], kept: int = 64) -> Callable[..., Any]:
    """The same answer for the same claim or network and the same next argument: many mutants are shown for
    one claim.
    """
    made: dict[tuple[Any, ...], Any] = {}

    def ask(about: Any, which: Any, *rest: Any) -> Any:
        key = id(about), which
        if key not in made:
            if len(made) >= kept:
                made.pop(next(iter(made)))
            made[key] = about, function(about, which, *rest)
        return made[key][1]

    return ask


REMEMBERED = (  # by the same code; no part of it reads the proof
    (checker, "build", once(checker.build)),
    (checker, "exact_in_float32", once(checker.exact_in_float32)),
    (third_party, "exact_in_float32", once(third_party.exact_in_float32)),
    (
        third_party,
        "queries",
        once(lambda claim, form, deadline: list(third_party_queries(claim, form, math.inf))),
    ),
)


def accepts(form: str, shown: Any, proof: Lines) -> bool:
    with ExitStack() as stack:
        for module, name, remembered in REMEMBERED:
            stack.enter_context(patch.object(module, name, remembered))
        return _accepts(form, shown, proof)


def _accepts(form: str, shown: Any, proof: Lines) -> bool:
    deadline = time.monotonic() + LIMIT
    try:
        if form == "boxes":
            network, stated = built_box(shown)
            check_box_proof(network, stated, {}, proof, deadline=deadline)
        elif form == "relucid":
            checker.check_proof(claims.built(shown), proof, deadline=deadline, digests=False)
        else:
            sections = Sections(io.BytesIO("".join(proof).encode()))
            check_sections(claims.built(shown), FORMS[form], sections, deadline=deadline, digests=False)
    except Rejected as why:
        if not str(why) or "\n" in str(why):
            raise ValueError(f"rejected in other than one line: {str(why)!r}") from None
        return False
    except LimitReached:
        return False
    return True


def smaller(case: Case) -> Iterator[Case]:
    """The claim stays: its proof is needed.  Fewer lines, fewer entries."""
    proof = case["proof"]
    for i in range(len(proof)):
        yield {**case, "proof": proof[:i] + proof[i + 1 :]}
    if case["form"] == "boxes":
        yield from ({**case, "shown": box} for box in polygons.smaller_box(case["shown"]))
    elif case["form"] == "relucid":
        yield from ({**case, "shown": claim} for claim in claims.smaller(case["shown"]))
