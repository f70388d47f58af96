"""What `relucid distill` writes: the program with its docstring, the JSON, and the output folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..common.text import number
from ..models.automata.moore_svg import MOST_STATES, machine_svg
from ..models.circuits.picture.graph import graph_json
from ..models.claims.task import claim_toml
from ..models.program.program import Program
from ..search.finding import Findings
from ..search.front import FrontEntry
from ..verifiers.report import counterexample_json, verdict_json
from ..verifiers.verdict import Proved
from ..version import __version__
from .distilled import NO_PROGRAM, Distillation, ProvedChain, Refutation
from .histogram import histogram, histogram_json

LISTED = 12  # tokens that a docstring lists
FACTS = 2  # findings that a docstring tells
RECORDED = 10  # counterexamples of one refutation that result.json lists
LARGEST_MACHINE = 1000  # states of a machine whose steps result.json holds
LARGEST_GRAPH = 20_000  # edges of a circuit whose graph result.json holds
PICTURE = "machine.svg"
FILES = (
    "surrogate.onnx",
    "program.py",
    "claim.toml",
    "result.json",
    "domain.py",  # if there is a `where`
    PICTURE,  # if no short program was found
)


def documented(chain: ProvedChain, origin: str, findings: Findings) -> Program:
    """Return the claim's program with a docstring that says what was shown, on which domain.

    Args:
        chain: with the program as the search found it, the claim surrogate = program, and its verdict.
        origin: the circuit's name.
        findings: what the circuit's label depends on; the docstring has what holds of all inputs.
    """
    claim, verdict = chain.claim, chain.verdict
    domain = claim.domain
    size = number(claim.domain_size if verdict.domain_size is None else verdict.domain_size)
    lengths = str(domain.max_length)
    if domain.min_length < domain.max_length:
        lengths = f"{domain.min_length} to {lengths}"
    tokens = " ".join(map(repr, domain.tokens))
    if len(domain.tokens) > LISTED:
        tokens = f"{len(domain.tokens)} words"
    where = f", where {domain.where.name} is true" if domain.where else ""
    inputs = f"all {size} inputs: {lengths} tokens out of {tokens}{where}"
    if isinstance(verdict, Proved):
        shown = f"Proved equal to surrogate.onnx on {inputs} (trust: {verdict.trust}, by {verdict.backend})."
    else:
        shown = f"Not proved equal to surrogate.onnx on {inputs}."
    facts = "; it ".join(f for f in findings.sentences()[:FACTS] if findings.whole)
    parts = [f"Distilled from {' '.join(origin.split())}.", shown, f"The label {facts}." if facts else ""]
    text = chain.candidate.source(claim.name, "\n\n".join(filter(None, parts)))
    return Program.from_source(text, claim.program.name, claim.program.origin)


def distillation_json(result: Distillation) -> dict[str, Any]:
    """Return the verdict's JSON object, with what led to it under `distillation`."""
    circuit, surrogate = result.circuit, result.surrogate
    return verdict_json(result.verdict) | {
        "distillation": {
            "circuit": asdict(circuit),
            "inputs_executed": len(result.teaching.labelled),
            "executed_everywhere": result.sampling is None,
            "every_position": result.sequences is not None,
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
            "findings": None if result.findings is None else result.findings.to_json(),
            "front": front_json(result),
            "machine": machine_json(result),
            "refuted_programs": [r.program.text for r in result.refuted],
            "refutations": [
                *(_refutation_json(r, "program") for r in result.refuted),
                *(_refutation_json(r, "surrogate") for r in result.overruled),
            ],
            "margins": _margins_json(result),
            "graph": _graph_json(result),
            "claim_digest": result.claim.digest,
            "seconds": round(result.seconds, 3),
            "version": __version__,
        }
    }


def machine_json(result: Distillation) -> dict[str, Any] | None:
    """Return the machine, if no short program was found; without its steps if it is large."""
    machine, tokens = result.candidate.machine, result.task.domain.tokens
    if machine is None or not result.candidate.last_resort:
        return None
    small = len(machine) <= LARGEST_MACHINE and machine.step.size <= 20 * LARGEST_MACHINE
    steps = machine.to_json() if small else {"step": None, "labels": None}
    names = machine.names(tokens) if small else None
    return {"said": NO_PROGRAM, "states": len(machine), "names": names, **steps}


def front_json(result: Distillation) -> list[dict[str, Any]]:
    """Return the programs of the front, each with the first of its exceptions."""
    return [_entry_json(result, entry) for entry in result.front]


def _entry_json(result: Distillation, entry: FrontEntry) -> dict[str, Any]:
    """Return a program of the front, with the first of its exceptions."""
    domain, labels = result.claim.domain, result.claim.decision.labels
    given = entry.candidate.evaluate(entry.examples.words)
    rows = zip(entry.examples.words, entry.examples.labels, given, strict=True)
    return {
        "program": entry.candidate.source(result.claim.program.name).rstrip("\n"),
        "description_length": entry.candidate.description_length,
        "exceptions": entry.exceptions,
        "of": entry.of,
        "examples": [
            {
                "tokens": list(domain.unpadded(word)),
                "circuit_label": labels[int(right)],
                "program_label": labels[int(wrong)] if wrong >= 0 else None,
            }
            for word, right, wrong in rows
        ],
    }


def _refutation_json(refutation: Refutation, against: str) -> dict[str, Any]:
    """Return a refutation.  `found` counts the counterexamples, of which the first few are listed."""
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


def _graph_json(result: Distillation) -> dict[str, Any] | None:
    if result.graph is None or len(result.graph.edges) > LARGEST_GRAPH:
        return None
    return graph_json(result.graph)


def _margins_json(result: Distillation) -> dict[str, Any] | None:
    """Return how far the circuit's logits were apart on the inputs that were executed."""
    teaching = result.teaching
    return histogram_json(
        histogram(teaching.margins, teaching.labelled.labels, len(result.task.decision.labels))
    )


def result_files(result: Distillation) -> dict[str, bytes | str]:
    """Return the output folder: a complete claim, and how it came about."""
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
    machine = result.candidate.machine
    if machine is not None and result.candidate.last_resort and len(machine) <= MOST_STATES:
        title = f"{result.claim.name}: a machine of {len(machine)} states"
        files[PICTURE] = machine_svg(machine, task.domain.tokens, task.decision.labels, title)
    return files
