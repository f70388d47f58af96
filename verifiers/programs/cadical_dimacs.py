"""Program: DIMACS text on stdin, solved by CaDiCaL 1.9.5 (through python-sat), competition output on stdout.

    python cadical_dimacs.py SECONDS <formula.cnf

Prints "s SATISFIABLE" and "v 1 -2 ... 0", or "s UNSATISFIABLE".  A process of its own, as nothing can interrupt it; it ends
after SECONDS of computing, even if nobody is left to end it.
"""

from __future__ import annotations

import resource
import sys


def main(seconds: int) -> None:
    from pysat.solvers import Solver

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    lines = (line for line in sys.stdin if line[0] not in "cp")
    with Solver(name="cadical195", bootstrap_with=([int(v) for v in line.split()[:-1]] for line in lines)) as solver:
        if solver.solve():
            print("s SATISFIABLE")
            print("v", *solver.get_model(), 0)
        else:
            print("s UNSATISFIABLE")


if __name__ == "__main__":
    main(int(sys.argv[1]))
