"""A formula as files that other programs read (`--dump`), so that third parties can ask their own solvers.

After the encoders.  Each function returns the texts of one encoding by file ending.  A file is satisfiable
(feasible) iff the formula is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .bitvector import bitvector
from .cnf import cnf
from .cpsat import cpsat
from .formula import Formula
from .linear_real import linear_real
from .milp import milp
from .pseudo_boolean import pseudo_boolean

Export = Callable[[Formula], Mapping[str, str]]


def smt_bitvector(formula: Formula) -> Mapping[str, str]:
    """Return SMT-LIB 2.6 text in QF_BV."""
    return {"smt2": bitvector(formula).text}


def smt_real(formula: Formula) -> Mapping[str, str]:
    """Return SMT-LIB 2.6 text in QF_LRA."""
    return {"smt2": linear_real(formula).text}


def mixed_integer(formula: Formula) -> Mapping[str, str]:
    """Return the same MILP in LP and in MPS format, with every number as an exact decimal."""
    encoded = milp(formula)
    return {"lp": encoded.lp_text(), "mps": encoded.mps_text()}


def cpsat_proto(formula: Formula) -> Mapping[str, str]:
    """Return CP-SAT's protocol buffer in text form.  Raises Unsupported."""
    return {"pbtxt": cpsat(formula).text()}


def opb(formula: Formula) -> Mapping[str, str]:
    """Return pseudo-Boolean constraints in OPB format."""
    return {"opb": pseudo_boolean(formula).text()}


def dimacs(formula: Formula) -> Mapping[str, str]:
    """Return clauses in DIMACS format."""
    return {"cnf": cnf(formula).text()}
