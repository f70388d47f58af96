"""The command line: the group of all commands, and how they end.

`__main__.py` calls `main`.  Each file in `cli/` has a list of commands; `HOMES` says which are where.
Results go to stdout, progress and errors to stderr; an error is one line and never a traceback.  `status.py`
has the exit statuses.  Nothing heavy is imported at the top.
"""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from importlib import import_module

import click

from ..common.errors import InputError
from ..common.optional import told
from ..common.processes.forked import in_child
from ..common.streams import Unwritable, standard_streams
from ..version import __version__
from .limits import ALONE
from .printing import fail, say
from .status import BAD_INPUT, INTERNAL, INTERRUPTED, UNKNOWN

HOMES = {
    "proving": ("prove", "check"),
    "distilling": ("distill",),
    "verify": ("verify",),
    "circuits": ("show", "train", "prune"),
    "benchmarking": ("bench", "report", "compare"),
    "backends": ("backends",),
}

# Arguments of the Python API as options.
OPTIONS = {
    "ablation": "--ablation",
    "backends": "--backends",
    "checkpoint": "--checkpoint",
    "domain": "--domain",
    "enumerate_up_to": "--enumerate",
    "form": "--format",
    "mask": "--mask",
    "memory_mb": "--memory",
    "seconds": "--timeout",
}


class _Commands(click.Group):
    """The commands, each loaded when it is asked for: a command starts without the code of the others."""

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """Return the names of all commands."""
        return sorted(name for names in HOMES.values() for name in names)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """Return a command by its name, or None if there is none."""
        for home, names in HOMES.items():
            if cmd_name in names:
                loaded: tuple[click.Command, ...] = import_module(f".{home}", __package__).commands
                return next(command for command in loaded if command.name == cmd_name)
        return None


def all_commands() -> dict[str, click.Command]:
    """Return every command by its name."""
    found = {name: app.get_command(None, name) for name in app.list_commands(None)}
    return {name: command for name, command in found.items() if command is not None}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
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


def main(arguments: list[str] | None = None, *, alone: bool = False) -> int:
    """Run the command line, and return the exit status.  Never shows a traceback.

    arguments: those of the process if None.
    alone: relucid has the process for itself: the command runs in a child, with limits that are kept from
        outside.
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
        return fail(str(_by_option(error)), BAD_INPUT)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.ctx.get_help() if error.ctx else "see relucid --help")
        return BAD_INPUT
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "relucid"
        return fail(f"{error.format_message()} See `{command} --help`.", BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        if in_child():  # whoever watches it says so
            return INTERRUPTED
        return fail("interrupted", INTERRUPTED)
    except Unwritable as error:
        return fail(f"cannot write the result ({error})", INTERNAL)
    except MemoryError:
        return fail("unknown: memory: there is no more of it", UNKNOWN)
    except OSError as error:
        # even asking whether there is such a file can fail
        if error.errno in (errno.ENAMETOOLONG, errno.EACCES) and error.filename:
            return fail(f"{error.filename}: {error.strerror}; check the path", BAD_INPUT)
        return _internal(error, arguments)
    except ModuleNotFoundError as error:
        wanted = told(error, " ".join(arguments[:1]))
        return _internal(error, arguments) if wanted is None else fail(str(wanted), BAD_INPUT)
    except Exception as error:
        return _internal(error, arguments)


def _by_option(error: InputError) -> InputError:
    """Name the option where the Python API names its argument."""
    return InputError(OPTIONS.get(error.where, error.where), error.what, error.mend)


def _internal(error: Exception, arguments: list[str]) -> int:
    """Keep what is needed to mend the error, and say where; return the exit status 4."""
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
