"""A formula as files that other programs read: what `--dump` writes, so that a third party can ask its own solver.

Each function gives the texts of one encoding by file ending.  A file is satisfiable (feasible) iff the formula is.
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
    """SMT-LIB 2.6, QF_BV."""
    return {"smt2": bitvector(formula).text}


def smt_real(formula: Formula) -> Mapping[str, str]:
    """SMT-LIB 2.6, QF_LRA."""
    return {"smt2": linear_real(formula).text}


def mixed_integer(formula: Formula) -> Mapping[str, str]:
    """LP and MPS, the same program twice; with every number as an exact decimal."""
    encoded = milp(formula)
    return {"lp": encoded.lp_text(), "mps": encoded.mps_text()}


def cpsat_proto(formula: Formula) -> Mapping[str, str]:
    """CP-SAT's protocol buffer in text form."""
    return {"pbtxt": cpsat(formula).text()}


def opb(formula: Formula) -> Mapping[str, str]:
    """OPB, pseudo-Boolean."""
    return {"opb": pseudo_boolean(formula).text()}


def dimacs(formula: Formula) -> Mapping[str, str]:
    """DIMACS, clauses."""
    return {"cnf": cnf(formula).text()}
