"""`relucid verify` of an ONNX network and a VNN-LIB property, and what `prove` and `check` do with boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..common.errors import InputError
from ..verifiers.boxes.verdicts import BACKENDS
from ..verifiers.verdict import Proved, Verdict
from .limits import Limited, memory_option, timeout_option
from .options import json_option, names_in, print_json, quiet_option, say, status_line, writing
from .status import REJECTED, UNKNOWN, exit_status


def _undecided(why: str, options: dict[str, Any], seconds: float) -> None:
    """Print that `verify` reached a limit that its own child did not keep."""
    from ..reports.verdicts import print_verdict
    from ..verifiers.boxes import verdicts
    from ..verifiers.report import verdict_json
    from ..verifiers.verdict import BoxDetails

    if options["check"] is not None:
        _print_check(None, why, True, options["as_json"])
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
@timeout_option(60.0)
@memory_option(4096)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random."
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Threads [default: one per core].")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    default=None,
    help="A second network: how far are its outputs from NETWORK's?",
)
@click.option(
    "--epsilon", default=None, help="With --against: may the outputs differ by more than this (a decimal)?"
)
@click.option(
    "--same-label",
    is_flag=True,
    help="With --against: may the largest output be another one?  Ties go to the first.",
)
@click.option(
    "--backends",
    "--backend",
    "backend",
    type=click.Choice(BACKENDS),
    default=BACKENDS[0],
    show_default=True,
    help="race: all; split: bounds only; lp: linear programs, whose dual bounds are proved; "
    "milp: HiGHS's tree, which has tolerances.",
)
@click.option(
    "--trust",
    type=click.Choice(["exact", "float"]),
    default="exact",
    show_default=True,
    help="float: accept unsat from HiGHS, which has tolerances.",
)
@click.option(
    "--proof",
    type=click.Path(path_type=Path),
    default=None,
    help="Write a proof (unsat) or a witness (sat) to this file.",
)
@click.option(
    "--format",
    "proof_format",
    type=click.Choice(["relucid", "aptp"]),
    default=None,
    help="Format of the proof [default: relucid].",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    default=None,
    help="Decide nothing; check this proof or witness.",
)
@quiet_option
@json_option
def verify(
    network: Path,
    spec: Path,
    timeout: float,
    memory: int,
    seed: int,
    workers: int | None,
    against: Path | None,
    epsilon: str | None,
    same_label: bool,
    backend: str,
    trust: str,
    proof: Path | None,
    proof_format: str | None,
    check: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide whether NETWORK (.onnx) can give an output that SPEC (.vnnlib) calls unsafe.  Both may be .gz.

    The first line is VNN-COMP's word: unsat (it cannot, proved), sat (with the input), unknown or timeout.
    Exit status: 0 unsat, 1 sat, 2 bad input, 3 unknown, 130 interrupted.
    """
    from ..verifiers.boxes.process import verify_files

    if check is not None:
        return check_property(network, spec, check, timeout, quiet, as_json)
    if proof is None and proof_format is not None:
        raise InputError(
            "--format", "it says how a proof is written, and none is asked for", "add --proof FILE"
        )
    if same_label and (against is None or epsilon is not None):
        what = "is about two networks" if against is None else "and --epsilon are two questions"
        raise InputError(
            "--same-label",
            what,
            "give the second one with --against" if against is None else "ask one of them",
        )
    if backend != BACKENDS[0] and (proof is not None or against is not None):
        raise InputError(f"--backends {backend}", "writes no proofs and compares no networks", "leave it out")
    if proof is not None and against is not None:
        raise InputError("--proof", "there are no proofs about two networks over a box", "leave it out")
    if proof is not None:
        from ..models.apart import check_apart, network_files
        from ..verifiers.proof.certify import check_place

        check_apart([("--proof", proof)], (*network_files(network), spec))
        check_place(proof)
    with status_line(quiet) as progress:
        options: dict[str, Any] = {
            "timeout": timeout,
            "memory_mb": memory,
            "seed": seed,
            "threads": workers,
            "proof": proof,
        }
        options["proof_format"] = proof_format or "relucid"
        options |= {
            "against": against,
            "epsilon": _epsilon(epsilon, against),
            "same_label": same_label,
            "backend": backend,
            "trust": trust,
        }
        answer = verify_files(network, spec, progress=progress, **options)
    return _told(answer, against is not None and epsilon is None and not same_label, quiet, as_json)


def prove_box(
    claim: Any,
    *,
    proof: Path | None,
    timeout: float,
    memory: int,
    workers: int | None,
    seed: int,
    trust: str | None,
    backends: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide a claim about a box for `relucid prove`, as `verify` does, and return the exit status."""
    from ..verifiers.boxes.process import verify_files

    two = claim.network_b is not None
    names = names_in(backends) or (BACKENDS[0],)
    if len(names) != 1 or names[0] not in BACKENDS:
        raise InputError(
            "--backends",
            f"a claim about a box is decided by one of {', '.join(BACKENDS)}",
            "name one of them, or leave it out",
        )
    if names[0] != BACKENDS[0] and (two or proof is not None):
        raise InputError(
            "--backends", f"{names[0]} writes no proofs and compares no networks", "leave it out"
        )
    if two and (proof is not None or trust == "checked"):
        raise InputError(
            "--proof" if proof is not None else "--trust checked",
            "there are no proofs about two networks over a box",
            "leave it out",
        )
    if proof is not None:
        from ..verifiers.proof.certify import check_place

        check_place(proof)
    options: dict[str, Any] = {
        "timeout": timeout,
        "memory_mb": memory,
        "seed": seed,
        "threads": workers,
        "proof": proof,
    }
    options |= {
        "against": claim.network_b,
        "epsilon": claim.epsilon,
        "same_label": two and claim.epsilon is None,
    }
    options |= {"backend": names[0], "trust": trust}
    with status_line(quiet) as progress:
        answer = verify_files(claim.network, claim.stated, progress=progress, **options)
    if two and trust is None and isinstance(answer, Proved):
        answer = replace(answer, certificate="not checked: there are no proofs about two networks over a box")
    return _told(answer, False, quiet, as_json)


def _told(verdict: Verdict, bare: bool, quiet: bool, as_json: bool) -> int:
    """Print the verdict, and return its exit status."""
    from ..reports.verdicts import print_verdict
    from ..verifiers.report import verdict_json

    with writing():
        if as_json:
            print_json(verdict_json(verdict))
        else:
            print_verdict(verdict, bare=bare, quiet=quiet)
            for warning in verdict.warnings:
                say(f"warning: {warning}")
    return exit_status(verdict)


def check_box(claim: Any, proof: Path, timeout: float, quiet: bool, as_json: bool) -> int:
    """Check a proof of a claim about a box for `relucid check`, and return the exit status."""
    if claim.network_b is not None:
        raise InputError(
            str(proof), "there are no proofs about two networks over a box", "check claims about one"
        )
    return check_property(claim.network, claim.stated, proof, timeout, quiet, as_json)


def _epsilon(text: str | None, against: Path | None) -> Any:
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


def check_property(network: Path, spec: Path, proof: Path, timeout: float, quiet: bool, as_json: bool) -> int:
    """Check a proof; return 0 if it is accepted, 1 if rejected, 3 if limits were reached."""
    from ..verifiers.proof.boxes.subject import check_files
    from ..verifiers.proof.format import LimitReached, Rejected

    why, status, found = "", 0, None
    try:
        with status_line(quiet) as progress:
            found = check_files(network, spec, proof, timeout, progress)
    except Rejected as error:
        why, status = str(error), REJECTED
    except LimitReached as error:
        why, status = str(error), UNKNOWN
    with writing():
        _print_check(found, why, status == UNKNOWN, as_json)
    return status


def _print_check(found: Any, why: str, late: bool, as_json: bool) -> None:
    """Print what the checker `found`; None if it did not accept the file, and `why` says the reason."""
    from ..reports.verdicts import box_check_line
    from ..verifiers.report import box_certificate_json

    if as_json:
        print_json(box_certificate_json(found, why))
    else:
        click.echo(box_check_line(found, why, late))


def bench_vnncomp(
    suite: str | None, directory: Path | None, html: Path | None, quiet: bool, as_json: bool, **options: Any
) -> int:
    """Run `relucid bench vnncomp DIRECTORY`: results in --out, a table, and a page if one is wanted."""
    from ..benchmarks.vnncomp import RESULTS, TABLE, VnncompPlan, column, run, summary, word
    from ..common.text import visible

    if suite != "vnncomp":
        raise click.UsageError(f"{suite} takes no directory.")
    if directory is None:
        raise InputError("bench vnncomp", "names no directory", "give a folder with an instances.csv")
    source = click.get_current_context().get_parameter_source("timeout")
    own_limits = source is None or source.name == "DEFAULT"
    chosen = {k: options[k] for k in ("out", "workers", "again", "seed", "repeat", "only", "jobs")}
    backends = tuple(names_in(options["backends"]) or BACKENDS[:1])
    timeout = None if own_limits else options["timeout"]
    plan = VnncompPlan(directory, timeout=timeout, memory_mb=options["memory"], backends=backends, **chosen)
    if html is not None:
        from ..benchmarks.instances import read_files
        from ..benchmarks.vnncomp import written_files
        from ..models.apart import check_apart
        from ..reports.html import check_page

        check_page(html)
        check_apart(
            [*(("--out", p) for p in written_files(options["out"])), ("--html", html)], read_files(directory)
        )
    with status_line(quiet) as progress:
        results = run(plan, progress)
    if html is not None:
        from ..benchmarks.page import write_page
        from ..benchmarks.score import summarise

        write_page(html, summarise(results))
    found = {name: summary([r for r in results if r.backend == column(name)]) for name in backends}
    with writing():
        if as_json:
            print_json(found[backends[0]] | ({"backends": found} if len(backends) > 1 else {}))
            return 0
        for r in results if not quiet else ():
            detail = f"  {visible(r.detail)}" if r.detail else ""
            who = f"{r.backend:13} " if len(backends) > 1 else ""
            click.echo(
                f"{word(r):8} {r.seconds:8.2f}  {who}{visible(Path(r.file).name)}  "
                f"{visible(Path(r.spec).name)}{detail}"
            )
        for name, counts in found.items():
            shown = ", ".join(
                f"{v} {k}" if k not in ("seconds", "slowest") else f"{k} {v}" for k, v in counts.items()
            )
            click.echo(f"{name}: {shown}" if len(backends) > 1 else shown)
        if not quiet:
            click.echo(
                f"written: {options['out'] / TABLE} {options['out'] / RESULTS}" + (f" {html}" if html else "")
            )
    return 0
