"""A distillation as text for the terminal: circuit, surrogate, program, verdict, and what is guaranteed.

`cli/distilling.py` calls this after `relucid distill`; all facts come from the objects.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..common.text import number, visible
from ..models.automata.moore import MooreMachine
from ..models.automata.moore_svg import MOST_STATES
from ..pipeline.distilled import NO_PROGRAM
from ..verifiers.verdict import Proved
from .console import code, console, domain_lines, heading, label_text, plural, sequence_text
from .console_show import program_code
from .machine_view import machine_rows
from .verdicts import counterexample_table, print_verdict

if TYPE_CHECKING:
    from rich.console import Console

    from ..pipeline.distilled import Distillation


def surrogate_lines(result: Distillation) -> list[str]:
    """Return the family and size of the surrogate, and on what it was compared with the circuit."""
    surrogate, network, n = result.surrogate, result.claim.network, number(len(result.teaching.labelled))
    neurons = plural(surrogate.neurons, "ReLU neuron")
    if result.unstable is not None and surrogate.neurons:
        neurons += f", {number(result.unstable)} of them not settled by bounds"
    if surrogate.corrections:
        neurons += f", {number(surrogate.corrections)} of them built to correct training"
    layers = " -> ".join(map(str, (network.input_size, *surrogate.hidden, network.output_size)))
    shape = {
        "constant": "a constant",
        "linear": "linear",
        "affine": "a sum for each length of the sequence",
        "dense": f"layers {layers}",
        "cell": f"a recurrent cell of {plural(surrogate.cell, 'ReLU')} a position, unrolled",
        "one-hot": "a state machine, a neuron for each rarer step, unrolled",
    }[surrogate.family]
    weights = (
        f"{plural(surrogate.nonzeros, 'nonzero weight')} of at most {plural(surrogate.weight_bits, 'bit')}"
    )
    lines = [f"{shape}: {neurons}", f"{weights}, {surrogate.fractional_bits} of them after the point"]
    if result.sequences is not None:
        lines.append("the circuit was read at every position: the inputs are all prefixes of its sequences")
    if result.sampling is None:
        return [*lines, f"same label as the circuit on {n} of {n} inputs, exactly and in onnxruntime"]
    found = result.sampling
    settled = (
        f"{plural(found.surrogate_wrong, 'time')} against the surrogate, "
        f"{plural(found.program_wrong, 'time')} against the program"
    )
    return [
        *lines,
        f"same label as the circuit on the {n} inputs that were executed, exactly; "
        f"on {number(found.in_onnxruntime)} of them in onnxruntime",
        f"{plural(found.rounds, 'round')} with program and prover; "
        f"where they differed, the circuit decided {settled}",
        f"at the end {number(found.last_sample)} fresh inputs, over every step of the program: no difference",
    ]


def print_machine(
    screen: Console, machine: MooreMachine, tokens: Sequence[str], labels: Sequence[object]
) -> None:
    """Print that there is no short program, and the machine's states if one can read them all."""
    from rich.table import Table
    from rich.text import Text

    screen.print(f"  {NO_PROGRAM}, of {plural(len(machine), 'state')}", markup=False)
    if len(machine) > MOST_STATES:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("  state", "label", "steps"):
        table.add_column(title, overflow="fold")
    for name, label, steps in machine_rows(machine, tokens, labels):
        table.add_row(*(Text(visible(text)) for text in (f"  {name}", label, steps)))
    screen.print(table)


def print_shorter(screen: Console, shorter: Sequence[Mapping[str, Any]]) -> None:
    """Print the shorter programs of a front (`front` in result.json), with their exceptions."""
    for entry in shorter:
        wrong, length = number(entry["exceptions"]), entry["description_length"]
        title = f"shorter ({length} nodes), but wrong on {wrong} of {plural(entry['of'], 'input')}"
        screen.print(heading(title))
        code(screen, entry["program"])
        for c in entry["examples"][:1]:
            given = c["program_label"]
            said = (
                f"{'no label' if given is None else label_text(given)}, not {label_text(c['circuit_label'])}"
            )
            text = f"  such as {sequence_text(c['tokens'])}: {said}"
            screen.print(visible(text), soft_wrap=True, markup=False)


def print_distillation(result: Distillation) -> None:
    """Print a distillation from its circuit to the verdict, and what is guaranteed."""
    from ..pipeline.result_files import front_json, result_files

    screen = console()

    def facts(title: str, lines: Sequence[str]) -> None:
        screen.print(heading(title))
        screen.print("\n".join(f"  {visible(line)}" for line in lines), soft_wrap=True, markup=False)

    teaching, verdict = result.teaching, result.verdict
    n, size = len(teaching.labelled), verdict.domain_size or len(teaching.labelled)
    run_on = f"all {number(n)} inputs" if result.sampling is None else f"{number(n)} of {number(size)} inputs"
    screen.print(heading(f"== {result.claim.name}"))
    facts(
        "circuit",
        (*result.circuit.lines(), f"run on {run_on}; smallest logit margin {teaching.smallest_margin:.3g}"),
    )
    labels = " ".join(map(label_text, result.task.decision.labels))
    facts("domain", (*domain_lines(result.task.domain, size), f"labels {labels}"))
    facts("surrogate", surrogate_lines(result))
    for refutation in result.refuted[-1:]:
        many = f" (the last of {len(result.refuted)})" if len(result.refuted) > 1 else ""
        screen.print(heading(f"a program that was refuted on the way{many}"))
        code(screen, refutation.program.text)
        screen.print(counterexample_table(refutation.verdict.counterexamples[:1]))
    if result.findings is not None and (found := result.findings.sentences()):
        facts(f"the circuit's label ({result.findings.basis()})", found)
    screen.print(heading("program"))
    machine = result.candidate.machine
    if machine is not None and result.candidate.last_resort:
        print_machine(screen, machine, result.task.domain.tokens, result.task.decision.labels)
    program_code(screen, result.claim.program)
    print_shorter(screen, front_json(result)[1:])
    print_verdict(verdict)
    if isinstance(verdict, Proved):
        executed = (
            f"on {run_on} of the domain"
            if result.sampling is None
            else f"on {run_on}: nothing is known of the others"
        )
        chain = (
            f"circuit   = surrogate   executed {executed}",
            f"surrogate = program     proved on all {number(size)} "
            f"(trust: {verdict.trust}, by {verdict.backend})",
        )
        facts("what is guaranteed", chain)
    if result.out is not None:
        facts(
            "written",
            (
                f"{result.out}: {' '.join(result_files(result))}",
                f"again: relucid prove {shlex.quote(str(result.out / 'claim.toml'))}",
            ),
        )
    screen.print(f"{result.seconds:.1f} s in all")
