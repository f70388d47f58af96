"""Program: OPB text on stdin, solved by Exact (package `exact`, AGPL-3.0), competition output on stdout.

    python exact_opb.py SECONDS SEED [LOG] <formula.opb

Prints "s SATISFIABLE" and "v x1 -x2 ...", "s UNSATISFIABLE", or "s UNKNOWN".  With LOG, it writes LOG.formula
(the constraints as it numbers them) and LOG.proof (in the VeriPB language) as it goes.  It is a process of
its own because of its licence and its memory.  It ends after SECONDS of computing, even if nobody is left to
end it.
"""

from __future__ import annotations

import re
import resource
import sys


def main(seconds: int, seed: int, log: str = "") -> None:
    from exact import Exact

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    text = sys.stdin.read()
    solver = Exact([("verbosity", "0"), ("seed", str(seed)), *([("proof-log", log)] if log else [])])
    count = int(re.search(r"#variable= (\d+)", text)[1])  # type: ignore[index]
    names = [f"x{v}" for v in range(1, count + 1)]
    for name in names:
        solver.addVariable(name, 0, 1)
    for line in text.splitlines():
        if line and not line.startswith("*"):
            *terms, relation, bound, _ = line.split()
            pairs = list(zip(map(int, terms[::2]), terms[1::2], strict=True))
            solver.addConstraint(pairs, True, int(bound), relation == "=", int(bound))
    # without optimisation: with it, "UNSAT" is also said after a solution was found
    answer = solver.runFull(False)
    if solver.hasSolution():
        print("s SATISFIABLE")
        print(
            "v",
            *(
                name if value else f"-{name}"
                for name, value in zip(names, solver.getLastSolutionFor(names), strict=True)
            ),
        )
    else:
        print("s UNSATISFIABLE" if answer == "UNSAT" else "s UNKNOWN")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
