"""Claims about tokens: every engine and solver alone, and `prove_claim` as a whole, with ample and with
starved budgets, against brute force.

A claim is decided in a millisecond or a few; nearly all networks meet `enumerate`, every seventh `reach` and
`bab`, and a few each solver. A starved budget is a time limit from 0 upward, or a clock that leaps at one of
its calls: any answer but a wrong one is right then.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from relucid.common.errors import InputError
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.evidence import Coverage, Uncovered
from relucid.verifiers.race.backend import Backend, Budget
from relucid.verifiers.race.choose import choose
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted

from . import claims
from .budgets import Fired, ample, is_starved, kept_by, starved
from .registry import Case, Counts

OURS = ("enumerate", "reach", "bab")
VARIANTS = (
    "bab:no-attack",
    "bab:no-attack",
    "bab:no-optimise",
    "bab:no-relus",
    "bab:no-words",
    "bab:no-states",
    "bab:no-attack:no-relus",
)
SOLVERS = ("z3-bv", "z3-real", "cpsat", "highs", "scip", "bitwuzla", "cvc5", "cadical", "exact")
RACE = "prove_claim"
CHANCES = {  # of being asked about a network: with an ample budget, with a starved one
    "enumerate": (1.0, 0.1), "reach": (0.15, 0.05), "bab": (0.15, 0.08), RACE: (0.006, 0.003),
    **dict.fromkeys(SOLVERS[:-2], (0.002, 0.0005)), **dict.fromkeys(SOLVERS[-2:], (0.0004, 0.0001)),
}  # fmt: skip
PER_QUESTION = 40  # networks
LIMITS = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3)
CALLS = 60  # of the clock, at most, before it leaps
AMPLE = 30.0


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        question = claims.random_question(rng)
        if not claims.truth(question).words:
            continue
        for _ in range(PER_QUESTION):
            claim = {"question": question, "nodes": claims.random_nodes(rng, question)}
            for engine, (often, rarely) in CHANCES.items():
                if rng.random() < often:
                    yield {"claim": claim, "engine": variant(rng, engine), "trust": rng.choice((None, None, "exact", "checked", "float")),
                           **budget(rng, False)}  # fmt: skip
                if rng.random() < rarely:
                    yield {
                        "claim": claim,
                        "engine": variant(rng, engine),
                        "trust": rng.choice((None, "exact")),
                        **budget(rng, True),
                    }


def variant(rng: random.Random, engine: str) -> str:
    return rng.choice(VARIANTS) if engine == "bab" and rng.random() < 0.3 else engine


def budget(rng: random.Random, hungry: bool) -> Case:
    limits = starved(rng, LIMITS, AMPLE, CALLS) if hungry else ample(AMPLE)
    return {**limits, "workers": rng.choice((1, 1, 2)), "wanted": rng.choice((1, 1, 1, 2, 5, 100))}


@cache
def backend(name: str) -> Backend:
    return choose([name])[0]


wrong_words = claims.recent(claims.wrong_words)


def problem(case: Case, counts: Counts) -> str | None:
    plain, engine = case["claim"], case["engine"]
    try:
        claim = claims.built(plain)
    except InputError:
        return None  # no claim at all: only smaller cases get here
    wrong = wrong_words(plain)
    given = Budget(seconds=case["seconds"], workers=case["workers"], counterexamples=case["wanted"], seed=1)
    row = f"{engine.partition(':')[0]}, {'starved' if is_starved(case, AMPLE) else 'ample'}"
    if engine == RACE:
        return race(case, counts, row)
    if backend(engine).unfit(claim) is not None:
        counts[row, "unfit"] += 1
        return None
    try:
        with kept_by(case):
            attempt = backend(engine).solve(claim, given, lambda text: None)
    except Fired:
        counts[row, "raised"] += 1
        return None
    counts[row, attempt.outcome] += 1
    words = frozenset(attempt.words)
    if attempt.outcome == "proved":
        return f"{engine} says proved, and {told(plain, wrong)}" if wrong else uncovered(claim, attempt)
    if attempt.outcome == "refuted":
        return (
            None
            if words and words <= wrong
            else f"{engine} says refuted by {sorted(words - wrong)[:3]}, where network and program agree"
        )
    if attempt.outcome == "crashed":
        return f"{engine} crashed: {attempt.detail[:200]}"
    right = len(claims.truth(plain["question"]).words) - len(wrong)
    if attempt.proved_inputs is not None and attempt.proved_inputs > right:
        return f"{engine} says that network and program agree on {attempt.proved_inputs} inputs, and they do on {right}"
    return None


def uncovered(claim: WordClaim, attempt: Attempt) -> str | None:
    """What is missing in the evidence of a proof."""
    try:
        Coverage.of(claim, attempt.evidence)
    except Uncovered as why:
        return f"{attempt.backend} says proved, rightly, but {why}"
    return None


def told(plain: Case, wrong: frozenset[claims.Word]) -> str:
    return f"network and program differ on {len(wrong)} of {len(claims.truth(plain['question']).words)} words, {min(wrong)} among them"


def race(case: Case, counts: Counts, row: str) -> str | None:
    plain = case["claim"]
    claim, wrong = claims.built(plain), wrong_words(plain)
    given = Budget(
        seconds=max(case["seconds"], 1e-9), workers=case["workers"], counterexamples=case["wanted"], seed=1
    )
    try:
        with kept_by(case):
            verdict = prove_claim(
                claim, budget=given, request=ProofRequest(case["trust"], backends=list(OURS))
            )
    except Fired:
        counts[row, "raised"] += 1
        return None
    counts[row, {Proved: "proved", Refuted: "refuted"}.get(type(verdict), "unknown")] += 1
    if isinstance(verdict, Proved):
        counts[f"{RACE}, trust", verdict.trust] += 1
        return f"prove_claim says proved, and {told(plain, wrong)}" if wrong else None
    if isinstance(verdict, Refuted):
        shown = {claim.domain.padded(c.tokens) for c in verdict.counterexamples}
        return (
            None
            if shown <= wrong
            else f"prove_claim says refuted by {sorted(shown - wrong)[:3]}, where they agree"
        )
    return None


def smaller(case: Case) -> Iterator[Case]:
    for change in ({"workers": 1}, {"wanted": 1}, {"engine": case["engine"].partition(":")[0]}):
        if any(case[k] != v for k, v in change.items()):
            yield {**case, **change}
    yield from ({**case, "claim": claim} for claim in claims.smaller(case["claim"]))
    if case["leap"] and case["leap"][0] > 1:
        yield {**case, "leap": [case["leap"][0] - 1, case["leap"][1]]}
