"""Program: DIMACS text on stdin, solved by CaDiCaL 1.9.5 (through python-sat), competition output on stdout.

    python cadical_dimacs.py SECONDS [LOG] <formula.cnf

Prints "s SATISFIABLE" and "v 1 -2 ... 0", or "s UNSATISFIABLE" and, with LOG, writes the proof to LOG.proof
(DRAT as text).  It is a process of its own because nothing can interrupt it.  It ends after SECONDS of
computing, even if nobody is left to end it.
"""

from __future__ import annotations

import resource
import sys


def main(seconds: int, log: str = "") -> None:
    from pysat.solvers import Solver

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    lines = (line for line in sys.stdin if line[0] not in "cp")
    clauses = ([int(v) for v in line.split()[:-1]] for line in lines)
    with Solver(name="cadical195", bootstrap_with=clauses, with_proof=bool(log)) as solver:
        if solver.solve():
            print("s SATISFIABLE")
            print("v", *solver.get_model(), 0)
            return
        if log:
            with open(f"{log}.proof", "w", encoding="ascii") as file:
                file.writelines(f"{line}\n" for line in solver.get_proof())
        print("s UNSATISFIABLE")


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
