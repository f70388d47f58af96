"""Circuit -> surrogate -> program -> proof, in the order of the README.

1. execute the circuit on every input of the domain,
2. fit a tiny ReLU network that gives the same label on each of them, and export it to ONNX,
3. search for a short program, guided by counterexamples,
4. prove program = surrogate on the whole domain.
"""

from __future__ import annotations

import json
import keyword
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .models.circuits.circuit import Circuit, CircuitSummary, load_circuit, shipped
from .models.circuits.teacher import Teaching, label_domain
from .models.claim import Claim
from .models.claim_file import Task, claim_toml, load_task
from .models.errors import InputError
from .models.labelled import Labelled
from .models.onnx_reader import read_onnx
from .models.program import Program
from .models.surrogate import Surrogate, check_in_onnxruntime, fit_surrogate
from .output import check_writable, write_files
from .search.synthesise import Candidate, Search
from .verifiers.backend import Budget
from .verifiers.prove import prove_claim
from .verifiers.report import verdict_json
from .verifiers.verdict import Refuted, Trust, Verdict
from .version import __version__

Progress = Callable[[str], None]
START = 4  # examples that the search starts with: few, so that the prover's counterexamples choose the others


class NoProgram(Exception):
    """The search came to its end without a program: an honest unknown, exit status 3."""


@dataclass(frozen=True)
class Refutation:
    """A program that the search proposed and the prover refuted."""

    program: Program
    verdict: Refuted


@dataclass(frozen=True, eq=False)
class Distillation:
    """What came out: circuit = surrogate (executed on every input) = program (the verdict)."""

    circuit: CircuitSummary
    task: Task
    teaching: Teaching
    surrogate: Surrogate
    candidate: Candidate
    refuted: tuple[Refutation, ...]
    claim: Claim
    verdict: Verdict
    out: Path | None
    seconds: float


def distill(
    circuit: str | Path | Circuit,
    domain: str | Path | Task | None = None,
    *,
    mask: str | Path | None = None,
    out: str | Path | None = None,
    backends: Sequence[str] | None = None,
    budget: Budget | None = None,
    trust: Trust = "exact",
    progress: Progress | None = None,
) -> Distillation:
    """Distil a circuit into a program on a finite domain, and prove it.

    `circuit`: a folder, a shipped name, or anything with the members of `models.circuits.circuit.Circuit`.
    `domain`: a claim file without network and program (shipped circuits bring their own).  `out`: a folder for
    surrogate.onnx, program.py, domain.py, claim.toml and result.json; None writes nothing.
    Raises InputError for anything that does not fit.
    """
    started = time.monotonic()
    budget, say = budget or Budget(), progress or (lambda message: None)
    if out is not None:
        check_writable(Path(out))
    task = _task(circuit, domain)
    function = re.sub(r"\W", "_", task.name) if re.match(r"[^\W\d]", task.name) and not keyword.iskeyword(task.name) else "program"
    teacher = load_circuit(circuit, Path(mask) if mask else None) if isinstance(circuit, str | Path) else circuit

    say("running the circuit on every input")
    teaching = label_domain(
        teacher, task.domain, task.decision.labels, lambda done, all_: say(f"running the circuit: {done:,} of {all_:,}")
    )

    surrogate = fit_surrogate(teaching.labelled, task.domain, task.decision, seed=budget.seed, progress=say)
    say("checking the surrogate in onnxruntime on every input")
    check_in_onnxruntime(surrogate, teaching.labelled, task.domain, task.decision)
    network = read_onnx(surrogate.to_onnx(), origin="surrogate.onnx", positions=task.domain.positions, alphabet=len(task.domain.alphabet))

    refuted: list[Refutation] = []
    search = Search(teaching.labelled, task.domain, task.decision.labels, seed=budget.seed, start=START, progress=say)
    while True:
        say("searching for a program" + (f" ({len(refuted)} refuted so far)" if refuted else ""))
        candidate = search.best()
        if candidate is None:
            raise NoProgram(f"no program template explains the circuit on all {len(teaching.labelled)} inputs")
        program = Program.from_source(candidate.source(function, f"Distilled from {teacher.name}."), origin="program.py")
        claim = Claim(network, program, task.domain, task.decision, name=task.name)
        verdict = prove_claim(claim, backends=backends, budget=budget, trust=trust, progress=say)
        if not isinstance(verdict, Refuted):
            break
        refuted.append(Refutation(program, verdict))
        search.refine(_answers(verdict, claim))

    result = Distillation(
        teacher.summary(), task, teaching, surrogate, candidate, tuple(refuted), claim, verdict,
        Path(out) if out is not None else None, time.monotonic() - started,
    )  # fmt: skip
    if result.out is not None:
        write_files(result.out, _files(result))
    return result


def _task(circuit: str | Path | Circuit, domain: str | Path | Task | None) -> Task:
    if domain is None:
        known = shipped().get(str(circuit))
        if known is None:
            raise InputError("--domain", f"{circuit} brings no domain of its own", "give a claim file without network and program")
        domain = known.domain
    task = domain if isinstance(domain, Task) else load_task(domain)
    if task.encoding != "one_hot":
        raise InputError("[input] encoding", f'"{task.encoding}" is not what surrogates take', 'write encoding = "one_hot"')
    return task


def _answers(verdict: Refuted, claim: Claim) -> Labelled:
    """The counterexamples with their right labels, which are the network's: it agrees with the circuit everywhere."""
    words = np.array([claim.domain.padded(c.tokens) for c in verdict.counterexamples], dtype=np.int16)
    return Labelled(words, claim.network_labels(words))


def distillation_json(result: Distillation) -> dict[str, Any]:
    """The verdict's JSON object, with what led to it under `distillation`."""
    circuit, surrogate = result.circuit, result.surrogate
    return verdict_json(result.verdict) | {
        "distillation": {
            "circuit": asdict(circuit),
            "inputs_executed": len(result.teaching.labelled),
            "smallest_margin": result.teaching.smallest_margin,
            "surrogate": {
                "hidden": list(surrogate.hidden),
                "neurons": surrogate.neurons,
                "weight_bits": surrogate.weight_bits,
                "fractional_bits": surrogate.fractional_bits,
                "nonzeros": surrogate.nonzeros,
                "corrections": surrogate.corrections,
                "digest": result.claim.network.digest,
            },
            "program": result.claim.program.text,
            "refuted_programs": [r.program.text for r in result.refuted],
            "claim_digest": result.claim.digest,
            "seconds": round(result.seconds, 3),
            "version": __version__,
        }
    }


def _files(result: Distillation) -> dict[str, bytes | str]:
    """What `--out` gets: a complete claim, and how it came about."""
    task, where = result.task, result.task.domain.where
    program = f"program.py:{result.claim.program.name}"
    files: dict[str, bytes | str] = {
        "surrogate.onnx": result.surrogate.to_onnx(),
        "program.py": result.claim.program.source,
        "claim.toml": claim_toml(task, "surrogate.onnx", program, f"domain.py:{where.name}" if where else None),
        "result.json": json.dumps(distillation_json(result), indent=1, ensure_ascii=False) + "\n",
    }
    if where:
        files["domain.py"] = where.source
    return files
