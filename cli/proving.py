"""The commands about claims: `prove` and `check`.

Registered by `cli/main.py`; nothing heavy is imported at the top.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..verifiers.report import unchecked_json, undecided_json
from .limits import Limited, memory_option, timeout_option
from .options import (
    ClaimLimits,
    Output,
    ProofFile,
    counterexamples_option,
    limit_options,
    output_options,
    path_option,
    proof_options,
    refuse,
)
from .printing import print_json, status_line
from .status import REJECTED, UNKNOWN, exit_status

ABOUT_A_BOX = "is for claims about tokens, and this one is about a box"
EVERY_POSITION = "is for claims about one label, and this one is about every position"


def _undecided(why: str, options: dict[str, Any], seconds: float) -> None:
    """Say that `prove` reached a limit."""
    if options["as_json"]:
        print_json(undecided_json(why, seconds))
    else:
        click.echo(f"unknown: {why} ({seconds:.2f} s)")


def _unchecked(why: str, options: dict[str, Any], seconds: float) -> None:
    """Say that `check` reached a limit."""
    if len(options["files"]) == 3:
        from .verify import unchecked_box

        unchecked_box(why, options)
    elif options["as_json"]:
        print_json(unchecked_json(why, seconds))
    else:
        click.echo(f"not checked: {why}")


@click.command(cls=Limited, unknown=_undecided)
@click.argument("claim", type=click.Path(path_type=Path))
@path_option("--checkpoint", "Keep unfinished work in this file, and go on from it if it is there.")
@proof_options(
    ("relucid", "veripb", "drat"), "Write a checked proof, or the witness of a refutation, to this file."
)
@click.option("--count", is_flag=True, help="If refuted: count the inputs on which they differ, exactly.")
@path_option("--dump", "Write every backend's formulas to this new folder first.")
@limit_options(60.0, 4096, counterexamples_option)
@output_options
def prove(
    claim: Path,
    proof: ProofFile,
    limits: ClaimLimits,
    output: Output,
    checkpoint: Path | None,
    count: bool,
    dump: Path | None,
) -> int:
    """Decide a claim file: is network = program (or = network) on every input of the domain?

    The answer is proved, refuted with a counterexample, or unknown.
    """
    from ..models.apart import check_apart, claim_files
    from ..models.claims.claim_file import load_box_files

    places = [("--proof", proof.proof), ("--checkpoint", checkpoint), ("--dump", dump)]
    check_apart(places, claim_files(claim))
    if (box := load_box_files(claim)) is not None:
        from .verify import prove_box

        form = None if proof.proof_format in (None, "relucid") else proof.proof_format
        many = None if limits.counterexamples == 1 else limits.counterexamples
        refuse({"--checkpoint": checkpoint, "--dump": dump, "--count": count or None}, ABOUT_A_BOX)
        refuse({"--format": form, "--counterexamples": many}, ABOUT_A_BOX)
        return prove_box(box, replace(limits, trust=limits.trust or "exact"), proof, output)

    from ..models.claims.claim_file import load_reduced
    from ..models.claims.position_claims import PositionClaims
    from ..models.claims.word_claim import WordClaim
    from ..reports.verdicts import print_verdict
    from ..verifiers.prove import decide
    from ..verifiers.race.request import ProofRequest
    from ..verifiers.report import verdict_json

    names = limits.names
    form = proof.proof_format or "relucid"
    request = ProofRequest(limits.trust, proof.proof, form, count, backends=names)
    with status_line(output.quiet) as progress:
        progress(f"reading {claim}")
        stated = load_reduced(claim)
        if isinstance(stated, PositionClaims):
            refuse({"--dump": dump}, EVERY_POSITION)
        elif dump is not None:
            from ..verifiers.race.dump import dump_claim

            dump_claim(stated, names, dump, limits.timeout, progress)
        verdict = decide(stated, limits.budget(checkpoint), request, progress)
    two = isinstance(stated, WordClaim) and stated.comparison is not None
    output.show(
        lambda: verdict_json(verdict),
        lambda: print_verdict(verdict, two=two, quiet=output.quiet),
    )
    return exit_status(verdict)


def _two(files: tuple[Path, ...]) -> tuple[Path, Path]:
    """Return claim and proof.  Raises UsageError if there are more or fewer files."""
    if len(files) > 3:
        raise click.UsageError(f"Got unexpected extra argument ({files[3]})")
    if len(files) < 2:
        raise click.UsageError(f"Missing argument '{('CLAIM', 'PROOF')[len(files)]}'.")
    return files[0], files[1]


@click.command(cls=Limited, unknown=_unchecked)
@click.argument(
    "files", nargs=-1, type=click.Path(path_type=Path), metavar="CLAIM PROOF | NETWORK SPEC PROOF"
)
@timeout_option(3600.0)
@memory_option(4096)
@path_option(
    "--export",
    "Of a veripb or drat proof: write formulas and proofs to this folder, as other checkers read them.",
)
@output_options
def check(files: tuple[Path, ...], timeout: float, memory: int, export: Path | None, output: Output) -> int:
    """Check that PROOF shows what it says about CLAIM, or about NETWORK and SPEC.

    `prove --proof` and `verify --proof` write such files.  No solver, no rounding.

    Exit status: 0 accepted, 1 rejected, 2 bad input, 3 out of time or memory.
    """
    del memory  # kept from outside
    from ..models.claims.claim_file import load_box_files

    if len(files) == 3:
        from .verify import check_box_files

        refuse({"--export": export}, ABOUT_A_BOX)
        return check_box_files(*files, timeout, output)
    claim, proof = _two(files)
    if (box := load_box_files(claim)) is not None:
        from .verify import check_box

        refuse({"--export": export}, ABOUT_A_BOX)
        return check_box(box, proof, timeout, output)

    from ..models.claims.claim_file import load_reduced
    from ..models.claims.word_claim import WordClaim
    from ..reports.verdicts import print_certificate
    from ..verifiers.proof.certificate import check_file
    from ..verifiers.proof.export.export import export as export_to
    from ..verifiers.proof.format import LimitReached, Rejected
    from ..verifiers.report import certificate_json
    from ..verifiers.verify import subject_of

    stated = load_reduced(claim)
    single = isinstance(stated, WordClaim)
    if not single:
        refuse({"--export": export}, EVERY_POSITION)
    certificate, why, status = None, "", 0
    try:
        with status_line(output.quiet) as progress:
            if export is not None and isinstance(stated, WordClaim):
                export_to(stated, proof, export, timeout, progress)
            certificate = check_file(subject_of(stated), proof, timeout, progress)
    except Rejected as error:
        why, status = str(error), REJECTED
    except LimitReached as error:
        why, status = str(error), UNKNOWN
    size, two = stated.domain_size, isinstance(stated, WordClaim) and stated.comparison is not None
    output.show(
        lambda: certificate_json(certificate, why, size),
        lambda: print_certificate(certificate, why, status == UNKNOWN, size, two=two, everywhere=not single),
    )
    return status


commands = (prove, check)
