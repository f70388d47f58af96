"""The options that commands share, and the types in which a command gets their values.

Every file of commands in `cli/` uses it.  Nothing heavy is imported at the top.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import InputError
from .limits import memory_option, timeout_option
from .printing import print_json, writing

if TYPE_CHECKING:
    from ..verifiers.attempts import Trust
    from ..verifiers.race.backend import Budget

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


# -- options -------------------------------------------------------------------------------------------------


def path_option(name: str, help: str, **settings: Any) -> Decorator:
    """Return an option that takes a file or a folder."""
    return click.option(name, type=click.Path(path_type=Path), help=help, **settings)


def choice_option(name: str, choices: tuple[str, ...], help: str, **settings: Any) -> Decorator:
    """Return an option that takes one of a few words."""
    return click.option(name, type=click.Choice(choices), help=help, **settings)


def count_option(name: str, least: int, most: int | None, default: int, help: str) -> Decorator:
    """Return an option that takes a whole number from `least` to `most`, and shows its default."""
    return click.option(name, type=click.IntRange(least, most), default=default, show_default=True, help=help)


def bundled(name: str, kind: type, *options: Decorator) -> Decorator:
    """Return a decorator that adds the options to a command, which gets their values as one argument.

    name: the argument's name.
    kind: a dataclass whose fields are called as the options are.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(**values: Any) -> Any:
            found = {field.name: values.pop(field.name) for field in fields(kind) if field.name in values}
            return command(**values, **{name: kind(**found)})

        wrapped: Callable[..., Any] = run
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="Show no progress, and print the answer only."
)
html_option = path_option("--html", "Write a report for the browser to this file.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
ablation_option = choice_option(
    "--ablation",
    ("mean", "zero"),
    "What replaces nodes that the mask does not keep, over the domain [default: what the mask says].",
)
run_code_option = click.option(
    "--run-code",
    is_flag=True,
    help="Run a TorchScript circuit (.pt).  It is a program, and runs with your rights.",
)
backends_option = click.option(
    "--backends",
    default=None,
    help="Only these, separated by commas; name:option for variants (see `relucid backends`).",
)
trust_option = choice_option(
    "--trust",
    ("checked", "exact", "float"),
    "Trust that a proof must reach [default: checked where a proof is affordable, else exact].",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Solvers or threads side by side [default: one per core].",
)
seed_option = count_option("--seed", 0, None, 0, "Seed of everything random.")


@dataclass(frozen=True)
class Output:
    """How a command prints: `quiet` leaves out all but the first lines, `as_json` prints one JSON object."""

    quiet: bool = False
    as_json: bool = False

    def show(self, plain: Callable[[], object], text: Callable[[], object]) -> None:
        """Print the result: what `plain` returns as JSON, or what `text` prints."""
        with writing():
            if self.as_json:
                print_json(plain())
            else:
                text()


output_options = bundled("output", Output, quiet_option, json_option)


@dataclass(frozen=True)
class ClaimLimits:
    """What a claim's proof may cost, how far it must be trusted, and who may work on it."""

    timeout: float
    memory: int
    workers: int | None
    seed: int
    trust: Trust | None
    backends: str | None
    counterexamples: int = 1

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names in `backends`; None means all.  Raises InputError."""
        return names_in(self.backends)

    @property
    def cores(self) -> int:
        """How many solvers run side by side."""
        return self.workers or os.cpu_count() or 1

    def budget(self, checkpoint: Path | None = None) -> Budget:
        """Return the same limits as the race takes them."""
        from ..verifiers.race.backend import Budget

        kept = None if checkpoint is None else str(checkpoint)
        return Budget(self.timeout, self.memory, self.cores, self.seed, self.counterexamples, kept)


def limit_options(timeout: float, memory: int, *others: Decorator) -> Decorator:
    """Return the options of `ClaimLimits`, with these defaults in seconds and megabytes."""
    memory_help = "Megabytes of relucid's process, and of each solver."
    shared = timeout_option(timeout), memory_option(memory, memory_help), workers_option, seed_option
    return bundled("limits", ClaimLimits, trust_option, backends_option, *shared, *others)


@dataclass(frozen=True)
class ProofFile:
    """Where a proof is written (None: nowhere), and in which format (None: the default)."""

    proof: Path | None = None
    proof_format: str | None = None

    def check(self, inputs: Iterable[Path | str]) -> None:
        """Raise InputError if no proof can be written there, or if it would replace a file that is read."""
        if self.proof is None:
            if self.proof_format is not None:
                what = "it says how a proof is written, and none is asked for"
                raise InputError("--format", what, "add --proof FILE")
            return
        from ..models.apart import check_apart
        from ..verifiers.proof.certify import check_place

        check_apart([("--proof", self.proof)], tuple(map(Path, inputs)))
        check_place(self.proof)


def proof_options(formats: tuple[str, ...], help: str) -> Decorator:
    """Return the options of `ProofFile`."""
    formats_help = "Format of the proof [default: relucid]."
    return bundled(
        "proof",
        ProofFile,
        path_option("--proof", help),
        click.option("--format", "proof_format", type=click.Choice(formats), default=None, help=formats_help),
    )


counterexamples_option = count_option(
    "--counterexamples", 1, 10_000, 1, "How many distinct counterexamples to look for."
)


def names_in(backends: str | None) -> tuple[str, ...] | None:
    """Return the names in a list with commas; None if there is no list.  Raises InputError if it is empty."""
    if backends is None:
        return None
    found = tuple(name.strip() for name in backends.split(",") if name.strip())
    if not found:
        raise InputError("--backends", "names no backend", "see `relucid backends`")
    return found


def refuse(options: Mapping[str, object], why: str) -> None:
    """Raise InputError for the first option that was given (is not None) though it means nothing here."""
    for option, value in options.items():
        if value is not None:
            raise InputError(option, why, "leave it out")
