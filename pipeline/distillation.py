"""`relucid distill`: circuit -> surrogate -> program -> proof.

Reads the circuit and its task, then takes one of two ways: `exhaustive.py` runs the circuit on every input,
`sampled.py` is for domains that are too large for that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from ..common.deadline import OutOfTime, check, until
from ..common.errors import InputError
from ..common.files import as_path
from ..common.folders import check_writable, write_files
from ..models.apart import check_apart, circuit_files, claim_files
from ..models.circuits.circuit import Circuit, Drawable, check_circuit
from ..models.circuits.load import load_circuit
from ..models.circuits.own_task import own_task
from ..models.circuits.prefixes import prefix_domain
from ..models.circuits.pruning.ablation import ablated
from ..models.circuits.teacher import LARGEST_DOMAIN
from ..models.claims.at_hand import domain_of
from ..models.claims.decision import Decision
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.claims.task import Task, load_task
from ..search.findings import findings
from ..search.problem import SearchProblem
from ..verifiers.race.backend import Budget
from ..verifiers.race.choose import choose
from ..verifiers.race.request import ProofRequest, asked
from .distilled import Distillation
from .exhaustive import on_every_input
from .result_files import FILES, PICTURE, documented, result_files
from .sampled import on_samples
from .steps import DistillationJob, NoProgram, Progress, unstable

__all__ = ["CircuitRequest", "NoProgram", "distill"]

SECONDS = 600.0  # the time limit, if there is no other

TaskLike = str | Path | Task | Domain | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CircuitRequest:
    """Which circuit is to be distilled, and how it is run.

    Args:
        circuit: a path, `file.py:function`, a shipped name, or an object with the members of `Circuit`.
        mask: the file that says which part of a model is the circuit.
        ablation: "mean" or "zero", what stands in for nodes that the mask does not keep; None for the mask's
            own.
        run_code: allow a TorchScript file, which contains code, to run.
        enumerate_up_to: on larger domains the circuit is run on samples and counterexamples, not on every
            input, and the result says so (`sampling`).

    Raises InputError if `enumerate_up_to` does not fit memory.
    """

    circuit: str | Path | Circuit
    mask: str | Path | None = None
    ablation: str | None = None
    run_code: bool = False
    enumerate_up_to: int = LARGEST_DOMAIN

    def __post_init__(self) -> None:
        most = self.enumerate_up_to
        if not isinstance(most, Integral) or not 0 <= most <= LARGEST_DOMAIN:
            what = f"{most!r} is not from 0 to {LARGEST_DOMAIN}"
            raise InputError("enumerate_up_to", what, "a larger domain does not fit memory")

    @property
    def mask_file(self) -> Path | None:
        """The mask's path, or None."""
        return as_path("mask", self.mask, "name a file of masks") if self.mask else None

    def read(self) -> Circuit:
        """Read the circuit.  Raises InputError if that is not possible."""
        if isinstance(self.circuit, str | Path):
            return load_circuit(self.circuit, self.mask_file, self.run_code)
        return self.circuit

    def own_task(self, teacher: Circuit) -> Task:
        """Return the task that the circuit brings.  Raises InputError if it brings none."""
        found = None
        if isinstance(self.circuit, str | Path):
            found = own_task(str(self.circuit), self.mask_file, teacher.vocabulary, everywhere=True)
        if found is None:
            what, mend = (
                f"{self.circuit} brings no domain of its own",
                "give a claim file without network and program",
            )
            raise InputError("domain", what, mend)
        return found


def distill(
    circuit: str | Path | Circuit | CircuitRequest,
    domain: TaskLike | None = None,
    *,
    labels: Sequence[str] | None = None,
    out: str | Path | None = None,
    budget: Budget | None = None,
    request: ProofRequest | None = None,
    progress: Progress | None = None,
) -> Distillation:
    """Distil a circuit into a program on a finite domain, and prove it.

    Args:
        circuit: a path, `file.py:function`, a shipped name, or any object with the members of
            `models.circuits.circuit.Circuit`.  A `CircuitRequest` says more: mask, ablation, sampling.
        domain: a claim file without network and program, or what `relucid.prove` takes, then with `labels`.
            Circuits that ship, or that have such a file beside them, bring their own.
        labels: the tokens that the circuit chooses from, if `domain` does not state them.
        out: a folder for surrogate.onnx, program.py, claim.toml and result.json; None writes nothing.
        budget: seconds for all of it, megabytes for each solver, how many solvers run side by side, and the
            seed of everything random.  None: 600 seconds and one solver for each core.
        request: how far the proof must be trusted, and who may decide; as for `relucid.prove`.
        progress: is told what is going on, a line at a time.

    Raises:
        InputError: something does not fit.
        NoProgram: there is no surrogate or no program, or the time is over.
    """
    started = time.monotonic()
    budget, request = asked(budget, request, SECONDS)
    choose(request.backends)
    if budget.seed < 0:
        raise InputError("seed", f"{budget.seed} is negative", "give 0 or more")
    wanted = circuit if isinstance(circuit, CircuitRequest) else CircuitRequest(circuit)
    folder = None if out is None else as_path("out", out, "name a folder for the result")
    if folder is not None:
        _check_out(folder, wanted, domain)
    with _within(budget.seconds):
        stated = None if domain is None else _task(domain, labels)  # before the circuit, which may take long
        teacher = wanted.read()
        check_circuit(teacher)
        task = stated or _task(wanted.own_task(teacher), labels)
        if wanted.ablation is not None:
            teacher = ablated(teacher, task.domain, wanted.ablation)
        summary, graph = teacher.summary(), teacher.graph() if isinstance(teacher, Drawable) else None
        sequences = None if task.every is None else task.domain
        task = _of_prefixes(task)
        job = DistillationJob(teacher, task, budget, request, _watching_the_clock(progress), sequences)
        language = build_language(task.domain, None, None)
        if language.empty:
            what = "the domain is empty: `where` keeps no sequence"
            raise InputError("[domain]", what, "loosen the predicate or the length")
        chain = on_samples(job, language) if language.size > wanted.enumerate_up_to else on_every_input(job)
        chain = job.checked(chain)
        problem = SearchProblem.of(chain.teaching.labelled, task.domain, task.decision.labels)
        found = findings(problem, whole=chain.sampling is None)
        program = documented(chain, summary.name, found)
        result = Distillation(
            circuit=summary,
            task=task,
            teaching=chain.teaching,
            surrogate=chain.surrogate,
            candidate=chain.candidate,
            refuted=chain.refuted,
            claim=replace(chain.claim, program=program),  # a docstring is no part of any digest
            verdict=chain.verdict,
            out=folder,
            seconds=time.monotonic() - started,
            sampling=chain.sampling,
            unstable=unstable(chain.claim),
            overruled=chain.overruled,
            graph=graph,
            front=chain.front,
            findings=found,
            sequences=sequences,
        )
        if folder is not None:
            write_files(folder, result_files(result), obsolete=[PICTURE])
        return result


def _of_prefixes(task: Task) -> Task:
    """Return the task about one label on all prefixes that stands for one about every position.

    Raises InputError where that is not what is asked for.
    """
    if task.every is None:
        return task
    if not task.every.per_prefix:
        what = "distill finds functions of the prefix, not programs that return all labels"
        raise InputError("[decision] per_prefix", what, "write per_prefix = true")
    return replace(task, domain=prefix_domain(task.domain), every=None)


def _check_out(folder: Path, asked: CircuitRequest, domain: TaskLike | None) -> None:
    """Check that the output folder can be written, and that nothing in it is an input."""
    check_writable(folder, FILES)
    stated = domain if isinstance(domain, str | Path) else None
    read: list[Path] = []
    if isinstance(asked.circuit, str | Path):
        read = list(circuit_files(str(asked.circuit), asked.mask_file, stated))
    elif stated:
        read = list(claim_files(Path(stated)))
    check_apart([("--out", folder / name) for name in FILES], read)


def _watching_the_clock(progress: Progress | None) -> Progress:
    """Look at the clock whenever a step says how far it is."""

    def say(message: str) -> None:
        check()
        if progress is not None:
            progress(message)

    return say


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Limit the time of a distillation.  Raises NoProgram if it is over."""
    try:
        with until(time.monotonic() + seconds):
            yield
    except OutOfTime:
        raise NoProgram(f"time: the limit of {seconds:g} s was reached; raise it with --timeout") from None


def _task(domain: TaskLike, labels: Sequence[str] | None) -> Task:
    """Return the task, from whatever the user has at hand."""
    if isinstance(domain, Domain | Mapping):
        if labels is None or isinstance(labels, str):
            what = "missing" if labels is None else "a string, not a list"
            raise InputError("labels", what, "list the tokens that the circuit chooses from")
        task = Task(domain_of(domain), "one_hot", Decision("argmax", tuple(labels)), "program")
    else:
        if labels is not None:
            mend = "leave them out, or give the domain as a Domain or a mapping"
            raise InputError("labels", "the task states its own labels", mend)
        mend = "give a claim file or a mapping"
        where = domain if isinstance(domain, Task) else as_path("domain", domain, mend)
        task = where if isinstance(where, Task) else load_task(where, everywhere=True)
    if task.encoding != "one_hot":
        what = f'"{task.encoding}" is not what surrogates take'
        raise InputError("[input] encoding", what, 'write encoding = "one_hot"')
    return task
