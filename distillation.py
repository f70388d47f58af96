"""Circuit -> surrogate -> program -> proof, in the order of the README.

1. execute the circuit on every input of the domain,
2. fit a tiny ReLU network that gives the same label on each of them, and export it to ONNX,
3. search for a short program, guided by counterexamples,
4. prove program = surrogate on the whole domain.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .distilled import FILES, Distillation, Refutation, result_files
from .models.circuits.circuit import Circuit, check_circuit, load_circuit, shipped
from .models.circuits.teacher import check_repeatable, label_domain
from .models.claim import Claim, Decision
from .models.claim_file import Task, load_task
from .models.domain import Domain
from .models.errors import InputError
from .models.labelled import Labelled
from .models.onnx_reader import read_onnx
from .models.program import Program
from .models.surrogate import NoSurrogate, check_in_onnxruntime, fit_surrogate
from .output import check_writable, write_files
from .search.synthesise import Search
from .verifiers.backend import Budget
from .verifiers.choose import choose
from .verifiers.prove import domain_of, prove_claim
from .verifiers.race import check_limits
from .verifiers.verdict import Refuted, Trust

Progress = Callable[[str], None]
START = 4  # examples that the search starts with: few, so that the prover's counterexamples choose the others


class NoProgram(Exception):
    """No surrogate fits the circuit, or no program the surrogate: an honest unknown, exit status 3."""


def distill(
    circuit: str | Path | Circuit,
    domain: str | Path | Task | Domain | Mapping[str, Any] | None = None,
    *,
    labels: Sequence[str] | None = None,
    mask: str | Path | None = None,
    out: str | Path | None = None,
    timeout: float = 60.0,
    memory: int = 4096,
    workers: int | None = None,
    backends: Sequence[str] | None = None,
    trust: Trust = "exact",
    seed: int = 0,
    counterexamples: int = 1,
    progress: Progress | None = None,
) -> Distillation:
    """Distil a circuit into a program on a finite domain, and prove it.

    `circuit`: a folder, a shipped name, or any object with the members of `models.circuits.circuit.Circuit`.
    `domain`: a claim file without network and program, or what `relucid.prove` takes, then with `labels`; shipped
    circuits bring their own.  `out`: a folder for surrogate.onnx, program.py, claim.toml and result.json; None writes
    nothing.  The other options are those of `relucid.prove`, for each race.  Raises InputError for anything that does not
    fit, NoProgram where the road ends without one.
    """
    started = time.monotonic()
    budget, say = Budget(timeout, memory, workers or os.cpu_count() or 1, seed, counterexamples), progress or (lambda message: None)
    check_limits(budget, trust)
    choose(backends)
    if seed < 0:
        raise InputError("seed", f"{seed} is negative", "give 0 or more")
    if out is not None:
        check_writable(Path(out), FILES)
        if isinstance(domain, str | Path) and (Path(out) / "claim.toml").resolve() == Path(domain).resolve():
            raise InputError("--out", f"the claim would be written over {domain}", "choose another folder")
    task = _task(circuit, domain, labels)
    teacher = load_circuit(circuit, Path(mask) if mask else None) if isinstance(circuit, str | Path) else circuit
    check_circuit(teacher)
    summary = teacher.summary()

    say("running the circuit on every input")
    teaching = label_domain(
        teacher, task.domain, task.decision.labels, lambda done, all_: say(f"running the circuit: {done:,} of {all_:,}")
    )
    check_repeatable(teacher, teaching, task.domain, task.decision.labels)

    try:
        surrogate = fit_surrogate(teaching.labelled, task.domain, task.decision, seed=budget.seed, progress=say)
    except NoSurrogate as error:
        raise NoProgram(str(error)) from None
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
        program = Program.from_source(candidate.source(task.name, f"Distilled from {teacher.name}."), origin="program.py")
        claim = Claim(network, program, task.domain, task.decision, name=task.name)
        verdict = prove_claim(claim, backends=backends, budget=budget, trust=trust, progress=say)
        if not isinstance(verdict, Refuted):
            break
        refuted.append(Refutation(program, verdict))
        search.refine(_answers(verdict, claim))

    result = Distillation(
        summary, task, teaching, surrogate, candidate, tuple(refuted), claim, verdict,
        Path(out) if out is not None else None, time.monotonic() - started,
    )  # fmt: skip
    if result.out is not None:
        write_files(result.out, result_files(result))
    return result


def _task(
    circuit: str | Path | Circuit, domain: str | Path | Task | Domain | Mapping[str, Any] | None, labels: Sequence[str] | None
) -> Task:
    """The task, from whatever the user has at hand."""
    if domain is None:
        known = shipped().get(str(circuit))
        if known is None:
            raise InputError("--domain", f"{circuit} brings no domain of its own", "give a claim file without network and program")
        domain = known.domain
    if isinstance(domain, Domain | Mapping):
        if labels is None or isinstance(labels, str):
            what = "missing" if labels is None else "a string, not a list"
            raise InputError("labels", what, "list the words of the vocabulary that the circuit chooses from")
        task = Task(domain_of(domain), "one_hot", Decision("argmax", tuple(labels)), "program")
    else:
        if labels is not None:
            raise InputError("labels", "the task states its own labels", "leave them out, or give the domain as a Domain or a mapping")
        task = domain if isinstance(domain, Task) else load_task(domain)
    if task.encoding != "one_hot":
        raise InputError("[input] encoding", f'"{task.encoding}" is not what surrogates take', 'write encoding = "one_hot"')
    return task


def _answers(verdict: Refuted, claim: Claim) -> Labelled:
    """The counterexamples with their right labels, which are the network's: it agrees with the circuit everywhere."""
    words = np.array([claim.domain.padded(c.tokens) for c in verdict.counterexamples], dtype=np.int16)
    return Labelled(words, claim.network_labels(words))
