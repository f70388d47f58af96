"""Claims, networks and circuits as text for the terminal: `show`, `train` and `prune`.

`cli/circuits.py` calls this; all facts come from the objects.  `console_distill.py` prints distillations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ..common.text import number, rational, visible
from ..models.claims.word_claim import WordClaim
from ..verifiers.race.conclude import vacuity
from .console import code, console, domain_lines, heading, label_text, plural, sequence_text
from .shown import sample_words

if TYPE_CHECKING:
    from rich.console import Console

    from ..models.program.program import Program
    from ..pipeline.trained import PruningResult, TrainingResult
    from .shown import CircuitView

TABLES = 40  # lines: a program is shown with its tables and helpers if they have at most so many


def claimed(claim: WordClaim) -> str:
    """Return what the claim says, without its domain."""
    if claim.comparison is None:
        return f"the network {visible(claim.network.name)} gives the same label as {claim.program.name}"
    pair = claim.comparison
    return f"the networks {visible(pair.network.name)} and {visible(pair.network_b.name)} {pair.meaning}"


def print_lines(lines: Sequence[Any]) -> None:
    """Print what `claim_lines` or `network_lines` found.  Finding may take long, and printing must not."""
    screen = console()
    for line in lines:
        if callable(line):
            line(screen)
        else:
            screen.print(line, soft_wrap=isinstance(line, str | Text), markup=False)


def claim_lines(path: Path, claim: WordClaim, samples: int, quiet: bool = False) -> list[Any]:
    """Return a claim in plain words, its program, and sample inputs with both labels.

    quiet: only the claim.
    """
    decision = claim.decision if claim.comparison is None else claim.comparison.decision
    labels = ", ".join(label_text(y) for y in decision.labels) if decision else "none"
    rule = (
        "an output above 0 means the second"
        if decision and decision.kind == "sign"
        else "the largest output wins, ties go to the first"
    )
    lines = [
        f"claim    {visible(str(path))}",
        f"         {claimed(claim)} on every input of the domain",
        "domain   " + f"\n{'':9}".join(domain_lines(claim.domain, claim.domain_size)),
        f"labels   {labels} ({rule})"
        if decision
        else f"outputs  within {claim.comparison.epsilon if claim.comparison else 0} of each other",
        *(
            f"network  {network_line(n)}"
            for n in (
                (claim.comparison.network, claim.comparison.network_b)
                if claim.comparison
                else (claim.network,)
            )
        ),
    ]
    shown: list[Any] = ["\n".join(lines)]
    if quiet:
        return shown
    if claim.comparison is None:
        shown.append(lambda screen: program_code(screen, claim.program))
    shown += [Text(f"warning: {visible(warning)}", style="yellow") for warning in vacuity(claim)]
    if not samples:
        return shown
    table = Table(box=None, pad_edge=False)
    for title in (
        "sample input",
        "network says",
        "network_b says" if claim.comparison else "program says",
        "",
    ):
        table.add_column(title)
    for word in sample_words(claim, samples):
        sequence = claim.domain.unpadded(word)
        network = claim.decision.labels[int(claim.network_labels(word.reshape(1, -1))[0])]
        program = claim.program_label(sequence)
        if claim.comparison is not None:
            one, other = claim.comparison.outputs_on(claim.domain.one_hot(word.reshape(1, -1)))
            said = [
                ", ".join(map(rational, t.outputs)) if t.label is None else label_text(t.label)
                for t in (one, other)
            ]
            table.add_row(
                Text(sequence_text(sequence)),
                *map(Text, said),
                Text("differs" if claim.comparison.differ(one, other) else "", "red"),
            )
            continue
        same = type(network) is type(program) and network == program
        table.add_row(
            Text(sequence_text(sequence)),
            Text(label_text(network)),
            Text(label_text(program)),
            "" if same else Text("differs", "red"),
        )
    return [*shown, table]


def program_code(screen: Console, program: Program) -> None:
    """Print a program with all that it needs; if that is long, say where the rest is."""
    used = program.used_text
    if used.count("\n") < TABLES:
        code(screen, f"{used}\n\n\n{program.text}" if used else program.text)
        return
    code(screen, program.text)
    screen.print(
        f"  ({plural(used.count(chr(10)) + 1, 'line')} of what it uses are in {visible(program.origin)})",
        markup=False,
        soft_wrap=True,
    )


def network_line(network: Any) -> str:
    """Return the sizes of a network in one line."""
    from ..models.network.network import Affine

    widths = " -> ".join(
        str(network.sizes[k]) for k, n in enumerate(network.nodes, 1) if isinstance(n, Affine)
    )
    takes = {"one_hot": "one-hot values", "ids": "one-hot values (from ids)", "real": "values"}[
        network.encoding
    ]
    after = "" if network.head is None else f"; then {', '.join(network.head.operators)}"
    return f"{network.input_size} {takes} -> {widths}; {plural(network.relu_count, 'ReLU')}{after}"


def network_lines(path: Path, quiet: bool = False) -> list[Any]:
    """Return the sizes and the digest of a network, and whether float32 computes it exactly.

    quiet: only the sizes.
    """
    from ..models.network.float32 import exact_in_float32
    from ..models.network.head import Wanted
    from ..models.onnx.reader import load_onnx

    network = load_onnx(path, wanted=Wanted())
    shown = [
        f"network  {visible(str(path))}\n         {network_line(network)}\n         sha256 {network.digest}"
    ]
    if quiet:
        return shown
    report = exact_in_float32(network)
    return [*shown, f"float32  {'exact in any order of summation' if report.ok else report.reason}"]


def show_circuit(view: CircuitView, quiet: bool = False) -> None:
    """Print the size and origin of a circuit, its vocabulary, and how faithful it is.

    Of an attribution graph, print what it says.

    quiet: only the first facts of each.
    """
    screen = console()
    if view.circuit is None:
        assert view.graph is not None
        screen.print(heading(f"attribution graph  {visible(view.graph.graph.title)}"))
        lines = view.graph.lines()[: 1 if quiet else None]
    else:
        screen.print(heading(f"circuit  {visible(view.circuit.name)}"))
        report = getattr(getattr(view.circuit, "mask", None), "report", {})
        told = ", ".join(f"{k} {v:.3g}" for k, v in report.items() if not k.startswith("control_"))
        pruned = [f"when it was pruned: {told}"] if told else []
        words = f"{len(view.circuit.vocabulary)} words: {sequence_text(view.circuit.vocabulary)}"
        summary, faithful = (
            view.circuit.summary().lines(),
            view.faithful.lines() if view.faithful else (view.why_not_run,),
        )
        lines = (*summary[:2], faithful[0]) if quiet else (*summary, *pruned, words, *faithful)
    lines = (*lines, *([f"drawn to {view.drawn}"] if view.drawn and not quiet else []))
    screen.print("\n".join(f"  {visible(line)}" for line in lines), soft_wrap=True, markup=False)


def print_trained(result: TrainingResult) -> None:
    """Print what came of training a model, and what to do with it."""
    screen = console()
    screen.print(heading(f"trained on {result.task}"))
    lines = (
        *result.summary.lines(),
        f"right on {number(result.right)} of {number(result.inputs)} inputs; "
        f"smallest logit margin {result.smallest_margin:.3g}; task loss {result.loss:.3g}",
        f"seed {result.seed}",
        f"written to {result.out}; next: relucid prune {result.out} {result.task}",
    )
    screen.print("\n".join(f"  {visible(line)}" for line in lines), soft_wrap=True, markup=False)


def print_pruned(result: PruningResult, other: PruningResult | None = None) -> None:
    """Print a circuit beside its model, a control, and the circuit of another model if there is one."""
    screen, pruning = console(), result.pruning
    screen.print(heading(f"pruned to {result.task}"))
    lines = (
        *result.summary.lines()[:2],
        f"{len(pruning.mask.cut)} edges between kept nodes were cut",
        f"same decision as the model on all {number(result.inputs)} inputs; "
        f"task loss {pruning.loss:.3g}, of the model {pruning.model_loss:.3g}",
        f"control, the same pruning on random labels: {pruning.control_nodes} nodes, "
        f"{pruning.control_accuracy:.0%} of the labels",
        *(() if other is None else (_compared(other),)),
        f"written to {result.out}; next: relucid distill {result.model} --mask {result.out} "
        f"--domain {result.domain} --out DIR",
    )
    screen.print("\n".join(f"  {visible(line)}" for line in lines), soft_wrap=True, markup=False)


def _compared(other: PruningResult) -> str:
    summary, pruning = other.summary, other.pruning
    return (
        f"compared with {other.model}: {number(summary.nodes_kept)} of {number(summary.nodes_total)} nodes, "
        f"{number(summary.edges_kept)} of {number(summary.edges_total)} edges; "
        f"task loss {pruning.loss:.3g}, of that model {pruning.model_loss:.3g}"
    )
