"""VNN-LIB 1.0, which is SMT-LIB with the variables X_i and Y_j: from the text to conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from ...common.errors import InputError
from ..network.head import Wanted
from .condition import Condition, Conjunction, Disjunction, Linear, comparison
from .vnnlib_terms import ARITHMETIC, MAX_INPUTS, Asserted, NotUnderstood, exact_number

MAX_DEPTH = 100  # brackets within brackets
VARIABLE = re.compile(r"([XY])_(\d{1,9})")
TOKEN = re.compile(r"""[()]|;[^\n]*|"[^"]*"|\|[^|]*\||[^\s();"|]+""")
Tree = str | list["Tree"]


def read_first_version(text: str, origin: str) -> Asserted:
    """Return what the text asserts.  Raises InputError, with the line."""
    declared: dict[str, set[int]] = {"X": set(), "Y": set()}
    asserted: list[Condition] = []
    if not text.strip():
        raise InputError(origin, "is empty", "give a VNN-LIB file")
    for line, command in _commands(text, origin):
        try:
            _command(command, declared, asserted)
        except NotUnderstood as error:
            raise InputError(
                f"{origin}:{line}",
                str(error),
                "see docs/reference/properties.md for what VNN-LIB may say here",
            ) from None
    sizes = []
    for kind, meaning in (("X", "input"), ("Y", "output")):
        found = declared[kind]
        if not found:
            raise InputError(
                origin, f"declares no {meaning} {kind}_0", "declare the variables with declare-const"
            )
        if max(found) != len(found) - 1:
            missing = next(i for i in range(len(found)) if i not in found)
            raise InputError(
                origin, f"declares {kind}_{max(found)}, but not {kind}_{missing}", "declare them all"
            )
        sizes.append(len(found))
    return Asserted(asserted, sizes[0], sizes[1], Wanted())


class _Bracketed(list[Tree]):
    """What stands between brackets, with the line where they open."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def _commands(text: str, origin: str) -> Iterator[tuple[int, Tree]]:
    """Top-level bracketed commands with the lines where they start."""
    open_lists: list[_Bracketed] = []
    line, seen, here = 1, 0, 1
    for found in TOKEN.finditer(text):
        token = found[0]
        if token[0] == ";":
            continue
        if token == "(":
            here, seen = here + text.count("\n", seen, found.start()), found.start()
            if not open_lists:
                line = here
            if len(open_lists) >= MAX_DEPTH:
                raise InputError(
                    f"{origin}:{line}", f"brackets are nested more than {MAX_DEPTH} deep", "write it flatter"
                )
            open_lists.append(_Bracketed(here))
        elif token == ")":
            if not open_lists:
                where = 1 + text.count("\n", 0, found.start())
                raise InputError(
                    f"{origin}:{where}", "a bracket closes that never opened", "check the brackets"
                )
            done = open_lists.pop()
            if open_lists:
                open_lists[-1].append(done)
            else:
                yield line, done
        elif open_lists:
            open_lists[-1].append(token)
        else:
            where = 1 + text.count("\n", 0, found.start())
            raise InputError(
                f"{origin}:{where}", f"{token[:40]!r} stands outside of brackets", "is this a VNN-LIB file?"
            )
    if open_lists:
        raise InputError(
            f"{origin}:{line}",
            "the bracket that opens here never closes",
            "check the brackets; is the file truncated?",
        )


def _command(command: Tree, declared: dict[str, set[int]], asserted: list[Condition]) -> None:
    match command:
        case ["declare-const", str(name), "Real"] | ["declare-fun", str(name), [], "Real"]:
            found = VARIABLE.fullmatch(name)
            if found is None:
                raise NotUnderstood(f"variable {name[:40]!r} is neither X_i (an input) nor Y_j (an output)")
            kind, i = found[1], int(found[2])
            if i >= MAX_INPUTS:
                raise NotUnderstood(f"{name} is over the limit of {MAX_INPUTS} variables")
            if i in declared[kind]:
                raise NotUnderstood(f"{name} is declared twice")
            declared[kind].add(i)
        case ["declare-const" | "declare-fun", str(name), *rest]:
            raise NotUnderstood(f"{name[:40]} is declared as {_shown(rest)}, not as Real")
        case ["assert", said]:
            asserted.append(_condition(said, declared))
        case ["set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "exit", *_]:
            pass
        case _:
            raise NotUnderstood(f"{_shown(command)} is not understood")


def _condition(tree: Tree, declared: dict[str, set[int]]) -> Condition:
    match tree:
        case ["and", *parts] if parts:
            return Conjunction(tuple(_condition(p, declared) for p in parts))
        case ["or", *parts] if parts:
            return Disjunction(tuple(_condition(p, declared) for p in parts))
        case [("<=" | ">=" | "<" | ">" | "=") as operator, left, right]:
            return comparison(
                operator, _linear(left, declared), _linear(right, declared), getattr(tree, "line", 0)
            )
    raise NotUnderstood(f"{_shown(tree)} is neither a comparison nor and/or of comparisons")


def _linear(tree: Tree, declared: dict[str, set[int]]) -> Linear:
    if isinstance(tree, str):
        found = VARIABLE.fullmatch(tree)
        if found is not None:
            variable = found[1], int(found[2])
            if variable[1] not in declared[variable[0]]:
                raise NotUnderstood(f"{tree} is not declared")
            return Linear({variable: Fraction(1)})
        try:
            return Linear({}, exact_number(tree))
        except ValueError as error:
            raise NotUnderstood(str(error)) from None
    if tree and isinstance(tree[0], str) and len(tree) > 1:
        operator, parts = tree[0], [_linear(t, declared) for t in tree[1:]]
        if operator in ARITHMETIC:
            return ARITHMETIC[operator](parts)
    raise NotUnderstood(f"{_shown(tree)} is not an expression of +, -, *, /, numbers and variables")


def _shown(tree: Tree) -> str:
    def flat(t: Tree) -> str:
        return t if isinstance(t, str) else f"({' '.join(map(flat, t[:6]))}{' ...' if len(t) > 6 else ''})"

    text = flat(tree)
    return text if len(text) <= 80 else text[:79] + "…"
