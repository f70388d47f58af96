"""The commands about circuits: `show` (also of claims and networks), `train` and `prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..common.errors import InputError
from .limits import Limited, memory_option, stopped, timeout_option
from .options import (
    ablation_option,
    json_option,
    print_json,
    quiet_option,
    run_code_option,
    status_line,
    writing,
)
from .status import UNKNOWN


@click.command(cls=Limited)
@click.argument("what")
@click.option(
    "--samples", type=click.IntRange(0, 1000), default=6, show_default=True, help="Sample inputs to show."
)
@click.option("--mask", type=click.Path(path_type=Path), default=None, help="Node mask, for a circuit.")
@click.option(
    "--domain",
    type=click.Path(path_type=Path),
    default=None,
    help="Of a circuit: how faithful it is on this domain (a claim file) [default: its own, if it has one].",
)
@click.option("--no-run", is_flag=True, help="Of a circuit: only read it, and do not run it.")
@ablation_option
@run_code_option
@click.option(
    "--draw",
    type=click.Path(path_type=Path),
    default=None,
    help="Draw the circuit or attribution graph to this file, .svg or .png.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the trials.")
@timeout_option(600.0)
@memory_option(8192)
@quiet_option
@json_option
def show(
    what: str,
    samples: int,
    mask: Path | None,
    domain: Path | None,
    ablation: str | None,
    no_run: bool,
    run_code: bool,
    draw: Path | None,
    seed: int,
    quiet: bool,
    as_json: bool,
    **limits: Any,
) -> int:
    """Restate a claim file, a circuit or an ONNX network in plain words.

    A circuit is run on its whole domain, to see how faithful it is.  That takes about ten times as long as
    running it once, and seconds for the circuits that ship.
    """
    from ..reports.shown import circuit_json, claim_json, network_json, view_circuit

    path = Path(what)
    if path.name.endswith((".toml", ".onnx", ".onnx.gz")) and domain is None:
        if mask or draw or ablation:
            raise InputError(
                "--mask" if mask else "--draw" if draw else "--ablation",
                f"{what} is not a circuit",
                "leave it out",
            )
        if as_json:
            print_json(claim_json(path, samples) if path.suffix == ".toml" else network_json(path))
            return 0
        from ..reports.console_show import claim_lines, network_lines, print_lines

        lines = claim_lines(path, samples, quiet) if path.suffix == ".toml" else network_lines(path, quiet)
        with writing():
            print_lines(lines)
        return 0
    with status_line(quiet) as progress:
        view = view_circuit(what, mask, domain, draw, seed, progress, not no_run, ablation, run_code)
    with writing():
        if as_json:
            print_json(circuit_json(view))
        else:
            from ..reports.console_show import show_circuit

            show_circuit(view, quiet)
    return 0


@click.command(cls=Limited, unknown=stopped)
@click.argument("task")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder for the model [default: out/TASK]."
)
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="Training steps.")
@click.option(
    "--density",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.12,
    show_default=True,
    help="Share of weights that are kept; 1: dense.",
)
@click.option(
    "--attempts",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Seeds to try until every input is right.",
)
@click.option(
    "--layers", type=click.IntRange(1, 64), default=2, show_default=True, help="Layers of the transformer."
)
@click.option(
    "--width",
    type=click.IntRange(4, 4096),
    default=16,
    show_default=True,
    help="Channels of the residual stream.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto: a GPU if there is one.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)
@timeout_option(3600.0)
@memory_option(8192)
@json_option
def train(
    task: str, out: Path | None, device: str, as_json: bool, timeout: float, memory: int, **recipe: Any
) -> int:
    """Train a weight-sparse transformer on TASK (docs/reference/circuits.md).  A stopped training goes on.

    Exit status: 0 if it is right on every input of the task, else 3.
    """
    from ..models.circuits.load import load_circuit
    from ..models.circuits.training.recipe import TrainingRecipe
    from ..models.circuits.training.registry import get_task
    from ..pipeline.training import train_task

    if task.endswith(".json") and Path(task).is_file():
        load_circuit(task)  # an attribution graph has a line of its own
    get_task(task)
    with status_line() as progress:
        result = train_task(task, out or Path("out") / task, TrainingRecipe(**recipe), device, progress)
    with writing():
        if as_json:
            from ..reports.shown import trained_json

            print_json(trained_json(result))
        else:
            from ..reports.console_show import print_trained

            print_trained(result)
    return 0 if result.right == result.inputs else UNKNOWN


@click.command(cls=Limited, unknown=stopped)
@click.argument("model")
@click.argument("task")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="File for the node mask [default: MODEL/TASK.mask.json].",
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    default=None,
    help="Start from this mask (or the release's viz_data.pt) and prune further.",
)
@click.option(
    "--compare",
    default=None,
    metavar="MODEL",
    help="Prune this model in the same way, for comparison: a dense one of `train --density 1`, say.",
)
@click.option(
    "--target-loss",
    type=float,
    default=0.15,
    show_default=True,
    help="Cross-entropy that the circuit may have.",
)
@click.option(
    "--ablation",
    type=click.Choice(["mean", "zero"]),
    default="mean",
    show_default=True,
    help="What replaces a pruned node.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Steps of each training of the masks.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)
@run_code_option
@timeout_option(3600.0)
@memory_option(8192)
@json_option
def prune(
    model: str,
    task: str,
    out: Path | None,
    mask: Path | None,
    compare: str | None,
    run_code: bool,
    as_json: bool,
    timeout: float,
    memory: int,
    **settings: Any,
) -> int:
    """Cut the circuit of TASK out of MODEL.  A stopped pruning goes on.

    TASK is a registered name, or a claim file without network and program.
    """
    from ..models.circuits.pruning.settings import PruningSettings
    from ..pipeline.pruning import PruningRequest, prepare_pruning

    chosen = PruningSettings(**settings)
    with status_line() as progress:
        runs = [prepare_pruning(PruningRequest(model, task, chosen, out, mask), run_code)]
        if compare is not None:
            runs.append(prepare_pruning(PruningRequest(compare, task, chosen), run_code))
            if runs[0].out.resolve() == runs[1].out.resolve():
                raise InputError(
                    "--compare", f"both masks would be written to {runs[0].out}", "choose another --out"
                )
        result, *others = (run.run(progress) for run in runs)
    other = others[0] if others else None
    with writing():
        if as_json:
            from ..reports.shown import pruned_json

            print_json(pruned_json(result, other))
        else:
            from ..reports.console_show import print_pruned

            print_pruned(result, other)
    return 0


commands = (show, train, prune)
