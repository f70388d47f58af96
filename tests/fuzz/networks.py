"""Two networks: claims with `network_b` on tokens against brute force, the same label and outputs within
epsilon on boxes against exact polygons.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from relucid.common.errors import InputError
from relucid.models.claims.build import equals_network
from relucid.models.claims.decision import Decision
from relucid.models.claims.property import Case as Box
from relucid.models.claims.property import Row
from relucid.models.claims.reduce import word_claim
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.network import Network
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import decide_same_label
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted

from . import claims, nets, polygons
from .budgets import Fired, ample, is_starved, kept_by, starved
from .registry import Case, Counts
from .words import AMPLE, CALLS, LIMITS, OURS, RACE, backend, uncovered

EPSILONS = ("0", "0", "1/2", "1", "1/3", "5/8", "7")
SECONDS_OPEN = 0.4
BOX_LIMITS = (0.0, 1e-4, 5e-3)
TOKEN_ENGINES = (*OURS, *OURS, *OURS, *OURS, *OURS, RACE, "z3-bv", "cpsat", "bitwuzla")


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        question = claims.random_question(rng)
        if claims.truth(question).words:
            for _ in range(6):
                yield from on_tokens(rng, question)
        inputs, outputs = rng.choice((1, 2)), rng.randint(2, 3)
        first, second = two_networks(rng, inputs, outputs)
        box = {**polygons.random_box(rng, inputs), "nodes": first, "second": second}
        for epsilon in (None, chosen_epsilon(rng, box)):
            limits = (
                starved(rng, BOX_LIMITS, SECONDS_OPEN, CALLS) if rng.random() < 0.25 else ample(SECONDS_OPEN)
            )
            yield {"box": box, "within": epsilon, **limits}


def on_tokens(rng: random.Random, question: claims.Plain) -> Iterator[Case]:
    outputs = 1 if question["kind"] == "sign" else len(question["labels"])
    first, second = two_networks(rng, claims.truth(question).domain.input_size, outputs)
    pair = {
        "question": question,
        "nodes": first,
        "second": second,
        "within": rng.choice(EPSILONS) if rng.random() < 0.4 else None,
    }
    for engine in (*OURS, rng.choice(TOKEN_ENGINES)):
        yield {
            "pair": pair,
            "engine": engine,
            **(starved(rng, LIMITS, AMPLE, CALLS) if rng.random() < 0.2 else ample(AMPLE)),
        }


def two_networks(rng: random.Random, inputs: int, outputs: int) -> tuple[nets.Plain, nets.Plain]:
    """The second is another one, or nearly the first, or the first in another form."""
    make = rng.choice((nets.layers, nets.layers, nets.graph))
    first = make(rng, inputs, outputs)
    second = rng.choice(
        (
            lambda: make(rng, inputs, outputs),
            lambda: nets.nudged(rng, first),
            lambda: nets.nudged(rng, first),
            lambda: doubled(first),
            lambda: nets.nudged(rng, doubled(first)),
        )
    )()
    return first, second


def doubled(nodes: nets.Plain) -> nets.Plain:
    """The same function: twice the outputs, halved in a node of its own."""
    last = nodes[-1]
    if last[0] == "relu":
        return nodes
    eye = [[int(i == j) for j in range(len(last[3]))] for i in range(len(last[3]))]
    twice = [
        "affine",
        last[1],
        [[[2 * v for v in row] for row in m] for m in last[2]],
        [2 * v for v in last[3]],
        last[4],
    ]
    return [*nodes[:-1], twice, ["affine", [len(nodes)], [eye], [0] * len(eye), 2]]


def chosen_epsilon(rng: random.Random, box: polygons.Plain) -> str:
    """Now and then the exact largest difference: within, and just not."""
    if rng.random() < 0.4:
        return rng.choice(EPSILONS)
    a, b, case = built_box(box)
    rows = [Row((), ((i, Fraction(s)),)) for i in range(a.output_size) for s in (1, -1)]
    top = max(
        polygons.value(form, corner)
        for part, one, other in polygons.apart(a, b, case)
        for row in rows
        for form in [difference(row, one, other, box["inputs"])]
        for corner in part
    )
    return str(max(Fraction(0), top - rng.choice((0, Fraction(1, 2**20), Fraction(1, 2**40)))))


def difference(row: Row, one: list[polygons.Form], other: list[polygons.Form], inputs: int) -> polygons.Form:
    a, b = (polygons.form_of(row, outputs, inputs) for outputs in (one, other))
    return tuple(x - y for x, y in zip(a[0], b[0], strict=True)), a[1] - b[1]


def built_box(box: polygons.Plain) -> tuple[Network, Network, Box]:
    a, b = (nets.built(box[name], box["inputs"], "real") for name in ("nodes", "second"))
    return a, b, polygons.case_of(box)


# -- the truth
# ------------------------------------------------------------


def _wrong_words(pair: claims.Plain) -> frozenset[claims.Word]:
    question = pair["question"]
    known = claims.truth(question)
    (one, first), (other, second) = (nets.outputs(pair[name], known.inputs) for name in ("nodes", "second"))
    if pair["within"] is None:
        off = claims.decided(question, one) != claims.decided(question, other)
    else:
        most = Fraction(pair["within"])
        gaps = np.abs(one.astype(object) * second - other.astype(object) * first) * most.denominator
        off = (gaps > most.numerator * first * second).any(axis=1)
    return frozenset(known.words[i] for i in np.flatnonzero(off))


wrong_words = claims.recent(_wrong_words)


def apart_at(box: polygons.Plain, within: str | None) -> polygons.Point | None:
    """A point at which the two disagree, exactly."""
    a, b, case = built_box(box)
    inputs, outputs = box["inputs"], a.output_size
    one = Fraction(1)
    for part, first, second in polygons.apart(a, b, case):

        def over(outputs_there: list[polygons.Form], label: int, rival: int) -> tuple[polygons.Form, bool]:
            """Preferred; ties go to the lower number."""
            return polygons.form_of(
                Row((), ((label, one), (rival, -one))), outputs_there, inputs
            ), rival < label

        if within is None:
            asked = [
                [*(over(first, c, k) for k in range(outputs) if k != c), over(second, j, c)]
                for c in range(outputs)
                for j in range(outputs)
                if j != c
            ]
        else:
            rows = [Row((), ((i, Fraction(s)),)) for i in range(outputs) for s in (1, -1)]
            forms = [difference(row, first, second, inputs) for row in rows]
            asked = [[((f[0], f[1] - Fraction(within)), True)] for f in forms]
        for rows_there in asked:
            found = polygons.inside(part, rows_there)
            if found is not None:
                return found
    return None


# -- what relucid says
# ------------------------------------------------------------


def problem(case: Case, counts: Counts) -> str | None:
    return on_words(case, counts) if "pair" in case else on_a_box(case, counts)


def _claim(pair: claims.Plain) -> object:
    question = pair["question"]
    known = claims.truth(question)
    networks = [nets.built(pair[name], known.domain.input_size) for name in ("nodes", "second")]
    decision = None if pair["within"] is not None else Decision(question["kind"], tuple(question["labels"]))
    return word_claim(
        equals_network(*networks, known.domain, decision, None if decision else Fraction(pair["within"]))
    )


built = claims.recent(_claim)


def on_words(case: Case, counts: Counts) -> str | None:
    pair, engine = case["pair"], case["engine"]
    try:
        claim = built(pair)
    except InputError:
        return None
    wrong = wrong_words(pair)
    row = f"tokens, {engine}, {'starved' if is_starved(case, AMPLE) else 'ample'}"
    budget = Budget(seconds=max(case["seconds"], 1e-9) if engine == RACE else case["seconds"], workers=1)
    missing = None
    try:
        with kept_by(case):
            if engine == RACE:
                verdict = prove_claim(claim, request=ProofRequest(backends=list(OURS)), budget=budget)
                said = {Proved: "proved", Refuted: "refuted"}.get(type(verdict), "unknown")
                words = (
                    {claim.domain.padded(c.tokens) for c in verdict.counterexamples}
                    if isinstance(verdict, Refuted)
                    else set()
                )
            elif backend(engine).unfit(claim) is not None:
                said, words = "unfit", set()
            else:
                attempt = backend(engine).solve(claim, budget, lambda text: None)
                said, words = attempt.outcome, set(attempt.words)
                missing = uncovered(claim, attempt) if said == "proved" else None
    except Fired:
        said, words = "raised", set()
    counts[row, said] += 1
    if said == "proved" and wrong:
        return (
            f"{engine} says proved, and the networks disagree on {len(wrong)} words, {min(wrong)} among them"
        )
    if said == "refuted" and not (words and words <= wrong):
        return f"{engine} says refuted by {sorted(words - wrong)[:3]}, where the networks agree"
    return f"{engine} crashed" if said == "crashed" else missing


def on_a_box(case: Case, counts: Counts) -> str | None:
    box, within = case["box"], case["within"]
    a, b, stated = built_box(box)
    if a.output_size < 2 and within is None:
        return None
    asked = polygons.property_of(box, a.output_size)
    what = "same label" if within is None else "within epsilon"
    row = f"boxes, {what}, {'starved' if is_starved(case, SECONDS_OPEN) else 'open'}"
    try:
        with kept_by(case):
            deadline = time.monotonic() + case["seconds"]
            if within is None:
                found = decide_same_label(a, b, asked, BoxOptions(deadline=deadline))
            else:
                found = decide_against(a, b, asked, Fraction(within), BoxOptions(deadline=deadline))
    except Fired:
        counts[row, "raised"] += 1
        return None
    counts[row, found.outcome] += 1
    if found.outcome == "unknown":
        return None
    apart = apart_at(box, within)
    if found.outcome == "proved":
        return (
            None
            if apart is None
            else f"{what}: proved, and the networks disagree at ({', '.join(map(str, apart))})"
        )
    point = tuple(map(Fraction, found.counterexample.input))  # type: ignore[union-attr]
    one, other = exact_outputs(a, point), exact_outputs(b, point)
    if within is None:
        disagree = one.index(max(one)) != other.index(max(other))
    else:
        disagree = any(abs(x - y) > Fraction(within) for x, y in zip(one, other, strict=True))
    return (
        None
        if disagree and stated.contains(point) and apart
        else f"{what}: refuted by {found.counterexample.input}, where the networks agree"
    )  # type: ignore[union-attr]


def smaller(case: Case) -> Iterator[Case]:
    key = "pair" if "pair" in case else "box"
    inner = case[key]
    if key == "box":
        yield from ({**case, "box": box} for box in polygons.smaller_box(inner))
    elif inner["question"]["where"] is not None:
        yield {**case, "pair": {**inner, "question": {**inner["question"], "where": None}}}
    for name in ("second", "nodes"):
        yield from ({**case, key: {**inner, name: nodes}} for nodes in nets.smaller(inner[name]))
