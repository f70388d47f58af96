"""What a distillation leaves behind: the result object, its JSON, and the files of the output folder.

Made by `pipeline/distillation.py`; printed by `reports/console_show.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..common.text import number
from ..models.circuits.circuit import CircuitSummary
from ..models.circuits.picture.graph import CircuitGraph, graph_json
from ..models.circuits.teacher import Teaching
from ..models.claims.decision import Label
from ..models.claims.task import Task, claim_toml
from ..models.claims.word_claim import WordClaim
from ..models.program.program import Program
from ..models.surrogates.surrogate import Surrogate
from ..search.candidate import Candidate
from ..verifiers.report import counterexample_json, verdict_json
from ..verifiers.verdict import Proved, Refuted, Verdict
from ..version import __version__
from .histogram import histogram, histogram_json

LISTED = 12  # tokens that a docstring lists
RECORDED = 10  # counterexamples of one refutation that result.json lists
LARGEST_GRAPH = 20_000  # edges of a circuit whose graph it holds
FILES = (
    "surrogate.onnx",
    "program.py",
    "claim.toml",
    "result.json",
    "domain.py",
)  # of the output folder; the last for `where`


@dataclass(frozen=True)
class Refutation:
    """A program that the prover told apart from the surrogate of that time; `circuit_labels`: what the circuit says on its counterexamples."""

    program: Program
    verdict: Refuted
    circuit_labels: tuple[Label, ...]


@dataclass(frozen=True)
class Sampling:
    """How a domain was dealt with on which the circuit was not run everywhere.

    `rounds`: times that surrogate and program were put to the prover.  Of the inputs where they differed or the last sample
    disagreed, `surrogate_wrong` and `program_wrong` were put right by the circuit.  `last_sample`: fresh inputs at the end, on which
    circuit, surrogate and program agree.  `in_onnxruntime`: executed inputs on which the file was run in onnxruntime, too.
    """

    rounds: int
    surrogate_wrong: int
    program_wrong: int
    last_sample: int
    in_onnxruntime: int


@dataclass(frozen=True, eq=False)
class Distillation:
    """What came out: circuit = surrogate (executed) = program (the verdict).

    `sampling` is None where the circuit was run on every input of the domain; otherwise circuit = surrogate is known on the inputs of
    `teaching` only.  `unstable`: neurons of the surrogate that bounds do not settle, None where bounding took too long.
    `overruled`: where the circuit took the program's side, so that it was the surrogate that was refuted.
    """

    circuit: CircuitSummary
    task: Task
    teaching: Teaching
    surrogate: Surrogate
    candidate: Candidate
    refuted: tuple[Refutation, ...]
    claim: WordClaim
    verdict: Verdict
    out: Path | None
    seconds: float
    sampling: Sampling | None = None
    unstable: int | None = None
    overruled: tuple[Refutation, ...] = ()
    graph: CircuitGraph | None = None

    def __post_init__(self) -> None:
        # the docstring says what was shown; it is no part of any digest
        program = documented(self.candidate, self.claim, self.circuit.name, self.verdict)
        object.__setattr__(self, "claim", replace(self.claim, program=program))

    def __str__(self) -> str:
        """The chain and the program, for notebooks."""
        n = f"{len(self.teaching.labelled):,}"
        executed = (
            f"on all {n} inputs"
            if self.sampling is None
            else f"on {n} of {number(self.claim.domain_size)} inputs, not on the others"
        )
        return f"circuit = surrogate, executed {executed}\nsurrogate = program: {self.verdict}\n\n{self.claim.program.text}"

    __repr__ = __str__


def documented(candidate: Candidate, claim: WordClaim, origin: str, verdict: Verdict) -> Program:
    """The claim's program with a docstring that says what was shown, and on which domain."""
    domain = claim.domain
    size = number(claim.domain_size if verdict.domain_size is None else verdict.domain_size)
    lengths = (
        f"{domain.min_length} to {domain.max_length}"
        if domain.min_length < domain.max_length
        else str(domain.max_length)
    )
    tokens = (
        " ".join(map(repr, domain.tokens)) if len(domain.tokens) <= LISTED else f"{len(domain.tokens)} words"
    )
    where = f", where {domain.where.name} is true" if domain.where else ""
    inputs = f"all {size} inputs: {lengths} tokens out of {tokens}{where}"
    if isinstance(verdict, Proved):
        shown = f"Proved equal to surrogate.onnx on {inputs} (trust: {verdict.trust}, by {verdict.backend})."
    else:
        shown = f"Not proved equal to surrogate.onnx on {inputs}."
    text = candidate.source(claim.name, f"Distilled from {' '.join(origin.split())}.\n\n{shown}")
    return Program.from_source(text, claim.program.name, claim.program.origin)


def distillation_json(result: Distillation) -> dict[str, Any]:
    """The verdict's JSON object, with what led to it under `distillation`."""
    circuit, surrogate = result.circuit, result.surrogate
    return verdict_json(result.verdict) | {
        "distillation": {
            "circuit": asdict(circuit),
            "inputs_executed": len(result.teaching.labelled),
            "executed_everywhere": result.sampling is None,
            "sampling": None if result.sampling is None else asdict(result.sampling),
            "smallest_margin": result.teaching.smallest_margin,
            "surrogate": {
                "family": surrogate.family,
                "hidden": list(surrogate.hidden),
                "neurons": surrogate.neurons,
                "unstable": result.unstable,
                "neurons_per_position": surrogate.cell or None,
                "weight_bits": surrogate.weight_bits,
                "fractional_bits": surrogate.fractional_bits,
                "nonzeros": surrogate.nonzeros,
                "corrections": surrogate.corrections,
                "digest": result.claim.network.digest,
            },
            "program": result.claim.program.source.rstrip("\n"),
            "found_by": result.candidate.way,
            "template": result.candidate.template,
            "description_length": result.candidate.description_length,
            "refuted_programs": [r.program.text for r in result.refuted],
            "refutations": [
                *(_refutation_json(r, "program") for r in result.refuted),
                *(_refutation_json(r, "surrogate") for r in result.overruled),
            ],
            "margins": _margins_json(result),
            "graph": None
            if result.graph is None or len(result.graph.edges) > LARGEST_GRAPH
            else graph_json(result.graph),
            "claim_digest": result.claim.digest,
            "seconds": round(result.seconds, 3),
            "version": __version__,
        }
    }


def _refutation_json(refutation: Refutation, against: str) -> dict[str, Any]:
    """`found`: how many counterexamples there were, of which the first few are listed; `circuit_label` beside the two that differ."""
    verdict = refutation.verdict
    pairs = list(zip(verdict.counterexamples, refutation.circuit_labels, strict=True))
    listed = [counterexample_json(c) | {"circuit_label": label} for c, label in pairs[:RECORDED]]
    return {
        "against": against,
        "program": refutation.program.text,
        "backend": verdict.backend,
        "found": len(pairs),
        "counterexamples": listed,
    }


def _margins_json(result: Distillation) -> dict[str, Any] | None:
    """How far the circuit's logits were apart on the inputs that were executed."""
    teaching = result.teaching
    return histogram_json(
        histogram(teaching.margins, teaching.labelled.labels, len(result.task.decision.labels))
    )


def result_files(result: Distillation) -> dict[str, bytes | str]:
    """What `--out` gets: a complete claim, and how it came about."""
    task, where = result.task, result.task.domain.where
    program = f"program.py:{result.claim.program.name}"
    files: dict[str, bytes | str] = {
        "surrogate.onnx": result.surrogate.to_onnx(),
        "program.py": result.claim.program.source,
        "claim.toml": claim_toml(
            task, "surrogate.onnx", program, f"domain.py:{where.name}" if where else None
        ),
        "result.json": json.dumps(distillation_json(result), indent=1, ensure_ascii=False) + "\n",
    }
    if where:
        files["domain.py"] = where.source
    return files
