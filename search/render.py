"""Python text: literals, conditions on tokens, and whole functions.  Last in the search; everything stays in the readable subset."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..common.text import literal, visible
from ..models.program.syntax import BUILTINS
from .problem import Problem, TokenSet


def tuple_of(values: Iterable[object]) -> str:
    parts = [literal(v) for v in values]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def nothing(problem: Problem) -> str:
    """A word that is not a token: what a token variable holds while there is none."""
    return next(
        w for w in ("", "none", *(f"none{i}" for i in range(problem.size + 1))) if w not in problem.tokens
    )


def is_in(problem: Problem, members: TokenSet, variable: str = "token", negate: bool = False) -> str:
    """The condition that a variable holds one of these tokens, in its shorter form."""
    rest = [t for i, t in enumerate(problem.tokens) if i not in members]
    inside = [problem.tokens[i] for i in members]
    if len(inside) <= len(rest) or not rest:
        return f"{variable} {one_of(inside, negate)}"
    return f"{variable} {one_of(rest, not negate)}"


def one_of(values: Sequence[object], negate: bool = False) -> str:
    """`== x` or `in (x, y)`, to be put behind a variable."""
    if len(values) == 1:
        return f"{'!=' if negate else '=='} {literal(values[0])}"
    return f"{'not in' if negate else 'in'} {tuple_of(values)}"


def indent(lines: Iterable[str], levels: int = 1) -> tuple[str, ...]:
    return tuple("    " * levels + line for line in lines)


def function_name(task: str) -> str:
    """A task's name as a Python identifier that hides no built-in function."""
    text = unicodedata.normalize("NFKC", task)  # as Python reads identifiers
    letters = "".join(c if f"x{c}".isidentifier() else "_" for c in text)  # narrower than \w
    name = re.sub("_+", "_", letters).strip("_").lower() or "program"
    taken = keyword.iskeyword(name) or name in BUILTINS or name == "tokens"
    return name if name.isidentifier() and not taken else f"task_{name}"


def parenthesised(condition: str, joiner: str) -> str:
    """A condition as it may stand beside `and` or `or`."""
    node = ast.parse(condition, mode="eval").body
    weaker = isinstance(node, ast.IfExp) or (
        joiner == "and" and isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
    )
    return f"({condition})" if weaker else condition


def docstring(text: str) -> str:
    """The literal whose value is the text, one line for each paragraph; the quotes stand alone where there are several."""
    paragraphs = [part.replace("\n", " ").strip() for part in text.split("\n\n")]
    flat = "\n\n".join(visible(part.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')) for part in paragraphs)
    if len(paragraphs) > 1:
        return f'"""{flat}\n"""'
    return f'"""{flat + " " if flat.endswith(chr(34)) else flat}"""'


def function(lines: Sequence[str], name: str, doc: str = "", constants: Sequence[str] = ()) -> str:
    """A whole function `name(tokens)` from the statements of its body; constants of the file stand before it."""
    head = docstring(doc).split("\n") if doc else []
    above = (*constants, "", "") if constants else ()
    body = (line if not line else indent([line])[0] for line in (*head, *lines))
    return "\n".join((*above, f"def {function_name(name)}(tokens):", *body)) + "\n"
