"""Errors that a user can mend: one line that says what is wrong, where, and how to mend it.

Everything that reads input raises `InputError`; the command line prints it and exits with 2.  Nothing else
may end with exit status 2.
"""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: `where: what; mend`, always one line."""

    def __init__(self, where: str, what: str, mend: str = "") -> None:
        text = f"{where}: {what}" + (f"; {mend}" if mend else "")
        super().__init__(" ".join(text.split()))
        self.where, self.what, self.mend = where, what, mend


class TooLarge(InputError):
    """Good input that is over a limit on memory; `verify` answers unknown."""


class ProgramError(InputError):
    """A program's source is outside the subset: `origin:line: construct; mend`."""


class Unsupported(Exception):
    """This engine cannot take this claim; another may.  Never shown as an answer."""
