"""VNN-LIB files -> `Property`: version 1.0 with a reader of our own, version 2.0 through the `vnnlib` package.

Beside `onnx_reader` at the start of `relucid verify`.  Numbers are taken as the decimal text says, exactly.  The package
`vnnlib` (the format's own parser) reads version 2.0 only and keeps the text of every number, so exactness survives it.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from io import BytesIO
from pathlib import Path
from typing import Any as Whatever

from ...common.errors import InputError
from ...common.files import decoded, read_file
from ..network.head import Wanted
from .formula import All, Any, Formula, Linear, Unbounded, comparison, to_property
from .property import Property

MAX_BYTES = 2**28
MAX_DEPTH = 100  # brackets within brackets
MAX_INPUTS = 2**24
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?")
LONGEST_NUMBER, LARGEST_EXPONENT = 4000, 4000
VARIABLE = re.compile(r"([XY])_(\d{1,9})")
TOKEN = re.compile(r"""[()]|;[^\n]*|"[^"]*"|\|[^|]*\||[^\s();"|]+""")
SECOND_VERSION = re.compile(r"\(\s*(?:vnnlib-version|declare-network)\b")
Tree = str | list["Tree"]
Read = tuple[
    list[Formula], int, int, Wanted
]  # what is asserted, how many inputs and outputs there are, and which output they are


def load_vnnlib(path: str | Path) -> Property:
    """A .vnnlib file, .gz read in place.  Raises InputError, and Unsupported where the property is too large."""
    return read_vnnlib(load_text(path), origin=str(path))


def load_text(path: str | Path) -> str:
    """What the file says, unpacked.  Raises InputError."""
    origin = str(path)
    try:
        data = read_file(path, MAX_BYTES)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(origin, "there is no such file", "check the path") from None
    except (OSError, EOFError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(origin, f"cannot be read ({what})", "check the path and its permissions") from None
    except zlib.error as error:
        raise InputError(origin, f"cannot be unpacked ({error})", "compress it again with gzip") from None
    if len(data) > MAX_BYTES:
        raise InputError(origin, f"is larger than {MAX_BYTES >> 20} MB", "split the property")
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        raise InputError(
            origin, f"is no text (byte {error.start} is not UTF-8)", "give a VNN-LIB file"
        ) from None


def read_vnnlib(text: str, *, origin: str = "property") -> Property:
    """Raises InputError, and Unsupported."""
    bare = re.sub(r";[^\n]*", "", text)
    reader = _second_version if SECOND_VERSION.search(bare) else _first_version
    asserted, inputs, outputs, wanted = reader(text, origin)
    try:
        return replace(to_property(asserted, inputs, outputs), wanted=wanted, source=text)
    except Unbounded as error:
        raise InputError(origin, str(error), "assert one: every input needs a finite interval") from None


def exact_number(text: str) -> Fraction:
    """What the decimal text says.  Raises ValueError."""
    found = NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no number")
    if len(text) > LONGEST_NUMBER or (
        found[1] and (len(found[1]) > 6 or abs(int(found[1])) > LARGEST_EXPONENT)
    ):
        raise ValueError(f"the number {text[:20]!r}... is too long or its exponent too large")
    return Fraction(text)


# Version 1.0: SMT-LIB with variables X_i and Y_j


def _first_version(text: str, origin: str) -> Read:
    declared: dict[str, set[int]] = {"X": set(), "Y": set()}
    asserted: list[Formula] = []
    if not text.strip():
        raise InputError(origin, "is empty", "give a VNN-LIB file")
    for line, command in _commands(text, origin):
        try:
            _command(command, declared, asserted)
        except _Bad as error:
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
    return asserted, sizes[0], sizes[1], Wanted()


class _Bad(Exception):
    """What is wrong with a command; the caller knows the line."""


class _List(list[Tree]):
    """What stands between brackets, with the line where they open."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def _commands(text: str, origin: str) -> Iterator[tuple[int, Tree]]:
    """Top-level bracketed commands with the lines where they start."""
    open_lists: list[_List] = []
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
            open_lists.append(_List(here))
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


def _command(command: Tree, declared: dict[str, set[int]], asserted: list[Formula]) -> None:
    match command:
        case ["declare-const", str(name), "Real"] | ["declare-fun", str(name), [], "Real"]:
            found = VARIABLE.fullmatch(name)
            if found is None:
                raise _Bad(f"variable {name[:40]!r} is neither X_i (an input) nor Y_j (an output)")
            kind, i = found[1], int(found[2])
            if i >= MAX_INPUTS:
                raise _Bad(f"{name} is over the limit of {MAX_INPUTS} variables")
            if i in declared[kind]:
                raise _Bad(f"{name} is declared twice")
            declared[kind].add(i)
        case ["declare-const" | "declare-fun", str(name), *rest]:
            raise _Bad(f"{name[:40]} is declared as {_shown(rest)}, not as Real")
        case ["assert", formula]:
            asserted.append(_formula(formula, declared))
        case ["set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "exit", *_]:
            pass
        case _:
            raise _Bad(f"{_shown(command)} is not understood")


def _formula(tree: Tree, declared: dict[str, set[int]]) -> Formula:
    match tree:
        case ["and", *parts] if parts:
            return All(tuple(_formula(p, declared) for p in parts))
        case ["or", *parts] if parts:
            return Any(tuple(_formula(p, declared) for p in parts))
        case [("<=" | ">=" | "<" | ">" | "=") as operator, left, right]:
            return comparison(
                operator, _linear(left, declared), _linear(right, declared), getattr(tree, "line", 0)
            )
    raise _Bad(f"{_shown(tree)} is neither a comparison nor and/or of comparisons")


def _linear(tree: Tree, declared: dict[str, set[int]]) -> Linear:
    if isinstance(tree, str):
        found = VARIABLE.fullmatch(tree)
        if found is not None:
            variable = found[1], int(found[2])
            if variable[1] not in declared[variable[0]]:
                raise _Bad(f"{tree} is not declared")
            return Linear({variable: Fraction(1)})
        try:
            return Linear({}, exact_number(tree))
        except ValueError as error:
            raise _Bad(str(error)) from None
    if tree and isinstance(tree[0], str) and len(tree) > 1:
        operator, parts = tree[0], [_linear(t, declared) for t in tree[1:]]
        if operator in _ARITHMETIC:
            return _ARITHMETIC[operator](parts)
    raise _Bad(f"{_shown(tree)} is not an expression of +, -, *, /, numbers and variables")


def _difference(parts: list[Linear]) -> Linear:
    if len(parts) == 1:
        return parts[0].times(Fraction(-1))
    return reduce(lambda a, b: a.plus(b, Fraction(-1)), parts)


def _product(parts: list[Linear]) -> Linear:
    def multiplied(a: Linear, b: Linear) -> Linear:
        if a.terms and b.terms:
            raise _Bad("it multiplies two variables")
        return b.times(a.constant) if b.terms else a.times(b.constant)

    return reduce(multiplied, parts)


def _quotient(parts: list[Linear]) -> Linear:
    def divided(a: Linear, b: Linear) -> Linear:
        if b.terms or not b.constant:
            raise _Bad("it divides by a variable or by zero")
        return a.times(1 / b.constant)

    return reduce(divided, parts)


_ARITHMETIC: dict[str, Callable[[list[Linear]], Linear]] = {
    "+": lambda parts: reduce(Linear.plus, parts),
    "-": _difference,
    "*": _product,
    "/": _quotient,
}


def _shown(tree: Tree) -> str:
    def flat(t: Tree) -> str:
        return t if isinstance(t, str) else f"({' '.join(map(flat, t[:6]))}{' ...' if len(t) > 6 else ''})"

    text = flat(tree)
    return text if len(text) <= 80 else text[:79] + "…"


# Version 2.0: declared networks with tensors, read by the format's own parser


def _second_version(text: str, origin: str) -> Read:
    try:
        import vnnlib
    except ImportError:
        raise InputError(
            origin, "is VNN-LIB 2.0, and the package vnnlib is not installed", "pip install vnnlib"
        ) from None
    try:
        query = vnnlib.parse_query_string(text)
    except vnnlib.VNNLibException as error:
        raise InputError(
            origin, f"is no valid VNN-LIB 2.0 ({' '.join(str(error).split())[:300]})", "see vnnlib.org"
        ) from None
    if len(query.networks) != 1:
        raise InputError(origin, f"declares {len(query.networks)} networks", "one network per property")
    network = query.networks[0]
    if len(network.inputs) != 1:
        raise InputError(
            origin,
            f"its network has {len(network.inputs)} inputs",
            "networks of one input tensor can be verified",
        )
    if network.hidden:
        raise InputError(origin, "speaks of hidden nodes", "speak of inputs and outputs only")
    names = [tensor.name for tensor in network.outputs]
    walk = _Second(vnnlib, network.inputs[0].name)
    try:
        asserted = [walk.formula(a.expr) for a in query.assertions]
    except _Bad as error:
        raise InputError(
            origin, str(error), "see docs/reference/properties.md for what VNN-LIB may say"
        ) from None
    if len(walk.outputs) > 1:
        raise InputError(
            origin, f"speaks of the outputs {', '.join(sorted(walk.outputs))} at once", "speak of one of them"
        )
    place = names.index(next(iter(walk.outputs))) if walk.outputs else 0
    sizes = []
    for tensor in (network.inputs[0], network.outputs[place]):
        size = 1
        for d in tensor.shape:
            size *= int(d)
        if not 0 < size <= MAX_INPUTS:
            raise InputError(
                origin,
                f"{tensor.name} has {size} elements, the limit is {MAX_INPUTS}",
                "declare its real shape",
            )
        sizes.append(size)
    return asserted, sizes[0], sizes[1], Wanted(names[place], place, len(names))


class _Second:
    """The package's syntax tree as a formula."""

    def __init__(self, package: Whatever, name_of_input: str) -> None:
        self.v, self.input = package, name_of_input
        self.outputs: set[str] = set()  # that are spoken of
        self.operators = {
            package.LessEqual: "<=",
            package.GreaterEqual: ">=",
            package.LessThan: "<",
            package.GreaterThan: ">",
            package.Equal: "=",
            package.NotEqual: "!=",
        }

    def formula(self, node: Whatever) -> Formula:
        if isinstance(node, self.v.And):
            return All(tuple(self.formula(p) for p in node.args))
        if isinstance(node, self.v.Or):
            return Any(tuple(self.formula(p) for p in node.args))
        if type(node) in self.operators:
            return comparison(self.operators[type(node)], self.linear(node.lhs), self.linear(node.rhs))
        raise _Bad(f"{str(node)[:80]} is not understood")

    def linear(self, node: Whatever) -> Linear:
        if isinstance(node, self.v.Var):
            flat = 0
            for i, d in zip(node.indices, node.shape, strict=False):
                if not 0 <= i < d:
                    raise _Bad(f"{node} is outside of its shape {list(node.shape)}")
                flat = flat * d + i
            if len(node.indices) != len(node.shape) and not (
                len(node.indices) == 0 and all(d == 1 for d in node.shape)
            ):
                raise _Bad(
                    f"{node} has {len(node.indices)} indices, its shape {list(node.shape)} needs {len(node.shape)}"
                )
            if node.name == self.input:
                return Linear({("X", flat): Fraction(1)})
            self.outputs.add(node.name)
            return Linear({("Y", flat): Fraction(1)})
        if isinstance(node, self.v.Negate):
            return self.linear(node.expr).times(Fraction(-1))
        if isinstance(node, self.v.Plus):
            return reduce(Linear.plus, map(self.linear, node.args))
        if isinstance(node, self.v.Minus):
            return _difference([self.linear(node.head), *map(self.linear, node.rest)])
        if isinstance(node, self.v.Multiply):
            return _product([self.linear(p) for p in node.args])
        lexeme = getattr(node, "lexeme", None)
        if lexeme is None:
            raise _Bad(f"{str(node)[:80]} is not understood")
        try:
            return Linear({}, exact_number(str(lexeme)))
        except ValueError as error:
            raise _Bad(str(error)) from None
