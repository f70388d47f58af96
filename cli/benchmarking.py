"""The commands that compare solvers: `bench`, `report`, `compare`.

Registered by `cli/main.py`; nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..common.errors import InputError
from .behaviours import BehaviourOptions, behaviour_options, bench_distill
from .limits import Limited, memory_option, timeout_option
from .options import (
    Output,
    choice_option,
    count_option,
    html_option,
    names_in,
    output_options,
    path_option,
    refuse,
)
from .printing import status_line

ONLY_HELP = "Only claims whose name matches this regular expression."


@click.command(cls=Limited, each=True)
@click.argument("suite", required=False)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@path_option("--out", "Folder for claims and results.", default=Path("out/bench"), show_default=True)
@click.option(
    "--backends",
    default=None,
    help="Only these columns, separated by commas [default: all; of vnncomp: race].",
)
@choice_option(
    "--seeds", ("tune", "report"), "Seeds of the suite `tokens`.", default="tune", show_default=True
)
@click.option("--only", default="", help=ONLY_HELP)
@timeout_option(60.0, "Seconds for each attempt.")
@memory_option(4096, "Megabytes per solver.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Solvers side by side in the race, and threads of each solver [default: one per core].",
)
@count_option("--seed", 0, None, 0, "Seed of the solvers.")
@count_option("--jobs", 1, None, 1, "Attempts side by side; more than 1 blurs the times.")
@count_option("--repeat", 1, 1000, 1, "Make each attempt N times; medians count.")
@click.option("--again", is_flag=True, help="Make attempts again that have a result.")
@path_option("--dump", "Write every column's formulas to this new folder first.")
@path_option("--report", "Only report on the results in FOLDER.", metavar="FOLDER")
@html_option
@behaviour_options
@output_options
def bench(
    suite: str | None,
    directory: Path | None,
    report: Path | None,
    html: Path | None,
    chosen: BehaviourOptions,
    output: Output,
    **options: Any,
) -> int:
    """Run each solver alone, and the race, on every claim of SUITE, and compare them.

    \b
    SUITE is one of (docs/reference/benchmark.md)
      tokens              claims with trained networks, made from seeds
      a claim file, or a folder of claim files
      distill             50 known behaviours, or those of --suite FILE, from circuit to proof
      vnncomp DIRECTORY   `relucid verify` on every instance of an instances.csv (or that folder alone)

    Attempts that have a result in --out are not made again, so a run that was stopped goes on.
    """
    if suite is not None and directory is None and (Path(suite) / "instances.csv").is_file():
        suite, directory = "vnncomp", Path(suite)
    if suite == "distill" and report is None and directory is None:
        return bench_distill(chosen, html, output, **options)
    refuse(chosen.given, "only the suite distill has behaviours")
    if suite == "vnncomp" or directory is not None:
        return _bench_vnncomp(suite, directory, html, output, **options)
    from ..benchmarks import bench as benchmark
    from ..benchmarks.watch import watching

    if html is not None:
        written = benchmark.written_files(report or options["out"])
        _check_page(html, written, benchmark.read_files(suite) if report is None and suite else ())
    with watching(output.quiet) as watch:
        if report is not None:
            summary, out = benchmark.report(report, options["only"]), report
        else:
            plan = benchmark.plan_of(suite, backends=names_in(options.pop("backends")), **options)
            summary, out = benchmark.run(plan, watch), plan.out
    return _shown(summary, out, html, output)


def _check_page(html: Path, written: Any, read: Any) -> None:
    """Raise InputError if the page could not be written, or would replace a file that is read or written."""
    from ..models.apart import check_apart
    from ..reports.html import check_page

    check_page(html)
    check_apart([*(("--out", p) for p in written), ("--html", html)], read)


def _bench_vnncomp(
    suite: str | None, directory: Path | None, html: Path | None, output: Output, **options: Any
) -> int:
    """Run all instances of a VNN-COMP folder: results and a table in --out, and a page if one is wanted."""
    from ..benchmarks import instances, vnncomp
    from ..verifiers.boxes.verdicts import BACKENDS

    if suite == "vnncomp":
        refuse({"--dump": options["dump"]}, "the suite vnncomp has no columns to compare")
    if suite != "vnncomp":
        raise click.UsageError(f"{suite} takes no directory.")
    if directory is None:
        raise InputError("bench vnncomp", "names no directory", "give a folder with an instances.csv")
    source = click.get_current_context().get_parameter_source("timeout")
    own_limits = source is None or source.name == "DEFAULT"
    chosen = {k: options[k] for k in ("out", "workers", "again", "seed", "repeat", "only", "jobs")}
    backends, out = tuple(names_in(options["backends"]) or BACKENDS[:1]), options["out"]
    timeout = None if own_limits else options["timeout"]
    plan = vnncomp.VnncompPlan(
        directory, timeout=timeout, memory_mb=options["memory"], backends=backends, **chosen
    )
    if html is not None:
        _check_page(html, vnncomp.written_files(out), instances.read_files(directory))
    with status_line(output.quiet) as progress:
        results = vnncomp.run(plan, progress)
    if html is not None:
        from ..benchmarks.page import write_page
        from ..benchmarks.score import summarise

        write_page(html, summarise(results))
    found = {
        name: vnncomp.summary([r for r in results if r.backend == vnncomp.column(name)]) for name in backends
    }
    output.show(
        lambda: found[backends[0]] | ({"backends": found} if len(backends) > 1 else {}),
        lambda: click.echo("\n".join(_vnncomp_lines(results, found, out, html, output.quiet))),
    )
    return 0


def _vnncomp_lines(
    results: Any, found: dict[str, Any], out: Path, html: Path | None, quiet: bool
) -> list[str]:
    """Return a line for each instance, one for each backend, and one for the files that were written."""
    from ..benchmarks.results import RESULTS
    from ..benchmarks.vnncomp import TABLE, word
    from ..common.text import visible

    lines, several = [], len(found) > 1
    for r in results if not quiet else ():
        files = f"{visible(Path(r.file).name)}  {visible(Path(r.spec).name)}"
        detail = f"  {visible(r.detail)}" if r.detail else ""
        lines.append(f"{word(r):8} {r.seconds:8.2f}  {f'{r.backend:13} ' if several else ''}{files}{detail}")
    for name, counts in found.items():
        shown = ", ".join(
            f"{v} {k}" if k not in ("seconds", "slowest") else f"{k} {v}" for k, v in counts.items()
        )
        lines.append(f"{name}: {shown}" if several else shown)
    if not quiet:
        lines.append(f"written: {out / TABLE} {out / RESULTS}{f' {html}' if html else ''}")
    return lines


@click.command(name="report", cls=Limited)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--only", default="", help=ONLY_HELP)
@html_option
@timeout_option(600.0)
@memory_option(8192)
@output_options
def report_command(results: Path, only: str, html: Path | None, output: Output, **limits: Any) -> int:
    """Report on RESULTS, and change nothing there.

    RESULTS is a results.jsonl of `bench` or its folder, or the folder that `distill` wrote.
    """
    from ..benchmarks.bench import summary_of
    from ..benchmarks.results import results_path
    from ..reports.run import is_run

    path = results_path(results)
    if html is not None:
        from ..models.apart import claim_files
        from ..reports.run import CLAIM, RESULT

        _check_page(html, (), (path, results / RESULT, *claim_files(results / CLAIM)))
    if not path.exists() and is_run(results):
        return _distillation(results, only, html, output)
    return _shown(summary_of(path, only), None, html, output)


def _distillation(folder: Path, only: str, html: Path | None, output: Output) -> int:
    """Write the page on a distillation if one is wanted, then print text or JSON."""
    from ..reports.distillation_page import examined, write_distillation
    from ..reports.distillation_text import print_report, report_json
    from ..reports.run import read_run

    if only:
        raise InputError("--only", "a distillation is about one claim", "leave it out")
    with status_line(output.quiet) as progress:
        found = examined(read_run(folder), progress)
    if html is not None:
        write_distillation(html, found)
    page = None if html is None else str(html)
    output.show(lambda: report_json(found), lambda: print_report(found, page, output.quiet))
    return 0


def _shown(summary: Any, out: Path | None, html: Path | None, output: Output) -> int:
    """Write the page if one is wanted, then print tables or JSON."""
    from ..benchmarks.report import print_report
    from ..benchmarks.summary_json import summary_json

    if html is not None:
        from ..benchmarks.page import write_page

        write_page(html, summary)
    output.show(lambda: summary_json(summary), lambda: print_report(summary, out, html, output.quiet))
    return 0


@click.command(cls=Limited)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.1,
    show_default=True,
    help="Times that differ by less than this share are equal.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of the paired test.",
)
@timeout_option(600.0)
@memory_option(8192)
@output_options
def compare(before: Path, after: Path, tolerance: float, alpha: float, output: Output, **limits: Any) -> int:
    """Say what changed from BEFORE to AFTER, two results.jsonl of `bench` or their folders.

    Exit status: 0 nothing is worse, 1 something is (newly lost or wrong, or slower by the paired test), 2 bad
    input.
    """
    from ..benchmarks.comparison import compared, comparison_json
    from ..benchmarks.report import print_comparison
    from ..benchmarks.results import read_file, results_path

    first, second = (read_file(results_path(path)) for path in (before, after))
    found = compared(first, second, tolerance, alpha)
    output.show(lambda: comparison_json(found), lambda: print_comparison(found, output.quiet))
    return int(found.worse)


commands = (bench, report_command, compare)
