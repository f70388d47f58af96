"""The command line: commands parse, call and print.  They are thin, and import nothing heavy at the top.

Exit status (docs/reference/command-line.md): 0 proved, 1 refuted, 2 bad input, 3 unknown, 4 internal error or
contradiction, 130 interrupted.
Results go to stdout, progress and errors to stderr; an error is one line.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import InputError
from ..common.optional import told
from ..common.processes.forked import in_child
from ..common.streams import Unwritable, standard_streams
from ..verifiers.report import undecided_json
from ..version import __version__
from .benchmarking import commands as bench_commands
from .circuits import commands as circuit_commands
from .limits import ALONE, Limited, memory_option, timeout_option, unchecked, undecided, undistilled
from .options import (
    ablation_option,
    fail,
    html_option,
    json_option,
    names_in,
    print_json,
    quiet_option,
    run_code_option,
    say,
    status_line,
    writing,
)
from .verify import check_box, check_property, prove_box, verify

if TYPE_CHECKING:
    from ..verifiers.verdict import Trust

from .status import BAD_INPUT, INTERNAL, INTERRUPTED, REJECTED, UNKNOWN, exit_status


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(__version__, prog_name="relucid")
def app() -> None:
    """Distil a neural circuit into a short Python program, and prove that they are equal.

    \b
    relucid distill quote_closing --out out    circuit -> surrogate -> program -> proof
    relucid prove out/claim.toml               is network = program on every input of the domain?
    relucid show out/claim.toml                the claim in plain words
    relucid verify net.onnx spec.vnnlib        can a network with real inputs give unsafe outputs?

    Exit status: 0 proved, 1 refuted, 2 bad input, 3 unknown, 4 internal error, 130 interrupted.
    """


def _limits(timeout: float, memory: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the options that `prove` and `distill` share, with these defaults of the limits."""
    options = (
        quiet_option,
        json_option,
        click.option(
            "--counterexamples",
            type=click.IntRange(1, 10_000),
            default=1,
            show_default=True,
            help="How many distinct counterexamples to look for.",
        ),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random."
        ),
        click.option(
            "--workers",
            type=click.IntRange(1),
            default=None,
            help="Solvers side by side [default: one per core].",
        ),
        memory_option(memory, "Megabytes of relucid's process, and of each solver."),
        timeout_option(timeout),
        click.option(
            "--backends",
            default=None,
            help="Only these, separated by commas; name:option for variants (see `relucid backends`).",
        ),
        click.option(
            "--trust",
            type=click.Choice(["checked", "exact", "float"]),
            default=None,
            help="Trust that a proof must reach [default: checked where a proof is affordable, else exact].",
        ),
    )

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in options:
            command = option(command)
        return command

    return with_options


def _budget(timeout: float, memory: int, workers: int | None, seed: int, counterexamples: int) -> Any:
    from ..verifiers.race.backend import Budget

    return Budget(timeout, memory, workers or os.cpu_count() or 1, seed, counterexamples)


@app.command(cls=Limited, unknown=undecided)
@click.argument("claim", type=click.Path(path_type=Path))
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    default=None,
    help="Keep unfinished work in this file, and go on from it if it is there.",
)
@click.option(
    "--proof",
    type=click.Path(path_type=Path),
    default=None,
    help="Write a checked proof, or the witness of a refutation, to this file.",
)
@click.option(
    "--format",
    "proof_format",
    type=click.Choice(["relucid", "veripb", "drat"]),
    default="relucid",
    show_default=True,
    help="Format of the proof: our own, or that of the solver exact (veripb) or CaDiCaL (drat).",
)
@click.option("--count", is_flag=True, help="If refuted: count the inputs on which they differ, exactly.")
@click.option(
    "--dump",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every backend's formulas to this new folder first.",
)
@_limits(60.0, 4096)
def prove(
    claim: Path,
    proof: Path | None,
    proof_format: str,
    checkpoint: Path | None,
    count: bool,
    dump: Path | None,
    quiet: bool,
    as_json: bool,
    trust: Trust | None,
    backends: str | None,
    **limits: Any,
) -> int:
    """Decide a claim file: is network = program (or = network) on every input of the domain?

    The answer is proved, refuted with a counterexample, or unknown.
    """
    from ..models.apart import check_apart, claim_files
    from ..models.claims.claim_file import load_box_files

    check_apart([("--proof", proof), ("--checkpoint", checkpoint), ("--dump", dump)], claim_files(claim))
    if (box := load_box_files(claim)) is not None:
        tokens: dict[str, object] = {"--checkpoint": checkpoint, "--dump": dump, "--count": count or None}
        tokens |= {"--format": None if proof_format == "relucid" else proof_format}
        tokens |= {"--counterexamples": None if limits.pop("counterexamples") == 1 else True}
        if (option := next((name for name, value in tokens.items() if value is not None), None)) is not None:
            raise InputError(
                option, "is for claims about tokens, and this one is about a box", "leave it out"
            )
        return prove_box(
            box,
            proof=proof,
            trust=trust or "exact",
            backends=backends,
            quiet=quiet,
            as_json=as_json,
            **limits,
        )

    from ..models.claims.claim_file import load_word_claim
    from ..verifiers.race.race import prove_claim
    from ..verifiers.race.request import ProofRequest
    from ..verifiers.report import verdict_json

    names = names_in(backends)
    with status_line(quiet) as progress:
        progress(f"reading {claim}")
        stated = load_word_claim(claim)
        if dump is not None:
            from ..verifiers.race.dump import dump_claim

            dump_claim(stated, names, dump, limits["timeout"], progress)
        budget = replace(_budget(**limits), checkpoint=None if checkpoint is None else str(checkpoint))
        verdict = prove_claim(
            stated,
            budget=budget,
            request=ProofRequest(trust, proof, proof_format, count, backends=names),
            progress=progress,
        )
    with writing():
        if as_json:
            print_json(verdict_json(verdict))
        else:
            from ..reports.verdicts import print_verdict

            print_verdict(verdict, two=stated.comparison is not None, quiet=quiet)
    return exit_status(verdict)


def _two(files: tuple[Path, ...]) -> tuple[Path, Path]:
    """Return claim and proof.  Raises UsageError if there are more or fewer files."""
    if len(files) > 3:
        raise click.UsageError(f"Got unexpected extra argument ({files[3]})")
    if len(files) < 2:
        raise click.UsageError(f"Missing argument '{('CLAIM', 'PROOF')[len(files)]}'.")
    return files[0], files[1]


@app.command(cls=Limited, unknown=unchecked)
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, metavar="CLAIM PROOF | NETWORK SPEC PROOF"
)
@timeout_option(3600.0)
@memory_option(4096)
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Of a veripb or drat proof: write formulas and proofs to this folder, as other checkers read them.",
)
@quiet_option
@json_option
def check(
    files: tuple[Path, ...], timeout: float, memory: int, folder: Path | None, quiet: bool, as_json: bool
) -> int:
    """Check that PROOF shows what it says, without any solver or rounding.

    It is about a claim file CLAIM (`prove --proof`), or about a NETWORK (.onnx) and a SPEC (.vnnlib; `verify --proof`).
    Exit status: 0 accepted, 1 rejected, 2 bad input, 3 out of time or memory.
    """
    del memory  # kept from outside
    from ..models.claims.claim_file import load_box_files

    if len(files) == 3:
        network, spec, proof = files
        if folder is not None:
            raise InputError("--export", "is for claims about tokens, not for properties", "leave it out")
        return check_property(network, spec, proof, timeout, quiet, as_json)
    claim, proof = _two(files)
    if (box := load_box_files(claim)) is not None:
        if folder is not None:
            raise InputError(
                "--export", "is for claims about tokens, and this one is about a box", "leave it out"
            )
        return check_box(box, proof, timeout, quiet, as_json)

    from ..models.claims.claim_file import load_word_claim
    from ..verifiers.proof.certificate import check_file
    from ..verifiers.proof.export.export import export
    from ..verifiers.proof.format import LimitReached, Rejected
    from ..verifiers.proof.words.subject import WordSubject
    from ..verifiers.report import certificate_json

    stated = load_word_claim(claim)
    certificate, why, status = None, "", 0
    try:
        with status_line(quiet) as progress:
            if folder is not None:
                export(stated, proof, folder, timeout, progress)
            certificate = check_file(WordSubject(stated), proof, timeout, progress)
    except Rejected as error:
        why, status = str(error), REJECTED
    except LimitReached as error:
        why, status = str(error), UNKNOWN
    with writing():
        if as_json:
            print_json(certificate_json(certificate, why, stated.domain_size))
        else:
            from ..reports.verdicts import print_certificate

            print_certificate(
                certificate, why, status == UNKNOWN, stated.domain_size, two=stated.comparison is not None
            )
    return status


@app.command(cls=Limited, unknown=undistilled)
@click.argument("circuit")
@click.option(
    "--domain", type=click.Path(path_type=Path), default=None, help="Claim file without network and program."
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for surrogate, program and claim."
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    default=None,
    help="Node mask (JSON) that cuts the circuit out of the model.",
)
@ablation_option
@run_code_option
@click.option(
    "--enumerate",
    "enumerate_up_to",
    type=click.IntRange(0, 10**7),
    default=10**7,
    show_default=True,
    help="Run the circuit on every input of domains of "
    "up to so many inputs, and on samples and counterexamples of larger ones.",
)
@html_option
@_limits(600.0, 8192)
def distill(
    circuit: str,
    domain: Path | None,
    out: Path,
    mask: Path | None,
    ablation: str | None,
    html: Path | None,
    quiet: bool,
    as_json: bool,
    trust: Trust | None,
    backends: str | None,
    **limits: Any,
) -> int:
    """Distil CIRCUIT into a short Python program, and prove that the two agree.

    CIRCUIT is a folder or file (docs/reference/circuits.md), file.py:function, or a shipped name such as
    quote_closing. Shipped circuits bring their own domain and mask.
    """
    from ..pipeline.distillation import NoProgram
    from ..pipeline.distillation import distill as run
    from ..pipeline.result_files import FILES, distillation_json

    names = names_in(backends)
    if html is not None:
        from ..models.apart import check_apart, circuit_files
        from ..reports.html import check_page

        check_page(html)
        written = [("--out", out / name) for name in FILES]
        check_apart([*written, ("--html", html)], circuit_files(circuit, mask, domain))
    try:
        with status_line(quiet) as progress:
            result = run(
                circuit,
                domain,
                mask=mask,
                ablation=ablation,
                out=out,
                backends=names,
                trust=trust,
                progress=progress,
                **limits,
            )
            if html is not None:
                from ..reports.distillation_page import write_report

                write_report(html, out, progress)
    except NoProgram as error:
        if as_json:
            print_json(undecided_json(str(error)))
        return fail(f"unknown: {error}", UNKNOWN)
    with writing():
        if as_json:
            print_json(distillation_json(result))
        else:
            from ..reports.console_show import print_distillation
            from ..reports.verdicts import print_verdict

            if quiet:
                print_verdict(result.verdict, quiet=True)
            else:
                print_distillation(result)
    return exit_status(result.verdict)


@app.command(name="backends", cls=Limited)
@click.option(
    "--check",
    "name",
    default=None,
    help="Run the conformance checks on this backend (docs/reference/add-a-backend.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_backends(name: str | None, as_json: bool) -> int:
    """List the installed solvers with version, trust and options.

    With --check, the exit status is 0 if the backend conforms, else 1.
    """
    if name is not None:
        from ..reports.console import conformance_report

        return 0 if conformance_report(name, as_json) else 1
    from ..reports.console import backends_table

    with writing():
        backends_table(as_json)
    return 0


for _command in (*bench_commands, *circuit_commands, verify):
    app.add_command(_command)


def main(arguments: list[str] | None = None, *, alone: bool = False) -> int:
    """Run the command line and return the exit status.  A traceback is never shown.

    With `alone`, the command runs in a child process whose limits are enforced from outside.
    """
    with standard_streams():
        return _status(list(sys.argv[1:] if arguments is None else arguments), alone)


def _status(arguments: list[str], alone: bool) -> int:
    try:
        # not `app.main`, which prints a blank line of its own on Ctrl-C
        with app.make_context("relucid", arguments, obj=ALONE if alone else None) as context:
            status = app.invoke(context)
        sys.stdout.flush()
        return int(status or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except InputError as error:
        return fail(str(error), BAD_INPUT)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.ctx.get_help() if error.ctx else "see relucid --help")
        return BAD_INPUT
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "relucid"
        return fail(f"{error.format_message()} See `{command} --help`.", BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        if in_child():  # the parent says so
            return INTERRUPTED
        return fail("interrupted", INTERRUPTED)
    except Unwritable as error:
        return fail(f"cannot write the result ({error})", INTERNAL)
    except MemoryError:
        return fail("unknown: memory: there is no more of it", UNKNOWN)
    except OSError as error:
        # The system refuses even to say whether there is such a file.
        if error.errno in (errno.ENAMETOOLONG, errno.EACCES) and error.filename:
            return fail(f"{error.filename}: {error.strerror}; check the path", BAD_INPUT)
        return _internal(error, arguments)
    except ModuleNotFoundError as error:
        wanted = told(error, " ".join(arguments[:1]))
        return _internal(error, arguments) if wanted is None else fail(str(wanted), BAD_INPUT)
    except Exception as error:
        return _internal(error, arguments)


def _internal(error: Exception, arguments: list[str]) -> int:
    """Save what is needed to mend an internal error, say where, and return status 4."""
    if getattr(error, "artefacts", ""):
        return fail(str(error), INTERNAL)
    what = f"internal error ({type(error).__name__}: {error}); please report it"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="relucid-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(f"relucid {__version__}\narguments: {arguments}\n\n{traceback.format_exc()}")
    except OSError:  # no room
        return fail(what, INTERNAL)
    return fail(f"{what} with {file.name}", INTERNAL)
