"""`relucid verify`: an ONNX network and a VNN-LIB property; and the same for claim files about boxes.

`prove` and `check` in `cli/proving.py` come here with claim files about boxes.  Nothing heavy is imported at
the top.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import InputError
from ..verifiers.boxes.verdicts import BACKENDS
from .limits import Limited, memory_option, timeout_option
from .options import (
    ClaimLimits,
    Output,
    ProofFile,
    bundled,
    choice_option,
    output_options,
    path_option,
    proof_options,
    seed_option,
    workers_option,
)
from .printing import print_json, say, status_line
from .status import REJECTED, UNKNOWN, exit_status

if TYPE_CHECKING:
    from fractions import Fraction

    from ..models.claims.box_paths import BoxFiles

ONE_NETWORK_ONLY = "there are no proofs about two networks over a box"
NOT_CHECKED = f"not checked: {ONE_NETWORK_ONLY}"
BACKENDS_HELP = (
    "One of race, split, lp, milp [default: race].  race: all of them; split: bounds only; lp: linear"
    " programs, whose dual bounds are proved; milp: HiGHS's tree, which has tolerances."
)


def _undecided(why: str, options: dict[str, Any], seconds: float) -> None:
    """Say that `verify` reached a limit that its own child did not keep."""
    from ..reports.verdicts import print_verdict
    from ..verifiers.boxes import verdicts
    from ..verifiers.report import verdict_json
    from ..verifiers.verdict import BoxDetails

    if options["check"] is not None:
        unchecked_box(why, options)
        return
    details = BoxDetails(timeout=why.startswith("time: "))
    verdict = verdicts.unknown(why, seconds, details=details)
    if options["as_json"]:
        print_json(verdict_json(verdict))
    else:
        print_verdict(verdict, quiet=options["quiet"])


@click.command(cls=Limited, unknown=_undecided)
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("spec", type=click.Path(path_type=Path))
@bundled(
    "limits",
    ClaimLimits,
    timeout_option(60.0),
    memory_option(4096),
    seed_option,
    workers_option,
    click.option("--backends", default=None, help=BACKENDS_HELP),
    choice_option(
        "--trust",
        ("exact", "float"),
        "float: accept unsat from HiGHS, which has tolerances.",
        default="exact",
        show_default=True,
    ),
)
@click.option("--backend", hidden=True, default=None)
@path_option("--against", "A second network: how far are its outputs from NETWORK's?")
@click.option(
    "--epsilon", default=None, help="With --against: may the outputs differ by more than this (a decimal)?"
)
@click.option(
    "--same-label",
    is_flag=True,
    help="With --against: may the largest output be another one?  Ties go to the first.",
)
@proof_options(("relucid", "aptp"), "Write a proof (unsat) or a witness (sat) to this file.")
@path_option("--check", "Decide nothing; the same as `relucid check NETWORK SPEC FILE`.")
@output_options
def verify(
    network: Path,
    spec: Path,
    limits: ClaimLimits,
    proof: ProofFile,
    output: Output,
    check: Path | None,
    **question: Any,
) -> int:
    """Decide whether NETWORK (.onnx) can give an output that SPEC (.vnnlib) calls unsafe.  Both may be .gz.

    The first line is VNN-COMP's word: unsat (it cannot, proved), sat (with the input), unknown or timeout.
    Exit status: 0 unsat, 1 sat, 2 bad input, 3 unknown, 130 interrupted.
    """
    from ..models.claims.box_paths import BoxFiles

    if check is not None:
        return check_box_files(network, spec, check, limits.timeout, output)
    if (backend := question.pop("backend")) is not None:
        limits = replace(limits, backends=backend)
    against, same_label = question["against"], question["same_label"]
    if same_label and (against is None or question["epsilon"] is not None):
        alone = against is None
        what = "is about two networks" if alone else "and --epsilon are two questions"
        raise InputError(
            "--same-label", what, "give the second one with --against" if alone else "ask one of them"
        )
    epsilon = _epsilon(question["epsilon"], against)
    measured = against is not None and epsilon is None and not same_label
    files = BoxFiles(network, spec, against, epsilon)
    return _decide(files, limits, proof, output, measured)


def prove_box(claim: BoxFiles, limits: ClaimLimits, proof: ProofFile, output: Output) -> int:
    """Decide a claim file about a box, as `verify` decides its parts; return the exit status."""
    return _decide(claim, limits, proof, output)


def _decide(
    files: BoxFiles, limits: ClaimLimits, proof: ProofFile, output: Output, measure: bool = False
) -> int:
    """Decide what the files claim, and print the verdict; return the exit status.

    measure: the question is how far two networks are apart, to which no word is an answer.
    """
    from ..models.apart import network_files
    from ..reports.verdicts import print_verdict
    from ..verifiers.boxes.process import decide_box_files
    from ..verifiers.race.request import ProofRequest
    from ..verifiers.report import verdict_json
    from ..verifiers.verdict import Proved

    two, names = files.network_b is not None, limits.names or BACKENDS[:1]
    if len(names) != 1 or names[0] not in BACKENDS:
        what = f"a claim about a box is decided by one of {', '.join(BACKENDS)}"
        raise InputError("--backends", what, "name one of them, or leave it out")
    if names[0] != BACKENDS[0] and (two or proof.proof is not None):
        what = f"{names[0]} writes no proofs and compares no networks"
        raise InputError("--backends", what, "leave it out")
    if two and (proof.proof is not None or limits.trust == "checked"):
        option = "--proof" if proof.proof is not None else "--trust checked"
        raise InputError(option, ONE_NETWORK_ONLY, "leave it out")
    proof.check(chain(network_files(files.network), [files.stated]))  # read only if a proof is asked for
    with status_line(output.quiet) as progress:
        request = ProofRequest(limits.trust, proof.proof, proof.proof_format or "relucid", backends=names)
        verdict = decide_box_files(files, limits.budget(), request, progress, measure)
    if two and limits.trust is None and isinstance(verdict, Proved):
        verdict = replace(verdict, certificate=NOT_CHECKED)

    def text() -> None:
        print_verdict(verdict, bare=measure, quiet=output.quiet)
        for warning in verdict.warnings:
            say(f"warning: {warning}")

    output.show(lambda: verdict_json(verdict), text)
    return exit_status(verdict)


def _epsilon(text: str | None, against: Path | None) -> Fraction | None:
    from ..models.claims.vnnlib_terms import exact_number

    if text is None:
        return None
    if against is None:
        raise InputError("--epsilon", "is about two networks", "give the second one with --against")
    try:
        value = exact_number(text)
    except ValueError as error:
        raise InputError("--epsilon", str(error), "give a decimal number") from None
    if value < 0:
        raise InputError("--epsilon", f"{text} is negative", "give a decimal number of at least 0")
    return value


# -- checking ------------------------------------------------------------------------------------------------


def check_box(claim: BoxFiles, proof: Path, timeout: float, output: Output) -> int:
    """Check a proof about a claim file about a box; return the exit status."""
    if claim.network_b is not None:
        raise InputError(str(proof), ONE_NETWORK_ONLY, "check claims about one")
    return check_box_files(claim.network, claim.stated, proof, timeout, output)


def check_box_files(network: Path, spec: Path, proof: Path, timeout: float, output: Output) -> int:
    """Check a proof or a witness about an ONNX file and a VNN-LIB file.

    Returns the exit status: 0 accepted, 1 rejected, 3 a limit was reached.
    """
    from ..reports.verdicts import box_check_line
    from ..verifiers.proof.boxes.subject import check_files
    from ..verifiers.proof.format import LimitReached, Rejected
    from ..verifiers.report import box_certificate_json

    why, status, found = "", 0, None
    try:
        with status_line(output.quiet) as progress:
            found = check_files(network, spec, proof, timeout, progress)
    except Rejected as error:
        why, status = str(error), REJECTED
    except LimitReached as error:
        why, status = str(error), UNKNOWN
    output.show(
        lambda: box_certificate_json(found, why),
        lambda: click.echo(box_check_line(found, why, status == UNKNOWN)),
    )
    return status


def unchecked_box(why: str, options: dict[str, Any]) -> None:
    """Say that checking reached a limit."""
    from ..reports.verdicts import box_check_line
    from ..verifiers.report import box_certificate_json

    if options["as_json"]:
        print_json(box_certificate_json(None, why))
    else:
        click.echo(box_check_line(None, why, True))


commands = (verify,)
