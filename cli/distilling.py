"""`relucid distill`: from a circuit to a program that is proved.

Registered by `cli/main.py`; nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..verifiers.report import undecided_json
from .limits import Limited
from .options import (
    ClaimLimits,
    Output,
    ablation_option,
    counterexamples_option,
    html_option,
    limit_options,
    output_options,
    path_option,
    run_code_option,
)
from .printing import fail, print_json, status_line
from .status import UNKNOWN, exit_status

EVERYWHERE = 10**7


def _undistilled(why: str, options: dict[str, Any], seconds: float | None = None) -> None:
    """Say that there is no program, on stderr and as JSON if that is wanted."""
    if options["as_json"]:
        print_json(undecided_json(why, seconds))
    fail(f"unknown: {why}", UNKNOWN)


@click.command(cls=Limited, unknown=_undistilled)
@click.argument("circuit")
@path_option("--domain", "Claim file without network and program.")
@path_option("--out", "Folder for surrogate, program and claim.", required=True)
@path_option("--mask", "Node mask (JSON) that cuts the circuit out of the model.")
@ablation_option
@run_code_option
@click.option(
    "--enumerate",
    "enumerate_up_to",
    type=click.IntRange(0, EVERYWHERE),
    default=EVERYWHERE,
    show_default=True,
    help="Run the circuit on all inputs of domains up to this size, and on samples of larger ones.",
)
@html_option
@limit_options(600.0, 8192, counterexamples_option)
@output_options
def distill(
    circuit: str, out: Path, html: Path | None, limits: ClaimLimits, output: Output, **model: Any
) -> int:
    """Distil CIRCUIT into a short Python program, and prove that the two agree.

    CIRCUIT is a folder or file (docs/reference/circuits.md), file.py:function, or a shipped name such as
    quote_closing.  Shipped circuits bring their own domain and mask.
    """
    from ..pipeline.distillation import CircuitRequest, NoProgram
    from ..pipeline.distillation import distill as run
    from ..pipeline.result_files import FILES, distillation_json
    from ..verifiers.race.request import ProofRequest

    if html is not None:
        from ..models.apart import check_apart, circuit_files
        from ..reports.html import check_page

        check_page(html)
        written = [("--out", out / name) for name in FILES]
        check_apart([*written, ("--html", html)], circuit_files(circuit, model["mask"], model["domain"]))
    try:
        with status_line(output.quiet) as progress:
            domain = model.pop("domain")
            result = run(
                CircuitRequest(circuit, **model),
                domain,
                out=out,
                budget=limits.budget(),
                request=ProofRequest(limits.trust, backends=limits.names),
                progress=progress,
            )
            if html is not None:
                from ..reports.distillation_page import write_report

                write_report(html, out, progress)
    except NoProgram as error:
        _undistilled(str(error), {"as_json": output.as_json})
        return UNKNOWN

    def text() -> None:
        from ..reports.console_distill import print_distillation
        from ..reports.verdicts import print_verdict

        if output.quiet:
            print_verdict(result.verdict, quiet=True)
        else:
            print_distillation(result)

    output.show(lambda: distillation_json(result), text)
    return exit_status(result.verdict)


commands = (distill,)
