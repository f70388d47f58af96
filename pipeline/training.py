"""`relucid train` and `relucid prune`: a model of one task's own, and the circuit in it.  The start of the road that `pipeline/distillation.py` goes on.

train    a registered task -> a folder in circuit_sparsity's format, with the task's domain beside it
prune    such a folder and a task or domain -> a node mask, with what pruning found out about it
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..common.interrupts import interrupts_held
from ..models.apart import check_apart, circuit_files
from ..models.circuits.circuit import CircuitSummary, load_circuit
from ..models.circuits.formats.checkpoint import VOCABULARY_FILE, WEIGHTS_FILE, read_torch
from ..models.circuits.formats.circuit_sparsity import SparseGpt
from ..models.circuits.formats.config import CONFIG_FILE
from ..models.circuits.inputs import domain_ids, word_ids
from ..models.circuits.pruning.mask import NodeMask
from ..models.circuits.tasks.registry import NAMES, get_task
from ..models.circuits.tasks.task import TrainingTask
from ..models.claims.domain import Domain
from ..models.claims.task import claim_toml, load_task
from ..version import __version__

if TYPE_CHECKING:
    from ..models.circuits.pruning.node_masks import Pruning, PruningJob, Settings
    from ..models.circuits.pruning.train import Recipe

STOPPED = "training.pt"
STOPPED_PRUNING = ".stopped"  # after the mask's name
DOMAIN_FILE = "domain.py"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What `relucid train` tells."""

    task: str
    summary: CircuitSummary
    inputs: int
    right: int
    smallest_margin: float
    loss: float
    seed: int
    out: Path


@dataclass(frozen=True)
class Pruned:
    """What `relucid prune` tells."""

    task: str
    summary: CircuitSummary
    inputs: int
    pruning: Pruning
    out: Path
    model: str
    domain: str  # a claim file without network and program, for what comes next


def train_task(
    name: str, out: Path, recipe: Recipe, device: str = "auto", progress: Progress | None = None
) -> Trained:
    """Train a model on a task; a training that was stopped goes on from `training.pt` in `out`."""
    import torch

    from ..models.circuits.pruning.node_masks import judge
    from ..models.circuits.pruning.train import Trainer, run

    task, say = get_task(name), progress or (lambda message: None)
    stated = f"{task.name}.toml"
    check_writable(out, (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, STOPPED, stated, DOMAIN_FILE))
    if (out / CONFIG_FILE).exists() and not (out / stated).exists():
        raise InputError(str(out), f"holds a model that was not trained on {name}", "choose another --out")
    torch.set_num_threads(
        1
    )  # the matrices are tiny: more threads only wait for each other, and round differently
    trainer = Trainer(task, recipe, _device(device))
    stopped = out / STOPPED
    if stopped.exists():
        mend = "remove it to start again"
        trainer.resume(str(stopped), read_torch(stopped, 1 << 32, mend, mend)[0])
    while True:
        run(trainer, say, lambda state: write_files(out, {STOPPED: _saved(state)}), interrupts_held)
        model = SparseGpt(out.resolve().name, task.vocabulary, trainer.config, trainer.final_weights())
        leads, losses = judge(model, *task.examples, task.columns)
        if leads.min() > 0 or trainer.attempt + 1 >= recipe.attempts:
            break
        trainer = Trainer(task, recipe, trainer.device, trainer.attempt + 1)
    config = {k: getattr(trainer.config, k) for k in trainer.config.__dataclass_fields__ if k != "where"}
    origin = (
        f"relucid {__version__} train {name}, torch {torch.__version__}: {replace(recipe, seed=trainer.seed)}"
    )
    files: dict[str, bytes | str] = {
        CONFIG_FILE: json.dumps(config, indent=1) + "\n",
        WEIGHTS_FILE: _saved(model.weights),
        VOCABULARY_FILE: json.dumps({"tokens": list(task.vocabulary), "origin": origin}, indent=1) + "\n",
        stated: f"# {task.says}\n" + claim_toml(task.stated, None, None, f"{DOMAIN_FILE}:where"),
        DOMAIN_FILE: f'"""Which inputs the task {name} is about."""\n\n\n'
        + (task.domain.where.source if task.domain.where else "")
        + "\n",
    }
    write_files(out, files)
    stopped.unlink(missing_ok=True)
    summary = replace(model, origin=origin).summary()
    return Trained(
        name,
        summary,
        len(leads),
        int((leads > 0).sum()),
        float(leads.min()),
        float(losses.mean()),
        trainer.seed,
        out,
    )


@dataclass(frozen=True, eq=False)
class PruningRun:
    """A pruning of which everything was read and checked; `run` does the work and writes the mask to `out`."""

    name: str
    job: PruningJob
    out: Path
    model: str
    domain: str
    origin: str

    def run(self, progress: Progress | None = None) -> Pruned:
        job, out, stopped = self.job, self.out, self._stopped
        pruning = job.run(
            progress or (lambda message: None),
            lambda stage: write_files(out.parent, {stopped.name: stage.text(job.digest)}),
        )
        report = {"model_loss": pruning.model_loss, "loss": pruning.loss, "k": pruning.k}
        report |= {"control_nodes": pruning.control_nodes, "control_accuracy": pruning.control_accuracy}
        report["control_chance"] = float(np.bincount(job.right).max() / len(job.right))
        mask = replace(pruning.mask, origin=self.origin, report={k: round(v, 6) for k, v in report.items()})
        write_files(out.parent, {out.name: mask.text()})
        stopped.unlink(missing_ok=True)
        summary = replace(job.model, mask=mask, name=f"{job.model.name} ({self.name})").summary()
        return Pruned(
            self.name, summary, len(job.ids), replace(pruning, mask=mask), out, self.model, self.domain
        )

    @property
    def _stopped(self) -> Path:
        return self.out.with_name(self.out.name + STOPPED_PRUNING)


def prepare_pruning(
    where: str,
    task: str,
    settings: Settings,
    out: Path | None = None,
    start: Path | None = None,
    run_code: bool = False,
) -> PruningRun:
    """To cut a task's circuit out of a model, or out of the circuit that the mask `start` makes of it.

    The model has to be right on a registered task; of a domain file, the labels are the model's own decisions.
    A pruning that was stopped goes on from the file beside `out`.
    """
    import torch

    from ..models.circuits.pruning.node_masks import PruningJob
    from ..models.circuits.pruning.stage import read_stage

    torch.set_num_threads(1)  # as in training
    model, begun = _to_prune(where, start, run_code)
    domain, labels, name, known = _task(task)
    number = {word: i for i, word in enumerate(model.vocabulary)}
    columns = word_ids(model.name, number, labels, "[decision] labels")
    ids = domain_ids(model.name, model.vocabulary, domain)
    if out is None and not Path(where).is_dir():
        raise InputError(
            "--out", f"{where} ships with relucid, nothing is written there", "give a file for the mask"
        )
    path = out or Path(where) / f"{name}.mask.json"
    check_writable(path.parent, (path.name, path.name + STOPPED_PRUNING))
    read = circuit_files(where, start, None if known is not None else task)
    check_apart([("--out", path), ("--out", path.with_name(path.name + STOPPED_PRUNING))], read)
    right = model.logits(ids)[:, columns].argmax(axis=1) if known is None else known.examples[1]
    beside = Path(where) / f"{name}.toml"
    origin = f"relucid {__version__} prune, {name}, {settings.ablation} ablation over {len(ids)} inputs: {settings}"
    origin += f", from {start.name}" if start else ""
    job = PruningJob(model, ids, right, columns, settings, begun)
    run = PruningRun(
        name, job, path, where, task if known is None else str(beside) if beside.exists() else "FILE", origin
    )
    if run._stopped.exists():
        job.stage = read_stage(run._stopped, job.digest, job.first)
    return run


def prune_model(
    where: str, task: str, settings: Settings, out: Path | None = None, progress: Progress | None = None
) -> Pruned:
    """Both steps in one."""
    return prepare_pruning(where, task, settings, out).run(progress)


def _to_prune(where: str, start: Path | None, run_code: bool) -> tuple[SparseGpt, NodeMask | None]:
    """The whole model, and the mask to start from."""
    model = load_circuit(where, None, run_code)
    if not isinstance(model, SparseGpt) or model.mask is not None:
        raise InputError(
            where,
            "is not a whole model in circuit_sparsity's format",
            "only those are pruned: a folder with beeg_config.json",
        )
    circuit = load_circuit(where, start)
    assert isinstance(circuit, SparseGpt)
    return model, circuit.mask


def _task(task: str) -> tuple[Domain, tuple[Any, ...], str, TrainingTask | None]:
    """A registered name, or a claim file without network and program."""
    if task in NAMES:
        known = get_task(task)
        return known.domain, known.labels, known.name, known
    if not task.endswith(".toml"):
        raise InputError(
            task, "there is no such task", f"give a claim file (.toml), or one of {', '.join(NAMES)}"
        )
    stated = load_task(task)
    return stated.domain, stated.decision.labels, stated.name, None


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device", "torch sees no GPU", "leave it out, or write cpu")
    return name


def _saved(state: Any) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
