"""The command line without a process of its own, for tests whose subject is what it says: a start of Python
costs as much as most answers.

`cli/test_limits.py`, `cli/test_streams.py` and `reports/test_console.py` start real processes.
"""

from __future__ import annotations

import io
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

from relucid.cli.main import main


def relucid(*words: object, cwd: Path | None = None) -> CompletedProcess[str]:
    """What a command prints and its exit status."""
    arguments, out, err = [str(word) for word in words], io.StringIO(), io.StringIO()
    with nullcontext() if cwd is None else chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        status = main(arguments)
    return CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
