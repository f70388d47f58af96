"""The report on a distillation in the terminal and as JSON: that of `distillation_page.py`
without pictures.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

from ..common.text import number, visible
from ..pipeline.histogram import histogram_json
from .distillation_page import Examined


def report_json(found: Examined) -> dict[str, Any]:
    """Return the object of `result.json`, and under `report` what was computed from it."""
    proof, margins = found.proof, found.margins
    shape = None
    if proof.shape is not None:
        shape = {
            "leaves": proof.shape.leaves,
            "depth": proof.shape.depth,
            "labels": [asdict(one) for one in proof.shape.labels],
        }
    return {
        **found.run.verdict,
        "report": {
            "chain": [asdict(link) for link in found.links],
            "proof": {
                "state": proof.state,
                "said": proof.said or None,
                "made": proof.made,
                "bytes": proof.size,
                "shape": shape,
            },
            "surrogate_margins": {
                "inputs": margins.inputs,
                "drawn": margins.drawn,
                "histogram": histogram_json(margins.found),
            },
        },
    }


def print_report(found: Examined, html: str | None, quiet: bool) -> None:
    """Print the chain of guarantees, and unless `quiet` the program, the proof and the refutations."""
    from rich.table import Table
    from rich.text import Text

    from .console import code, console, heading, label_text, plural, sequence_text
    from .console_distill import print_machine, print_shorter

    screen, run = console(), found.run
    screen.print(heading(f"== {visible(run.claim.program.name)}"))
    table = Table(box=None, pad_edge=False)
    for title in ("link", "inputs", "how it is known"):
        table.add_column(title, overflow="fold")
    for link in found.links:
        table.add_row(Text(link.what, "" if link.holds else "red"), link.inputs, Text(visible(link.how)))
    screen.print(table)
    if quiet:
        return
    findings = run.facts.get("findings")
    if findings and findings["sentences"]:
        screen.print(heading(f"the circuit's label ({findings['basis']})"))
        for sentence in findings["sentences"]:
            screen.print(f"  {visible(sentence)}", soft_wrap=True, markup=False)
    screen.print(heading("program"))
    if run.machine is not None:
        print_machine(screen, run.machine, run.claim.domain.tokens, run.claim.decision.labels)
    code(screen, run.facts["program"])
    print_shorter(screen, (run.facts.get("front") or ())[1:])
    screen.print(heading("proof"))
    screen.print(f"  {visible(_proof_line(found))}", soft_wrap=True, markup=False)
    for refutation in run.facts["refutations"]:
        screen.print(heading(f"a {refutation['against']} that was refuted on the way"))
        code(screen, refutation["program"])
        told = Table(box=None, pad_edge=False)
        for title in ("input", "circuit says", "surrogate says", "program says"):
            told.add_column(title, overflow="fold")
        for c in refutation["counterexamples"]:
            said = (label_text(c[f"{who}_label"]) for who in ("circuit", "network", "program"))
            told.add_row(*map(Text, (sequence_text(c["tokens"]), *map(visible, said))))
        screen.print(told)
        if refutation["found"] > len(refutation["counterexamples"]):
            screen.print(f"of {plural(refutation['found'], 'counterexample')}")
    if html is not None:
        screen.print(f"the report is {visible(html)}", soft_wrap=True, markup=False)
    else:
        screen.print(
            f"in the browser: relucid report {shlex.quote(str(run.folder))} --html FILE",
            soft_wrap=True,
            markup=False,
        )


def _proof_line(found: Examined) -> str:
    proof, claim = found.proof, shlex.quote(str(found.run.folder / "claim.toml"))
    if proof.shape is None:
        return f"{proof.state}: {proof.said}"
    s = proof.shape
    if not any(map(s.total, ("symbol_cuts", "state_cuts", "relu_splits", "run"))):
        how = "bounds alone settle it"
    else:
        how = (
            f"{s.total('symbol_cuts')} cuts by token, {s.total('state_cuts')} by state, "
            f"{s.total('relu_splits')} ReLU splits, {s.total('run')} parts run"
        )
    kept = (
        f"made now and not kept; to have it: relucid prove {claim} --proof FILE"
        if proof.made
        else "the file in the folder"
    )
    return (
        f"accepted by the checker: {number(s.leaves)} leaves, {s.depth} deep; {how}; "
        f"{number(proof.size)} bytes ({kept})"
    )
