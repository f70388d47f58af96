"""Circuit -> surrogate -> program -> proof, in the order of the README.

1. execute the circuit on every input of the domain,
2. fit a tiny ReLU network that gives the same label on each of them, and export it to ONNX,
3. search for a short program, guided by counterexamples,
4. prove program = surrogate on the whole domain.

Where the domain is too large for the first step, `pipeline/three_way.py` takes over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..common.deadline import OutOfTime, check, until
from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..models.apart import check_apart, circuit_files, claim_files
from ..models.automata.labelled import Labelled
from ..models.circuits.circuit import Circuit, Drawable, check_circuit
from ..models.circuits.load import load_circuit
from ..models.circuits.own_task import own_task
from ..models.circuits.pruning.ablation import ablated
from ..models.circuits.teacher import LARGEST_DOMAIN, check_repeatable, label_domain
from ..models.claims.at_hand import domain_of
from ..models.claims.decision import Decision
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.claims.task import Task, load_task
from ..search.problem import SearchProblem
from ..search.synthesise import ProgramSearch
from ..verifiers.race.backend import Budget
from ..verifiers.race.choose import choose
from ..verifiers.race.request import ProofRequest, check_limits
from ..verifiers.verdict import Refuted, Trust
from .distilled import FILES, Distillation, Refutation, result_files
from .steps import START, Found, Job, NoProgram, Progress, differing_words, refutation, unstable
from .three_way import on_samples

__all__ = ["NoProgram", "distill"]


def distill(
    circuit: str | Path | Circuit,
    domain: str | Path | Task | Domain | Mapping[str, Any] | None = None,
    *,
    labels: Sequence[str] | None = None,
    mask: str | Path | None = None,
    ablation: str | None = None,
    out: str | Path | None = None,
    timeout: float = 600.0,
    memory: int = 4096,
    workers: int | None = None,
    backends: Sequence[str] | None = None,
    trust: Trust | None = None,
    seed: int = 0,
    counterexamples: int = 1,
    enumerate_up_to: int = LARGEST_DOMAIN,
    run_code: bool = False,
    progress: Progress | None = None,
) -> Distillation:
    """Distil a circuit into a program on a finite domain, and prove it.

    `circuit`: a folder, a shipped name, or any object with the members of `models.circuits.circuit.Circuit`.
    `domain`: a claim file without network and program, or what `relucid.prove` takes, then with `labels`; circuits that
    ship, or that have one beside them, bring their own.  `ablation`: "mean" or "zero", what
    stands in for nodes that the mask does not keep, taken anew over the domain.  `out`: a folder for surrogate.onnx, program.py, claim.toml and result.json; None writes
    nothing.  `enumerate_up_to`: on larger domains the circuit is run on samples and counterexamples, not on every input, and the
    result says so (`sampling`).  `run_code` allows a TorchScript circuit, which is a program, to run.  `timeout`: seconds for all of it.  The other options are those of `relucid.prove`, for each race.  Raises InputError for anything that does not
    fit, NoProgram where the road ends without one.
    """
    started = time.monotonic()
    budget = Budget(timeout, memory, workers or os.cpu_count() or 1, seed, counterexamples)
    check_limits(budget)
    if trust is not None:
        ProofRequest(trust)  # raises for a trust that is none
    choose(backends)
    if not 0 <= enumerate_up_to <= LARGEST_DOMAIN:
        raise InputError(
            "--enumerate",
            f"{enumerate_up_to} is not from 0 to {LARGEST_DOMAIN}",
            "a larger domain does not fit memory",
        )
    if seed < 0:
        raise InputError("seed", f"{seed} is negative", "give 0 or more")
    if out is not None:
        check_writable(Path(out), FILES)
        stating = domain if isinstance(domain, str | Path) else None
        of_circuit = (
            circuit_files(str(circuit), Path(mask) if mask else None, stating)
            if isinstance(circuit, str | Path)
            else ()
        )
        check_apart(
            [("--out", Path(out) / name) for name in FILES],
            of_circuit or (claim_files(Path(stating)) if stating else ()),
        )
    with _within(timeout):
        stated = (
            None if domain is None else _task(domain, labels)
        )  # read before the circuit, which may take long
        teacher = (
            load_circuit(circuit, Path(mask) if mask else None, run_code)
            if isinstance(circuit, str | Path)
            else circuit
        )
        task = stated or _task(_own_task(circuit, teacher, Path(mask) if mask else None), labels)
        if ablation is not None:
            teacher = ablated(teacher, task.domain, ablation)
        check_circuit(teacher)
        summary, graph = teacher.summary(), teacher.graph() if isinstance(teacher, Drawable) else None

        job = Job(teacher, task, budget, backends, trust, _in_time(progress or (lambda message: None)))
        language = build_language(task.domain, None, None)
        if language.empty:
            raise InputError(
                "[domain]",
                "the domain is empty: `where` keeps no sequence",
                "loosen the predicate or the length",
            )
        found = job.checked(
            on_samples(job, language) if language.size > enumerate_up_to else _on_every_input(job)
        )
        result = Distillation(
            summary, task, found.teaching, found.surrogate, found.candidate, found.refuted, found.claim, found.verdict,
            Path(out) if out is not None else None, time.monotonic() - started, found.sampling, unstable(found.claim),
            found.overruled, graph,
        )  # fmt: skip
        if result.out is not None:
            write_files(result.out, result_files(result))
        return result


def _in_time(progress: Progress) -> Progress:
    """Every step says now and then how far it is: a good moment to look at the clock."""

    def say(message: str) -> None:
        check()
        progress(message)

    return say


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """The time limit of a distillation: where it is reached, there is no program."""
    try:
        with until(time.monotonic() + seconds):
            yield
    except OutOfTime:
        raise NoProgram(f"time: the limit of {seconds:g} s was reached; raise it with --timeout") from None


def _on_every_input(job: Job) -> Found:
    """Steps 1 to 4 on a domain that the circuit can be run on as a whole."""
    task, say = job.task, job.say
    say("running the circuit on every input")
    teaching = label_domain(
        job.teacher,
        task.domain,
        task.decision.labels,
        lambda done, all_: say(f"running the circuit: {done:,} of {all_:,}"),
    )
    check_repeatable(job.teacher, teaching, task.domain, task.decision.labels)
    surrogate = job.fit(teaching.labelled)
    job.check_in_onnxruntime(surrogate, teaching.labelled)
    network = job.exported(surrogate)

    refuted: list[Refutation] = []
    problem = SearchProblem.of(teaching.labelled, task.domain, task.decision.labels)
    search = ProgramSearch(problem, seed=job.budget.seed, start=START, progress=say)
    while True:
        say("searching for a program" + (f" ({len(refuted)} refuted so far)" if refuted else ""))
        candidate = search.best()
        if candidate is None:
            raise NoProgram(
                f"no program template explains the circuit on all {len(teaching.labelled)} inputs"
            )
        try:
            claim = job.claim(network, candidate)
        except InputError:  # its automaton is too large: another program has to do
            search.reject(candidate)
            continue
        verdict = job.prove(claim)
        if not isinstance(verdict, Refuted):
            return Found(teaching, surrogate, candidate, tuple(refuted), claim, verdict)
        words = differing_words(verdict, claim)
        right = Labelled(words, claim.network_labels(words))  # the network agrees with the circuit everywhere
        refuted.append(refutation(claim, verdict, right.labels))
        search.refine(right)


def _own_task(circuit: str | Path | Circuit, teacher: Circuit, mask: Path | None) -> Task:
    """The task that a circuit brings."""
    found = own_task(str(circuit), mask, teacher.vocabulary) if isinstance(circuit, str | Path) else None
    if found is None:
        raise InputError(
            "--domain",
            f"{circuit} brings no domain of its own",
            "give a claim file without network and program",
        )
    return found


def _task(domain: str | Path | Task | Domain | Mapping[str, Any], labels: Sequence[str] | None) -> Task:
    """The task, from whatever the user has at hand."""
    if isinstance(domain, Domain | Mapping):
        if labels is None or isinstance(labels, str):
            what = "missing" if labels is None else "a string, not a list"
            raise InputError("labels", what, "list the words of the vocabulary that the circuit chooses from")
        task = Task(domain_of(domain), "one_hot", Decision("argmax", tuple(labels)), "program")
    else:
        if labels is not None:
            raise InputError(
                "labels",
                "the task states its own labels",
                "leave them out, or give the domain as a Domain or a mapping",
            )
        task = domain if isinstance(domain, Task) else load_task(domain)
    if task.encoding != "one_hot":
        raise InputError(
            "[input] encoding", f'"{task.encoding}" is not what surrogates take', 'write encoding = "one_hot"'
        )
    return task
