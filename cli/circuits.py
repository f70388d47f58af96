"""The commands about circuits: `show` (also of claims and networks), `train`, `prune`.

Registered by `cli/main.py`; nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..common.errors import InputError
from .limits import Limited, memory_option, stopped, timeout_option
from .options import (
    Output,
    ablation_option,
    bundled,
    choice_option,
    count_option,
    json_option,
    output_options,
    path_option,
    run_code_option,
)
from .printing import print_json, status_line, writing
from .status import UNKNOWN

training_seed_option = count_option("--seed", 0, 2**63 - 1, 0, "Seed of everything random.")
only_json = bundled("output", Output, json_option)


@click.command(cls=Limited)
@click.argument("what")
@count_option("--samples", 0, 1000, 6, "Sample inputs to show.")
@path_option("--mask", "Node mask, for a circuit.")
@path_option(
    "--domain",
    "Of a circuit: how faithful it is on this domain (a claim file) [default: its own, if it has one].",
)
@click.option("--no-run", is_flag=True, help="Of a circuit: only read it, and do not run it.")
@ablation_option
@run_code_option
@path_option("--draw", "Draw the circuit or attribution graph to this file, .svg or .png.")
@count_option("--seed", 0, None, 0, "Seed of the trials.")
@timeout_option(600.0)
@memory_option(8192)
@output_options
def show(what: str, samples: int, output: Output, **circuit: Any) -> int:
    """Restate a claim file, a circuit or an ONNX network in plain words.

    A circuit is run on its whole domain, to see how faithful it is.  That takes about ten times as long as
    running it once, and seconds for the circuits that ship.
    """
    from ..reports.shown import ShowRequest, circuit_json, view_circuit

    path, mask, draw, ablation = Path(what), circuit["mask"], circuit["draw"], circuit["ablation"]
    if path.name.endswith((".toml", ".onnx", ".onnx.gz")) and circuit["domain"] is None:
        if mask or draw or ablation:
            option = "--mask" if mask else "--draw" if draw else "--ablation"
            raise InputError(option, f"{what} is not a circuit", "leave it out")
        return _show_file(path, samples, output)
    with status_line(output.quiet) as progress:
        asked = ShowRequest(
            what,
            mask,
            circuit["domain"],
            draw,
            ablation,
            run=not circuit["no_run"],
            run_code=circuit["run_code"],
            seed=circuit["seed"],
        )
        view = view_circuit(asked, progress)

    def text() -> None:
        from ..reports.console_show import show_circuit

        show_circuit(view, output.quiet)

    output.show(lambda: circuit_json(view), text)
    return 0


def _show_file(path: Path, samples: int, output: Output) -> int:
    """Restate a claim file or an ONNX network.

    Finding what to print may take long, so it is done before the printing.
    """
    if output.as_json:
        print_json(_file_json(path, samples))
        return 0
    from ..reports.console_show import print_lines

    lines = _file_lines(path, samples, output.quiet)
    with writing():
        print_lines(lines)
    return 0


def _file_json(path: Path, samples: int) -> dict[str, Any]:
    from ..reports.shown import claim_json, network_json

    if path.suffix != ".toml":
        return network_json(path)
    from ..models.claims.claim_file import load_reduced
    from ..models.claims.word_claim import WordClaim

    claim = load_reduced(path)
    if isinstance(claim, WordClaim):
        return claim_json(claim, samples)
    from ..reports.positions import positions_json

    return positions_json(claim, samples)


def _file_lines(path: Path, samples: int, quiet: bool) -> list[Any]:
    from ..reports.console_show import claim_lines, network_lines

    if path.suffix != ".toml":
        return network_lines(path, quiet)
    from ..models.claims.claim_file import load_reduced
    from ..models.claims.word_claim import WordClaim

    claim = load_reduced(path)
    if isinstance(claim, WordClaim):
        return claim_lines(path, claim, samples, quiet)
    from ..reports.positions import positions_lines

    return positions_lines(path, claim, samples, quiet)


@click.command(cls=Limited, unknown=stopped)
@click.argument("task")
@path_option("--out", "Folder for the model [default: out/TASK].")
@count_option("--steps", 1, None, 2000, "Training steps.")
@click.option(
    "--density",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.12,
    show_default=True,
    help="Share of weights that are kept; 1: dense.",
)
@count_option("--attempts", 1, 1000, 3, "Seeds to try until every input is right.")
@count_option("--layers", 1, 64, 2, "Layers of the transformer.")
@count_option("--width", 4, 4096, 16, "Channels of the residual stream.")
@choice_option(
    "--device",
    ("auto", "cpu", "cuda"),
    "auto: a GPU if there is one.",
    default="auto",
    show_default=True,
)
@training_seed_option
@timeout_option(3600.0)
@memory_option(8192)
@only_json
def train(
    task: str, out: Path | None, device: str, output: Output, timeout: float, memory: int, **recipe: Any
) -> int:
    """Train a weight-sparse transformer on TASK (docs/reference/circuits.md).  A stopped training goes on.

    Exit status: 0 if it is right on every input of the task, else 3.
    """
    from ..models.circuits.load import load_circuit
    from ..models.circuits.training.recipe import TrainingRecipe
    from ..models.circuits.training.registry import get_task
    from ..pipeline.training import train_task
    from ..reports.shown import trained_json

    if task.endswith(".json") and Path(task).is_file():
        load_circuit(task)  # an attribution graph has a line of its own
    get_task(task)
    with status_line() as progress:
        result = train_task(task, out or Path("out") / task, TrainingRecipe(**recipe), device, progress)

    def text() -> None:
        from ..reports.console_show import print_trained

        print_trained(result)

    output.show(lambda: trained_json(result), text)
    return 0 if result.right == result.inputs else UNKNOWN


@click.command(cls=Limited, unknown=stopped)
@click.argument("model")
@click.argument("task")
@path_option("--out", "File for the node mask [default: MODEL/TASK.mask.json].")
@path_option("--mask", "Start from this mask (or the release's viz_data.pt) and prune further.")
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
@choice_option(
    "--ablation",
    ("mean", "zero"),
    "What replaces a pruned node.",
    default="mean",
    show_default=True,
)
@count_option("--steps", 1, None, 200, "Steps of each training of the masks.")
@training_seed_option
@run_code_option
@timeout_option(3600.0)
@memory_option(8192)
@only_json
def prune(model: str, task: str, compare: str | None, output: Output, **options: Any) -> int:
    """Cut the circuit of TASK out of MODEL.  A stopped pruning goes on.

    TASK is a registered name, or a claim file without network and program.
    """
    from ..models.circuits.pruning.settings import PruningSettings
    from ..pipeline.pruning import PruningRequest, prepare_pruning
    from ..reports.shown import pruned_json

    del options["timeout"], options["memory"]  # kept from outside
    out, mask, run_code = (options.pop(name) for name in ("out", "mask", "run_code"))
    chosen = PruningSettings(**options)
    with status_line() as progress:
        runs = [prepare_pruning(PruningRequest(model, task, chosen, out, mask), run_code)]
        if compare is not None:
            runs.append(prepare_pruning(PruningRequest(compare, task, chosen), run_code))
            if runs[0].out.resolve() == runs[1].out.resolve():
                what = f"both masks would be written to {runs[0].out}"
                raise InputError("--compare", what, "choose another --out")
        result, *others = (run.run(progress) for run in runs)
    other = others[0] if others else None

    def text() -> None:
        from ..reports.console_show import print_pruned

        print_pruned(result, other)

    output.show(lambda: pruned_json(result, other), text)
    return 0


commands = (show, train, prune)
