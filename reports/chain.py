"""The chain of guarantees of a distillation: how each link is known, on how many inputs, on what it rests.

The HTML page and the terminal show it.  Its words are those of the README's "What is guaranteed".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..common.text import number
from .proof_shape import Proof
from .run import Run

WORD = {
    "checked": "the checker accepted a proof",
    "exact": "a backend that computes exactly; no proof was checked",
    "float": "a solver with tolerances",
}


@dataclass(frozen=True)
class Link:
    """One equality: what it says, how it is known, on how many inputs of the domain, and on what it rests."""

    what: str
    how: str
    inputs: str
    trusted: str
    holds: bool = True


def chain(run: Run, proof: Proof) -> tuple[Link, ...]:
    """Return the two links of a distillation, and what follows from them."""
    first, second = _executed(run), _proved(run, proof)
    executed, size = number(run.executed), number(run.claim.domain_size)
    if not second.holds:
        return first, second, Link("circuit = program", "not shown: a link is missing", "none", "", False)
    if run.everywhere:
        return first, second, Link("circuit = program", "by both", f"all {size}", "both links")
    where = "by both links where the circuit was run; nothing about the circuit is known on the other inputs"
    return first, second, Link("circuit = program", where, f"{executed} of {size}", "both links")


def _executed(run: Run) -> Link:
    executed, size = number(run.executed), number(run.claim.domain_size)
    margin = run.facts["smallest_margin"]
    trusted = (
        f"float32 on the machine that ran the circuit (smallest logit margin {margin:.3g}), "
        "numpy and onnxruntime"
    )
    if run.everywhere:
        how = "executed on every input: the same label, in exact arithmetic and in onnxruntime"
        return Link("circuit = surrogate", how, f"all {executed}", trusted)
    sampling = run.facts["sampling"] or {}
    also = number(int(sampling.get("in_onnxruntime", 0)))
    how = (
        "executed on a sample and on every counterexample: the same label, in exact arithmetic "
        f"(in onnxruntime on {also})"
    )
    return Link("circuit = surrogate", how, f"{executed} of {size}", trusted)


def _proved(run: Run, proof: Proof) -> Link:
    verdict, size = run.verdict, number(run.claim.domain_size)
    if not run.proved:
        return Link(
            "surrogate = program",
            f"{verdict['verdict']}: {verdict['reason'] or 'they differ'}",
            "none",
            "",
            False,
        )
    backend = verdict["backend"]
    versions = [a["version"] for a in verdict["attempts"] if a["backend"] == backend]
    how = (
        f"proved by {backend} {versions[0] if versions else ''}".rstrip()
        + f" (trust {verdict['trust']}: {WORD.get(verdict['trust'], '')})"
    )
    checker = (
        "relucid's reader of claims and its proof checker (docs/reference/proof-format.md, 8), Python, "
        "numpy, onnx's parser; no solver"
    )
    code = f"relucid's reader, interpreter and encoder, {backend}, Python and numpy"
    if proof.state == "rejected":
        return Link(
            "surrogate = program",
            f"{how}; but the checker rejected the proof: {proof.said}",
            f"all {size}",
            code,
        )
    if verdict["trust"] == "checked" or (proof.state == "accepted" and proof.shape is not None):
        again = (
            "; the checker accepted a proof" + (" that was made for this report" if proof.made else "")
            if proof.state == "accepted"
            else ""
        )
        return Link("surrogate = program", how + again, f"all {size}", checker)
    return Link("surrogate = program", how, f"all {size}", code)
