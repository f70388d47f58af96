"""`relucid prune`: cut a task's circuit out of a model, and write its node mask with what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..models.apart import check_apart, circuit_files
from ..models.circuits.examples import Examples, domain_ids
from ..models.circuits.load import load_circuit
from ..models.circuits.pruning.judge import decisions
from ..models.circuits.pruning.node_masks import PruningJob
from ..models.circuits.pruning.settings import PruningSettings
from ..models.circuits.pruning.stage import read_stage
from ..models.circuits.sparse_gpt.mask import NodeMask
from ..models.circuits.sparse_gpt.model import SparseGpt
from ..models.circuits.training.registry import NAMES, get_task
from ..models.circuits.vocabulary import token_ids
from ..models.claims.task import load_task
from ..version import __version__
from .trained import PruningResult
from .training import one_thread

STOPPED = ".stopped"  # after the mask's name


@dataclass(frozen=True)
class PruningRequest:
    """What the user asks for.

    Args:
        model: a folder, or a shipped name.
        task: a registered task, on which the model has to be right; or a claim file without network and
            program, whose labels are then the model's own decisions.
        settings: how to prune.
        out: the file for the mask; None for TASK.mask.json in the model's folder.
        start: a mask to begin with; None for the whole model.
    """

    model: str
    task: str
    settings: PruningSettings
    out: Path | None = None
    start: Path | None = None


@dataclass(frozen=True, eq=False)
class PruningRun:
    """A pruning of which everything was read and checked.

    Args:
        request: what was asked for.
        name: of the task.
        job: the work.
        out: the file that the mask is written to.
        domain: a claim file without network and program, for the next command.
    """

    request: PruningRequest
    name: str
    job: PruningJob
    out: Path
    domain: str

    @property
    def stopped(self) -> Path:
        """The file from which a stopped pruning goes on."""
        return self.out.with_name(self.out.name + STOPPED)

    def run(self, progress: Callable[[str], None] | None = None) -> PruningResult:
        """Do the work and write the mask."""
        job, out, stopped = self.job, self.out, self.stopped
        pruning = job.run(
            progress or (lambda message: None),
            lambda stage: write_files(out.parent, {stopped.name: stage.text(job.digest)}),
        )
        report = {
            "model_loss": pruning.model_loss,
            "loss": pruning.loss,
            "k": pruning.k,
            "control_nodes": pruning.control_nodes,
            "control_accuracy": pruning.control_accuracy,
            "control_chance": float(np.bincount(job.examples.right).max() / len(job.examples)),
        }
        rounded = {k: round(v, 6) for k, v in report.items()}
        mask = replace(pruning.mask, origin=self._origin(), report=rounded)
        write_files(out.parent, {out.name: mask.text()})
        stopped.unlink(missing_ok=True)
        summary = replace(job.model, mask=mask, name=f"{job.model.name} ({self.name})").summary()
        return PruningResult(
            task=self.name,
            summary=summary,
            inputs=len(job.examples),
            pruning=replace(pruning, mask=mask),
            out=out,
            model=self.request.model,
            domain=self.domain,
        )

    def _origin(self) -> str:
        settings, start = self.request.settings, self.request.start
        means = f"{settings.ablation} ablation over {len(self.job.examples)} inputs"
        origin = f"relucid {__version__} prune, {self.name}, {means}: {settings}"
        return f"{origin}, from {start.name}" if start else origin


def prepare_pruning(request: PruningRequest, run_code: bool = False) -> PruningRun:
    """Read and check everything that a pruning needs; one that was stopped goes on from its file.

    Args:
        request: what to prune, and how.
        run_code: allow a model that is a file with code to run (it is then refused all the same, with a
            better reason).

    Raises:
        InputError: the model is no weight-sparse GPT, does not fit the task, or the mask cannot be written.
    """
    model, start = _models(request, run_code)
    one_thread()
    name, examples, stated = _examples(request, model)
    if request.out is None and not Path(request.model).is_dir():
        what = f"{request.model} ships with relucid, nothing is written there"
        raise InputError("--out", what, "give a file for the mask")
    out = request.out or Path(request.model) / f"{name}.mask.json"
    stopped = out.name + STOPPED
    check_writable(out.parent, (out.name, stopped))
    read = circuit_files(request.model, request.start, stated)
    check_apart([("--out", out), ("--out", out.with_name(stopped))], read)
    job = PruningJob(model, examples, request.settings, start)
    beside = Path(request.model) / f"{name}.toml"
    run = PruningRun(request, name, job, out, stated or (str(beside) if beside.exists() else "FILE"))
    if run.stopped.exists():
        job.stage = read_stage(run.stopped, job.digest, job.first)
    return run


def prune_model(request: PruningRequest, progress: Callable[[str], None] | None = None) -> PruningResult:
    """Prune a model and write the mask; see `prepare_pruning` and `PruningRun.run`."""
    return prepare_pruning(request).run(progress)


def _models(request: PruningRequest, run_code: bool) -> tuple[SparseGpt, NodeMask | None]:
    """Return the whole model, and the mask to start from."""
    model = load_circuit(request.model, None, run_code)
    if not isinstance(model, SparseGpt) or model.mask is not None:
        what = "is not a whole model in circuit_sparsity's format"
        raise InputError(request.model, what, "only those are pruned: a folder with beeg_config.json")
    circuit = load_circuit(request.model, request.start)
    assert isinstance(circuit, SparseGpt)
    return model, circuit.mask


def _examples(request: PruningRequest, model: SparseGpt) -> tuple[str, Examples, str | None]:
    """Return the task's name, its inputs with their right labels, and its claim file if it is one."""
    task = request.task
    labels: tuple[object, ...]
    if task in NAMES:
        known = get_task(task)
        domain, labels, name = known.domain, known.labels, known.name
    elif task.endswith(".toml"):
        stated = load_task(task)
        domain, labels, name = stated.domain, stated.decision.labels, stated.name
    else:
        mend = f"give a claim file (.toml), or one of {', '.join(NAMES)}"
        raise InputError(task, "there is no such task", mend)
    columns = token_ids(model.name, model.vocabulary, labels, "[decision] labels")
    ids = domain_ids(model.name, model.vocabulary, domain)
    if task in NAMES:
        return name, Examples(ids, known.examples.right, columns), None
    return name, Examples(ids, decisions(model, ids, columns), columns), task
