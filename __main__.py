"""`python -m relucid`, and the console script.

Nothing is imported before interrupts are caught, and whatever happens has a status of its own: Python's own,
1, says refuted.
"""

from __future__ import annotations

import os
import sys


def entry() -> None:
    """Each command runs in a child process, which this one watches.  Ends the process at once: what is left
    of threads, solvers and the interpreter has nothing to do any more.
    """
    status, said = 4, ""
    try:
        from .common.streams import open_closed

        open_closed()
        from .cli.main import main

        status = main(alone=True)
    except KeyboardInterrupt:
        status, said = 130, "interrupted"
    except BaseException as error:  # an installation that is damaged
        said = " ".join(f"internal error ({type(error).__name__}: {error})".split())
    try:
        if said:
            print(f"relucid: {said}", file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # it is closed, or its reader has gone; `main` has seen to it
        pass
    os._exit(status)


if __name__ == "__main__":
    entry()
