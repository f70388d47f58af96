"""`relucid train`: train a model on a registered task.

It writes a folder in circuit_sparsity's format, with the task's domain beside it.  `pipeline/pruning.py` cuts
a circuit out of the model, `pipeline/distillation.py` explains the circuit.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..common.interrupts import interrupts_held
from ..common.optional import require
from ..models.circuits.pruning.judge import judge
from ..models.circuits.sparse_gpt.checkpoint import WEIGHTS_FILE, read_torch
from ..models.circuits.sparse_gpt.config import CONFIG_FILE
from ..models.circuits.sparse_gpt.model import SparseGpt
from ..models.circuits.training.recipe import TrainingRecipe
from ..models.circuits.training.registry import get_task
from ..models.circuits.training.task import TrainingTask
from ..models.circuits.training.trainer import Trainer, run
from ..models.circuits.vocabulary import VOCABULARY_FILE
from ..models.claims.task import claim_toml
from ..version import __version__
from .trained import TrainingResult

STOPPED = "training.pt"
MOST_BYTES = 1 << 32  # of a stopped training
DOMAIN_FILE = "domain.py"


def train_task(
    name: str,
    out: Path,
    recipe: TrainingRecipe,
    device: str = "auto",
    progress: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train a model on a task; a training that was stopped goes on from `training.pt` in the folder.

    Args:
        name: a registered task.
        out: the folder to write.
        recipe: how to train.
        device: "cpu", "cuda", or "auto" for the GPU if there is one.
        progress: is told what is going on.

    Raises:
        InputError: there is no such task, torch is missing, the folder holds another model or cannot be
            written.
    """
    task, say = get_task(name), progress or (lambda message: None)
    stated = f"{task.name}.toml"
    require("torch", "training")
    check_writable(out, (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, STOPPED, stated, DOMAIN_FILE))
    if (out / CONFIG_FILE).exists() and not (out / stated).exists():
        raise InputError(str(out), f"holds a model that was not trained on {name}", "choose another --out")
    one_thread()
    trainer, stopped = Trainer(task, recipe, _device(device)), out / STOPPED
    if stopped.exists():
        mend = "remove it to start again"
        trainer.resume(str(stopped), read_torch(stopped, MOST_BYTES, mend, mend)[0])
    while True:
        run(trainer, say, lambda state: write_files(out, {STOPPED: _saved(state)}), interrupts_held)
        model = SparseGpt(out.resolve().name, task.vocabulary, trainer.config, trainer.final_weights())
        leads, losses = judge(model, task.examples)
        if leads.min() > 0 or trainer.attempt + 1 >= recipe.attempts:
            break
        trainer = Trainer(task, recipe, trainer.device, trainer.attempt + 1)
    model = replace(model, origin=_origin(name, replace(recipe, seed=trainer.seed)))
    write_files(out, _files(task, model))
    stopped.unlink(missing_ok=True)
    return TrainingResult(
        task=name,
        summary=model.summary(),
        inputs=len(leads),
        right=int((leads > 0).sum()),
        smallest_margin=float(leads.min()),
        loss=float(losses.mean()),
        seed=trainer.seed,
        out=out,
    )


def one_thread() -> None:
    """Let torch use one thread: the matrices are tiny, so that more would wait, and round differently."""
    import torch

    torch.set_num_threads(1)


def _origin(name: str, recipe: TrainingRecipe) -> str:
    import torch

    return f"relucid {__version__} train {name}, torch {torch.__version__}: {recipe}"


def _files(task: TrainingTask, model: SparseGpt) -> dict[str, bytes | str]:
    """Return the folder: the model, and the task's domain."""
    config = {f.name: getattr(model.config, f.name) for f in fields(model.config) if f.name != "where"}
    vocabulary = {"tokens": list(task.vocabulary), "origin": model.origin}
    where = task.domain.where.source if task.domain.where else ""
    return {
        CONFIG_FILE: json.dumps(config, indent=1) + "\n",
        WEIGHTS_FILE: _saved(model.weights),
        VOCABULARY_FILE: json.dumps(vocabulary, indent=1) + "\n",
        f"{task.name}.toml": f"# {task.says}\n" + claim_toml(task.stated, None, None, f"{DOMAIN_FILE}:where"),
        DOMAIN_FILE: f'"""Which inputs the task {task.name} is about."""\n\n\n{where}\n',
    }


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
